//! `mksigned`: the plan of a signed EFI program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use plan::Reader;
use signer::{CertificateFlag, Signer};
use signing::{Certificate, Request, Signatures, Signed};

/// Puts signatures to an EFI program, each verified against the certificate: made elsewhere, or now by a key or a program.
#[derive(clap::Parser)]
#[command(name = "mksigned")]
struct Args {
    /// The EFI program: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// What it is called.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    certificate: CertificateFlag,
    #[command(flatten)]
    signer: Signer,
    /// Signatures, as `signdigests` wrote them; those of other images are passed over.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "program"])]
    signatures: Vec<PathBuf>,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
    /// Where a detached OpenPGP signature of the signed program goes; without this none is made.
    #[arg(long, value_name = "FILE")]
    detached_output: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("mksigned", run)
}

fn run(args: Args) -> Result<()> {
    let certificate = args.certificate.read()?;
    let reader = Reader::open_any(&args.image)?;
    let place = || args.image.display().to_string();
    let detached = args.detached_output.is_some();
    let request = Request::of(&reader, &certificate, &args.name, detached);
    let request = request.with_context(place)?;
    let signatures = signatures(&args, &certificate, &request)?;
    let signed = Signed::of(&reader, &certificate, &request, &signatures).with_context(place)?;
    if let (Some(path), Some(bytes)) = (&args.detached_output, &signed.detached) {
        write(path, |out| out.write_all(bytes))?;
    }
    write(&args.output, |out| signed.plan.write(out))
}

/// Those that are given, or what the signer makes. None of both is for the library to refuse, which says of what.
fn signatures(
    args: &Args,
    certificate: &Certificate,
    request: &Request,
) -> Result<Vec<Signatures>> {
    if let Some(sign) = args.signer.for_certificate(certificate)? {
        let made = signing::sign(std::slice::from_ref(request), certificate, &*sign);
        return Ok(vec![made.with_context(|| args.image.display().to_string())?]);
    }
    let given = args.signatures.iter().map(|path| {
        let place = || path.display().to_string();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
        Signatures::parse(&text).with_context(place)
    });
    given.collect()
}

fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    cli::write_output(path, |out| body(out)).map_err(Error::from_boxed)
}
