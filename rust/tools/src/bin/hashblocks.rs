//! `hashblocks`: salted digests of one input's blocks, which `mkverity` takes for every image the input gets into.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{ensure, Context, Result};

/// Size of the blocks; that of `mkverity`.
const BLOCK_SIZE: u32 = 4096;

/// Hashes every 4096 bytes of a file as dm-verity does.
#[derive(clap::Parser)]
#[command(name = "hashblocks")]
struct Args {
    /// The file.
    #[arg(long)]
    input: PathBuf,
    /// What is hashed before every block: at most 256 bytes as hexadecimal digits; `-` for none.
    #[arg(long, allow_hyphen_values = true)]
    salt: String,
    /// Where the digests go.
    #[arg(long)]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("hashblocks", run)
}

fn run(args: Args) -> Result<()> {
    let salt = verity::parse_salt(&args.salt).context("--salt")?;
    let name = args.input.display();
    let input = File::open(&args.input).with_context(|| format!("cannot open {name}"))?;
    let metadata = input
        .metadata()
        .with_context(|| format!("cannot read {name}"))?;
    ensure!(metadata.is_file(), "{name} is not a regular file");
    let create = || format!("cannot write {}", args.output.display());
    let pending = cli::PendingOutput::create(&args.output).with_context(create)?;
    verity::write_block_hashes(&input, metadata.len(), &salt, BLOCK_SIZE, pending.file())
        .with_context(|| name.to_string())?;
    pending.commit().with_context(create)
}
