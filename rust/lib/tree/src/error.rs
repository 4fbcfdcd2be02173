//! What can be wrong with a tree.

use std::io;
use std::path::{Path, PathBuf};

/// Why a tree, manifest or injection was refused, or could not be read. Paths are printed as the manifest writes them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that was asked for.
    #[error("no file {path}: {reason}")]
    NoFile {
        /// Its path.
        path: String,
        /// What is there instead, or what hinders.
        reason: String,
    },
    /// A path with an empty, `.` or `..` component, a NUL byte, or none at all.
    #[error("{origin}: path '{path}' {reason}")]
    BadPath {
        /// Who gave the path.
        origin: String,
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two injected entries claim one path.
    #[error("'/{path}' is claimed by {first} and by {second}")]
    Duplicate {
        /// The path after following links of parent folders.
        path: String,
        /// Who came first.
        first: String,
        /// Who came second.
        second: String,
    },
    /// An entry cannot replace what is there.
    #[error("{origin}: '/{path}' is a {new}, but {holder} has a {old} there")]
    Clash {
        /// Who wants to write.
        origin: String,
        /// Where.
        path: String,
        /// What would be written.
        new: &'static str,
        /// Who owns what is there.
        holder: String,
        /// What is there.
        old: &'static str,
    },
    /// A parent folder of a path is something else.
    #[error("{origin}: '/{path}' lies under '/{ancestor}', which is a {kind} of {holder}")]
    NotADirectory {
        /// Who gave the path.
        origin: String,
        /// The path.
        path: String,
        /// The parent that is no folder.
        ancestor: String,
        /// What it is.
        kind: &'static str,
        /// Where it comes from.
        holder: String,
    },
    /// Following symbolic links does not end.
    #[error("{origin}: '/{path}' leads into a loop of symbolic links at '/{link}'")]
    SymlinkLoop {
        /// Who gave the path.
        origin: String,
        /// The path.
        path: String,
        /// The link followed last.
        link: String,
    },
    /// A hard link to nothing, to a folder or to another hard link.
    #[error("hard link '{path}' names '{target}', which {reason}")]
    BadHardLink {
        /// The link.
        path: String,
        /// What it names.
        target: String,
        /// Why that cannot be.
        reason: &'static str,
    },
    /// A source outside its input.
    #[error("'{path}': bytes {offset}+{len} of input {input} lie outside its {have} bytes")]
    SourceOutside {
        /// The file.
        path: String,
        /// The input's index.
        input: usize,
        /// Start of the range.
        offset: u64,
        /// Length of the range.
        len: u64,
        /// Length of the input (0 if there is no such input).
        have: u64,
    },
    /// Two different sources share bytes.
    #[error("'{first}' and '{second}' overlap in input {input} at byte {offset}")]
    SourceOverlap {
        /// The file whose range starts first.
        first: String,
        /// The other.
        second: String,
        /// The input's index.
        input: usize,
        /// Where the second range starts.
        offset: u64,
    },
    /// A manifest line that is not what the format says.
    #[error("manifest line {line}: {reason}")]
    Manifest {
        /// Line number from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The files given are not the inputs that the manifest was made from.
    #[error("{reason}")]
    Inputs {
        /// What differs.
        reason: String,
    },
    /// No such entry, or not of the kind asked for.
    #[error("'{path}' {reason}")]
    Missing {
        /// The path.
        path: String,
        /// What was wanted.
        reason: &'static str,
    },
    /// A manifest that is refused.
    #[error("{}", path.display())]
    File {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: Box<Error>,
    },
    /// A tree's list that is refused.
    #[error("{}", path.display())]
    Listed {
        /// The list.
        path: PathBuf,
        /// Why.
        source: Box<plan::Error>,
    },
    /// Reading or writing failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: String,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// An error about what the list at `path` names.
    pub(crate) fn listed(path: &Path, source: plan::Error) -> Self {
        let (path, source) = (path.to_owned(), Box::new(source));
        Self::Listed { path, source }
    }

    /// An error about the manifest at `path`.
    pub(crate) fn manifest(path: &Path, source: Self) -> Self {
        let (path, source) = (path.to_owned(), Box::new(source));
        Self::File { path, source }
    }

    /// An I/O error with what was tried.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
