//! `mkupdate`: the manifest of an update bundle.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Error};
use disk::{NamedFile, Pair};
use plan::{Digest, Reader};
use update::{Expiry, Manifest, Member, Version, FORMAT};

/// Writes manifest.json: what the members of a bundle are, in chunks, and whom it is for. Images are read through their plans.
#[derive(clap::Parser)]
struct Args {
    /// Name of the operating system.
    #[arg(long, value_name = "NAME")]
    os: String,
    /// Name of its environment.
    #[arg(long, value_name = "NAME")]
    env: String,
    /// A file whose first line is the version.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// The oldest version that may be upgraded to this one.
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<Version>,
    /// When it is too late to install it: a date (2027-01-31) or a second (2027-01-31T00:00:00Z).
    #[arg(long, value_name = "TIME")]
    expires: Option<Expiry>,
    /// A kind of data that outlives upgrades, and the number of the format that this version keeps it in.
    #[arg(long = "data-format", value_name = "NAME=NUMBER")]
    data_formats: Vec<Pair>,
    /// A member and its content, a list (*.image) or a plain file, in the order of the bundle.
    #[arg(long = "member", value_name = "NAME=FILE", required = true)]
    members: Vec<NamedFile>,
    /// The digest of a member (*.digest) that was taken already; others are read once more.
    #[arg(long = "digest", value_name = "NAME=FILE")]
    digests: Vec<NamedFile>,
    /// The manifest.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkupdate", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let digests = disk::digest::by_name("--digest", &args.digests)?;
    let mut members = Vec::new();
    for NamedFile { name, path } in &args.members {
        let reader = Reader::open_any(path)?;
        let whole = digests.get(name).copied();
        let whole = whole.map_or_else(|| Digest::of(&reader), Ok)?;
        members.push(Member::of_image(name, &reader, whole)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        os: args.os,
        env: args.env,
        version: version(&args.version_file)?,
        minimum_version: args.minimum_version,
        expires: args.expires,
        data_formats: numbers(args.data_formats)?,
        members,
    };
    let text = manifest.to_json()?;
    cli::write_output(&args.output, |out| out.write_all(text.as_bytes())).map_err(Error::from_boxed)
}

fn version(path: &Path) -> anyhow::Result<Version> {
    let shown = || path.display().to_string();
    let line = base::version::read(path).with_context(shown)?;
    line.parse().with_context(shown)
}

fn numbers(pairs: Vec<Pair>) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut numbers = BTreeMap::new();
    for Pair { name, value } in pairs {
        let number = value
            .parse()
            .with_context(|| format!("--data-format {name}: got {value:?}, want a number"))?;
        let first = numbers.insert(name.clone(), number).is_none();
        ensure!(first, "--data-format: {name:?} was given already");
    }
    Ok(numbers)
}
