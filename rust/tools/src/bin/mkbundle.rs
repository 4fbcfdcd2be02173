//! `mkbundle`: an update bundle, a tar of files in the order given.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{ensure, Context};
use archive::{Entry, Kind, Writer};
use disk::NamedFile;

/// Writes a tar with the given files, in the order given.
#[derive(clap::Parser)]
struct Args {
    /// A member and the file with its content.
    #[arg(long = "member", value_name = "NAME=FILE", required = true)]
    members: Vec<NamedFile>,
    /// Time of every member, in seconds since 1970.
    #[arg(long, value_name = "SECONDS")]
    mtime: i64,
    /// The tar to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkbundle", |args: Args| -> Result<(), cli::BoxError> {
        cli::write_output(&args.output, |out| bundle(&args, out))
    })
}

fn bundle(args: &Args, out: impl Write) -> anyhow::Result<()> {
    let mut writer = Writer::new(out);
    let mut seen = Vec::new();
    for NamedFile { name, path } in &args.members {
        ensure!(
            !seen.contains(&name),
            "--member: {name:?} was given already"
        );
        seen.push(name);
        let read = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(read)?;
        let metadata = file.metadata().with_context(read)?;
        ensure!(
            metadata.is_file(),
            "{} is not a regular file",
            path.display()
        );
        let kind = Kind::File {
            offset: 0,
            len: metadata.len(),
        };
        let mut entry = Entry::new(name.as_bytes(), kind, 0o644);
        entry.mtime = args.mtime;
        writer
            .append(&entry, file)
            .with_context(|| format!("member {name}"))?;
    }
    writer.finish()?;
    Ok(())
}
