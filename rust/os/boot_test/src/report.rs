//! What a person sees while a test runs, and which checks failed.

use std::fmt::Display;
use std::time::Instant;

use anyhow::{bail, Result};

/// Tells what is going on.
pub(crate) fn note(text: &str) {
    eprintln!("boot_test: {text}");
}

/// Remembers checks.
#[derive(Debug)]
pub(crate) struct Report {
    start: Instant,
    /// Of each the text if it failed.
    checks: Vec<Option<String>>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            checks: Vec::new(),
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
                self.checks.push(None);
                self.stage(&format!("ok: {name}"));
            }
            Err(error) => {
                let text = format!("FAILED: {name}: {error:#}");
                self.stage(&text);
                self.checks.push(Some(text));
            }
        }
    }

    /// Fails when a check has.
    pub(crate) fn finish(self) -> Result<()> {
        let total = self.checks.len();
        let failed: Vec<&str> = self.checks.iter().flatten().map(String::as_str).collect();
        if failed.is_empty() {
            self.stage(&format!("all {total} checks passed"));
            return Ok(());
        }
        bail!(
            "{} of {total} checks failed:\n{}",
            failed.len(),
            failed.join("\n")
        );
    }
}
