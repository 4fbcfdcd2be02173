//! Why a configuration is not placed.

use std::io;

/// A refusal or a failure; nothing has been written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration, with a line for each problem.
    #[error(transparent)]
    Config(#[from] os_config::Error),
    /// Keys besides, for a configuration whose list of files is signed.
    #[error("--ssh-keys: the configuration is signed ({sums}), and with other keys the signature would be wrong: put them into its folder, and sign again")]
    Signed {
        /// The list.
        sums: &'static str,
    },
    /// Neither a folder nor keys.
    #[error("nothing to place: want --config DIR or --ssh-keys FILE")]
    Nothing,
    /// The image, or a partition of this name.
    #[error(transparent)]
    Image(#[from] inspect::Error),
    /// The file system.
    #[error("{place}")]
    Volume {
        /// Image and partition.
        place: String,
        /// The cause.
        source: fat::EditError,
    },
    /// What would be on the medium is none that a machine takes.
    #[error("{place} would be refused:\n{}\nNothing was written. --replace takes away what is there of another configuration", problems.join("\n"))]
    Medium {
        /// Image and partition.
        place: String,
        /// What is wrong with it, a line each.
        problems: Vec<String>,
    },
    /// A name on the volume that no file can have here.
    #[error("{place} has a file called {name:?}: take it away first")]
    Name {
        /// Image and partition.
        place: String,
        /// The name.
        name: String,
    },
    /// A file or folder of ours.
    #[error("cannot {action}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}
