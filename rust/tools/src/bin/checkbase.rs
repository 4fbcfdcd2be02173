//! `checkbase`: whether a base image that was fetched is the one that is pinned, and what is in it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, Context, Result};
use clap::Parser;
use oci::{Descriptor, Digest};

/// Checks a base image against its digest and writes the list of its packages.
#[derive(Parser)]
#[command(name = "checkbase")]
struct Args {
    /// The digest of its manifest.
    #[arg(long)]
    digest: Digest,
    /// Its one layer, not compressed.
    #[arg(long, value_name = "FILE")]
    tar: PathBuf,
    /// Its OCI image configuration.
    #[arg(long, value_name = "FILE")]
    oci_config: PathBuf,
    /// Its OCI manifest.
    #[arg(long, value_name = "FILE")]
    oci_manifest: PathBuf,
    /// `NAME VERSION SHA256` of each package's files, one a line; first `- -` for files of no package.
    #[arg(long, value_name = "FILE")]
    output_packages: PathBuf,
    /// The digest, as a line.
    #[arg(long, value_name = "FILE")]
    output_digest: PathBuf,
}

fn main() -> ExitCode {
    cli::run("checkbase", |args: Args| -> Result<()> {
        let layer = plan::Digest::open(&args.tar)?;
        let layer = Descriptor {
            media_type: oci::LAYER_TAR.to_owned(),
            digest: layer.sha256.into(),
            size: layer.len,
        };
        let (manifest, config) = (read(&args.oci_manifest)?, read(&args.oci_config)?);
        container::verify(&args.digest, &manifest, &config, &layer)
            .context("the base image that was fetched is not the one that is pinned")?;
        let file = File::open(&args.tar).with_context(|| cannot_read(&args.tar))?;
        // No buffer: between headers it would be filled and thrown away.
        let owned = debian::ownership(file)?;
        let packages: String = owned.iter().map(|owned| format!("{owned}\n")).collect();
        write(&args.output_packages, &packages)?;
        write(&args.output_digest, &format!("{}\n", args.digest))
    })
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| cannot_read(path))
}

fn write(path: &Path, text: &str) -> Result<()> {
    cli::write_output(path, |out| out.write_all(text.as_bytes())).map_err(|e| anyhow!(e))
}
