//! Plans on a command line: each with the positions that its inputs have in the result.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::builder::Builder;
use crate::error::Error;
use crate::list::whole;
use crate::plan::{Input, Plan};

/// `PLAN:0,3,4`: a plan file, and for each of its inputs the position in the image that is being made. `FILE::3`: a file that
/// is no plan but itself input 3, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The plan file, or the input itself.
    pub path: PathBuf,
    /// Positions of the plan's inputs, or the one of the file.
    pub inputs: Vec<u32>,
    /// Whether the file is no plan.
    pub raw: bool,
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (path, list) = text.rsplit_once(':').filter(|(path, _)| !path.is_empty())?;
            let numbers = list.split(',').filter(|_| !list.is_empty());
            let inputs: Result<Vec<u32>, _> = numbers.map(str::parse).collect();
            let inputs = inputs.ok()?;
            Some(match path.strip_suffix(':') {
                Some(path) if !path.is_empty() && inputs.len() == 1 => Self {
                    path: path.into(),
                    inputs,
                    raw: true,
                },
                Some(_) => return None,
                None => Self {
                    path: path.into(),
                    inputs,
                    raw: false,
                },
            })
        };
        parse().ok_or_else(|| Error::Reference {
            text: text.to_owned(),
        })
    }
}

impl Reference {
    /// Reads the plan (or makes the one of a raw file) and enters its inputs into `merged`.
    pub fn open(&self, merged: &mut Merged) -> Result<Plan, Error> {
        let plan = match self.raw {
            true => whole_file(&self.path)?,
            false => Plan::open(&self.path)?,
        };
        let (have, given) = (plan.inputs().len(), self.inputs.len());
        if have != given {
            let path = self.path.display();
            let reason = format!("{path} has {have} inputs, but {given} positions are given");
            return Err(Error::Inputs { reason });
        }
        for (position, input) in self.inputs.iter().zip(plan.inputs()) {
            merged.enter(*position, *input)?;
        }
        Ok(plan)
    }

    /// The plan over inputs in the order of their positions, for a tool that takes one image only.
    pub fn open_alone(&self) -> Result<Plan, Error> {
        let mut merged = Merged::default();
        let plan = self.open(&mut merged)?;
        let inputs = merged.finish()?;
        if self
            .inputs
            .iter()
            .zip(0..)
            .all(|(position, n)| *position == n)
        {
            return Ok(plan);
        }
        let mut builder = Builder::new(inputs);
        builder.plan(&plan, &self.inputs)?;
        builder.finish()
    }
}

/// The plan of all of a file.
fn whole_file(path: &Path) -> Result<Plan, Error> {
    let name = path.display().to_string();
    let metadata = std::fs::metadata(path).map_err(Error::io(&name))?;
    if !metadata.is_file() {
        let reason = format!("{name} is not a regular file");
        return Err(Error::Inputs { reason });
    }
    whole(metadata.len())
}

/// The inputs of an image that is made of several plans, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    inputs: Vec<Option<Input>>,
}

impl Merged {
    /// How many inputs there may be: a position beyond is a mistake.
    const MAX: u32 = 1 << 20;

    /// Says that the input at `position` is `input`. Saying it twice is fine, saying something else is an error.
    pub fn enter(&mut self, position: u32, input: Input) -> Result<(), Error> {
        let index = usize::try_from(position).unwrap_or(usize::MAX);
        if position >= Self::MAX {
            let max = Self::MAX;
            let reason = format!("there is no input {position}: an image has at most {max}");
            return Err(Error::Inputs { reason });
        }
        if self.inputs.len() <= index {
            self.inputs.resize(index.saturating_add(1), None);
        }
        let Some(slot) = self.inputs.get_mut(index) else {
            return Ok(());
        };
        let merged = match *slot {
            Some(before) if before.len != input.len => None,
            Some(Input {
                sha256: Some(before),
                ..
            }) if input.sha256.is_some_and(|digest| digest != before) => None,
            Some(before) => Some(Input {
                sha256: before.sha256.or(input.sha256),
                ..input
            }),
            None => Some(input),
        };
        match merged {
            Some(_) => *slot = merged,
            None => {
                let reason = format!("two plans disagree on what input {position} is");
                return Err(Error::Inputs { reason });
            }
        }
        Ok(())
    }

    /// All inputs; a position that nobody entered is an error.
    pub fn finish(self) -> Result<Vec<Input>, Error> {
        let numbered = self.inputs.into_iter().enumerate();
        numbered
            .map(|(position, input)| {
                input.ok_or_else(|| Error::Inputs {
                    reason: format!("no plan has an input at position {position}"),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let plan: Reference = "a:b/c.plan:0,3,4".parse().unwrap();
        assert_eq!(plan.path, PathBuf::from("a:b/c.plan"));
        assert_eq!((plan.inputs, plan.raw), (vec![0, 3, 4], false));
        let empty: Reference = "c.plan:".parse().unwrap();
        assert!(empty.inputs.is_empty() && !empty.raw);
        let raw: Reference = "c.img::7".parse().unwrap();
        assert_eq!(
            (raw.path, raw.inputs, raw.raw),
            ("c.img".into(), vec![7], true)
        );
        for bad in [
            "",
            ":",
            "::1",
            "c.plan",
            "c.plan:x",
            "c.plan:1,",
            "c.img::",
            "c.img::1,2",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
