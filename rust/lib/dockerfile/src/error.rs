//! What can be wrong with a Dockerfile, its context or its base, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::budget::LARGEST_PLAN;

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
    /// A line of a here-document ends in CR LF.
    #[error(
        "{at}: a line of here-document {name} ends in CR LF, and builders keep the CR in what they make of it; save the file \
         with LF line ends (in a git checkout: `eol=lf` in .gitattributes)"
    )]
    CarriageReturn {
        /// The line.
        at: At,
        /// The delimiter.
        name: String,
    },
    /// Something in the file is malformed in a variable reference or quotation.
    #[error("{at}: {problem} in {:?}", short(word))]
    Word {
        /// Where.
        at: At,
        /// The word.
        word: String,
        /// What is wrong.
        problem: String,
    },
    /// The variables of the file make too much text.
    #[error(
        "{at}: with this instruction, words and environments of the file are more than {LARGEST_PLAN} bytes after expansion"
    )]
    TooMuch {
        /// Where it is too much.
        at: At,
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
    /// A file of the context that is read as text is too long for that.
    #[error("{path}: a file of the context that is read as text, or its first line, is longer than {most} bytes")]
    TooLong {
        /// Path in the context.
        path: String,
        /// The limit.
        most: u64,
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
    /// A step cannot be done to the tree as it is.
    #[error("{at}: cannot {action} {}: {problem}", path.display())]
    Refused {
        /// Where.
        at: At,
        /// `copy to`, `make`, …
        action: &'static str,
        /// What, inside the tree.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The time that files may have at most has not come.
    #[error("timestamp {timestamp} lies in the future (now is {now}), so times would not be reproducible")]
    Future {
        /// The timestamp.
        timestamp: i64,
        /// The time of a new file.
        now: i64,
    },
    /// The work folder had no room for the tree.
    #[error("{room}")]
    Full {
        /// What it holds.
        room: sandbox::Room,
        /// The error that it led to.
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

/// A word may be as long as the file.
fn short(word: &str) -> String {
    const MOST: usize = 200;
    match word.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", word.get(..end).unwrap_or(word)),
        None => word.to_owned(),
    }
}

/// Result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;
