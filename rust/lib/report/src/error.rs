//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image can't be read.
    #[error(transparent)]
    Image(#[from] inspect::Error),
    /// The image's plan can't be read.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Notes on the image can't be read.
    #[error(transparent)]
    Notes(#[from] why::Error),
    /// An archive can't be read.
    #[error("cannot read {}", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<archive::Error>,
    },
    /// dpkg's status file can't be read.
    #[error("cannot tell which packages are in {place}")]
    Status {
        /// The archive that has it, or the image itself.
        place: String,
        /// What is wrong.
        source: dpkg::Error,
    },
    /// dpkg's files in the image are beyond what is held in memory.
    #[error("{path} in the image: with it dpkg's files have more than {most} bytes")]
    TooLong {
        /// The file with which it was too much.
        path: String,
        /// How much is taken.
        most: u64,
    },
    /// A file can't be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The image has no partition table.
    #[error(
        "the image has no partition table: want the image of a whole disk, not of a partition"
    )]
    NoTable,
    /// Notes or packages are given for a partition that is not there.
    #[error("the disk has no partition {got:?}, only {have}: notes and packages are given as PARTITION=FILE")]
    NoPartition {
        /// Its name.
        got: String,
        /// Those that are there.
        have: String,
    },
    /// A file is not JSON, or JSON of another form.
    #[error("{}: not {want}", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// What was wanted, with an article.
        want: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A file that gzip did not write, or not to its end.
    #[error("{} cannot be decompressed", path.display())]
    Gzip {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// A manifest of another version.
    #[error("{}: a manifest of format {got}, want {want}", path.display())]
    ManifestVersion {
        /// Which.
        path: PathBuf,
        /// The version it says.
        got: u64,
        /// The one that is read.
        want: u64,
    },
    /// A bill of materials in another format.
    #[error("{}: a bill of materials of format {got:?}, want one of SPDX 2.x as JSON", path.display())]
    SbomVersion {
        /// Which.
        path: PathBuf,
        /// The version it says.
        got: String,
    },
    /// A profile that cannot be of a whole build.
    #[error("{}: {reason}", path.display())]
    Profile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}
