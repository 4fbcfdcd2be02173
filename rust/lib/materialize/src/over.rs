//! An image over a medium that has other content: what is zero in the image has to be zero there, too.

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;

use base::{as_u64, as_usize, parallel};
use plan::{Plan, Reader};

use crate::error::Error;
use crate::gather::Gather;
use crate::inputs;
use crate::jobs::{jobs, Job, BLOCK};
use crate::write::runs;

/// What a thread writes at a time; ranges start on a multiple of it.
pub const CHUNK: u64 = 1 << 20;
/// What is made zero at a time.
const ZEROS: u64 = 64 << 20;
/// Fewer zeros than these are written as they are: asking a medium for them takes as long.
const FEW: usize = 64 << 10;
/// So many writes are under way. A medium does one at a time; the others are being read, or wait for it.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

/// A medium. Several threads use it at a time.
///
/// What is written or read starts on a multiple of 4096, in the medium and in memory, so that it can go past the kernel's caches; only
/// the end of the image is no such multiple.
pub trait Target: Sync {
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Fills `buffer` with what is on the medium.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;

    /// Makes `range` zero.
    fn zero(&self, range: Range<u64>) -> io::Result<()>;
}

/// How many bytes of `range` are written by [`write_over`], at most: the image's data, and few zeros within it.
pub fn data_len(plan: &Plan, range: &Range<u64>) -> u64 {
    within(plan, range).map(|job| as_u64(job.len())).sum()
}

/// Makes `range` of `target`, which starts on a multiple of [`CHUNK`], that of the image. `progress` is told how many bytes of
/// [`data_len`] are done.
///
/// On an error some of it is written.
pub fn write_over(
    reader: &Reader,
    target: &dyn Target,
    range: Range<u64>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    let steps = steps(reader.plan(), &range);
    parallel::in_order(
        THREADS,
        steps.into_iter(),
        0u64,
        || Ok((Gather::default(), Aligned::default())),
        |step, (gather, buffer)| match step {
            Step::Zero(range) => target
                .zero(range.clone())
                .map_err(Error::write(range.start)),
            Step::Data(job) => {
                let bytes = buffer.get(job.len());
                gather.read(reader, bytes, job.start)?;
                put(target, bytes, job.start)
            }
        },
        |done, step, _| {
            advance(done, step);
            progress(*done);
            Ok(())
        },
    )?;
    inputs::check(reader)
}

/// Compares what [`write_over`] wrote to `range` of `target` with the image; the first byte that is not as it was written is an error.
pub fn compare(
    reader: &Reader,
    target: &dyn Target,
    range: Range<u64>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    parallel::in_order(
        THREADS,
        within(reader.plan(), &range).map(Step::Data),
        0u64,
        || Ok((Gather::default(), Vec::new(), Aligned::default())),
        |step, (gather, want, have)| {
            let Step::Data(job) = step else {
                return Ok(());
            };
            want.resize(job.len(), 0);
            let have = have.get(job.len());
            target
                .read_at(have, job.start)
                .map_err(|source| Error::ReadBack {
                    at: job.start,
                    source,
                })?;
            gather.read(reader, want, job.start)?;
            match want == have {
                true => Ok(()),
                false => Err(differs(want, have, job.start)),
            }
        },
        |done, step, _| {
            advance(done, step);
            progress(*done);
            Ok(())
        },
    )?;
    inputs::check(reader)
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "an image has less than 2^63 bytes"
)]
fn differs(want: &[u8], have: &[u8], start: u64) -> Error {
    let same = want.iter().zip(have).take_while(|(a, b)| a == b);
    Error::Differs {
        at: start + as_u64(same.count()),
    }
}

enum Step {
    Data(Job),
    Zero(Range<u64>),
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "an image has less than 2^63 bytes"
)]
fn advance(done: &mut u64, step: &Step) {
    if let Step::Data(job) = step {
        *done += as_u64(job.len());
    }
}

fn within<'a>(plan: &'a Plan, range: &Range<u64>) -> impl Iterator<Item = Job> + Send + 'a {
    let range = range.clone();
    // None crosses a multiple of CHUNK, where the range starts.
    jobs(plan, CHUNK).filter_map(move |job| {
        let end = job.end.min(range.end);
        (job.start >= range.start && job.start < end).then_some(Job { end, ..job })
    })
}

/// All of `range`, in order.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "an image has less than 2^63 bytes"
)]
fn steps(plan: &Plan, range: &Range<u64>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = range.start;
    let end = Job {
        start: range.end,
        end: range.end,
    };
    for job in within(plan, range).chain([end]) {
        while at < job.start {
            let next = job.start.min(at + ZEROS);
            steps.push(Step::Zero(at..next));
            at = next;
        }
        at = job.end;
        if job.start < job.end {
            steps.push(Step::Data(job));
        }
    }
    steps
}

