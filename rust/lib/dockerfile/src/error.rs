//! What can be wrong with a Dockerfile, its context or its base, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// The instructions this crate executes, as error texts list them.
pub const SUPPORTED: &str = "FROM, ARG, ENV, COPY, RUN, USER, WORKDIR, LABEL";

/// A place in a Dockerfile; prints as `FILE:LINE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Name of the Dockerfile as the caller gave it.
    pub file: Arc<str>,
    /// Line, from 1: the first line of the instruction, or of the here-document's body.
    pub line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Everything that stops a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is no UTF-8.
    #[error("{at}: not UTF-8 text")]
    NotText {
        /// Line of the first bad byte.
        at: At,
    },
    /// A character that no Dockerfile has.
    #[error("{at}: NUL character")]
    Nul {
        /// Where.
        at: At,
    },
    /// A parser directive with a value we do not implement.
    #[error("{at}: parser directive {name}={value} is not supported; wanted {wanted}")]
    Directive {
        /// Where.
        at: At,
        /// `escape`, `syntax`, …
        name: String,
        /// What the file says.
        value: String,
        /// What we take.
        wanted: &'static str,
    },
    /// A known or unknown instruction we do not execute.
    #[error("{at}: instruction {instruction} is not supported; supported are {SUPPORTED}")]
    Unsupported {
        /// Where.
        at: At,
        /// The instruction as written, in capitals.
        instruction: String,
    },
    /// An instruction before the first FROM (only ARG may stand there).
    #[error("{at}: {instruction} before the first FROM; only ARG may stand there")]
    BeforeFrom {
        /// Where.
        at: At,
        /// The instruction.
        instruction: &'static str,
    },
    /// The file has no FROM.
    #[error("{file}: no FROM instruction")]
    NoStage {
        /// The Dockerfile.
        file: Arc<str>,
    },
    /// A flag we do not implement.
    #[error("{at}: {instruction} {flag} is not supported; {wanted}")]
    Flag {
        /// Where.
        at: At,
        /// The instruction.
        instruction: &'static str,
        /// The flag as written.
        flag: String,
        /// Which flags there are.
        wanted: &'static str,
    },
    /// The arguments of an instruction are malformed.
    #[error("{at}: {instruction}: {problem}")]
    Arguments {
        /// Where.
        at: At,
        /// The instruction.
        instruction: &'static str,
        /// What came and what was wanted.
        problem: String,
    },
    /// A here-document has no end.
    #[error("{at}: here-document <<{name} has no line {name} that ends it")]
    OpenHereDoc {
        /// Where the instruction begins.
        at: At,
        /// The delimiter.
        name: String,
    },
    /// Something in the file is malformed in a variable reference or quotation.
    #[error("{at}: {problem} in {word:?}")]
    Word {
        /// Where.
        at: At,
        /// The word.
        word: String,
        /// What is wrong.
        problem: String,
    },
    /// A stage, user, group, source or image that an instruction names does not exist, or is of the wrong kind.
    #[error("{at}: {instruction}: {problem}")]
    Step {
        /// Where.
        at: At,
        /// The instruction.
        instruction: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A build argument that no ARG takes.
    #[error("build argument {name} is not declared by any ARG in {file}")]
    UnusedBuildArg {
        /// The argument.
        name: String,
        /// The Dockerfile.
        file: Arc<str>,
    },
    /// A FROM names an image that is not the one given.
    #[error("{at}: FROM {image}: {problem}")]
    Base {
        /// Where.
        at: At,
        /// The reference after expansion.
        image: String,
        /// What does not fit.
        problem: String,
    },
    /// A malformed line in one of the lists beside the Dockerfile.
    #[error("{file}:{line}: {problem}")]
    List {
        /// The list.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A malformed pattern.
    #[error("{file}:{line}: pattern {pattern:?}: {problem}")]
    Pattern {
        /// The ignore file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// The pattern.
        pattern: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A command ended with something else than success.
    #[error("{at}: RUN failed with {status}: {command}{output}")]
    Failed {
        /// Where.
        at: At,
        /// `exit status 3` or `signal 9`.
        status: String,
        /// The command, on one line.
        command: String,
        /// Last lines it printed, each on a line of its own, or nothing.
        output: String,
    },
    /// The namespaces for a step could not be made, or its command could not be started.
    #[error("{at}: RUN cannot be started: {source}")]
    Sandbox {
        /// Where.
        at: At,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading or writing failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading or writing failed during a step.
    #[error("{at}: cannot {action} {}", path.display())]
    StepIo {
        /// Where.
        at: At,
        /// `read`, `write`, …
        action: &'static str,
        /// What, inside the tree.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Unpacking the base or packing the result failed.
    #[error("cannot {action}")]
    Archive {
        /// `unpack the base image`, …
        action: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
