//! Many small pieces of an input by few system calls.

use std::io::IoSliceMut;

use base::{as_u64, as_usize};
use plan::{Piece, Reader};

use crate::error::Error;

/// Pieces of an input that are no further apart are read at once, with what lies between them: the header and the padding of
/// a member of a tar, mostly. That is cheaper than another system call.
const GAP: usize = 8 << 10;
/// How much of what lies between is taken at once.
const SPARE: usize = 128 << 10;
/// Linux takes 1024 parts; a piece adds two.
const PARTS: usize = 1000;

/// Reads ranges of an image; one per thread.
#[derive(Default)]
pub(crate) struct Gather {
    spare: Vec<u8>,
}

impl Gather {
    /// Fills `buffer` with the image's bytes from `start` on.
    pub(crate) fn read(
        &mut self,
        reader: &Reader,
        buffer: &mut [u8],
        start: u64,
    ) -> Result<(), Error> {
        self.spare.resize(SPARE, 0);
        let len = as_u64(buffer.len());
        let mut extents = reader.plan().extents_in(start, len)?.peekable();
        let mut rest = buffer;
        while extents.peek().is_some() {
            let mut group = Group::new(&mut self.spare);
            while let Some(extent) = extents.peek() {
                if let Piece::Source { input, offset } = extent.piece {
                    if !group.reach(input, offset) {
                        break;
                    }
                }
                // Extents of the range make up exactly its length.
                let (part, after) = std::mem::take(&mut rest).split_at_mut(as_usize(extent.len));
                rest = after;
                match extent.piece {
                    Piece::Zero => part.fill(0),
                    Piece::Inline(bytes) => part.copy_from_slice(bytes),
                    Piece::Source { .. } => group.push(part, extent.len),
                }
                extents.next();
            }
            group.read(reader)?;
        }
        Ok(())
    }
}

/// Parts of one input, one behind the other, with places for what is not wanted.
struct Group<'a> {
    input: Option<u32>,
    start: u64,
    end: u64,
    parts: Vec<IoSliceMut<'a>>,
    spare: &'a mut [u8],
}

impl<'a> Group<'a> {
    fn new(spare: &'a mut [u8]) -> Self {
        Self {
            input: None,
            start: 0,
            end: 0,
            parts: Vec::new(),
            spare,
        }
    }

    /// Goes on to `offset` of `input`, if that is not too far.
    fn reach(&mut self, input: u32, offset: u64) -> bool {
        let Some(same) = self.input else {
            self.input = Some(input);
            self.start = offset;
            self.end = offset;
            return true;
        };
        let gap = offset.checked_sub(self.end).map(usize::try_from);
        let Some(Ok(gap)) = gap.filter(|_| same == input && self.parts.len() < PARTS) else {
            return false;
        };
        if gap > GAP || gap > self.spare.len() {
            return false;
        }
        if gap > 0 {
            let (part, after) = std::mem::take(&mut self.spare).split_at_mut(gap);
            self.spare = after;
            self.parts.push(IoSliceMut::new(part));
        }
        self.end = offset;
        true
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a plan's range lies within its input, whose length is a u64"
    )]
    fn push(&mut self, part: &'a mut [u8], len: u64) {
        self.parts.push(IoSliceMut::new(part));
        self.end += len;
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the parts lie between `start` and `end`"
    )]
    fn read(mut self, reader: &Reader) -> Result<(), Error> {
        let Some(input) = self.input else {
            return Ok(());
        };
        let file = reader.inputs().get(as_usize(input));
        if let ([_, _, ..], Some((_, file))) = (&self.parts[..], file) {
            let want = as_usize(self.end - self.start);
            let file = file.file().ok();
            let read = |file| rustix::io::preadv(file, &mut self.parts, self.start).ok();
            if file.and_then(read) == Some(want) {
                return Ok(());
            }
        }
        // One by one: there is only one, or something is in the way, and this says what.
        let mut at = self.start;
        for part in &mut self.parts {
            reader.read_input(input, part, at)?;
            at += as_u64(part.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Builder, Input};
    use std::fs::File;

    #[test]
    fn pieces_near_and_far() {
        let dir = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..1u32 << 20)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect();
        let path = dir.path().join("input");
        std::fs::write(&path, &bytes).unwrap();
        let len = u64::try_from(bytes.len()).unwrap();
        let mut builder = Builder::new(vec![Input::of_len(len); 2]);
        // Near, adjacent but for zeros, too far, backwards, another input, and more than fit into one call.
        let mut pieces = vec![(0, 10, 100), (0, 700, 5000), (0, 5700, 1), (0, 500_000, 20)];
        pieces.extend([(0, 499_000, 30), (1, 499_100, 30), (1, 10_000, 1)]);
        pieces.extend((0..3000).map(|n| (0, 20_000 + n * 300, 7)));
        let mut want = Vec::new();
        for (input, offset, len) in pieces {
            builder.source(input, offset, len).unwrap();
            builder.inline(b"+").unwrap();
            builder.zero(3).unwrap();
            let range = usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
            want.extend_from_slice(&bytes[range]);
            want.extend_from_slice(b"+\0\0\0");
        }
        let reader = Reader::open(builder.finish().unwrap(), &[&path, &path]).unwrap();
        let mut got = vec![9; want.len()];
        Gather::default().read(&reader, &mut got, 0).unwrap();
        assert_eq!(got, want);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(50_000)
            .unwrap();
        let error = Gather::default().read(&reader, &mut got, 0).unwrap_err();
        assert!(error
            .to_string()
            .ends_with("became shorter while it was read"));
    }
}
