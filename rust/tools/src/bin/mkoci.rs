//! `mkoci`: the plan of an OCI archive, an image as one file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, ensure, Context, Error, Result};
use container::Layer;
use disk::Pair;
use oci::ImageConfig;
use plan::{Digest, ImageSet};

/// Lays out a tar of an OCI image layout with one image. No layer's content is read.
#[derive(clap::Parser)]
#[command(name = "mkoci")]
struct Args {
    /// A layer, the lowest first: a list (*.image) or a tar. None is compressed.
    #[arg(long = "layer", value_name = "FILE", required = true)]
    layers: Vec<PathBuf>,
    /// The digest of each layer (*.digest), in the same order; of a tar the tar itself will do.
    #[arg(long = "digest", value_name = "FILE", required = true)]
    digests: Vec<PathBuf>,
    /// What the image is called, without a tag.
    #[arg(long)]
    name: String,
    /// File whose first line is the version: the image's tag, and its label org.opencontainers.image.version.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// Architecture, in Debian's terms.
    #[arg(long)]
    architecture: String,
    /// A label.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<Pair>,
    /// A word of the command that a container starts with; the default is no command.
    #[arg(long = "command", value_name = "WORD", allow_hyphen_values = true)]
    command: Vec<String>,
    /// The signal that ends a container; default: the engine's own.
    #[arg(long, default_value = "")]
    stop_signal: String,
    /// The time of all that the archive adds, in seconds since 1970.
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    mtime: i64,
    /// Where the plan goes, over the inputs of the layers in the order of their first appearance.
    #[arg(long)]
    output: PathBuf,
}

/// The label that says the version (OCI Image Format 1.1, `annotations.md`).
const VERSION_LABEL: &str = "org.opencontainers.image.version";

fn main() -> ExitCode {
    cli::run("mkoci", run)
}

fn run(args: Args) -> Result<()> {
    let (layers, digests) = (args.layers.len(), args.digests.len());
    ensure!(
        layers == digests,
        "got {layers} times --layer and {digests} times --digest, want a digest for each layer"
    );
    let images = ImageSet::open(&args.layers)?;
    let mut layers = Vec::new();
    for (plan, digest) in images.plans().iter().zip(&args.digests) {
        let digest = Digest::open(digest)?;
        layers.push(Layer { plan, digest });
    }
    let file = &args.version_file;
    let version = base::version::read(file).with_context(|| file.display().to_string())?;
    let mut config = ImageConfig::new(&args.architecture, args.mtime, Vec::new());
    config.config.cmd = args.command;
    config.config.stop_signal = args.stop_signal;
    config.config.labels = labels(args.labels, &version)?;
    let name = format!("{}:{version}", args.name);
    let plan = container::archive(&name, config, &layers, args.mtime)?;
    cli::write_output(&args.output, |out| plan.write(out)).map_err(Error::from_boxed)
}

fn labels(given: Vec<Pair>, version: &str) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::from([(VERSION_LABEL.to_owned(), version.to_owned())]);
    for Pair { name, value } in given {
        if labels.insert(name.clone(), value).is_some() {
            bail!("--label: {name:?} was given already, or is what --version-file gives");
        }
    }
    Ok(labels)
}
