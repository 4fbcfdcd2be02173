//! Why a configuration was refused.

use std::io;
use std::path::{Path, PathBuf};

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What came and what was wanted.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            text: text.into(),
        }
    }

    /// As one line: `path:line: text`.
    pub fn at(&self, path: &Path) -> String {
        match self.line {
            0 => format!("{}: {}", path.display(), self.text),
            line => format!("{}:{line}: {}", path.display(), self.text),
        }
    }
}

/// Why a configuration was refused or could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The content of `path` is not what it should be.
    #[error("{}", lines(problems.iter().map(|p| p.at(path))))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it, by line.
        problems: Vec<Problem>,
    },
    /// `path` is absent.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The file that was wanted.
        path: PathBuf,
    },
    /// `path` is a link, a folder or a device where a file is wanted.
    #[error("{}: a link, folder or device, want a plain file", path.display())]
    NotAFile {
        /// The place.
        path: PathBuf,
    },
    /// `path` is larger than such a file can sensibly be.
    #[error("{}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes taken.
        limit: u64,
    },
    /// A medium would take the key of the machine's data away.
    #[error("{}: it is not the stored one: what is encrypted with that could be read by nobody. Put the stored data.key on the medium; to give it up for good, remove it in the store first", path.display())]
    OtherKey {
        /// The file on the medium, whether it is there or not.
        path: PathBuf,
    },
    /// The key of the machine's data is kept in two ways.
    #[error("{}: there is data.key too, want one of them: a key is kept here or by the TPM", path.display())]
    BothKeys {
        /// The second file.
        path: PathBuf,
    },
    /// A TPM is to keep the key of the machine's data, and nobody ever said which.
    #[error("{}: no such file, and data_encryption is tpm2: the key is sealed to the TPM once, and opens the data when the TPM does not. Put one on the medium (`openssl rand -hex 32 >data.key`), and keep a copy", path.display())]
    NoKey {
        /// The file that the medium lacks.
        path: PathBuf,
    },
    /// Several files are wrong.
    #[error("{}", lines(.0.iter().map(ToString::to_string)))]
    Several(Vec<Error>),
    /// Reading or writing `path` failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// Everything that is wrong, one by one, each with its file: what [`Display`](std::fmt::Display) says as lines.
    pub fn problems(&self) -> Vec<(&Path, Problem)> {
        match self {
            Self::Invalid { path, problems } => problems
                .iter()
                .map(|problem| (path.as_path(), problem.clone()))
                .collect(),
            Self::Several(errors) => errors.iter().flat_map(Self::problems).collect(),
            Self::Missing { path } => vec![(path, Problem::new(0, "no such file"))],
            Self::NotAFile { path } => vec![(
                path,
                Problem::new(0, "a link, folder or device, want a plain file"),
            )],
            Self::TooLarge { path, limit } => {
                vec![(path, Problem::new(0, format!("larger than {limit} bytes")))]
            }
            Self::BothKeys { path } => vec![(
                path,
                Problem::new(0, "there is data.key too, want one of them"),
            )],
            Self::NoKey { path } => vec![(
                path,
                Problem::new(0, "no such file, and data_encryption is tpm2"),
            )],
            Self::OtherKey { path } => vec![(path, Problem::new(0, "it is not the stored one"))],
            Self::Io {
                action,
                path,
                source,
            } => vec![(path, Problem::new(0, format!("cannot {action}: {source}")))],
        }
    }

    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

fn lines(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}
