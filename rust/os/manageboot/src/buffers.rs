//! Memory that a disk can be read to and written from without a copy, used again and again.

use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use base::as_usize;
use direct::Buffer;
use update::Member;

/// Memory for chunks that are on one way. They have a megabyte unless somebody chose otherwise, so that there is room for all threads.
const ROOM: usize = 32 << 20;

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
