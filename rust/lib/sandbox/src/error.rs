//! Why a command could not be run.

use std::io;
use std::path::PathBuf;

/// A failure of the sandbox itself; what a command does is in [`crate::Finished`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system does not let us make namespaces.
    #[error(
        "making {what} is not permitted here: run as root, or allow unprivileged user namespaces \
         (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces) and install the package uidmap"
    )]
    NotPermitted {
        /// The namespaces.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A set-up step failed.
    #[error("cannot {step}")]
    Setup {
        /// The step.
        step: String,
        /// What the system said.
        source: io::Error,
    },
    /// The process that stays outside the namespaces failed.
    #[error("cannot {0}")]
    Outside(String),
    /// Process 1 of the sandbox could not set it up.
    #[error("sandbox: {0}")]
    Child(String),
    /// The sandbox ended without a report.
    #[error("sandbox ended early ({0}); was it killed, or out of memory?")]
    Lost(String),
    /// Trees cannot be made in a folder.
    #[error("{} cannot hold a work folder: {problem}", path.display())]
    WorkFolder {
        /// The folder.
        path: PathBuf,
        /// What is in the way, and what was wanted.
        problem: &'static str,
    },
    /// A script's name is none.
    #[error("script: {0}")]
    Script(base::path::UnsafePath),
    /// The root of the sandbox is not a folder.
    #[error("{0} is not a folder to use as root")]
    Root(PathBuf),
}

impl Error {
    pub(crate) fn setup(step: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Setup {
            step: step.into(),
            source: source.into(),
        }
    }
}
