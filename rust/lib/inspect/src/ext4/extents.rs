//! Where a file's bytes are: extent trees, and the block maps of ext2 and ext3.

use super::inode::Inode;
use super::Reader;
use crate::bytes::{joined, u16_at, u32_at};
use crate::error::{damage, Fault};
use crate::model::Run;

const MAGIC: u16 = 0xf30a;
/// The kernel's limit.
const MAX_DEPTH: u16 = 5;
/// A longer extent is one that was never written: zeros.
const MAX_WRITTEN: u16 = 32768;

/// Blocks found so far, in order.
struct Map {
    runs: Vec<Run>,
    /// The block of the file that may come next.
    next: u64,
    block_size: u64,
    size: u64,
}

impl Map {
    /// Appends `len` blocks; the part behind the end of the file is left out.
    fn push(&mut self, first: u64, len: u64, from: u64) -> Result<(), Fault> {
        if first < self.next {
            return Err(damage!("block {first} of the file comes twice"));
        }
        self.next = first.saturating_add(len);
        let at = first.saturating_mul(self.block_size);
        let bytes = len
            .saturating_mul(self.block_size)
            .min(self.size.saturating_sub(at));
        let from = from.saturating_mul(self.block_size);
        if bytes == 0 {
            return Ok(());
        }
        if let Some(last) = self.runs.last_mut() {
            if last.at.saturating_add(last.len) == at && last.from.saturating_add(last.len) == from
            {
                last.len = last.len.saturating_add(bytes);
                return Ok(());
            }
        }
        self.runs.push(Run {
            at,
            len: bytes,
            from,
        });
        Ok(())
    }
}

impl Reader<'_> {
    /// Where the content of `inode` is. Its blocks are claimed, those of the tree as well.
    pub(super) fn runs(&mut self, inode: &Inode) -> Result<Vec<Run>, Fault> {
        let block_size = self.block_size();
        let mut map = Map {
            runs: Vec::new(),
            next: 0,
            block_size,
            size: inode.size,
        };
        if inode.is_inline() {
            return inode.inline();
        }
        if inode.has_extents() {
            let depth = u16_at(inode.i_block(), 6);
            if depth > MAX_DEPTH {
                return Err(damage!("an extent tree of depth {depth}"));
            }
            self.node(inode.i_block(), depth, &mut map)?;
        } else {
            self.block_map(inode, &mut map)?;
        }
        Ok(map.runs)
    }

    /// Notes that a file has these blocks; where that is allowed, others may have them, too.
    fn claim_data(&mut self, start: u64, len: u64) -> Result<(), Fault> {
        match self.superblock.shares_blocks() {
            true => self.claims.check(start, len).map(drop),
            false => self.claims.take(start, len),
        }
    }

    /// A node of the extent tree and everything below it.
    fn node(&mut self, node: &[u8], depth: u16, map: &mut Map) -> Result<(), Fault> {
        let (eh_magic, eh_entries, eh_depth) = (u16_at(node, 0), u16_at(node, 2), u16_at(node, 6));
        if eh_magic != MAGIC || eh_depth != depth {
            return Err(damage!("a node of the extent tree is none, magic {eh_magic:04x}, depth {eh_depth} for {depth}"));
        }
        let have = node.chunks_exact(12).skip(1);
        let wanted = usize::from(eh_entries);
        if have.len() < wanted {
            let have = have.len();
            return Err(damage!(
                "a node of the extent tree with {wanted} entries in place for {have}"
            ));
        }
        for entry in have.take(wanted) {
            if depth > 0 {
                let child = joined(u16_at(entry, 8), u32_at(entry, 4));
                self.claims.take(child, 1)?;
                let bytes = self.block(child)?;
                self.node(&bytes, depth.saturating_sub(1), map)?;
                continue;
            }
            let (ee_block, ee_len) = (u32_at(entry, 0), u16_at(entry, 4));
            let start = joined(u16_at(entry, 6), u32_at(entry, 8));
            let written = ee_len <= MAX_WRITTEN;
            let len = u64::from(if written {
                ee_len
            } else {
                ee_len.saturating_sub(MAX_WRITTEN)
            });
            if len == 0 || start == 0 {
                return Err(damage!("an extent of {len} blocks at block {start}"));
            }
            self.claim_data(start, len)?;
            if written {
                map.push(ee_block.into(), len, start)?;
            }
        }
        Ok(())
    }

    /// Twelve blocks, then trees of one, two and three levels.
    fn block_map(&mut self, inode: &Inode, map: &mut Map) -> Result<(), Fault> {
        let mut first = 0u64;
        for (slot, entry) in inode.i_block().chunks_exact(4).enumerate() {
            let level = u32::try_from(slot.saturating_sub(11)).unwrap_or(0);
            self.indirect(u32_at(entry, 0).into(), level, &mut first, map)?;
        }
        Ok(())
    }

    fn indirect(
        &mut self,
        block: u64,
        level: u32,
        first: &mut u64,
        map: &mut Map,
    ) -> Result<(), Fault> {
        let per_block = self.block_size() / 4;
        let covers = per_block.saturating_pow(level);
        if first.saturating_mul(self.block_size()) >= map.size {
            return Ok(());
        }
        if block == 0 {
            *first = first.saturating_add(covers);
            return Ok(());
        }
        let Some(below) = level.checked_sub(1) else {
            self.claim_data(block, 1)?;
            map.push(*first, 1, block)?;
            *first = first.saturating_add(1);
            return Ok(());
        };
        self.claims.take(block, 1)?;
        let bytes = self.block(block)?;
        for entry in bytes.chunks_exact(4) {
            self.indirect(u32_at(entry, 0).into(), below, first, map)?;
        }
        Ok(())
    }
}
