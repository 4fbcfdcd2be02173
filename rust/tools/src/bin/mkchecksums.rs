//! `mkchecksums`: the SHA256SUMS of a set of images.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use disk::{digest, NamedFile};

/// Writes digests as `sha256sum -c` reads them, sorted by name.
#[derive(clap::Parser)]
struct Args {
    /// An image by the name it is listed under: its digest (*.digest), or the file itself.
    #[arg(long = "image", value_name = "NAME=FILE", required = true)]
    images: Vec<NamedFile>,
    /// The list to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkchecksums", |args: Args| -> Result<(), cli::BoxError> {
        let text = make(&args)?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn make(args: &Args) -> anyhow::Result<String> {
    for NamedFile { name, .. } in &args.images {
        // sha256sum marks a line with such a name by a backslash; nobody needs one.
        ensure!(
            !name.contains('\\'),
            "--image: backslash in the name {name:?}"
        );
    }
    Ok(digest::sha256sums(&digest::by_name(
        "--image",
        &args.images,
    )?))
}
