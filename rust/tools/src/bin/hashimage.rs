//! `hashimage`: the digest of an image, for all who want it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use plan::{Digest, Reader};

/// Writes the SHA-256 and the length of an image, which is read through its plan.
#[derive(clap::Parser)]
struct Args {
    /// The image: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Where the digest goes (docs/formats/image.md).
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("hashimage", |args: Args| -> Result<(), cli::BoxError> {
        let digest = Digest::of(&Reader::open_any(&args.image)?)?;
        cli::write_output(&args.output, |out| {
            out.write_all(digest.to_file().as_bytes())
        })
    })
}
