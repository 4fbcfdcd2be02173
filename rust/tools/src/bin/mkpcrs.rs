//! `mkpcrs`: what a TPM's registers will hold when an image has started.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use measured::{authenticode, Enrolled, Owner, Prediction};
use plan::Reader;
use signing::Certificate;

/// Predicts PCR 4, 7, 11 and 12 of a machine with Secure Boot, for each profile of a kernel image (docs/formats/measured.md).
#[derive(clap::Parser)]
#[command(name = "mkpcrs")]
struct Args {
    /// A signed EFI program that firmware loads before the kernel image: a list (*.image) or a raw image; may be repeated, in this order.
    #[arg(long, value_name = "FILE")]
    loader: Vec<PathBuf>,
    /// The signed unified kernel image: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// Whom the firmware's variables name as the owner of each certificate, a GUID.
    #[arg(long, value_name = "GUID")]
    owner: Owner,
    /// Certificate of the platform key, PEM or DER.
    #[arg(long, value_name = "FILE")]
    pk: PathBuf,
    /// Certificate of the key exchange key, PEM or DER; the only one.
    #[arg(long, value_name = "FILE")]
    kek: PathBuf,
    /// Certificate that let the programs in, PEM or DER; the only one in db.
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Content of the variable dbx, EFI signature lists; default: the variable is empty or not there.
    #[arg(long, value_name = "FILE")]
    dbx: Option<PathBuf>,
    /// Where the predictions go.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkpcrs", run)
}

fn run(args: Args) -> Result<()> {
    let [pk, kek, db] = [&args.pk, &args.kek, &args.db].map(|path| certificate(path));
    let (pk, kek, db) = (pk?, kek?, db?);
    let dbx = args.dbx.as_deref().map_or(Ok(Vec::new()), read)?;
    let keys = Enrolled {
        owner: args.owner,
        pk: pk.der(),
        kek: kek.der(),
        db: db.der(),
        dbx: &dbx,
    };
    let loaders = args.loader.iter();
    let loaders = loaders.map(|path| {
        let reader = Reader::open_any(path)?;
        authenticode(&reader).with_context(|| path.display().to_string())
    });
    let loaders: Vec<_> = loaders.collect::<Result<_>>()?;
    let kernel = Reader::open_any(&args.kernel)?;
    let prediction = Prediction::of(&loaders, &kernel, &keys);
    let json = prediction.and_then(|prediction| prediction.to_json());
    let json = json.with_context(|| args.kernel.display().to_string())?;
    cli::write_output(&args.output, |out| out.write_all(json.as_bytes())).map_err(Error::from_boxed)
}

fn certificate(path: &Path) -> Result<Certificate> {
    Certificate::parse(&read(path)?).with_context(|| path.display().to_string())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
