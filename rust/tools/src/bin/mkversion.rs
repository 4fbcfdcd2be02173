//! `mkversion`: a version that follows from what an image is made of.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use base::Sha256Digest;
use disk::{digest, NamedFile};
use update::Version;

/// Writes the list of an image's inputs with their digests, as `sha256sum` does, sorted by name; and the version that the list's own digest
/// gives: the same inputs have the same version anywhere, and any other ones another.
#[derive(clap::Parser)]
struct Args {
    /// An input by the name it is listed under: its digest (*.digest), or the file itself.
    #[arg(long = "input", value_name = "NAME=FILE", required = true)]
    inputs: Vec<NamedFile>,
    /// The list to write.
    #[arg(long, value_name = "FILE")]
    inputs_output: PathBuf,
    /// The version to write, a line.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkversion", |args: Args| -> Result<(), cli::BoxError> {
        let list = digest::sha256sums(&digest::by_name("--input", &args.inputs)?);
        let version = Version::of_inputs(&Sha256Digest::of(&list));
        cli::write_output(&args.inputs_output, |out| out.write_all(list.as_bytes()))?;
        cli::write_output(&args.output, |out| writeln!(out, "{version}"))
    })
}
