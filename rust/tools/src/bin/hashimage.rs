//! `hashimage`: the digest of an image, for all who want it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use plan::{Digest, Reader};
use verity::FsverityDigest;

/// Writes the SHA-256 and the length of an image, which is read through its plan.
#[derive(clap::Parser)]
struct Args {
    /// The image: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Where the digest goes (docs/formats/image.md).
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// The digest that fs-verity has of such a file, instead of the SHA-256 of all its bytes; zeros cost nothing.
    #[arg(long)]
    fsverity: bool,
}

fn main() -> ExitCode {
    cli::run("hashimage", |args: Args| -> Result<(), cli::BoxError> {
        let image = Reader::open_any(&args.image)?;
        let text = match args.fsverity {
            true => FsverityDigest::of(&image.with_holes()?)?.to_file(),
            false => Digest::of(&image)?.to_file(),
        };
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}
