//! `signupdate`: the signatures of an update bundle's manifest, made here or brought along.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{ensure, Context, Error};
use update::{Manifest, Signatures, SigningKey, TrustedKeys};

/// Writes manifest.json.sig. Each signature is checked against the keys; the output has the names of those that made them.
///
/// Without a signature, key or signer it is an empty list: only systems for development take such a bundle.
#[derive(clap::Parser)]
struct Args {
    /// What is signed: manifest.json.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Whose signatures count: update-keys.json.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// A signature over the manifest that was made elsewhere: 64 bytes, as `openssl pkeyutl -sign -rawin` writes them.
    #[arg(long = "signature", value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// A private key in PEM, which signs here: for keys that are no secret.
    #[arg(long = "key", value_name = "FILE")]
    signing_keys: Vec<PathBuf>,
    /// A program that signs: the manifest is its standard input, and 64 bytes are its standard output.
    #[arg(long = "signer", value_name = "PROGRAM")]
    signers: Vec<PathBuf>,
    /// Leave a bundle that nobody signed as it is; any other one has enough signatures, or is refused.
    #[arg(long)]
    allow_unsigned: bool,
    /// The signatures.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("signupdate", sign)
}

fn sign(args: Args) -> anyhow::Result<()> {
    let manifest = read(&args.manifest)?;
    let parsed = Manifest::parse(&manifest);
    parsed.with_context(|| args.manifest.display().to_string())?;
    let keys = TrustedKeys::parse(&read(&args.keys)?);
    let keys = keys.with_context(|| args.keys.display().to_string())?;
    let mut made = Vec::new();
    for path in &args.signatures {
        made.push((path, read(path)?));
    }
    for path in &args.signing_keys {
        let pem = String::from_utf8(read(path)?).with_context(|| path.display().to_string())?;
        let key = SigningKey::from_pem(&pem).with_context(|| path.display().to_string())?;
        made.push((path, key.sign(&manifest).to_vec()));
    }
    for path in &args.signers {
        made.push((path, run(path, &args.manifest)?));
    }
    let mut signatures = Signatures::default();
    for (path, bytes) in &made {
        let shown = || path.display().to_string();
        let got = bytes.len();
        let signature = bytes.as_slice().try_into();
        let signature = signature
            .with_context(|| format!("{}: a signature of {got} bytes, want 64", shown()))?;
        signatures
            .add(&manifest, signature, &keys)
            .with_context(shown)?;
    }
    if !(args.allow_unsigned && made.is_empty()) {
        signatures.signers(&manifest, &keys)?;
    }
    let text = signatures.to_json()?;
    cli::write_output(&args.output, |out| out.write_all(text.as_bytes())).map_err(Error::from_boxed)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// What a program makes of the manifest.
fn run(program: &Path, manifest: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = || program.display().to_string();
    // A path without a slash would be looked for elsewhere.
    let program = std::path::absolute(program).with_context(shown)?;
    let manifest = File::open(manifest).with_context(|| manifest.display().to_string())?;
    let output = Command::new(program)
        .stdin(Stdio::from(manifest))
        .output()
        .with_context(|| format!("cannot start {}", shown()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}: {}",
        shown(),
        output.status,
        base::text::shorten(said.trim())
    );
    Ok(output.stdout)
}
