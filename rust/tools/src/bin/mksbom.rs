//! `mksbom`: what is inside an image, as an SPDX document.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use disk::{digest, NamedFile};
use sbom::{Image, Parts};

/// Writes an SPDX 2.3 document (JSON): every regular file of an image, whose it is, and what that is made of.
#[derive(clap::Parser)]
struct Args {
    /// Name of the image.
    #[arg(long)]
    name: String,
    /// File with the version on its first line.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// Time of the document, in seconds since 1970: the image's own.
    #[arg(long)]
    timestamp: i64,
    /// What is published, as the disk, under the name that it has there: its digest (*.digest), or the file itself.
    #[arg(long = "artifact", value_name = "NAME=FILE")]
    artifacts: Vec<NamedFile>,
    /// What the image is made of, as JSON lines (docs/formats/sbom.md).
    #[arg(long, value_name = "FILE")]
    parts: PathBuf,
    /// Notes on where bytes come from (docs/formats/why.md).
    #[arg(long, value_name = "FILE")]
    notes: Vec<PathBuf>,
    /// The Cargo.lock of the programs' crates.
    #[arg(long, value_name = "FILE")]
    cargo_lock: Option<PathBuf>,
    /// Lock of the packages that the programs are built with: those that static programs link are listed.
    #[arg(long, value_name = "FILE")]
    toolchain_lock: Option<PathBuf>,
    /// Licence of what is made here, as an SPDX expression; default: none is said.
    #[arg(long)]
    license: Option<String>,
    /// The document to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mksbom", |args: Args| -> Result<(), cli::BoxError> {
        let text = make(&args)?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn make(args: &Args) -> anyhow::Result<String> {
    let version_file = &args.version_file;
    let version =
        base::version::read(version_file).with_context(|| version_file.display().to_string())?;
    let document = Image {
        name: &args.name,
        version: &version,
        timestamp: args.timestamp,
        artifacts: &digest::by_name("--artifact", &args.artifacts)?,
        parts: &Parts::read(&args.parts)?,
        notes: &args.notes,
        cargo_lock: args.cargo_lock.as_deref(),
        toolchain_lock: args.toolchain_lock.as_deref(),
        licence: args.license.as_deref(),
        tool: &format!("mksbom-{}", cli::VERSION),
    }
    .document()?;
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}
