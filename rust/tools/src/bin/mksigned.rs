//! `mksigned`: the plan of a signed EFI program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Error, Result};
use plan::Reader;
use signing::{Certificate, Request, Signatures, Signed};

/// Puts signatures to an EFI program, each verified against the certificate.
#[derive(clap::Parser)]
#[command(name = "mksigned")]
struct Args {
    /// The EFI program: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The certificate, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// What is to be signed of the image, as `mktosign` wrote it.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Signatures, as `signdigests` wrote them; those of other images are passed over.
    #[arg(long, value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
    /// Where the detached OpenPGP signature goes, if the request asks for one.
    #[arg(long)]
    detached_output: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("mksigned", run)
}

fn run(args: Args) -> Result<()> {
    let place = args.certificate.display();
    let bytes = std::fs::read(&args.certificate);
    let certificate = Certificate::parse(&bytes.with_context(|| format!("cannot read {place}"))?);
    let certificate = certificate.with_context(|| place.to_string())?;
    let request = document(&args.request, Request::parse)?;
    let signatures = args.signatures.iter();
    let signatures = signatures.map(|path| document(path, Signatures::parse));
    let signatures: Vec<_> = signatures.collect::<Result<_>>()?;
    let reader = Reader::open_any(&args.image)?;
    let signed = Signed::of(&reader, &certificate, &request, &signatures);
    let signed = signed.with_context(|| args.image.display().to_string())?;
    ensure!(
        signed.detached.is_some() == args.detached_output.is_some(),
        "--detached-output is given exactly if the request asks for an OpenPGP signature"
    );
    if let (Some(path), Some(bytes)) = (&args.detached_output, &signed.detached) {
        write(path, |out| out.write_all(bytes))?;
    }
    write(&args.output, |out| signed.plan.write(out))
}

fn document<T>(path: &Path, parse: fn(&str) -> Result<T, signing::Error>) -> Result<T> {
    let place = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
    parse(&text).with_context(place)
}

fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    cli::write_output(path, |out| body(out)).map_err(Error::from_boxed)
}
