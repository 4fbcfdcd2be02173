//! `mktosign`: what is to be signed to sign an EFI program.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use plan::Reader;
use signer::CertificateFlag;
use signing::Request;

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
    #[command(flatten)]
    certificate: CertificateFlag,
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
    let certificate = args.certificate.read()?;
    let reader = Reader::open_any(&args.image)?;
    let request = Request::of(&reader, &certificate, &args.name, args.detached);
    let request = request.with_context(|| args.image.display().to_string())?;
    let json = request.to_json();
    cli::write_output(&args.output, |out| out.write_all(json.as_bytes())).map_err(Error::from_boxed)
}
