//! Dockerfiles: a strict reader, and a planner and executor that turn one into a tree.
mod base;
mod context;
mod error;
mod execute;
mod glob;
mod ignore;
mod ir;
mod lines;
mod parse;
mod paths;
mod plan;
mod users;
mod words;
pub use base::{BaseImage, Pin};
pub use context::{Context, ContextFile};
pub use error::{At, Error, Result, SUPPORTED};
pub use execute::{execute, Inputs};
pub use ignore::Ignore;
pub use ir::{Arg, Copy, CopySource, Dockerfile, HereDoc, Instruction, Run, Stage, Step};
pub use parse::parse;
pub use plan::{
    plan, Action, ActionKind, Base, Config, CopyAction, Plan, PlannedStage, RunAction,
    SourceAction, DEFAULT_PATH,
};
pub use users::{Accounts, User};
pub use words::{Template, Vars};
