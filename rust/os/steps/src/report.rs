//! What came of the steps.

use serde::Serialize;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It ran and is done.
    Done,
    /// Its check or its run failed.
    Failed,
    /// Its check passed; only a dry run keeps it from running.
    WouldRun,
    /// A step before it failed and stopped the job.
    NotReached,
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The step.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What it was to do.
    pub plan: String,
    /// Why it failed.
    pub problems: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing was really run.
    pub dry_run: bool,
    /// Whether no step failed.
    pub ok: bool,
    /// All steps, in order.
    pub steps: Vec<Record>,
}

impl Report {
    pub(crate) fn new(dry_run: bool, steps: Vec<Record>) -> Self {
        let ok = steps.iter().all(|step| step.status != Status::Failed);
        Self { dry_run, ok, steps }
    }

    /// The record of step `name`.
    pub fn step(&self, name: &str) -> Option<&Record> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// All problems, each with the name of its step.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.steps.iter().flat_map(|step| {
            let problems = step.problems.iter();
            problems.map(|problem| (step.name, problem.as_str()))
        })
    }

    /// Replaces the record of the same step, or adds it at the end.
    pub fn put(&mut self, record: Record) {
        match self.steps.iter_mut().find(|step| step.name == record.name) {
            Some(old) => *old = record,
            None => self.steps.push(record),
        }
        self.ok = self.steps.iter().all(|s| s.status != Status::Failed);
    }
}
