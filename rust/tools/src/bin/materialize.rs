//! `materialize`: the file that a plan describes.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use materialize::{Options, Output};
use plan::{Digest, List, Reader};

/// Writes an image from its plan: sparse, by all cores, whole or not at all.
#[derive(clap::Parser)]
struct Args {
    /// The image: a list (*.image) or a raw image.
    #[arg(long, value_name = "FILE")]
    image: PathBuf,
    /// Writes a compressed image: zstd in the seekable format, of this level.
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, default_missing_value = "3")]
    zstd: Option<i32>,
    /// Where the digest of the output goes (docs/formats/image.md).
    #[arg(long, value_name = "FILE")]
    digest_output: Option<PathBuf>,
    /// The image to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("materialize", run)
}

fn run(args: Args) -> anyhow::Result<()> {
    let (reader, others) = open(&args.image)?;
    let named = || format!("cannot write {}", args.output.display());
    let output = Output::create(&args.output)?;
    let others: Vec<&Path> = others.iter().map(PathBuf::as_path).collect();
    output.check_inputs(&reader, &others)?;
    let progress = Progress::new(reader.len());
    let options = Options {
        digest: args.digest_output.is_some(),
        progress: &|done| progress.show(done),
        ..Options::default()
    };
    let digest = match args.zstd {
        Some(level) => materialize::compress(&reader, output.file(), level, &options),
        None => materialize::write(&reader, output.file(), &options),
    };
    progress.end();
    let digest = digest.with_context(named)?;
    match (&args.digest_output, digest) {
        (Some(path), Some(digest)) => {
            let named = || format!("cannot write {}", path.display());
            let file = cli::PendingOutput::create(path).with_context(named)?;
            let (sha256, len) = (
                digest.into(),
                output.file().metadata().with_context(named)?.len(),
            );
            let text = Digest { sha256, len }.to_file();
            file.file().write_all(text.as_bytes()).with_context(named)?;
            output.commit()?;
            file.commit().with_context(named)
        }
        _ => Ok(output.commit()?),
    }
}

/// The image, and which files besides its inputs it comes from.
fn open(image: &Path) -> anyhow::Result<(Reader, Vec<PathBuf>)> {
    let reader = Reader::open_any(image)?;
    if !List::is_named(image) {
        return Ok((reader, Vec::new()));
    }
    let plan = List::open(image)?.plan;
    Ok((reader, vec![image.to_owned(), plan]))
}

/// Tells a person at a terminal how far it is, if they have to wait.
struct Progress {
    total: u64,
    terminal: bool,
    next: Mutex<Instant>,
}

impl Progress {
    const FIRST: Duration = Duration::from_secs(2);
    const EVERY: Duration = Duration::from_millis(200);

    fn new(total: u64) -> Self {
        let start = Instant::now();
        Self {
            total,
            terminal: std::io::stderr().is_terminal(),
            next: Mutex::new(start.checked_add(Self::FIRST).unwrap_or(start)),
        }
    }

    fn show(&self, done: u64) {
        let Ok(mut next) = self.next.lock() else {
            return;
        };
        let now = Instant::now();
        if !self.terminal || now < *next {
            return;
        }
        *next = now.checked_add(Self::EVERY).unwrap_or(now);
        // Saturated: of so much the percentage is off, and no more than that.
        let percent = done.saturating_mul(100).checked_div(self.total);
        eprint!("\r{:3} %", percent.unwrap_or(100));
    }

    fn end(&self) {
        if self.terminal {
            // Over whatever was shown.
            eprint!("\r     \r");
        }
    }
}
