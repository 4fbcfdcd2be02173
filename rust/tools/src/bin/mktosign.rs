//! `mktosign`: what is to be signed to sign an EFI program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use plan::Reader;
use signing::{Certificate, Request};

/// Writes the digests that make a signed EFI program of an image (docs/formats/signing.md).
#[derive(clap::Parser)]
#[command(name = "mktosign")]
struct Args {
    /// The EFI program: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// What it is called.
    #[arg(long)]
    name: String,
    /// The certificate of the key that is to sign, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Ask for an OpenPGP signature of the signed image, too.
    #[arg(long)]
    detached: bool,
    /// Where the request goes.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mktosign", run)
}

fn run(args: Args) -> Result<()> {
    let place = args.certificate.display();
    let bytes = std::fs::read(&args.certificate);
    let certificate = Certificate::parse(&bytes.with_context(|| format!("cannot read {place}"))?);
    let certificate = certificate.with_context(|| place.to_string())?;
    let reader = Reader::open_any(&args.image)?;
    let request = Request::of(&reader, &certificate, &args.name, args.detached);
    let request = request.with_context(|| args.image.display().to_string())?;
    let json = request.to_json();
    cli::write_output(&args.output, |out| out.write_all(json.as_bytes())).map_err(Error::from_boxed)
}
