//! `mkmanifest`: what an image consists of, as JSON.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context};
use disk::digest::{self, Digest};
use disk::manifest::{manifest_json, packages_text, read_lock, Contents};
use disk::NamedReference;
use partitions::Table;

/// Writes manifest.json: partitions, artifacts and packages with sizes and digests. Images are hashed through their plans.
#[derive(clap::Parser)]
struct Args {
    /// Name of the image.
    #[arg(long)]
    name: String,
    /// File with the version on its first line.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// The partition table.
    #[arg(long, value_name = "CSV")]
    partitions: PathBuf,
    /// Content of partition NAME, a plan (PLAN:0,1) or a file (FILE::2) with the positions of its inputs.
    #[arg(long = "image", value_name = "NAME=REF")]
    images: Vec<NamedReference>,
    /// What is published, likewise, and the name it has there.
    #[arg(long = "artifact", value_name = "NAME=REF")]
    artifacts: Vec<NamedReference>,
    /// The inputs of all images and artifacts, by position.
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// Lock file with the packages; default: none are listed.
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// The manifest to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// List of packages to write, one "name version architecture" a line.
    #[arg(long, value_name = "FILE")]
    packages_output: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("mkmanifest", |args: Args| -> Result<(), cli::BoxError> {
        let (manifest, packages) = make(&args)?;
        if let Some(path) = &args.packages_output {
            cli::write_output(path, |out| out.write_all(packages.as_bytes()))?;
        }
        cli::write_output(&args.output, |out| out.write_all(manifest.as_bytes()))
    })
}

/// The manifest and the list of packages.
fn make(args: &Args) -> anyhow::Result<(String, String)> {
    let version = read(&args.version_file)?;
    let version = version.lines().next().unwrap_or_default().trim();
    ensure!(
        !version.is_empty(),
        "{} has no version",
        args.version_file.display()
    );
    let csv = &args.partitions;
    let layout = Table::parse(&read(csv)?)
        .and_then(|table| table.layout(None))
        .with_context(|| csv.display().to_string())?;
    for image in &args.images {
        ensure!(
            layout.get(&image.name).is_some(),
            "--image: no partition {:?}",
            image.name
        );
    }
    let packages = match &args.lock {
        Some(path) => {
            read_lock(read(path)?.as_bytes()).with_context(|| path.display().to_string())?
        }
        None => Vec::new(),
    };
    let (images, artifacts) = digests(args)?;
    let manifest = manifest_json(&Contents {
        name: &args.name,
        version,
        layout: &layout,
        images: &images,
        artifacts: &artifacts,
        packages: &packages,
    })?;
    Ok((manifest, packages_text(&packages)))
}

type Digests = BTreeMap<String, Digest>;

/// Images and artifacts, hashed together so that all cores have work.
fn digests(args: &Args) -> anyhow::Result<(Digests, Digests)> {
    let both = args.images.iter().chain(&args.artifacts);
    let references: Vec<_> = both.map(|named| &named.reference).collect();
    let mut results = digest::references(&references, &args.inputs)?.into_iter();
    let mut images = Digests::new();
    for (named, digest) in args.images.iter().zip(results.by_ref()) {
        let again = images.insert(named.name.clone(), digest).is_some();
        ensure!(!again, "--image: {:?} was given already", named.name);
    }
    let mut artifacts = Digests::new();
    for (named, digest) in args.artifacts.iter().zip(results) {
        let again = artifacts.insert(named.name.clone(), digest).is_some();
        ensure!(!again, "--artifact: {:?} was given already", named.name);
    }
    Ok((images, artifacts))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
