//! `mkbundle`: the plan of an update bundle, a tar of images in the order given.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Error;
use disk::NamedFile;

/// Lays out a tar with the given images. Reads no image, plans only.
#[derive(clap::Parser)]
struct Args {
    /// A member and its content: a list (*.image) or a plain file.
    #[arg(long = "member", value_name = "NAME=FILE", required = true)]
    members: Vec<NamedFile>,
    /// Time of every member, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    mtime: i64,
    /// The tar's plan, over the inputs of the members in the order of their first appearance.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkbundle", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let opened = disk::open(args.members)?;
    let plan = disk::bundle(&opened.images, args.mtime, opened.inputs)?;
    cli::write_output(&args.output, |out| out.write_all(&plan.encode())).map_err(Error::from_boxed)
}
