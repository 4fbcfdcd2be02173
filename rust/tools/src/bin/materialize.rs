//! `materialize`: the file that a plan describes.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use materialize::{Options, Output};
use plan::{List, Plan, Reader};

/// Writes an image from its plan: sparse, by all cores, whole or not at all.
#[derive(clap::Parser)]
struct Args {
    /// The plan.
    #[arg(long, value_name = "PLAN", required_unless_present = "image")]
    plan: Option<PathBuf>,
    /// A file that the plan was made over; all of them, in order.
    #[arg(long = "input", value_name = "FILE", requires = "plan")]
    inputs: Vec<PathBuf>,
    /// Instead of --plan and --input: a list of them (*.image), or a raw image.
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    image: Option<PathBuf>,
    /// Writes a compressed image: zstd in the seekable format, of this level.
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, default_missing_value = "3")]
    zstd: Option<i32>,
    /// Where the SHA-256 of the output goes, as hexadecimal digits and a newline.
    #[arg(long, value_name = "FILE")]
    sha256_output: Option<PathBuf>,
    /// The image to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("materialize", run)
}

fn run(args: Args) -> anyhow::Result<()> {
    let (reader, others) = open(&args)?;
    let named = || format!("cannot write {}", args.output.display());
    let output = Output::create(&args.output)?;
    let others: Vec<&Path> = others.iter().map(PathBuf::as_path).collect();
    output.check_inputs(&reader, &others)?;
    let progress = Progress::new(reader.len());
    let options = Options {
        digest: args.sha256_output.is_some(),
        progress: &|done| progress.show(done),
        ..Options::default()
    };
    let digest = match args.zstd {
        Some(level) => materialize::compress(&reader, output.file(), level, &options),
        None => materialize::write(&reader, output.file(), &options),
    };
    progress.end();
    let digest = digest.with_context(named)?;
    match (&args.sha256_output, digest) {
        (Some(path), Some(digest)) => {
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let named = || format!("cannot write {}", path.display());
            let sum = cli::PendingOutput::create(path).with_context(named)?;
            sum.file().write_all(hex.as_bytes()).with_context(named)?;
            sum.file().write_all(b"\n").with_context(named)?;
            output.commit()?;
            sum.commit().with_context(named)
        }
        _ => Ok(output.commit()?),
    }
}

/// The image, and which files besides its inputs it comes from.
fn open(args: &Args) -> anyhow::Result<(Reader, Vec<PathBuf>)> {
    if let Some(path) = &args.plan {
        let reader = Reader::open(Plan::open(path)?, &args.inputs)?;
        return Ok((reader, vec![path.clone()]));
    }
    let image = args.image.clone().context("--plan or --image is needed")?;
    let reader = Reader::open_any(&image)?;
    if !List::is_named(&image) {
        return Ok((reader, Vec::new()));
    }
    let plan = List::open(&image)?.plan;
    Ok((reader, vec![image, plan]))
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
