//! Groups: how many, how large, and what each of them has.

use std::ops::Range;

use base::as_u64;

use crate::error::Error;
use crate::inode;
use crate::model::{Inode, InodeNumber, Model};
use crate::num::{narrow, product, sum, without};
use crate::params::{BLOCK_SIZE, MIB_BLOCKS};
use crate::space::has_copy;

/// Blocks in a group: what one block of bits can describe.
const GROUP: u64 = 8 * BLOCK_SIZE;
/// Groups become smaller for trees of very many small files, to no less than this.
const LEAST_GROUP: u64 = GROUP / 16;
/// Inodes in a block.
const PER_BLOCK: u64 = BLOCK_SIZE / 256;
const _: () = assert!(inode::SIZE == 256);
/// Images of up to so many groups of 128 MiB have one block of descriptors; all have at least that.
const DESCRIPTORS: u64 = BLOCK_SIZE / 32;

/// What is the same for all sizes of an image that a base may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Blocks in a group.
    pub(crate) group: u64,
    /// Blocks set aside for descriptors.
    pub(crate) descriptors: u64,
}

impl Frame {
    /// The frame of an image of `blocks`, or of the smallest one; it depends on the base alone.
    pub(crate) fn of(model: &Model<'_>, base_data: u64, blocks: Option<u64>) -> Self {
        let of_base = |inode: &&Inode<'_>| !inode.late || inode.entry.over.is_some();
        let inodes = as_u64(model.inodes.iter().filter(of_base).count());
        let all = match blocks {
            Some(blocks) => blocks,
            None => sum(base_data, inodes / PER_BLOCK),
        };
        // A quarter more, for what is injected.
        let wanted = sum(inodes, inodes / 4);
        let mut group = GROUP;
        let room = |group| product(most_inodes(group), all.div_ceil(group).max(1));
        while group > LEAST_GROUP && room(group) < wanted {
            group /= 2;
        }
        let grown = match blocks {
            Some(blocks) => blocks,
            None => product(all, 4).max(product(group, DESCRIPTORS)),
        };
        Self {
            group,
            descriptors: descriptor_blocks(grown.div_ceil(group), grown),
        }
    }
}

/// Whether block numbers need more than 32 bits.
fn is_wide(blocks: u64) -> bool {
    blocks > u64::from(u32::MAX)
}

fn descriptor_blocks(groups: u64, blocks: u64) -> u64 {
    product(groups, descriptor_size(blocks)).div_ceil(BLOCK_SIZE)
}

fn descriptor_size(blocks: u64) -> u64 {
    if is_wide(blocks) {
        64
    } else {
        32
    }
}

/// Inodes of a group at most: as many as bits in a block, and a table that leaves the group some blocks.
fn most_inodes(group: u64) -> u64 {
    product(without(group, 4), PER_BLOCK).min(8 * BLOCK_SIZE)
}

/// Sizes of everything that does not depend on the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Size of the image.
    pub(crate) mib: u64,
    /// Blocks of the file system: those of the image, or a few less.
    pub(crate) blocks: u64,
    /// Blocks in a group.
    pub(crate) group: u64,
    pub(crate) groups: u64,
    pub(crate) inodes_per_group: u64,
    /// Blocks set aside for descriptors in groups with a copy.
    pub(crate) head: u64,
    /// Blocks of descriptors in use.
    pub(crate) descriptors: u64,
    /// Bytes of a descriptor.
    pub(crate) descriptor: u64,
    /// Blocks of the journal.
    pub(crate) journal: u64,
}

impl Geometry {
    /// An image of `mib` MiB with at least `inodes` inodes.
    pub(crate) fn new(frame: Frame, mib: u64, inodes: u64, journal: bool) -> Result<Self, Error> {
        let group = frame.group;
        let all = product(mib, MIB_BLOCKS);
        let copy = sum(frame.descriptors, 2);
        // A group that has no room for its copy of the superblock cannot be.
        let last = without(all.div_ceil(group), 1);
        let rest = without(all, product(last, group));
        let short = rest < copy.min(group) && last > 0 && has_copy(last);
        let blocks = if short { without(all, rest) } else { all };
        let groups = blocks.div_ceil(group);
        let most = product(groups, most_inodes(group));
        let most = most.min(u64::from(u32::MAX));
        if inodes > most {
            return Err(Error::TooManyInodes {
                needs: inodes,
                most,
                has_mib: mib,
            });
        }
        let per_group = inodes.div_ceil(groups).next_multiple_of(PER_BLOCK);
        let descriptors = descriptor_blocks(groups, blocks);
        Ok(Self {
            mib,
            blocks,
            group,
            groups,
            inodes_per_group: per_group.clamp(PER_BLOCK, most_inodes(group)),
            head: sum(frame.descriptors.max(descriptors), 1),
            descriptors,
            descriptor: descriptor_size(blocks),
            journal: if journal { journal_blocks(blocks) } else { 0 },
        })
    }

