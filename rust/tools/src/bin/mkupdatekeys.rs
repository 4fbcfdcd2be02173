//! `mkupdatekeys`: whose signatures a system takes updates by.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error};
use update::{PublicKey, TrustedKey, TrustedKeys};

/// Writes update-keys.json from public keys.
#[derive(clap::Parser)]
struct Args {
    /// A public key in PEM (`openssl pkey -pubout`); its file's name up to the first dot is the name of the key.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// How many of them must have signed.
    #[arg(long, value_name = "COUNT")]
    threshold: usize,
    /// The system takes --allow-unsigned: for development.
    #[arg(long)]
    allow_unsigned: bool,
    /// The file.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkupdatekeys", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let keys = args.keys.iter().map(|path| key(path));
    let mut keys = keys.collect::<anyhow::Result<Vec<_>>>()?;
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    let keys = TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold: args.threshold,
        allow_unsigned: args.allow_unsigned,
        keys,
    };
    let text = keys.to_json()?;
    cli::write_output(&args.output, |out| out.write_all(text.as_bytes())).map_err(Error::from_boxed)
}

fn key(path: &Path) -> anyhow::Result<TrustedKey> {
    let shown = || path.display().to_string();
    let pem = std::fs::read_to_string(path).with_context(shown)?;
    let ed25519 = PublicKey::from_pem(&pem).with_context(shown)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id = name.split('.').next().unwrap_or_default().to_owned();
    Ok(TrustedKey { id, ed25519 })
}
