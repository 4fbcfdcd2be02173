//! `signdigests`: signatures of what is to be signed. Run by the build with a key that it knows, or by a person with one that it doesn't.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Error, Result};
use base::Sha256Digest;
use signing::{Certificate, PrivateKey, Program, Request};

/// Signs the digests of requests (docs/formats/signing.md), by a key in a file or by a program, and verifies each signature.
///
/// The program gets a digest, 32 bytes, on its standard input and writes the raw RSA signature (PKCS#1 v1.5, SHA-256) to its standard output.
#[derive(clap::Parser)]
#[command(name = "signdigests")]
struct Args {
    /// A request, as `to_sign` gives it; they are signed in this order.
    #[arg(long, value_name = "FILE", required = true)]
    request: Vec<PathBuf>,
    /// The certificate of the key, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The key, PEM, not encrypted.
    #[arg(long, value_name = "FILE", conflicts_with = "program")]
    key: Option<PathBuf>,
    /// A program that signs.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// An argument of that program.
    #[arg(
        long,
        value_name = "ARG",
        requires = "program",
        allow_hyphen_values = true
    )]
    program_arg: Vec<OsString>,
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
    let certificate = Certificate::parse(&read(&args.certificate)?);
    let certificate = certificate.with_context(|| args.certificate.display().to_string())?;
    let requests: Vec<Request> = args.request.iter().map(request).collect::<Result<_>>()?;
    let sign = signer(&args, &certificate)?;
    let json = signing::sign(&requests, &certificate, &*sign)?.to_json();
    if let Some(path) = &args.keyring_output {
        let keyring = signing::keyring(&certificate, &*sign)?;
        write(path, &keyring)?;
    }
    write(&args.output, json.as_bytes())
}

/// What gives the signature of a digest.
type Sign = Box<dyn Fn(&Sha256Digest) -> Result<Vec<u8>, signing::Error>>;

fn signer(args: &Args, certificate: &Certificate) -> Result<Sign> {
    match (&args.key, &args.program) {
        (Some(path), None) => {
            let place = || path.display().to_string();
            let text = String::from_utf8(read(path)?).with_context(place)?;
            let key = PrivateKey::parse(&text).with_context(place)?;
            key.check(certificate).with_context(place)?;
            Ok(Box::new(move |digest| key.sign(digest)))
        }
        (None, Some(path)) => {
            let (path, args) = (path.clone(), args.program_arg.clone());
            let program = Program { path, args };
            Ok(Box::new(move |digest| program.sign(digest)))
        }
        _ => bail!("--key or --program is needed"),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    cli::write_output(path, |out| out.write_all(bytes)).map_err(Error::from_boxed)
}

fn request(path: &PathBuf) -> Result<Request> {
    let text = String::from_utf8(read(path)?).with_context(|| path.display().to_string())?;
    Request::parse(&text).with_context(|| path.display().to_string())
}

fn read(path: &PathBuf) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
