//! `mkqcow2`: a disk as qcow2, from plan to plan.

use std::path::PathBuf;
use std::process::ExitCode;

use plan::ImageSet;

/// Writes the plan of a qcow2 image, which holds what a disk's plan says.
#[derive(clap::Parser)]
struct Args {
    /// The disk: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// The plan to write, over the disk's inputs.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkqcow2", |args: Args| -> Result<(), cli::BoxError> {
        let set = ImageSet::open(&[&args.image])?;
        let plan = qcow2::image(set.plan(0)?)?;
        cli::write_output(&args.output, |out| plan.write(out))
    })
}
