//! Memory that a disk can be read to and written from without a copy.

use std::ops::{Deref, DerefMut};

/// What past the page cache must be a multiple of this: place on the disk, length, and address in memory. Disks want 512 or 4096.
pub const ALIGNMENT: usize = 4096;

/// Bytes that begin at a multiple of [`ALIGNMENT`].
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Box<[u8]>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn new(len: usize) -> Self {
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
}
