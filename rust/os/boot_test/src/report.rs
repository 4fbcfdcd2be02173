//! What a person sees while a test runs, and which checks failed.

use std::fmt::Display;
use std::time::Instant;

use anyhow::{bail, Result};

/// Tells what is going on.
pub(crate) fn note(text: &str) {
    eprintln!("boot_test: {text}");
}

/// Counts checks and remembers the failed ones.
#[derive(Debug)]
pub(crate) struct Report {
    start: Instant,
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            passed: 0,
            failed: Vec::new(),
        }
    }

    /// Notes how far the guest has come.
    pub(crate) fn stage(&self, text: &str) {
        note(&format!(
            "[{:>6.1} s] {text}",
            self.start.elapsed().as_secs_f64()
        ));
    }

    /// Notes one check; an error fails it.
    pub(crate) fn check<E: Display>(&mut self, name: &str, outcome: Result<(), E>) {
        match outcome {
            Ok(()) => {
                self.passed = self.passed.saturating_add(1);
                self.stage(&format!("ok: {name}"));
            }
            Err(error) => {
                let text = format!("FAILED: {name}: {error:#}");
                self.stage(&text);
                self.failed.push(text);
            }
        }
    }

    /// Fails when a check has.
    pub(crate) fn finish(self) -> Result<()> {
        if self.failed.is_empty() {
            self.stage(&format!("all {} checks passed", self.passed));
            return Ok(());
        }
        let total = self.passed.saturating_add(self.failed.len());
        bail!(
            "{} of {total} checks failed:\n{}",
            self.failed.len(),
            self.failed.join("\n")
        );
    }
}
