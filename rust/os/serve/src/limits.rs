//! How much strangers may take.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use os_config::duration;
use rustix::io::Errno;
use rustix::process::{getrlimit, Resource};

/// Descriptors that connections never take: for the program's files, its children and its own connections.
pub const RESERVE: u64 = 64;

/// Flags of a program that serves.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Most connections at a time; one more closes the oldest. Fewer if the limit of open files says so.
    #[arg(long, value_name = "N", default_value = "1024")]
    max_connections: NonZeroUsize,
    /// How long a client may take for the header of a request, and may be silent before one.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration::parse_positive)]
    head_timeout: Duration,
    /// How long a connection may last.
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = duration::parse_positive)]
    connection_lifetime: Duration,
}

impl Flags {
    /// The limits, with regard to how many files this process may open.
    pub fn limits(&self) -> io::Result<Limits> {
        let files = getrlimit(Resource::Nofile).current;
        Ok(Limits {
            connections: room(self.max_connections, files)?,
            head: self.head_timeout,
            lifetime: self.connection_lifetime,
        })
    }
}

/// How much strangers may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most connections at a time.
    pub connections: NonZeroUsize,
    /// Longest wait for a request's header.
    pub head: Duration,
    /// Longest time from the first to the last byte of a connection.
    pub lifetime: Duration,
}

/// `wanted`, or what `files` (none: no limit) leaves.
fn room(wanted: NonZeroUsize, files: Option<u64>) -> io::Result<NonZeroUsize> {
    let Some(files) = files else {
        return Ok(wanted);
    };
    let left = files
        .checked_sub(RESERVE)
        .map(base::as_usize)
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| {
            io::Error::other(format!(
                "at most {files} files may be open (LimitNOFILE=, ulimit -n), want more than {RESERVE}"
            ))
        })?;
    Ok(wanted.min(left))
}

/// Whether an error is about what this process or machine has no more of, and not about the other side.
pub fn is_own_want(error: &io::Error) -> bool {
    let wants = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::ADDRNOTAVAIL,
        Errno::AGAIN,
    ];
    Errno::from_io_error(error).is_some_and(|errno| wants.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_limit_connections() {
        let some = |n| NonZeroUsize::new(n).unwrap();
        assert_eq!(room(some(1024), None).unwrap(), some(1024));
        assert_eq!(room(some(1024), Some(65_536)).unwrap(), some(1024));
        assert_eq!(room(some(1024), Some(256)).unwrap(), some(192));
        assert_eq!(room(some(1024), Some(65)).unwrap(), some(1));
        for files in [0, 64] {
            let error = room(some(1), Some(files)).unwrap_err().to_string();
            let want = format!(
                "at most {files} files may be open (LimitNOFILE=, ulimit -n), want more than 64"
            );
            assert_eq!(error, want);
        }
    }

    #[test]
    fn whose_fault_it_is() {
        for own in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::ADDRNOTAVAIL,
        ] {
            assert!(is_own_want(&own.into()), "{own}");
        }
        for other in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::TIMEDOUT] {
            assert!(!is_own_want(&other.into()), "{other}");
        }
        assert!(!is_own_want(&io::Error::other("x")));
    }
}
