//! `mkgrubenv`: a GRUB environment block.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Context};
use disk::Pair;
use grubenv::Block;

/// Writes a GRUB environment block of 1024 bytes.
#[derive(clap::Parser)]
struct Args {
    /// A variable; they are written in the order given.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    variables: Vec<Pair>,
    /// The block to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkgrubenv", |args: Args| -> Result<(), cli::BoxError> {
        let bytes = block(&args.variables)?;
        cli::write_output(&args.output, |out| out.write_all(&bytes))
    })
}

fn block(variables: &[Pair]) -> anyhow::Result<[u8; grubenv::SIZE]> {
    let mut block = Block::new();
    for Pair { name, value } in variables {
        if block.get(name).is_some() {
            bail!("--set: {name:?} was given already");
        }
        block
            .set(name, value.as_bytes())
            .with_context(|| format!("--set {name}"))?;
    }
    Ok(block.to_bytes()?)
}
