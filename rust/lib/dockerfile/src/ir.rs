//! A Dockerfile as data. Every part knows its line.

use std::sync::Arc;

use crate::error::At;
use crate::words::Template;

/// A whole Dockerfile.
#[derive(Debug)]
pub struct Dockerfile {
    /// Its name, for messages.
    pub file: Arc<str>,
    /// ARG instructions before the first FROM, in order.
    pub args: Vec<(At, Arg)>,
    /// At least one.
    pub stages: Vec<Stage>,
}

/// `FROM image [AS name]` and what follows it.
#[derive(Debug)]
pub struct Stage {
    /// Line of the FROM.
    pub at: At,
    /// Image or stage, before expansion.
    pub image: Template,
    /// Name after AS, in lower case.
    pub name: Option<String>,
    /// The instructions, in order.
    pub steps: Vec<Step>,
}

/// One instruction of a stage.
#[derive(Debug)]
pub struct Step {
    /// Its first line.
    pub at: At,
    /// Keyword and arguments on one line, as written.
    pub text: String,
    /// What it does.
    pub instruction: Instruction,
}

/// What an instruction does.
#[derive(Debug)]
#[non_exhaustive]
pub enum Instruction {
    /// `ARG name[=default]…`
    Arg(Vec<Arg>),
    /// `ENV name=value…`
    Env(Vec<(String, Template)>),
    /// `LABEL name=value…`; no effect on the tree.
    Label(Vec<(Template, Template)>),
    /// `USER name[:group]`
    User(Template),
    /// `WORKDIR path`
    Workdir(Template),
    /// `COPY`
    Copy(Copy),
    /// `RUN`
    Run(Run),
}

/// One argument of an ARG.
#[derive(Debug)]
pub struct Arg {
    /// Its name.
    pub name: String,
    /// Its default, if any.
    pub default: Option<Template>,
}

/// `COPY [--from=…] [--chown=…] [--chmod=…] source… destination`
#[derive(Debug)]
pub struct Copy {
    /// Stage to copy from, as written; the context if `None`.
    pub from: Option<String>,
    /// `user[:group]`
    pub chown: Option<Template>,
    /// Octal mode.
    pub chmod: Option<Template>,
    /// At least one.
    pub sources: Vec<CopySource>,
    /// Destination.
    pub dest: Template,
}

/// A source of COPY.
#[derive(Debug)]
pub enum CopySource {
    /// A path or wildcard in the context or stage.
    Path(Template),
    /// A file written in the Dockerfile.
    HereDoc(HereDoc),
}

/// A here-document.
#[derive(Debug, Clone)]
pub struct HereDoc {
    /// Line of the body's first line.
    pub at: At,
    /// Delimiter, and file name in COPY.
    pub name: String,
    /// The body to expand; `None` if the delimiter was quoted or it is RUN's, then [`HereDoc::body`] counts as it is.
    pub template: Option<Template>,
    /// The body; `<<-` has taken leading tabs away.
    pub body: String,
    /// The body as written, tabs included: a shell that reads the here-document itself gets this one.
    pub raw: String,
}

/// What RUN runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// `/bin/sh -c SCRIPT`
    Shell(String),
    /// A script with a `#!` line, from a here-document: run as a program called by the delimiter's name.
    Script {
        /// File name.
        name: String,
        /// Content.
        body: String,
    },
    /// A program and its arguments.
    Exec(Vec<String>),
}
