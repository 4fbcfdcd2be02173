//! `mkqcow2`: a disk as qcow2, from plan to plan.

use std::path::PathBuf;
use std::process::ExitCode;

use plan::{Builder, Merged, Reference};

/// Writes the plan of a qcow2 image, which holds what a disk's plan says.
#[derive(clap::Parser)]
struct Args {
    /// The disk: its plan and the positions of its inputs in the result, or a raw image and its position.
    #[arg(long, value_name = "PLAN:0,1,…")]
    image: Reference,
    /// The plan to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkqcow2", |args: Args| -> Result<(), cli::BoxError> {
        let mut merged = Merged::default();
        let disk = args.image.open(&mut merged)?;
        let mut result = Builder::new(merged.finish()?);
        result.plan(&qcow2::image(&disk)?, &args.image.inputs)?;
        let plan = result.finish()?;
        cli::write_output(&args.output, |out| plan.write(out))
    })
}
