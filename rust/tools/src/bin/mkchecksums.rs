//! `mkchecksums`: the SHA256SUMS of a set of files.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use disk::{digest, NamedFile};

/// Writes digests as `sha256sum -c` reads them, sorted by name.
#[derive(clap::Parser)]
struct Args {
    /// A file and the name it is listed under.
    #[arg(long = "file", value_name = "NAME=FILE", required = true)]
    files: Vec<NamedFile>,
    /// The list to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkchecksums", |args: Args| -> Result<(), cli::BoxError> {
        let text = digest::sha256sums(&digests(args.files)?);
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn digests(files: Vec<NamedFile>) -> anyhow::Result<BTreeMap<String, digest::Digest>> {
    let mut names = Vec::new();
    let mut paths = Vec::new();
    for file in files {
        // sha256sum marks a line with such a name by a backslash; nobody needs one.
        anyhow::ensure!(
            !file.name.contains('\\'),
            "--file: backslash in the name {:?}",
            file.name
        );
        anyhow::ensure!(
            !names.contains(&file.name),
            "--file: {:?} was given already",
            file.name
        );
        names.push(file.name);
        paths.push(file.path);
    }
    Ok(names.into_iter().zip(digest::files(&paths)?).collect())
}
