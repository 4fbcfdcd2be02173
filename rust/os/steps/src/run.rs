//! Taking steps in order.

use crate::report::{Record, Report, Status};
use crate::{Effect, Failure, OnFailure, Step};

/// Hears of the steps while they happen. Numbers count from 1.
pub trait Watcher {
    /// A step begins.
    fn begins(&mut self, _number: usize, _of: usize, _name: &'static str, _plan: &str) {}
    /// A step is so far.
    fn progress(&mut self, _name: &'static str, _done: u64, _of: u64) {}
    /// A step has ended, or was not reached.
    fn ends(&mut self, _number: usize, _of: usize, _record: &Record) {}
}

/// How many of `parts` equal parts of something are done when `done` of `of` are. Of nothing all is done.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    reason = "64 bits times 32 bits go into 128; with `done` less than `of` the quotient is less than `parts`"
)]
pub fn parts_done(done: u64, of: u64, parts: u32) -> u64 {
    if done >= of {
        return parts.into();
    }
    let part = u128::from(done) * u128::from(parts) / u128::from(of);
    u64::try_from(part).expect("less than `parts`")
}

/// A watcher that says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Watcher for Silent {}

/// Takes steps in order.
#[derive(Debug, Clone, Copy)]
pub struct Runner {
    dry_run: bool,
    allow: Effect,
}

impl Runner {
    /// A runner of steps that only look.
    pub fn reading(dry_run: bool) -> Self {
        let allow = Effect::Reads;
        Self { dry_run, allow }
    }

    /// A runner of steps that may write.
    pub fn writing(dry_run: bool) -> Self {
        let allow = Effect::Writes;
        Self { dry_run, allow }
    }

    /// Takes `steps`.
    pub fn run<C>(
        &self,
        steps: &[&dyn Step<C>],
        context: &mut C,
        watcher: &mut dyn Watcher,
    ) -> Report {
        let of = steps.len();
        let mut records = Vec::with_capacity(of);
        let mut stopped = false;
        for (number, step) in (1..).zip(steps) {
            let mut record = Record {
                name: step.name(),
                status: Status::NotReached,
                plan: step.plan(context),
                problems: Vec::new(),
                notes: Vec::new(),
            };
            if !stopped {
                watcher.begins(number, of, record.name, &record.plan);
                match self.take(*step, context, watcher) {
                    Ok((status, notes)) => {
                        record.status = status;
                        record.notes = notes;
                    }
                    Err(failure) => {
                        record.status = Status::Failed;
                        record.problems = failure.problems;
                        stopped = !self.dry_run && step.on_failure() == OnFailure::Stop;
                    }
                }
            }
            watcher.ends(number, of, &record);
            records.push(record);
        }
        Report::new(self.dry_run, records)
    }

    fn take<C>(
        &self,
        step: &dyn Step<C>,
        context: &mut C,
        watcher: &mut dyn Watcher,
    ) -> Result<(Status, Vec<String>), Failure> {
        if step.effect() > self.allow {
            return Err(Failure::new(
                "it would write, and only steps that read are allowed here",
            ));
        }
        step.check(context)?;
        if self.dry_run {
            return Ok((Status::WouldRun, Vec::new()));
        }
        let name = step.name();
        let notes = step.run(context, &mut |done, of| watcher.progress(name, done, of))?;
        Ok((Status::Done, notes))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
