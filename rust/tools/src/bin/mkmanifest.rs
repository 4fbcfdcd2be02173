//! `mkmanifest`: what an image consists of, as JSON.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context};
use disk::digest;
use disk::manifest::{manifest_json, packages_text, read_lock, Contents};
use disk::NamedFile;
use partitions::Table;

/// Writes manifest.json: partitions, artifacts and packages with sizes and digests.
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
    /// Content of partition NAME: its digest (*.digest), or the file itself.
    #[arg(long = "image", value_name = "NAME=FILE")]
    images: Vec<NamedFile>,
    /// What is published, likewise, and the name it has there.
    #[arg(long = "artifact", value_name = "NAME=FILE")]
    artifacts: Vec<NamedFile>,
    /// Lock file with the packages; default: none are listed.
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// What of the packages is not what was locked, lines of `unlocked: …`; may be repeated.
    #[arg(long, value_name = "FILE")]
    unlocked: Vec<PathBuf>,
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
    let version_file = &args.version_file;
    let version =
        base::version::read(version_file).with_context(|| version_file.display().to_string())?;
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
    let mut unlocked = Vec::new();
    for path in &args.unlocked {
        let text = read(path)?;
        for line in text.lines() {
            let what = line.strip_prefix("unlocked: ");
            let what = what.with_context(|| format!("{}: {line:?} is no note", path.display()))?;
            unlocked.push(what.to_owned());
        }
    }
    unlocked.sort();
    let images = digest::by_name("--image", &args.images)?;
    let artifacts = digest::by_name("--artifact", &args.artifacts)?;
    let manifest = manifest_json(&Contents {
        name: &args.name,
        version: &version,
        layout: &layout,
        images: &images,
        artifacts: &artifacts,
        packages: &packages,
        unlocked: &unlocked,
    })?;
    Ok((manifest, packages_text(&packages)))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
