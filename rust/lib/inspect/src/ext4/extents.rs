//! Where a file's bytes are: extent trees, and the block maps of ext2 and ext3.

use super::inode::Inode;
use super::Reader;
use crate::bytes::{array, joined, Fields, Number};
use crate::error::{damage, Fault};
use crate::span::{append, Run, Span};

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
        self.next = first.plus(len)?;
        let size = self.block_size;
        let at = Span::new(first.times(size)?, len.times(size)?)?.until(self.size);
        let run = Run::new(at.start(), at.len(), from.times(size)?)?;
        if !run.is_empty() {
            append(&mut self.runs, run);
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Where the content of `inode` is. Its blocks are claimed, those of the tree as well.
    pub(super) fn runs(&mut self, inode: &Inode) -> Result<Vec<Run>, Fault> {
        let block_size = self.block_size();
        self.nodes.clear();
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
            let depth = inode.i_block().u16::<6>();
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

    /// Notes that a file's tree has this block.
    fn claim_node(&mut self, block: u64) -> Result<(), Fault> {
        self.claims.take(block, 1)?;
        self.nodes.push(block);
        Ok(())
    }

    /// A node of the extent tree and everything below it.
    fn node(&mut self, node: &[u8], depth: u16, map: &mut Map) -> Result<(), Fault> {
        let header: [u8; 12] = array(node, 0)?;
        let (eh_magic, eh_depth) = (header.u16::<0>(), header.u16::<6>());
        if eh_magic != MAGIC || eh_depth != depth {
            return Err(damage!("a node of the extent tree is none, magic {eh_magic:04x}, depth {eh_depth} for {depth}"));
        }
        let have = node.chunks_exact(12).skip(1);
        let wanted = usize::from(header.u16::<2>());
        if have.len() < wanted {
            let have = have.len();
            return Err(damage!(
                "a node of the extent tree with {wanted} entries in place for {have}"
            ));
        }
        for entry in have.take(wanted) {
            let entry: [u8; 12] = array(entry, 0)?;
            let Some(below) = depth.checked_sub(1) else {
                self.extent(&entry, map)?;
                continue;
            };
            let child = joined(entry.u16::<8>(), entry.u32::<4>());
            self.claim_node(child)?;
            let bytes = self.block(child)?;
            self.node(&bytes, below, map)?;
        }
        Ok(())
    }

    /// A leaf of the tree.
    fn extent(&mut self, entry: &[u8; 12], map: &mut Map) -> Result<(), Fault> {
        let (ee_block, ee_len) = (entry.u32::<0>(), entry.u16::<4>());
        let start = joined(entry.u16::<6>(), entry.u32::<8>());
        let (len, written) = match ee_len.checked_sub(MAX_WRITTEN) {
            Some(len) if len > 0 => (len, false),
            _ => (ee_len, true),
        };
        if len == 0 || start == 0 {
            return Err(damage!("an extent of {len} blocks at block {start}"));
        }
        self.claim_data(start, len.into())?;
        match written {
            true => map.push(ee_block.into(), len.into(), start),
            false => Ok(()),
        }
    }

    /// Twelve blocks, then trees of one, two and three levels.
    fn block_map(&mut self, inode: &Inode, map: &mut Map) -> Result<(), Fault> {
        let levels = std::iter::repeat_n(0, 12).chain(1..=3);
        let mut first = 0;
        for (slot, level) in inode.i_block().chunks_exact(4).zip(levels) {
            self.indirect(slot, level, &mut first, map)?;
        }
        Ok(())
    }

    /// The blocks below `slot`, which is a number of a block: the first is the file's block `first`.
    fn indirect(
        &mut self,
        slot: &[u8],
        level: u32,
        first: &mut u64,
        map: &mut Map,
    ) -> Result<(), Fault> {
        let block = u64::from(u32::from_le_bytes(array(slot, 0)?));
        if first.times(self.block_size())? >= map.size {
            return Ok(());
        }
        if block == 0 {
            let per_block = self.block_size() / 4;
            let covers = (0..level).try_fold(1u64, |blocks, _| blocks.times(per_block))?;
            *first = first.plus(covers)?;
            return Ok(());
        }
        let Some(below) = level.checked_sub(1) else {
            self.claim_data(block, 1)?;
            map.push(*first, 1, block)?;
            *first = first.plus(1)?;
            return Ok(());
        };
        self.claim_node(block)?;
        let bytes = self.block(block)?;
        for slot in bytes.chunks_exact(4) {
            self.indirect(slot, below, first, map)?;
        }
        Ok(())
    }
}
