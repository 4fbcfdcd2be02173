//! `signdigests`: signatures of what is to be signed, by a person who has the key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use signer::{CertificateFlag, Signer};
use signing::Request;

/// Signs the digests of requests (docs/formats/signing.md), by a key in a file or by a program, and verifies each signature.
#[derive(clap::Parser)]
#[command(name = "signdigests")]
struct Args {
    /// A request, as `to_sign` gives it; they are signed in this order.
    #[arg(long, value_name = "FILE", required = true)]
    request: Vec<PathBuf>,
    #[command(flatten)]
    certificate: CertificateFlag,
    #[command(flatten)]
    signer: Signer,
    /// Where the signatures go.
    #[arg(long)]
    output: PathBuf,
    /// Where the key goes as a keyring of gpgv.
    #[arg(long)]
    keyring_output: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("signdigests", run)
}

fn run(args: Args) -> Result<()> {
    let certificate = args.certificate.read()?;
    let requests: Vec<Request> = args.request.iter().map(request).collect::<Result<_>>()?;
    let sign = args.signer.for_certificate(&certificate)?;
    let sign = sign.context("--key or --program is needed")?;
    let json = signing::sign(&requests, &certificate, &*sign)?.to_json();
    if let Some(path) = &args.keyring_output {
        let keyring = signing::keyring(&certificate, &*sign)?;
        write(path, &keyring)?;
    }
    write(&args.output, json.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    cli::write_output(path, |out| out.write_all(bytes)).map_err(Error::from_boxed)
}

fn request(path: &PathBuf) -> Result<Request> {
    let place = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", place()))?;
    Request::parse(&text).with_context(place)
}
