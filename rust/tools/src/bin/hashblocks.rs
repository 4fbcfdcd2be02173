//! `hashblocks`: salted digests of the blocks of inputs, a file for each, which `mkverity` takes for every image the input gets into.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Result};

/// Size of the blocks; that of `mkverity`.
const BLOCK_SIZE: u32 = 4096;

/// Hashes every 4096 bytes of files as dm-verity does.
#[derive(clap::Parser)]
#[command(name = "hashblocks")]
struct Args {
    /// A file; several, each with an --output of its own.
    #[arg(long, required = true, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// What is hashed before every block: at most 256 bytes as hexadecimal digits; `-` for none.
    #[arg(long, allow_hyphen_values = true)]
    salt: String,
    /// Where the digests of a file go, in the order of --input.
    #[arg(long, required = true, value_name = "FILE")]
    output: Vec<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("hashblocks", run)
}

fn run(args: Args) -> Result<()> {
    let salt = verity::parse_salt(&args.salt).context("--salt")?;
    let (inputs, outputs) = (args.input.len(), args.output.len());
    ensure!(
        inputs == outputs,
        "--output: {outputs} files for {inputs} of --input, want one for each"
    );
    for (input, output) in args.input.iter().zip(&args.output) {
        hash(input, output, &salt)?;
    }
    Ok(())
}

fn hash(input: &Path, output: &Path, salt: &[u8]) -> Result<()> {
    let name = input.display();
    let file = File::open(input).with_context(|| format!("cannot open {name}"))?;
    let metadata = file
        .metadata()
        .with_context(|| format!("cannot read {name}"))?;
    ensure!(metadata.is_file(), "{name} is not a regular file");
    let create = || format!("cannot write {}", output.display());
    let pending = cli::PendingOutput::create(output).with_context(create)?;
    verity::write_block_hashes(&file, metadata.len(), salt, BLOCK_SIZE, pending.file())
        .with_context(|| name.to_string())?;
    pending.commit().with_context(create)
}
