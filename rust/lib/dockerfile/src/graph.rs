//! Which stages there are, by number and name, and which of them the last one needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::budget::Budget;
use crate::error::{At, Error, Result};
use crate::ir::{Copy, Dockerfile, Instruction, Stage};
use crate::plan::Base;
use crate::words::Vars;

/// Which stage needs which.
pub(crate) struct Graph<'a> {
    file: &'a Dockerfile,
    /// Numbers of the stages that have names.
    names: BTreeMap<&'a str, usize>,
    /// What each starts from.
    pub(crate) bases: Vec<Base>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(file: &'a Dockerfile, globals: &Vars, budget: &Budget) -> Result<Self> {
        let mut graph = Self {
            file,
            names: (file.stages.iter().enumerate())
                .filter_map(|(index, stage)| Some((stage.name.as_deref()?, index)))
                .collect(),
            bases: Vec::new(),
        };
        for stage in &file.stages {
            let image = budget.expand(&stage.at, &stage.image, globals)?;
            let base = graph.base(stage, image)?;
            graph.bases.push(base);
        }
        Ok(graph)
    }

    fn base(&self, stage: &Stage, image: String) -> Result<Base> {
        if image.is_empty() {
            let names = stage.image.variables().join(", ");
            return Err(Error::Base {
                at: stage.at.clone(),
                image: stage.image.to_string(),
                problem: format!(
                    "expands to nothing; give a build argument or a default for {names}"
                ),
            });
        }
        let lower = image.to_lowercase();
        Ok(if image == "scratch" {
            Base::Scratch
        } else if let Some(index) = self.named(&lower, self.bases.len()) {
            Base::Stage(index)
        } else {
            Base::Image(image)
        })
    }

    /// The stage called `name` (lower case) among those before `end`.
    fn named(&self, name: &str, end: usize) -> Option<usize> {
        self.names.get(name).copied().filter(|index| *index < end)
    }

    /// The stage that `COPY --from=from` in stage `here` means.
    pub(crate) fn source(&self, at: &At, from: &str, here: usize) -> Result<usize> {
        let error = |problem: String| Error::Step {
            at: at.clone(),
            instruction: "COPY",
            problem,
        };
        if let Some(index) = self.named(&from.to_lowercase(), here) {
            return Ok(index);
        }
        let index = from
            .parse::<usize>()
            .ok()
            .or_else(|| self.named(&from.to_lowercase(), self.file.stages.len()));
        match index {
            Some(index) if index < here => Ok(index),
            Some(index) if index < self.file.stages.len() => Err(error(format!(
                "--from={from} is stage {index}, this is stage {here}: only earlier ones can be copied from"
            ))),
            _ => Err(error(format!(
                "--from={from} is no earlier stage (files of other images cannot be copied)"
            ))),
        }
    }

    /// The stages that the last one needs, itself included, in the order of the file.
    pub(crate) fn needed(&self) -> BTreeSet<usize> {
        let mut needed = BTreeSet::new();
        let mut todo: Vec<usize> = self.file.stages.len().checked_sub(1).into_iter().collect();
        while let Some(index) = todo.pop() {
            if !needed.insert(index) {
                continue;
            }
            if let Some(Base::Stage(parent)) = self.bases.get(index) {
                todo.push(*parent);
            }
            let stage = self.file.stages.get(index);
            for step in stage.into_iter().flat_map(|stage| &stage.steps) {
                if let Instruction::Copy(Copy {
                    from: Some(from), ..
                }) = &step.instruction
                {
                    // An unknown name is reported when the step is planned.
                    todo.extend(self.source(&step.at, from, index).ok());
                }
            }
        }
        needed
    }
}
