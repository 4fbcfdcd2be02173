//! A block of bytes that is filled field by field.

/// A zeroed block of fixed length.
#[derive(Debug)]
pub(crate) struct Block(Vec<u8>);

impl Block {
    pub(crate) fn new(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// Puts `bytes` at `offset`; what would lie outside is left out, which the callers' fixed offsets never do.
    pub(crate) fn put(&mut self, offset: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(offset).zip(bytes) {
            *to = *from;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The low 16 bits.
pub(crate) fn low16(value: u32) -> [u8; 2] {
    let [a, b, _, _] = value.to_le_bytes();
    [a, b]
}

/// The high 16 bits.
pub(crate) fn high16(value: u32) -> [u8; 2] {
    let [_, _, a, b] = value.to_le_bytes();
    [a, b]
}
