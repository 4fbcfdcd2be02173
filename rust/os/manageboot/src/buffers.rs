//! Memory that a disk can be read to and written from without a copy, used again and again.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use base::as_usize;
use update::Member;

/// Memory for chunks that are on one way. They have a megabyte unless somebody chose otherwise, so that there is room for all threads.
const ROOM: usize = 32 << 20;

/// What past the page cache must be a multiple of this: place on the disk, length, and address in memory. Disks want 512 or 4096.
pub(crate) const ALIGNMENT: usize = 4096;

/// How long the longest chunk is.
pub(crate) fn room(image: &Member) -> usize {
    as_usize(image.size.min(image.chunk_size.into()))
}

/// How many threads, each with a chunk of `len` bytes, keep `cores` busy with hashing: two more, of which one waits for what comes and one for the
/// disk; or as many as there is room for, but two.
pub(crate) fn threads(len: usize, cores: NonZeroUsize) -> NonZeroUsize {
    let two = NonZeroUsize::MIN.saturating_add(1);
    let room = ROOM.checked_div(len).and_then(NonZeroUsize::new);
    cores.saturating_add(2).min(room.unwrap_or(two)).max(two)
}

/// Bytes that begin at a multiple of [`ALIGNMENT`].
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    memory: Box<[u8]>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub(crate) fn new(len: usize) -> Self {
        // The allocator promises no more than the alignment of a byte; a box that is moved stays where it is.
        let memory = vec![0; len.saturating_add(ALIGNMENT)].into_boxed_slice();
        // `align_offset` may give up, and says so by a huge number: such a buffer goes through the page cache.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, len }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let (_, rest) = self.memory.split_at(self.start);
        rest.split_at(self.len).0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let (_, rest) = self.memory.split_at_mut(self.start);
        rest.split_at_mut(self.len).0
    }
}

/// Buffers that nobody uses at the moment, all of one length.
#[derive(Debug)]
pub(crate) struct Pool {
    len: usize,
    free: Mutex<Vec<Buffer>>,
}

impl Pool {
    /// Of buffers of `len` bytes. There are none yet.
    pub(crate) fn new(len: usize) -> Self {
        let free = Mutex::default();
        Self { len, free }
    }

    /// A buffer, with whatever is in it; it comes back when it is dropped.
    pub(crate) fn take(&self) -> Lent<'_> {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let buffer = free.unwrap_or_else(|| Buffer::new(self.len));
        Lent { buffer, pool: self }
    }
}

/// A buffer of a [`Pool`].
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    buffer: Buffer,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        free.push(buffer);
    }
}

impl Deref for Lent<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_the_right_address() {
        for len in [0, 1, 4095, 4096, 1 << 20] {
            // Several, since one may be at such an address by chance.
            let buffers: Vec<Buffer> = (0..9).map(|_| Buffer::new(len)).collect();
            for mut buffer in buffers {
                assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
                assert_eq!(buffer.len(), len);
                buffer.fill(1);
                assert!(buffer.iter().all(|byte| *byte == 1));
            }
        }
    }

    #[test]
    fn memory_is_bounded() {
        let threads = |len, cores| threads(len, NonZeroUsize::new(cores).unwrap()).get();
        assert_eq!(threads(1 << 20, 3), 5);
        assert_eq!(threads(1 << 20, 1), 3);
        assert_eq!(threads(1 << 20, 200), 32);
        assert_eq!(threads(16 << 20, 200), 2);
        assert_eq!(threads(1 << 40, 200), 2);
        assert_eq!(threads(0, 7), 2);
        let mut image = Member::of("x", &[7; 9000]);
        assert_eq!(room(&image), 9000);
        image.chunk_size = 4096;
        assert_eq!(room(&image), 4096);
    }

    #[test]
    fn what_comes_back_is_used_again() {
        let pool = Pool::new(3);
        let (mut first, second) = (pool.take(), pool.take());
        first.fill(7);
        assert_eq!(*second, [0; 3]);
        drop(first);
        assert_eq!(*pool.take(), [7; 3]);
        drop(second);
        assert_eq!(pool.free.lock().unwrap().len(), 2);
    }
}
