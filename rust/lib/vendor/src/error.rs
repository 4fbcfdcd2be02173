//! What can be wrong with locks, bundles and archives.

use std::io;
use std::path::PathBuf;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A lock is not what it should be.
    #[error("{file}: {problem}")]
    Lock {
        /// The lock.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The folder has files that no bundle has.
    #[error("{} has {found:?} in it: want a bundle, an empty folder, or none", .dir.display())]
    NoBundle {
        /// The folder.
        dir: PathBuf,
        /// What is there.
        found: String,
    },
    /// A snapshot service's address lacks a part.
    #[error("the address of a snapshot service is {0:?}, want one with {{root}}, {{timestamp}} and {{path}} in it")]
    Snapshot(String),
    /// A program could not be started.
    #[error("cannot start {program} ({package})")]
    Program {
        /// The program.
        program: &'static str,
        /// What it is in.
        package: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("cannot {what}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