/// Writes `bytes`; long stretches of zeros, which an image that is no plan has, as such.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "places in `bytes`, which lie within an image of less than 2^63 bytes"
)]
fn put(target: &dyn Target, bytes: &[u8], start: u64) -> Result<(), Error> {
    let write = |data: Range<usize>| {
        let at = start + as_u64(data.start);
        let bytes = bytes.get(data).unwrap_or_default();
        target.write_at(bytes, at).map_err(Error::write(at))
    };
    let zero = |zeros: Range<usize>| {
        let range = start + as_u64(zeros.start)..start + as_u64(zeros.end);
        target
            .zero(range.clone())
            .map_err(Error::write(range.start))
    };
    let mut pending = 0..0;
    for (offset, run) in runs(bytes) {
        let end = offset + run.len();
        if offset - pending.end < FEW {
            pending.end = end;
            continue;
        }
        if !pending.is_empty() {
            write(pending.clone())?;
        }
        zero(pending.end..offset)?;
        pending = offset..end;
    }
    let rest = bytes.len() - pending.end;
    if rest < FEW {
        pending.end = bytes.len();
    }
    if !pending.is_empty() {
        write(pending.clone())?;
    }
    if pending.end < bytes.len() {
        zero(pending.end..bytes.len())?;
    }
    Ok(())
}

/// Memory that starts on a multiple of 4096, as what goes past the kernel's caches has to.
#[derive(Debug, Default)]
pub struct Aligned(Vec<u8>);

impl Aligned {
    /// `len` bytes, with whatever is in them.
    pub fn get(&mut self, len: usize) -> &mut [u8] {
        let block = as_usize(BLOCK);
        self.0.resize([len, block].into_iter().sum(), 0);
        let skip = self.0.as_ptr().align_offset(block);
        // A block more than wanted: whatever is skipped of it, `len` bytes are left.
        let (_, rest) = self.0.split_at_mut(skip.min(block));
        rest.split_at_mut(len).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::{Builder, Input};
    use std::sync::Mutex;

    /// A medium in memory, full of something else.
    struct Memory {
        bytes: Mutex<Vec<u8>>,
        broken: Option<u64>,
    }

    impl Memory {
        fn new(len: usize) -> Self {
            Self {
                bytes: Mutex::new(vec![0xaa; len]),
                broken: None,
            }
        }
    }

    impl Target for Memory {
        fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
            assert_eq!((bytes.as_ptr().align_offset(4096), at % 4096), (0, 0));
            self.bytes.lock().unwrap()[as_usize(at)..][..bytes.len()].copy_from_slice(bytes);
            Ok(())
        }

        fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
            let bytes = self.bytes.lock().unwrap();
            buffer.copy_from_slice(&bytes[as_usize(at)..][..buffer.len()]);
            if let Some(broken) = self.broken.and_then(|byte| byte.checked_sub(at)) {
                if let Some(byte) = buffer.get_mut(as_usize(broken)) {
                    *byte ^= 1;
                }
            }
            Ok(())
        }

        fn zero(&self, range: Range<u64>) -> io::Result<()> {
            self.bytes.lock().unwrap()[as_usize(range.start)..as_usize(range.end)].fill(0);
            Ok(())
        }
    }

    /// Data, holes, an input with zeros in it, and an odd end.
    fn image(dir: &std::path::Path) -> Reader {
        let mut input: Vec<u8> = (0..3u32 << 20)
            .map(|n| (n % 251).to_le_bytes()[0])
            .collect();
        input[100_000..900_000].fill(0);
        input[2_000_000..2_000_100].fill(0);
        let path = dir.join("input");
        std::fs::write(&path, &input).unwrap();
        let mut builder = Builder::new([Input::of_len(as_u64(input.len()))]);
        builder.inline(b"head").unwrap();
        builder.zero_to(2 << 20).unwrap();
        builder.source(0, 0, 3 << 20).unwrap();
        builder.zero(5 << 20).unwrap();
        builder.inline(b"tail").unwrap();
        builder.zero(508).unwrap();
        Reader::open(builder.finish().unwrap(), &[&path]).unwrap()
    }

    #[test]
    fn all_of_the_range_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let reader = image(dir.path());
        let mut want = vec![0; as_usize(reader.len())];
        reader.read_at(&mut want, 0).unwrap();
        for start in [0, CHUNK, 3 * CHUNK] {
            let memory = Memory::new(want.len() + 4096);
            let (last, range) = (Mutex::new(0), start..reader.len());
            let progress = |done| *last.lock().unwrap() = done;
            write_over(&reader, &memory, range.clone(), &progress).unwrap();
            assert_eq!(*last.lock().unwrap(), data_len(reader.plan(), &range));
            let got = memory.bytes.into_inner().unwrap();
            let from = as_usize(start);
            assert!(got[from..want.len()] == want[from..], "{start}");
            assert!(got[..from]
                .iter()
                .chain(&got[want.len()..])
                .all(|byte| *byte == 0xaa));
        }
    }

    #[test]
    fn a_bit_that_flipped() {
        let dir = tempfile::tempdir().unwrap();
        let reader = image(dir.path());
        let mut memory = Memory::new(as_usize(reader.len()));
        write_over(&reader, &memory, 0..reader.len(), &|_| ()).unwrap();
        compare(&reader, &memory, 0..reader.len(), &|_| ()).unwrap();
        for byte in [3, (4 << 20) + 17, reader.len() - 510] {
            memory.broken = Some(byte);
            let error = compare(&reader, &memory, 0..reader.len(), &|_| ()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("byte {byte} of the medium is not what was written")
            );
        }
    }
}
