//! `mkbundle`: the plan of an update bundle, a tar of images in the order given.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Error;
use disk::{Image, NamedReference};
use plan::Merged;

/// Lays out a tar with the given images. Reads no image, plans only.
#[derive(clap::Parser)]
struct Args {
    /// A member and its content, a plan (PLAN:0,1) or a file (FILE::2) with the positions of its inputs in the tar's plan.
    #[arg(long = "member", value_name = "NAME=REF", required = true)]
    members: Vec<NamedReference>,
    /// Time of every member, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    mtime: i64,
    /// The tar's plan.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkbundle", make)
}

fn make(args: Args) -> anyhow::Result<()> {
    let mut merged = Merged::default();
    let mut members = Vec::new();
    for NamedReference { name, reference } in args.members {
        members.push((name, Image::open(&reference, &mut merged)?));
    }
    let plan = disk::bundle(&members, args.mtime, merged.finish()?)?;
    cli::write_output(&args.output, |out| out.write_all(&plan.encode())).map_err(Error::from_boxed)
}
