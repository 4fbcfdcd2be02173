//! From a plan to the bytes of a file: holes stay holes, everything else is copied or shared.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use plan::Reader;
use seekable::ordered;
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
        Self {
            threads: ordered::threads(),
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
    let hash = ordered::run(
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
    fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(len);
    }

    fn zeros_to(&mut self, end: u64) {
        const ZEROS: [u8; 16384] = [0; 16384];
        while let Some(left) = end.checked_sub(self.at).filter(|left| *left > 0) {
            let take = usize::try_from(left).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..take).unwrap_or(&ZEROS);
            self.update(zeros);
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
        let mut at = job.start;
        let mut copy = |start: u64, end: u64| {
            let index = |at: u64| usize::try_from(at.saturating_sub(job.start));
            let (Ok(from), Ok(to)) = (index(start), index(end)) else {
                return Ok(());
            };
            let bytes = buffer.get_mut(from..to).unwrap_or_default();
            if !self.whole {
                gather.read(self.reader, bytes, start)?;
            }
            self.put(bytes, start)
        };
        for shared in self.sharing.share(self.reader, self.file, job)? {
            copy(at, shared.start)?;
            at = shared.end;
        }
        copy(at, job.end)
    }

    /// Writes what is not zero of the image's bytes from `start` on, which starts a block.
    fn put(&self, bytes: &[u8], start: u64) -> Result<(), Error> {
        for (offset, run) in runs(bytes) {
            let at = start.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            self.file.write_all_at(run, at).map_err(Error::write(at))?;
        }
        Ok(())
    }
}

/// The stretches of `bytes` without blocks of zeros, and where they start. `bytes` starts on a multiple of a block.
fn runs(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let block = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    let mut at = 0usize;
    std::iter::from_fn(move || {
        let blocks = |from: usize| bytes.get(from..).unwrap_or_default().chunks(block);
        let size = |blocks: usize| blocks.saturating_mul(block);
        let zeros = blocks(at).take_while(|block| is_zero(block)).count();
        let start = at.saturating_add(size(zeros));
        let data = blocks(start).take_while(|block| !is_zero(block)).count();
        at = start.saturating_add(size(data)).min(bytes.len());
        let run = bytes.get(start..at)?;
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
