//! `mkpgpkey`: the OpenPGP public keys of certificates.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{ensure, Context, Error, Result};
use signing::Certificate;

/// Writes the keys of certificates as OpenPGP packets in one file, for GRUB's --pubkey: it trusts all of them.
#[derive(clap::Parser)]
#[command(name = "mkpgpkey")]
struct Args {
    /// A certificate, PEM or DER; may be given several times, each key once.
    #[arg(long, value_name = "FILE", required = true)]
    certificate: Vec<PathBuf>,
    /// Where the packets go, in the order of the certificates.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkpgpkey", run)
}

fn run(args: Args) -> Result<()> {
    let mut keys: Vec<(Vec<u8>, String)> = Vec::new();
    for path in &args.certificate {
        let place = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {place}"))?;
        let certificate = Certificate::parse(&bytes);
        let key = certificate.and_then(|certificate| signing::public_key(&certificate));
        let key = key.with_context(|| place.clone())?;
        let known = keys.iter().find(|(known, _)| *known == key);
        ensure!(
            known.is_none(),
            "{place} has the same key as {}, want each once",
            known.map_or("", |(_, of)| of)
        );
        keys.push((key, place));
    }
    cli::write_output(&args.output, |out| {
        keys.iter().try_for_each(|(key, _)| out.write_all(key))
    })
    .map_err(Error::from_boxed)
}
