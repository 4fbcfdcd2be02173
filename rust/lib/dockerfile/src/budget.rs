//! How much a Dockerfile may become when its variables are replaced.
//!
//! Eight lines of `ENV A1=${A0}${A0}…` are a few hundred bytes and mean gigabytes, and a thousand RUN instructions each hold the
//! whole environment. So all that a plan holds counts: every expanded word, and the environment of every step that has
//! another than the step before it.

use std::cell::Cell;

use crate::error::{At, Error, Result};
use crate::words::{Template, Values, Vars};

/// What all expanded texts of a plan may take together.
pub const LARGEST_PLAN: usize = 64 << 20;

/// Counted for each variable of an environment besides its text: what a map takes for it.
const PER_VARIABLE: usize = 64;

/// What is left for a plan.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Cell<usize>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self {
            left: Cell::new(LARGEST_PLAN),
        }
    }

    /// Expands a word of the instruction at `at`.
    pub(crate) fn expand(
        &self,
        at: &At,
        template: &Template,
        values: &dyn Values,
    ) -> Result<String> {
        let text = template.expand(values).map_err(|problem| Error::Word {
            at: at.clone(),
            word: template.to_string(),
            problem,
        })?;
        self.take(at, text.len())?;
        Ok(text)
    }

    /// Expands the here-document `name` whose body is at `at`.
    pub(crate) fn expand_text(
        &self,
        at: &At,
        name: &str,
        template: &Template,
        values: &dyn Values,
    ) -> Result<String> {
        match template.expand_within(values, self.left.get()) {
            Ok(text) => self.take(at, text.len()).map(|()| text),
            Err(problem) => Err(Error::Word {
                at: at.clone(),
                word: format!("here-document {name}"),
                problem,
            }),
        }
    }

    /// Counts a copy of `vars`, made for the instruction at `at`.
    pub(crate) fn environment(&self, at: &At, vars: &Vars) -> Result<()> {
        vars.iter()
            .flat_map(|(name, value)| [name.len(), value.len(), PER_VARIABLE])
            .try_for_each(|len| self.take(at, len))
    }

    /// Counts `len` bytes that the instruction at `at` adds.
    pub(crate) fn take(&self, at: &At, len: usize) -> Result<()> {
        match self.left.get().checked_sub(len) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Error::TooMuch { at: at.clone() }),
        }
    }
}
