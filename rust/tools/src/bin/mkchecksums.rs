//! `mkchecksums`: the SHA256SUMS of a set of images.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use disk::{digest, NamedReference};

/// Writes digests as `sha256sum -c` reads them, sorted by name. Images are hashed through their plans.
#[derive(clap::Parser)]
struct Args {
    /// An image and the name it is listed under: a plan (PLAN:0,1) or a file (FILE::2) with the positions of its inputs.
    #[arg(long = "image", value_name = "NAME=REF", required = true)]
    images: Vec<NamedReference>,
    /// The inputs of all images, by position.
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// The list to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkchecksums", |args: Args| -> Result<(), cli::BoxError> {
        let text = digest::sha256sums(&digests(&args)?);
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn digests(args: &Args) -> anyhow::Result<BTreeMap<String, digest::Digest>> {
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    let mut references = Vec::new();
    for NamedReference { name, reference } in &args.images {
        // sha256sum marks a line with such a name by a backslash; nobody needs one.
        anyhow::ensure!(
            !name.contains('\\'),
            "--image: backslash in the name {name:?}"
        );
        anyhow::ensure!(seen.insert(name), "--image: {name:?} was given already");
        names.push(name.clone());
        references.push(reference);
    }
    let digests = digest::references(&references, &args.inputs)?;
    Ok(names.into_iter().zip(digests).collect())
}
