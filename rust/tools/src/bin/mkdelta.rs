//! `mkdelta`: what an image has not of an older one, for an update bundle of differences.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{bail, Context, Error};
use archive::Kind;
use plan::{Builder, Input, Plan, Reader};
use update::delta::{self, Image};

/// Writes a difference (docs/formats/update.md) that makes the new image of the old one.
#[derive(clap::Parser)]
struct Args {
    /// The old images: an update bundle, as tar.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Which member of it is the old image.
    #[arg(long, value_name = "NAME")]
    member: String,
    /// The new image: a list (*.image) or a plain file.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// How much zstd compresses what is new, 1 to 19.
    #[arg(long, value_name = "LEVEL", default_value_t = 15, value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
    /// The difference.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkdelta", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let old = Reader::open(member(&args.from, &args.member)?, &[&args.from])?;
    let new = Reader::open_any(&args.to)?;
    let (from, to) = (
        Image {
            reader: &old,
            len: old.len(),
        },
        Image {
            reader: &new,
            len: new.len(),
        },
    );
    cli::write_output(&args.output, |out| {
        delta::make(from, to, args.level, out).map(|_| ())
    })
    .map_err(Error::from_boxed)
}

/// The image that is a member of a tar.
fn member(tar: &Path, name: &str) -> anyhow::Result<Plan> {
    let shown = || tar.display().to_string();
    let file = File::open(tar).with_context(shown)?;
    let len = file.metadata().with_context(shown)?.len();
    let mut known = Vec::new();
    for entry in archive::list(file).with_context(shown)? {
        let entry = entry.with_context(shown)?;
        if entry.path == name.as_bytes() {
            let Kind::File { offset, len: size } = entry.kind else {
                bail!("{}: {name} is no plain file", shown());
            };
            let mut builder = Builder::new([Input::of_len(len)]);
            builder.source(0, offset, size)?;
            return Ok(builder.finish()?);
        }
        known.push(base::path::text(&entry.path));
    }
    let known = known.join(", ");
    bail!(
        "{} has no member {name}, only {known}: a difference is made to a bundle of whole images",
        shown()
    )
}
