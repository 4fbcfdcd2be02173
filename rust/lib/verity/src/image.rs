//! Plans with a hash area.

use std::io::{self, Write};

use base::{as_u64, as_usize};
use plan::{Builder, Input, Plan, ReadAt, Reader};

use crate::area::{area, Area, Known};
use crate::error::Error;
use crate::hash::Digest;
use crate::layout::Layout;
use crate::num::sum;
use crate::params::Params;
use crate::parts::Part;

/// How many bytes of a hash area [`append`] lets a plan hold: those over almost 8 GiB of data in blocks of 4096 bytes. What
/// lies over zeros does not count.
pub const MAX_APPENDED: u64 = 64 << 20;

/// The plan of `data` with its hash area, whose bytes the plan holds; with the root hash and where everything lies.
pub fn append<R: ReadAt + Sync>(
    data: &Reader<R>,
    known: &Known,
    params: &Params,
) -> Result<(Plan, Digest, Layout), Error> {
    append_at_most(MAX_APPENDED, data, known, params)
}

/// The same with another bound: on the area's own bytes, and on those of `known` that it has.
fn append_at_most<R: ReadAt + Sync>(
    max: u64,
    data: &Reader<R>,
    known: &Known,
    params: &Params,
) -> Result<(Plan, Digest, Layout), Error> {
    let mut own = Held {
        max,
        bytes: Vec::new(),
        full: false,
    };
    let made = area(data, known, params, &mut own);
    if own.full {
        return Err(Error::TooLargeForPlan { max });
    }
    let area = made?;
    let mut builder = Builder::new(data.plan().inputs().to_vec());
    let mut held = 0u64;
    area.put_behind(data.plan(), &mut builder, |builder, part, at| {
        let mut bytes = Vec::new();
        match part {
            Part::Same(..) => {}
            Part::Own(_) => {
                let (_, from) = own.bytes.split_at(as_usize(at));
                bytes.extend_from_slice(from.split_at(as_usize(part.len())).0);
            }
            Part::Known {
                place,
                first,
                count,
            } => {
                held = sum(held, part.len());
                if held > max {
                    return Err(Error::TooLargeForPlan { max });
                }
                known.at(place).read(first, count, &mut bytes)?;
            }
        }
        Ok(builder.inline(&bytes)?)
    })?;
    Ok((builder.finish()?, area.root, area.layout))
}

/// The own bytes of a hash area in memory.
struct Held {
    /// How many may be.
    max: u64,
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if sum(as_u64(self.bytes.len()), as_u64(bytes.len())) > self.max {
            self.full = true;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Area {
    /// How many bytes it has of its own, which [`area`] wrote.
    pub fn own_len(&self) -> u64 {
        self.own
    }

    /// The plan of `data` with this area behind it. To the data's inputs come the files of `known` in the order in which they were added,
    /// and a last one with the area's own bytes.
    pub fn behind(&self, data: &Plan, known: &Known) -> Result<Plan, Error> {
        let mut inputs = data.inputs().to_vec();
        let first = inputs.len();
        let files = known.all().iter();
        inputs.extend(files.map(|hashes| Input::of_len(hashes.file_len())));
        let own = inputs.len();
        inputs.push(Input::of_len(self.own));
        let number = |place| u32::try_from(place).map_err(|_| plan::Error::TooManyInputs);
        let mut builder = Builder::new(inputs);
        self.put_behind(data, &mut builder, |builder, part, at| {
            match part {
                Part::Same(..) => {}
                Part::Own(_) => builder.source(number(own)?, at, part.len())?,
                Part::Known {
                    place,
                    first: block,
                    ..
                } => {
                    let input = first.checked_add(place).map(number);
                    let input = input.ok_or(plan::Error::TooManyInputs)??;
                    let at = known.at(place).digest_at(block);
                    builder.source(input, at, part.len())?;
                }
            }
            Ok(())
        })?;
        Ok(builder.finish()?)
    }

    /// Puts the data into `builder` and the area behind it; `put` appends a part that is not one digest again and again, given where its own
    /// bytes are, if it has some.
    fn put_behind(
        &self,
        data: &Plan,
        builder: &mut Builder,
        mut put: impl FnMut(&mut Builder, Part, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        builder.plan(data)?;
        for section in &self.sections {
            builder.zero_to(section.start)?;
            let mut own = section.own;
            for part in section.parts.iter() {
                match part {
                    Part::Same(digest, _) => builder.repeat(&digest, part.len())?,
                    _ => put(builder, part, own)?,
                }
                if let Part::Own(_) = part {
                    own = sum(own, part.len());
                }
            }
        }
        Ok(builder.zero_to(self.layout.end)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_hashes::{write_block_hashes, BlockHashes};
    use std::sync::Mutex;

    /// A plan holds as many bytes of an area as it may, and not one more.
    #[test]
    fn the_most_that_a_plan_holds() {
        let input: Vec<u8> = (0..40 * 512u32)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect();
        let params = Params::new(512, 4096, b"salt", [0; 16]).unwrap();
        let plan = Plan::whole(as_u64(input.len())).unwrap();
        let reader = Reader::new(plan, vec![("x".to_owned(), input.clone())]).unwrap();
        let fits = |max, known: &Known| match append_at_most(max, &reader, known, &params) {
            Ok((plan, ..)) => {
                assert_eq!(plan, append(&reader, known, &params).unwrap().0);
                true
            }
            Err(Error::TooLargeForPlan { max: told }) => {
                assert_eq!(told, max);
                false
            }
            Err(error) => panic!("{error}"),
        };
        // The superblock and 40 digests.
        let nothing = Known::default();
        assert!(fits(512 + 40 * 32, &nothing));
        assert!(!fits(512 + 40 * 32 - 1, &nothing));
        let out = Mutex::new(Vec::new());
        let len = as_u64(input.len());
        write_block_hashes(&input, len, b"salt", 512, &[], &out).unwrap();
        let file = out.into_inner().unwrap();
        let file_len = as_u64(file.len());
        let hashes = BlockHashes::open(Box::new(file), file_len).unwrap();
        let mut known = Known::default();
        known
            .add(0, hashes, &params, reader.plan().inputs())
            .unwrap();
        // The digests alone.
        assert!(fits(40 * 32, &known));
        assert!(!fits(40 * 32 - 1, &known));
        assert!(!fits(512, &known));
    }
}
