//! `mkreport`: what an image is made of, as one page for people.

use std::path::PathBuf;
use std::process::ExitCode;

use disk::NamedFile;
use plan::Reader;
use report::{Manifest, OfPartition, Profile, Sbom, Sources};

/// Writes a page of HTML about a disk: partitions, what takes the space, packages, what was injected.
///
/// Under `bazel run`, paths count from the folder in which it was called.
#[derive(clap::Parser)]
struct Args {
    /// The disk: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Its manifest.json.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// Notes on the image that PARTITION was given (*.why, *.jsonl).
    #[arg(long, value_name = "PARTITION=FILE")]
    notes: Vec<NamedFile>,
    /// The archive of a root file system with the records of the packages in PARTITION; default: those in the partition itself.
    #[arg(long, value_name = "PARTITION=TAR")]
    packages: Vec<NamedFile>,
    /// Bill of materials, SPDX 2.x as JSON, to count.
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// The manifest.json of an older image, to say what differs.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// Bazel's profile of a build (its `--profile=FILE`), to say what took how long.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The page to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkreport", |args: Args| -> Result<(), cli::BoxError> {
        let page = page(&args)?;
        cli::write_output(&cli::from_user(&args.output), |out| {
            std::io::Write::write_all(out, page.as_bytes())
        })
    })
}

fn page(args: &Args) -> Result<String, report::Error> {
    let given = |path: &Option<PathBuf>| path.as_deref().map(cli::existing);
    let named = |files: &[NamedFile]| -> Vec<OfPartition> {
        let files = files.iter();
        files.map(|f| (f.name.clone(), f.path.clone())).collect()
    };
    let image = Reader::open_any(&args.image)?;
    let sources = Sources {
        image: &image,
        manifest: Manifest::read(&args.manifest)?,
        notes: named(&args.notes),
        packages: named(&args.packages),
        previous: given(&args.previous)
            .map(|path| Manifest::read(&path))
            .transpose()?,
        sbom: given(&args.sbom)
            .map(|path| Sbom::read(&path))
            .transpose()?,
        profile: given(&args.profile)
            .map(|path| Profile::read(&path))
            .transpose()?,
    };
    report::page(&sources)
}
