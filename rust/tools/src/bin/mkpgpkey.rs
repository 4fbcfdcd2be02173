//! `mkpgpkey`: the OpenPGP public key of a certificate.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use signing::Certificate;

/// Writes the key of a certificate as an OpenPGP packet, for GRUB's --pubkey.
#[derive(clap::Parser)]
#[command(name = "mkpgpkey")]
struct Args {
    /// The certificate, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Where the packet goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkpgpkey", run)
}

fn run(args: Args) -> Result<()> {
    let place = args.certificate.display();
    let bytes = std::fs::read(&args.certificate);
    let certificate = Certificate::parse(&bytes.with_context(|| format!("cannot read {place}"))?);
    let key = certificate.and_then(|certificate| signing::public_key(&certificate));
    let key = key.with_context(|| place.to_string())?;
    cli::write_output(&args.output, |out| out.write_all(&key)).map_err(Error::from_boxed)
}
