//! From a plan to the bytes of a file: holes stay holes, everything else is copied or shared.

use std::fs::File;
use std::iter::once;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use base::{as_u64, as_usize, parallel};
use plan::Reader;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::gather::Gather;
use crate::inputs;
use crate::jobs::{jobs, Job, BLOCK};
use crate::share::Sharing;

/// What a thread writes at a time. More stays in no cache of a core, less costs more calls.
const CHUNK: u64 = 512 << 10;
/// File systems let one thread write to a file at a time. These many keep it busy; more would only wait.
const THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);

/// What is wanted besides the bytes.
pub struct Options<'a> {
    /// How many threads work, at most. The bytes do not depend on it.
    pub threads: NonZeroUsize,
    /// Whether to take the SHA-256 of what is written.
    pub digest: bool,
    /// Is told, again and again, how much of the image's length is done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Default for Options<'_> {
    /// All cores, no digest, no word about progress.
    fn default() -> Self {
        let cores = parallel::cores();
        Self {
            // While one waits for its turn, another works.
            threads: cores.checked_add(1).unwrap_or(cores),
            digest: false,
            progress: &|_| (),
        }
    }
}

/// Writes the image into `file`, which must be new: empty, and nobody else's. Returns the digest, if one was wanted.
///
/// What is zero in the plan is a hole, and so is every other block that turns out to be zero unless it is shared with an input.
/// On an error the file holds a part of the image.
pub fn write(
    reader: &Reader,
    file: &File,
    options: &Options<'_>,
) -> Result<Option<[u8; 32]>, Error> {
    let sharing = Sharing::probe(reader, file)?;
    file.set_len(reader.len()).map_err(Error::write(0))?;
    let writer = Writer {
        reader,
        file,
        sharing,
        whole: options.digest,
        writing: Mutex::new(()),
    };
    let hash = parallel::in_order(
        options.threads.min(THREADS),
        jobs(reader.plan(), CHUNK),
        options.digest.then(Hash::default),
        || Ok((Gather::default(), Vec::new())),
        |job, (gather, buffer)| writer.job(*job, gather, buffer),
        |hash, job, (_, buffer)| {
            if let Some(hash) = hash {
                hash.zeros_to(job.start);
                hash.update(buffer);
            }
            (options.progress)(job.end);
            Ok(())
        },
    )?;
    inputs::check(reader)?;
    Ok(hash.map(|mut hash| {
        hash.zeros_to(reader.len());
        hash.sha.finalize().into()
    }))
}

/// The digest of an image whose holes are not given.
#[derive(Default)]
struct Hash {
    sha: Sha256,
    at: u64,
}

impl Hash {
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "no more than the image, which has less than 2^63 bytes"
    )]
    fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.at += as_u64(bytes.len());
    }

    fn zeros_to(&mut self, end: u64) {
        const ZEROS: [u8; 16384] = [0; 16384];
        while self.at < end {
            let left = as_usize(end.abs_diff(self.at));
            self.update(ZEROS.split_at(left.min(ZEROS.len())).0);
        }
    }
}

struct Writer<'a> {
    reader: &'a Reader,
    file: &'a File,
    sharing: Sharing,
    /// Whether the buffer must hold all of a job afterwards, also what is shared.
    whole: bool,
    /// Whose turn it is to write: in the kernel they would spin while they wait.
    writing: Mutex<()>,
}

impl Writer<'_> {
    /// Writes the range of `job`, and leaves its bytes in `buffer`.
    fn job(&self, job: Job, gather: &mut Gather, buffer: &mut Vec<u8>) -> Result<(), Error> {
        buffer.resize(job.len(), 0);
        if self.whole {
            gather.read(self.reader, buffer, job.start)?;
        }
        let shared = self.sharing.share(self.reader, self.file, job)?;
        let mut at = job.start;
        let mut rest = buffer.as_mut_slice();
        // What is shared lies in order, and within the job.
        for shared in shared.into_iter().chain(once(job.end..job.end)) {
            let part = |from: u64, to: u64| as_usize(to.abs_diff(from));
            let (bytes, behind) = std::mem::take(&mut rest).split_at_mut(part(at, shared.start));
            if !self.whole {
                gather.read(self.reader, bytes, at)?;
            }
            self.put(bytes, at)?;
            (_, rest) = behind.split_at_mut(part(shared.start, shared.end));
            at = shared.end;
        }
        Ok(())
    }

    /// Writes what is not zero of the image's bytes from `start` on, which starts a block.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the bytes lie within the image, which has less than 2^63"
    )]
    fn put(&self, bytes: &[u8], start: u64) -> Result<(), Error> {
        for (offset, run) in runs(bytes) {
            let at = start + as_u64(offset);
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.file.write_all_at(run, at).map_err(Error::write(at))?;
        }
        Ok(())
    }
}

/// The stretches of `bytes` without blocks of zeros, and where they start. `bytes` starts on a multiple of a block.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "`start` and `at` are at most the length of `bytes`"
)]
pub(crate) fn runs(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let (mut at, mut rest) = (0usize, bytes);
    std::iter::from_fn(move || {
        let blocks = rest.chunks(as_usize(BLOCK));
        let zeros = blocks.take_while(|block| is_zero(block));
        let (zeros, behind) = rest.split_at(zeros.map(<[u8]>::len).sum());
        let blocks = behind.chunks(as_usize(BLOCK));
        let data = blocks.take_while(|block| !is_zero(block));
        let (run, behind) = behind.split_at(data.map(<[u8]>::len).sum());
        let start = at + zeros.len();
        (at, rest) = (start + run.len(), behind);
        (!run.is_empty()).then_some((start, run))
    })
}

/// Mostly decided by the first bytes; the rest is compared as fast as memory goes.
fn is_zero(block: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    block.first() == Some(&0) && ZEROS.get(..block.len()) == Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_blocks_are_left_out() {
        let mut bytes = vec![0; 5 * 4096 + 10];
        assert_eq!(runs(&bytes).count(), 0);
        bytes[4095] = 1;
        bytes[2 * 4096] = 1;
        bytes[3 * 4096 + 5] = 1;
        bytes[5 * 4096 + 9] = 1;
        let found: Vec<_> = runs(&bytes).map(|(at, run)| (at, run.len())).collect();
        assert_eq!(found, [(0, 4096), (8192, 8192), (20480, 10)]);
        assert_eq!(runs(&[]).count(), 0);
    }
}
