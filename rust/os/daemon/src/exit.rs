//! How a run of a program ended.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// A status of another kind, as the kernel gives it: a run that was waited for has none.
    Other(i32),
}

impl Exit {
    /// What the kernel's status says.
    pub fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Other(status.into_raw()),
        }
    }

    /// How `what` ended that was waited for; an error, which a child that is waited for once does not have, goes to the log.
    pub fn waited(ended: io::Result<ExitStatus>, what: &str) -> Self {
        match ended {
            Ok(status) => Self::of(status),
            Err(error) => {
                tracing::error!(%error, "cannot wait for {what}");
                Self::Code(-1)
            }
        }
    }

    /// The number that a shell would give.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            // A signal has seven bits.
            Self::Signal(signal) => 128 | signal,
            Self::Other(raw) => raw,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with status {code}"),
            Self::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Self::Other(raw) => write!(f, "ended with the wait status {raw:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_shell_and_a_person_would_say_it() {
        // As wait(2) encodes them: a status in the second byte, a signal in the first.
        for (raw, code, text) in [
            (0, 0, "exited with status 0"),
            (3 << 8, 3, "exited with status 3"),
            (9, 137, "was killed by signal 9"),
        ] {
            let exit = Exit::of(ExitStatus::from_raw(raw));
            assert_eq!((exit.shell_code(), exit.to_string().as_str()), (code, text));
            assert_eq!(Exit::waited(Ok(ExitStatus::from_raw(raw)), "it"), exit);
        }
        let lost = Exit::waited(Err(io::ErrorKind::NotFound.into()), "it");
        assert_eq!(lost, Exit::Code(-1));
    }
}
