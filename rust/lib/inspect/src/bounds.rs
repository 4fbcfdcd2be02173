//! What bounds the work on an image: what is stored for it, not what it says of itself. A sparse file of a few KB can be 8 EiB long,
//! and a plan can show the same bytes again and again.

use base::as_u64;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::image::Image;

/// Bytes that end up to here in the image have a digest of them all; what reaches beyond has one of what is not zero. Hashing as
/// many zeros takes less than a minute.
pub(crate) const WHOLE: u64 = 16 << 30;
/// So many zeros that need no reading may be hashed whatever is stored: those of all files, and once more.
const ZEROS: u64 = 2 * WHOLE;
/// So many bytes may be read whatever is stored. A plan has hash trees over zeros that it holds 32 bytes of.
const READ: u64 = 4 << 30;
/// How often a stored byte may be read: to look for zeros, to check, to hash, and for each partition that shows it.
const READ_EACH: u64 = 64;
/// Memory that names and attributes may take whatever is stored.
const KEPT: u64 = 64 << 20;
/// Memory for each stored byte. A name takes at least 12 bytes, and far more with its inode.
const KEPT_EACH: u64 = 32;

/// An image, and what may still be read of it and kept of it.
pub(crate) struct Source<'a> {
    pub(crate) image: &'a dyn Image,
    stored: u64,
    reads: AtomicU64,
    zeros: AtomicU64,
    kept: AtomicU64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(image: &'a dyn Image) -> Self {
        let stored = image.stored();
        // Saturated they are no bound: so much may be read.
        let bound = |fixed: u64, each: u64| stored.saturating_mul(each).saturating_add(fixed);
        Self {
            image,
            stored,
            reads: AtomicU64::new(bound(READ, READ_EACH)),
            zeros: AtomicU64::new(bound(ZEROS, READ_EACH)),
            kept: AtomicU64::new(bound(KEPT, KEPT_EACH)),
        }
    }

    /// For what somebody asked for by name, however long it is.
    pub(crate) fn unbounded(image: &'a dyn Image) -> Self {
        Self {
            image,
            stored: image.stored(),
            reads: AtomicU64::new(u64::MAX),
            zeros: AtomicU64::new(u64::MAX),
            kept: AtomicU64::new(u64::MAX),
        }
    }

    /// How many bytes are stored.
    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        self.spend(&self.reads, as_u64(buffer.len()))?;
        self.image.read_at(buffer, at)
    }

    /// Accounts for `len` zeros that are hashed and were not read.
    pub(crate) fn hash_zeros(&self, len: u64) -> Result<(), Error> {
        self.spend(&self.zeros, len)
    }

    fn spend(&self, left: &AtomicU64, len: u64) -> Result<(), Error> {
        let stored = self.stored;
        match take(left, len) {
            true => Ok(()),
            false => Err(Error::Repeats { stored }),
        }
    }

    /// Whether `len` more bytes may be kept in memory; then they are accounted for.
    pub(crate) fn keep(&self, len: u64) -> bool {
        take(&self.kept, len)
    }

    /// How many more bytes may be kept.
    pub(crate) fn room(&self) -> u64 {
        self.kept.load(Ordering::Relaxed)
    }
}

fn take(left: &AtomicU64, len: u64) -> bool {
    let relaxed = Ordering::Relaxed;
    let taken = left.fetch_update(relaxed, relaxed, |left| left.checked_sub(len));
    taken.is_ok()
}
