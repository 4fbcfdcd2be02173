//! Peers that exist as crates only, as programs that tests/bench can time; and trees for them to work on.

mod gen_tree;
mod peer;

use std::path::PathBuf;
use std::process::ExitCode;

/// What the benchmarks need besides the tools themselves.
#[derive(clap::Parser)]
#[command(name = "bench_peers")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Writes a tree as an ext4 image with the crate mkext4.
    Mkext4Crate {
        /// The tree.
        #[arg(long)]
        tar: PathBuf,
        /// Size of the image in MiB; 0: roughly what the tree takes.
        #[arg(long, default_value_t = 0)]
        size_mib: u64,
        /// Where the image goes.
        #[arg(long)]
        output: PathBuf,
    },
    /// Writes an archive of a tree that was made up: the same for the same numbers.
    GenTree {
        /// How many files it has.
        #[arg(long)]
        files: u64,
        /// How many bytes they have in all.
        #[arg(long)]
        bytes: u64,
        /// Where the archive goes.
        #[arg(long)]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    cli::run("bench_peers", |args: Args| match args.command {
        Command::Mkext4Crate {
            tar,
            size_mib,
            output,
        } => peer::mkext4(&tar, size_mib, &output),
        Command::GenTree {
            files,
            bytes,
            output,
        } => gen_tree::write(files, bytes, &output),
    })
}
