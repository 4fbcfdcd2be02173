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
    /// The files are archives (tar) whose files get into images by themselves: what is behind the end of one in its last block does not
    /// count. What is no archive, or from some place on none, is hashed as any other file.
    #[arg(long)]
    archive: bool,
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
        hash(input, output, &salt, args.archive)?;
    }
    Ok(())
}

fn hash(input: &Path, output: &Path, salt: &[u8], archive: bool) -> Result<()> {
    let name = input.display();
    let file = File::open(input).with_context(|| format!("cannot open {name}"))?;
    let metadata = file
        .metadata()
        .with_context(|| format!("cannot read {name}"))?;
    ensure!(metadata.is_file(), "{name} is not a regular file");
    let cuts = match archive {
        true => ends_of_files(&file, metadata.len()).with_context(|| name.to_string())?,
        false => Vec::new(),
    };
    let create = || format!("cannot write {}", output.display());
    let pending = cli::PendingOutput::create(output).with_context(create)?;
    let out = pending.file();
    verity::write_block_hashes(&file, metadata.len(), salt, BLOCK_SIZE, &cuts, out)
        .with_context(|| name.to_string())?;
    pending.commit().with_context(create)
}

/// Where in an archive of `len` bytes files end within a block, if their blocks begin with a block of the archive.
fn ends_of_files(file: &File, len: u64) -> Result<Vec<u64>> {
    let block = u64::from(BLOCK_SIZE);
    let mut cuts = Vec::new();
    let members = match archive::list(file) {
        Ok(members) => members,
        Err(error @ archive::Error::Read { .. }) => return Err(error.into()),
        Err(_) => return Ok(cuts),
    };
    for member in members {
        let kind = match member {
            Ok(member) => member.kind,
            Err(error @ archive::Error::Read { .. }) => return Err(error.into()),
            // Nobody reads on behind what is not understood.
            Err(_) => break,
        };
        let archive::Kind::File { offset, len: size } = kind else {
            continue;
        };
        let end = offset.checked_add(size).filter(|end| *end < len);
        let aligned = offset.checked_rem(block) == Some(0);
        cuts.extend(end.filter(|end| aligned && end.checked_rem(block) != Some(0)));
    }
    Ok(cuts)
}
