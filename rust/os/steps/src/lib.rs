//! Work in steps: each says what it would do before it does it, and what came of it as data.
//!
//! A [`Step`] has a name, a sentence of what it would do, a check that changes nothing, and a run. A [`Runner`] takes
//! steps in order and gives a [`Report`]; a [`Watcher`] hears of each step while it happens. The runner has no clock, so
//! reports and progress lines of the same work are the same.
//!
//! | runner        | `check` | `run`                                           | a failure                        |
//! |---------------|---------|-------------------------------------------------|----------------------------------|
//! | dry run       | yes     | never                                           | is reported, the rest goes on     |
//! | otherwise     | yes     | if the check passed                             | as [`Step::on_failure`] says      |
//!
//! A step that writes ([`Effect::Writes`]) runs only in a runner that allows it: [`Runner::reading`] makes one that does
//! not, whatever steps it is given.

mod lines;
mod report;
mod run;

pub use lines::Lines;
pub use report::{Record, Report, Status};
pub use run::{parts_done, Runner, Silent, Watcher};

/// What a step does to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It changes something that lasts.
    Writes,
}

/// What follows when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The steps after it are not reached.
    Stop,
    /// The failure is reported, and the next step follows.
    GoOn,
}

/// Why a step failed: one line or several, each complete in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The lines.
    pub problems: Vec<String>,
}

impl Failure {
    /// A failure with one reason.
    pub fn new(problem: impl Into<String>) -> Self {
        Self {
            problems: vec![problem.into()],
        }
    }

    /// Success with `notes` if there are no problems.
    pub fn unless_none(problems: Vec<String>, notes: Vec<String>) -> Result<Vec<String>, Self> {
        match problems.is_empty() {
            true => Ok(notes),
            false => Err(Self { problems }),
        }
    }
}

/// Told how far a step is: done, of how many in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// One thing to do. `C` is what the steps of one job share: what they know and what they found.
pub trait Step<C> {
    /// Short and unique within the job.
    fn name(&self) -> &'static str;

    /// What `run` would do, as the end of a sentence: `read /etc/hosts`.
    fn plan(&self, context: &C) -> String;

    /// What `run` does to the machine.
    fn effect(&self) -> Effect;

    /// What follows when it fails.
    fn on_failure(&self) -> OnFailure;

    /// Whether `run` can work, as far as that is to be seen without changing anything. In a dry run the steps before it
    /// have not been run.
    fn check(&self, _context: &C) -> Result<(), Failure> {
        Ok(())
    }

    /// Does it. What it found goes into the context, also when it fails; the lines returned are remarks for people.
    fn run(&self, context: &mut C, progress: Progress<'_>) -> Result<Vec<String>, Failure>;
}
