//! What every tool's `main` shares: arguments from parameter files, errors as one paragraph, outputs whole or absent.
//!
//! ```no_run
//! #[derive(clap::Parser)]
//! struct Args {
//!     /// Where the result goes.
//!     #[arg(long)]
//!     output: std::path::PathBuf,
//! }
//! fn main() -> std::process::ExitCode {
//!     cli::run("example", |args: Args| {
//!         cli::write_output(&args.output, |out| std::io::Write::write_all(out, b"done\n"))
//!     })
//! }
//! ```

mod command;
mod output;
mod params;
mod progress;
mod workspace;

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;

use command::parse;

pub use command::VERSION;
pub use output::{write_output, PendingOutput};
pub use params::{expand, ParamError};
pub use progress::{rate, Progress};
pub use workspace::{existing, from_user, workspace, NoWorkspace};

/// Any error a tool ends with; `anyhow::Error` and library errors both convert.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// Exit status for input that was refused: a bad flag, file or archive.
pub const EXIT_REFUSED: u8 = 1;
/// Exit status when reading or writing failed although the input may be fine.
pub const EXIT_IO: u8 = 2;

/// Parses the command line into `A`, runs `body`, and turns its error into one paragraph on stderr.
///
/// Every program so run knows `--help` and `--version`; a value that is a negative number is a value, and no unknown flag.
/// An argument `@FILE` stands for the lines of FILE, one argument each (Bazel's `multiline` parameter files).
/// Exit status: 0 done, [`EXIT_REFUSED`] bad input, [`EXIT_IO`] an I/O error anywhere in the error's chain.
pub fn run<A, E, F>(name: &'static str, body: F) -> ExitCode
where
    A: clap::Parser,
    E: Into<BoxError>,
    F: FnOnce(A) -> Result<(), E>,
{
    let args = match expand(std::env::args_os()) {
        Ok(args) => args,
        Err(error) => return fail(name, &error),
    };
    match parse::<A>(name, args) {
        Ok(args) => match body(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(name, error.into().as_ref()),
        },
        Err(error) => {
            // Help and version go to stdout with status 0; nothing more can be done if stdout is gone.
            let _ = error.print();
            if error.use_stderr() {
                ExitCode::from(EXIT_REFUSED)
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

/// Prints `error` with all its causes and picks the exit status.
fn fail(name: &str, error: &(dyn StdError + 'static)) -> ExitCode {
    eprintln!("{name}: error: {}", chain(error));
    ExitCode::from(if has_io(error) { EXIT_IO } else { EXIT_REFUSED })
}

/// `error` and its causes as `a: b: c`; a cause that its parent already spells out is not repeated.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let line = error.to_string();
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = error.source();
    }
    text
}

fn has_io(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(io::Error);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "cannot read block 17")
        }
    }
    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn causes_are_printed_once() {
        let error = Outer(io::Error::other("disk on fire"));
        assert_eq!(chain(&error), "cannot read block 17: disk on fire");
        assert!(has_io(&error));
    }
}
