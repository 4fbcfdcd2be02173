//! Dockerfiles: a strict reader, a planner, and an executor that makes a tree of files of one.
//!
//! Spec: Docker's "Dockerfile reference"; where Docker (BuildKit) and buildah read a file differently, it is refused.
//!
//! | step          | what it does                                                            | needs root |
//! |---------------|-------------------------------------------------------------------------|------------|
//! | [`parse`]     | text to a [`Dockerfile`]; every part knows its line                     | no         |
//! | [`plan`]      | every variable replaced, unneeded stages dropped: a [`Plan`]            | no         |
//! | [`execute`]   | carries the plan out in a work folder; steps run in a `sandbox`         | yes        |
//!
//! | instruction | taken                                                                                        |
//! |-------------|----------------------------------------------------------------------------------------------|
//! | FROM        | `scratch`, an earlier stage, or the one base image by digest ([`BaseImage`]); `AS name`      |
//! | ARG, ENV    | `NAME=value`; ARG before FROM; `$A`, `${A}`, `:-` `-` `:+` `+` `:?` `?`                       |
//! | COPY        | `--from=stage`, `--chown`, `--chmod=octal`, several sources, wildcards, here-documents, JSON |
//! | RUN         | shell form, exec form, here-documents (one, several, `#!`)                                   |
//! | USER, WORKDIR, LABEL | as Docker; labels have no effect on the tree                                        |
//!
//! Anything else is an error with file and line. Files of the context are those declared ([`Context`]) less those of
//! `.dockerignore` ([`Ignore`]). A user's supplementary groups are not set in RUN steps.
//!
//! The reader is our own. The crate parse-dockerfile knows one here-document per RUN, and only where the command begins
//! with it, and takes escapes away before variables are expanded; the tests use it as a second opinion.

mod base;
mod budget;
mod context;
mod error;
mod execute;
mod glob;
mod graph;
mod heredocs;
mod ignore;
mod ir;
mod lines;
mod parse;
mod paths;
mod plan;
mod users;
mod words;

pub use base::{BaseImage, Pin};
pub use budget::LARGEST_PLAN;
pub use context::{Context, ContextFile};
pub use error::{At, Error, Result, SUPPORTED};
pub use execute::{execute, Changes, Inputs};
pub use ignore::Ignore;
pub use ir::{Arg, Copy, CopySource, Dockerfile, HereDoc, Instruction, Run, Stage, Step};
pub use parse::parse;
pub use plan::{
    plan, Action, ActionKind, Base, Config, CopyAction, Plan, PlannedStage, RunAction,
    SourceAction, DEFAULT_PATH,
};
pub use users::{Accounts, User};
pub use words::{Template, Values, Vars, LONGEST_WORD};
