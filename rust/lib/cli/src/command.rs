//! What all command lines have in common besides the flags that a program declares.

use std::ffi::OsString;

use clap::Command;

/// What `--version` prints behind a program's name: that of the tree, not of the commit or the build, so that a program's bytes
/// depend on its sources alone.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Parses `args`, the first being the program, as the command line of the program `name`.
pub(crate) fn parse<A: clap::Parser>(
    name: &'static str,
    args: Vec<OsString>,
) -> Result<A, clap::Error> {
    let mut command = negative_numbers(A::command().name(name).version(VERSION));
    let mut matches = command.try_get_matches_from_mut(args)?;
    A::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Lets `--flag -1` be a number: one that the flag takes, or one that it says it does not take.
fn negative_numbers(command: Command) -> Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    });
    command.mut_subcommands(negative_numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Args {
        #[arg(long)]
        mtime: Option<i64>,
        #[arg(long)]
        size: Option<u32>,
        #[arg(long, num_args = 0..=1, default_missing_value = "3")]
        level: Option<i32>,
        #[command(subcommand)]
        sub: Option<Sub>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Sub {
        At {
            #[arg(long)]
            time: i64,
        },
    }

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        parse("name", line.split(' ').map(OsString::from).collect())
    }

    #[test]
    fn numbers_below_zero() {
        assert_eq!(parsed("x --mtime -1").unwrap().mtime, Some(-1));
        assert_eq!(parsed("x --level -5").unwrap().level, Some(-5));
        let args = parsed("x --level --mtime -9223372036854775808").unwrap();
        assert_eq!((args.level, args.mtime), (Some(3), Some(i64::MIN)));
        let Some(Sub::At { time }) = parsed("x at --time -7").unwrap().sub else {
            panic!("no subcommand");
        };
        assert_eq!(time, -7);
        let error = parsed("x --size -1").unwrap_err().to_string();
        assert!(
            error.contains("invalid value '-1' for '--size <SIZE>'"),
            "{error}"
        );
        let error = parsed("x --mtime --size").unwrap_err().to_string();
        assert!(
            error.contains("a value is required for '--mtime <MTIME>'"),
            "{error}"
        );
    }

    #[test]
    fn name_and_version() {
        let error = parsed("some/path --version").unwrap_err();
        assert_eq!(error.kind(), clap::error::ErrorKind::DisplayVersion);
        assert_eq!(error.to_string(), format!("name {VERSION}\n"));
        assert!(VERSION.split('.').all(|part| part.parse::<u16>().is_ok()));
    }
}
