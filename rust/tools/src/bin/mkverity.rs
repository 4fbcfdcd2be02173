//! `mkverity`: superblock and hash tree of dm-verity behind an image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context, Error, Result};
use plan::{InputFile, ReadAt, Reader};
use verity::{BlockHashes, Known, Params};

/// Size of data and hash blocks.
const BLOCK_SIZE: u32 = 4096;
/// Block hashes up to this length, all files together, may be held in memory; what is longer is read where it is needed.
const HELD: u64 = 64 << 20;

/// Writes the plan of an image with the dm-verity hash area behind it.
#[derive(clap::Parser)]
#[command(name = "mkverity")]
struct Args {
    /// The image: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// An input of the image that `hashblocks` has hashed, in the order of the image's list, each with its --hashes; others are read.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// What `hashblocks` wrote for an --input, in the same order.
    #[arg(long, value_name = "FILE")]
    hashes: Vec<PathBuf>,
    /// What is hashed before every block: at most 256 bytes as hexadecimal digits; `-` for none.
    #[arg(long, allow_hyphen_values = true)]
    salt: String,
    /// Identifier of the hash area.
    #[arg(long)]
    uuid: String,
    /// Where the plan goes.
    #[arg(long)]
    output: PathBuf,
    /// Where those bytes of the hash area go that no --hashes has. The plan then has each --hashes as an input, behind those of the image, and
    /// this file as the last one; without, it holds the bytes.
    #[arg(long)]
    hash_area_output: Option<PathBuf>,
    /// Where the root hash goes: hexadecimal digits and a newline.
    #[arg(long)]
    root_hash_output: PathBuf,
    /// Where the position of the superblock goes: a number of bytes and a newline.
    #[arg(long)]
    hash_offset_output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkverity", run)
}

fn run(args: Args) -> Result<()> {
    let salt = verity::parse_salt(&args.salt).context("--salt")?;
    let uuid = verity::parse_uuid(&args.uuid).context("--uuid")?;
    let params = Params::new(BLOCK_SIZE, BLOCK_SIZE, &salt, uuid)?;
    let image = || args.image.display().to_string();
    let reader = Reader::open_any(&args.image)?;
    let known = open_hashes(&args, &reader, &params)?;
    let mut written = None;
    let (plan, root, layout) = match &args.hash_area_output {
        None => verity::append(&reader, &known, &params).with_context(image)?,
        Some(path) => {
            let create = || format!("cannot write {}", path.display());
            let pending = cli::PendingOutput::create(path).with_context(create)?;
            let mut out = pending.file();
            let area = verity::area(&reader, &known, &params, &mut out).with_context(image)?;
            written = Some((pending, create));
            let plan = area.behind(reader.plan(), &known)?;
            (plan, area.root, area.layout)
        }
    };
    write(&args.output, |out| plan.write(out))?;
    write(&args.root_hash_output, |out| {
        writeln!(out, "{}", base::hex::encode(&root))
    })?;
    write(&args.hash_offset_output, |out| {
        writeln!(out, "{}", layout.hash_offset)
    })?;
    match written {
        Some((pending, create)) => pending.commit().with_context(create),
        None => Ok(()),
    }
}

fn write(path: &Path, body: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    cli::write_output(path, |out| body(out)).map_err(Error::from_boxed)
}

fn open_hashes(args: &Args, reader: &Reader, params: &Params) -> Result<Known> {
    let (inputs, hashes) = (args.input.len(), args.hashes.len());
    ensure!(
        inputs == hashes,
        "--hashes: {hashes} files for {inputs} of --input, want one for each"
    );
    let mut known = Known::default();
    let mut held = 0u64;
    // Digests are read extent by extent; where those are many and short, all at once costs less.
    let extents = base::as_u64(reader.plan().extents().count());
    let worth = extents
        .checked_mul(1024)
        .map_or(HELD, |worth| worth.min(HELD));
    let mut listed = (0..).zip(reader.inputs());
    for (input, path) in args.input.iter().zip(&args.hashes) {
        let wanted = input.display().to_string();
        let position = listed.find_map(|(at, (name, _))| (*name == wanted).then_some(at));
        let position = position.with_context(|| {
            format!(
                "--input: {wanted} is not in {}, or not behind the --input before it",
                args.image.display()
            )
        })?;
        let name = || path.display().to_string();
        let file = InputFile::open(path).with_context(|| format!("cannot open {}", name()))?;
        let len = file.stamp().len;
        let all = held.checked_add(len).filter(|all| *all <= worth);
        let bytes: Box<dyn ReadAt + Send + Sync> = match all {
            Some(all) => {
                held = all;
                Box::new(std::fs::read(path).with_context(name)?)
            }
            None => Box::new(file),
        };
        let hashes = BlockHashes::open(bytes, len).with_context(name)?;
        known
            .add(position, hashes, params, reader.plan().inputs())
            .with_context(|| format!("--hashes {}", name()))?;
    }
    Ok(known)
}
