//! What stands behind an input of a tree when the tree becomes an image: a file, or the image of another plan.

use std::str::FromStr;

use crate::builder::{mapped, Builder};
use crate::canvas::Canvas;
use crate::error::Error;
use crate::plan::{Input, Plan};
use crate::reference::{Merged, Reference};

/// `--source X`: what one input of a tree is, said on a command line.
///
/// `3`: the file that is input 3 of the result. `PLAN:0,3` or `FILE::3`: a [`Reference`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An input of the result, all of it.
    Input(u32),
    /// A plan's image.
    Image(Reference),
}

impl FromStr for Origin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse() {
            Ok(position) => Ok(Self::Input(position)),
            Err(_) => text.parse().map(Self::Image),
        }
    }
}

/// What the bytes of one input of a tree are, in terms of the result's inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An input of the result, all of it.
    Raw {
        /// Its position.
        input: u32,
        /// Its length.
        len: u64,
    },
    /// A plan's image.
    Plan {
        /// The plan.
        plan: Plan,
        /// For each of the plan's inputs, the position in the result.
        map: Vec<u32>,
    },
}

impl Body {
    /// The bodies of a tree's inputs, whose lengths are `lens`, and the inputs of the result.
    ///
    /// As many origins as the tree has inputs, in their order; none at all: each input is itself, at its own position.
    pub fn open(origins: &[Origin], lens: &[u64]) -> Result<(Vec<Self>, Vec<Input>), Error> {
        if !origins.is_empty() && origins.len() != lens.len() {
            let (have, given) = (lens.len(), origins.len());
            let reason = format!("the tree has {have} inputs, but {given} sources are given");
            return Err(Error::Inputs { reason });
        }
        let mut merged = Merged::default();
        let mut bodies = Vec::with_capacity(lens.len());
        let mut given = origins.iter();
        for (position, len) in (0u32..).zip(lens) {
            let identity = Origin::Input(position);
            let body = Self::of(given.next().unwrap_or(&identity), *len, &mut merged)?;
            if body.len() != *len {
                let have = body.len();
                let reason =
                    format!("source {position} has {have} bytes, but the tree was made over {len}");
                return Err(Error::Inputs { reason });
            }
            bodies.push(body);
        }
        Ok((bodies, merged.finish()?))
    }

    fn of(origin: &Origin, len: u64, merged: &mut Merged) -> Result<Self, Error> {
        match origin {
            Origin::Input(input) => {
                merged.enter(*input, Input::of_len(len))?;
                Ok(Self::Raw { input: *input, len })
            }
            Origin::Image(reference) => Ok(Self::Plan {
                plan: reference.open(merged)?,
                map: reference.inputs.clone(),
            }),
        }
    }

    /// Its length in bytes.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        match self {
            Self::Raw { len, .. } => *len,
            Self::Plan { plan, .. } => plan.len(),
        }
    }
}

impl Canvas {
    /// Puts `len` bytes of `body` from `offset` on at `start`. Zeros of a plan count as pieces.
    pub fn body(&mut self, start: u64, body: &Body, offset: u64, len: u64) -> Result<(), Error> {
        match body {
            Body::Raw { input, len: have } => {
                inside(*input, offset, len, *have)?;
                self.source(start, *input, offset, len)
            }
            Body::Plan { plan, map } => {
                for extent in plan.extents_in(offset, len)? {
                    let into = extent.start.abs_diff(offset);
                    let at = self.shifted(start, into, len)?;
                    self.extent(at, mapped(extent, map)?)?;
                }
                Ok(())
            }
        }
    }
}

impl Builder {
    /// Appends `len` bytes of `body` from `offset` on.
    pub fn body(&mut self, body: &Body, offset: u64, len: u64) -> Result<(), Error> {
        match body {
            Body::Raw { input, len: have } => {
                inside(*input, offset, len, *have)?;
                self.source(*input, offset, len)
            }
            Body::Plan { plan, map } => {
                for extent in plan.extents_in(offset, len)? {
                    self.extent(mapped(extent, map)?)?;
                }
                Ok(())
            }
        }
    }
}

fn inside(input: u32, offset: u64, len: u64, have: u64) -> Result<(), Error> {
    match offset.checked_add(len) {
        Some(end) if end <= have => Ok(()),
        _ => Err(Error::OutsideInput {
            input,
            offset,
            len,
            have,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Plan {
        let mut builder = Builder::new(vec![Input::of_len(100), Input::of_len(50)]);
        builder.source(1, 10, 30).unwrap();
        builder.zero(1000).unwrap();
        builder.inline(b"abc").unwrap();
        builder.source(0, 0, 100).unwrap();
        builder.finish().unwrap()
    }

    #[test]
    fn origins() {
        assert_eq!("7".parse::<Origin>().unwrap(), Origin::Input(7));
        let image: Origin = "a.plan:1,2".parse().unwrap();
        assert!(matches!(image, Origin::Image(r) if r.inputs == [1, 2] && !r.raw));
        for bad in ["", "x", "-1", "4294967296"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn identity_and_plans() {
        let (bodies, inputs) = Body::open(&[], &[5, 6]).unwrap();
        assert_eq!(bodies[1], Body::Raw { input: 1, len: 6 });
        assert_eq!(inputs, [Input::of_len(5), Input::of_len(6)]);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.plan");
        std::fs::write(&path, image().encode()).unwrap();
        let origins: Vec<Origin> = [format!("{}:2,0", path.display()), "1".into()]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let (bodies, inputs) = Body::open(&origins, &[1133, 9]).unwrap();
        assert_eq!(inputs, [50, 9, 100].map(Input::of_len));
        let mut canvas = Canvas::new(2000, inputs.clone()).unwrap();
        canvas.body(100, &bodies[0], 20, 1012).unwrap();
        canvas.body(1500, &bodies[1], 1, 8).unwrap();
        let mut builder = Builder::new(inputs);
        builder.zero(100).unwrap();
        builder.source(0, 30, 10).unwrap();
        builder.zero(1000).unwrap();
        builder.inline(b"ab").unwrap();
        builder.zero_to(1500).unwrap();
        builder.source(1, 1, 8).unwrap();
        builder.zero_to(2000).unwrap();
        assert_eq!(canvas.finish().unwrap(), builder.finish().unwrap());

        let error = Body::open(&origins, &[1132, 9]).unwrap_err().to_string();
        assert!(error.contains("source 0 has 1133 bytes"), "{error}");
        let error = Body::open(&origins, &[1133]).unwrap_err().to_string();
        assert!(
            error.contains("has 1 inputs, but 2 sources are given"),
            "{error}"
        );
    }

    #[test]
    fn ranges_are_checked() {
        let plan = image();
        let bodies = [
            Body::Raw {
                input: 0,
                len: 1133,
            },
            Body::Plan {
                plan,
                map: vec![0, 1],
            },
        ];
        for body in &bodies {
            for (offset, len) in [(1133, 1), (0, 1134), (u64::MAX, 2)] {
                let inputs = vec![Input::of_len(1133), Input::of_len(50)];
                let mut canvas = Canvas::new(4000, inputs.clone()).unwrap();
                assert!(canvas.body(0, body, offset, len).is_err());
                assert!(Builder::new(inputs).body(body, offset, len).is_err());
            }
        }
    }
}