    /// The fewest MiB of an image with `inodes` inodes.
    pub(crate) fn least_mib(frame: Frame, inodes: u64) -> u64 {
        let groups = inodes.div_ceil(most_inodes(frame.group));
        // All groups but the last are full, and that has a block.
        let full = product(without(groups, 1), frame.group);
        sum(full, 1).div_ceil(MIB_BLOCKS)
    }

    /// Blocks of a group's inode table.
    pub(crate) fn table(&self) -> u64 {
        self.inodes_per_group / PER_BLOCK
    }

    pub(crate) fn inodes(&self) -> u32 {
        narrow(product(self.inodes_per_group, self.groups))
    }

    pub(crate) fn is_wide(&self) -> bool {
        is_wide(self.blocks)
    }

    /// Blocks of `group`.
    pub(crate) fn bounds(&self, group: u64) -> Range<u64> {
        let start = product(group, self.group);
        start..sum(start, self.group).min(self.blocks)
    }

    /// The group that an inode is in.
    pub(crate) fn group_of(&self, inode: InodeNumber) -> u64 {
        // Those before it fill so many groups; numbers begin with 1.
        let upto = u64::from(inode.get());
        without(upto.div_ceil(self.inodes_per_group), 1)
    }
}

/// Blocks of the journal: what mke2fs makes of file systems of these sizes.
fn journal_blocks(blocks: u64) -> u64 {
    match blocks {
        0..32_768 => 1024,
        32_768..262_144 => 4096,
        262_144..524_288 => 8192,
        524_288..4_194_304 => 16_384,
        4_194_304..8_388_608 => 32_768,
        8_388_608..16_777_216 => 65_536,
        16_777_216..33_554_432 => 131_072,
        _ => 262_144,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lost_and_found;
    use crate::params::Size;
    use crate::samples::{insert, of_size, STAMP};
    use tree::{Kind, Tree};

    /// The blocks of a group of the smallest image of so many inodes and blocks of data in the base.
    fn group(inodes: usize, data: u64) -> u64 {
        let mut tree = Tree::new(STAMP);
        // Besides the root and `lost+found`.
        for number in 2..inodes {
            insert(&mut tree, &number.to_string(), Kind::Fifo, 0);
        }
        let params = of_size(Size::Mib(1));
        let lost = lost_and_found(&params);
        let model = Model::of(&tree, &lost, &params).unwrap();
        Frame::of(&model, data, None).group
    }

    /// A group has 32768 inodes at most, and there is to be room for a quarter more than the base has.
    #[test]
    fn groups_are_smaller_where_inodes_are_many() {
        // 26215 and 6553.
        assert_eq!(group(26_215, 0), 32_768);
        assert_eq!(group(26_216, 0), 2048);
        // With 2062 blocks of inodes there are two groups of 4096 blocks.
        assert_eq!(group(33_002, 4000), 4096);
    }

    /// The first and the last size of each journal.
    #[test]
    fn journals() {
        let ends = [
            (1, 1024),
            (32_767, 1024),
            (32_768, 4096),
            (262_143, 4096),
            (262_144, 8192),
            (524_287, 8192),
            (524_288, 16_384),
            (4_194_303, 16_384),
            (4_194_304, 32_768),
            (8_388_607, 32_768),
            (8_388_608, 65_536),
            (16_777_215, 65_536),
            (16_777_216, 131_072),
            (33_554_431, 131_072),
            (33_554_432, 262_144),
            (1 << 32, 262_144),
        ];
        for (blocks, journal) in ends {
            assert_eq!(journal_blocks(blocks), journal, "{blocks}");
        }
    }
}
