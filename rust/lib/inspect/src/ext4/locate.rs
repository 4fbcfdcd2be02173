//! Where everything in the file system is.

use std::num::NonZeroU64;

use super::inode::{Inode, Type};
use super::superblock::Superblock;
use super::Reader;
use crate::bytes::{array, joined, Number};
use crate::error::{damaged, Error, Fault};
use crate::image::Window;
use crate::listing::Listing;
use crate::locate::{Region, RegionPart, Regions, Stored, What};
use crate::model::{Entry, Node};
use crate::names::Name;
use crate::span::{Run, Span};
use base::as_usize;

/// Where the superblock is, and its length.
const SUPERBLOCK: (u64, u64) = (1024, 1024);

/// Adds what is where. What is damaged is left out.
pub(crate) fn regions(
    window: Window<'_>,
    listing: &Listing<'_>,
    regions: &mut Regions<'_>,
) -> Result<(), Error> {
    let Ok(superblock) = damaged(Superblock::read(window))? else {
        return Ok(());
    };
    let files = superblock.unsupported().is_none();
    let mut reader = Reader::new(window, superblock);
    let _ = damaged(reader.groups(regions))?;
    if !files {
        return Ok(());
    }
    let _ = damaged(reader.journal_regions(regions))?;
    for entry in &listing.entries {
        let Ok(number) = u32::try_from(entry.inode) else {
            continue;
        };
        if matches!(entry.node, Node::Hardlink { .. }) {
            continue;
        }
        if let Ok(false) = damaged(reader.file_regions(number, entry, regions))? {
            break;
        }
    }
    Ok(())
}

impl Reader<'_> {
    fn place(&self, block: u64, count: u64) -> Result<Span, Fault> {
        let size = self.block_size();
        Span::new(block.times(size)?, count.times(size)?)
    }

    /// Superblocks, descriptors, bitmaps and inodes of all groups.
    fn groups(&mut self, regions: &mut Regions<'_>) -> Result<(), Fault> {
        let groups = self.superblock.groups()?;
        let first = self.place(0, self.superblock.superblock().plus(1)?)?;
        regions.push(Region::is(first.until(SUPERBLOCK.0), What::BootArea));
        let own = Span::new(SUPERBLOCK.0, SUPERBLOCK.1)?;
        regions.push(Region::is(own, What::Superblock { group: 0 }));
        for group in 0..groups {
            self.copies(group, groups, regions)?;
            if !self.group(group, regions)? {
                break;
            }
        }
        Ok(())
    }

    /// What a group begins with, if it has copies of superblock and descriptors.
    fn copies(&self, group: u64, groups: u64, regions: &mut Regions<'_>) -> Result<(), Fault> {
        let sb = &self.superblock;
        let copies = sb.copies(group)?;
        if copies == 0 || sb.has_meta_groups() {
            return Ok(());
        }
        let start = sb.start(group)?;
        if group > 0 {
            let place = self.place(start, 1)?;
            regions.push(Region::is(place, What::Superblock { group }));
        }
        let at = start.plus(copies)?;
        let bytes = groups.times(sb.descriptor_size.get())?;
        let blocks = bytes.div_ceil(self.block_size());
        let what = What::GroupDescriptors { group };
        regions.push(Region::is(self.place(at, blocks)?, what));
        let reserved = self.place(at.plus(blocks)?, sb.reserved_descriptors())?;
        regions.push(Region::is(reserved, What::ReservedDescriptors { group }));
        Ok(())
    }

    /// What the descriptor of a group says; whether there may be more.
    fn group(&mut self, group: u64, regions: &mut Regions<'_>) -> Result<bool, Fault> {
        let sb = &self.superblock;
        let (wide, len) = (sb.is_64bit(), as_usize(sb.descriptor_size.get()));
        let (per_group, inode_size) = (sb.inodes_per_group.get(), sb.inode_size);
        let (at, meta, all) = (sb.descriptor(group)?, sb.has_meta_groups(), sb.inodes);
        let descriptor = self.cache.bytes(at, len)?;
        if meta {
            let own = Span::new(at, sb.descriptor_size.get())?;
            let group = 0;
            regions.push(Region::is(own, What::GroupDescriptors { group }));
        }
        let word = |at| array(&descriptor, at).map(u32::from_le_bytes);
        let block = |low, high| -> Result<u64, Fault> {
            Ok(match wide {
                true => joined(word(high)?, word(low)?),
                false => word(low)?.into(),
            })
        };
        let blocks = self.place(block(0, 0x20)?, 1)?;
        regions.push(Region::is(blocks, What::BlockBitmap { group }));
        let inodes = self.place(block(4, 0x24)?, 1)?;
        regions.push(Region::is(inodes, What::InodeBitmap { group }));
        let before = group.times(per_group.into())?;
        let Some(count) = u64::from(all).checked_sub(before) else {
            return Ok(true);
        };
        let Ok(first) = u32::try_from(before.plus(1)?) else {
            return Ok(true);
        };
        let table = self.place(block(8, 0x28)?, 0)?;
        let len = count.min(per_group.into()).times(inode_size)?;
        let table = Span::new(table.start(), len)?;
        let Some(size) = NonZeroU64::new(inode_size) else {
            return Ok(true);
        };
        Ok(regions.push(Region::whole(table, RegionPart::Inodes { first, size })))
    }

    fn journal_regions(&mut self, regions: &mut Regions<'_>) -> Result<(), Fault> {
        let Some(number) = self.superblock.journal.filter(|number| *number != 0) else {
            return Ok(());
        };
        let inode = self.inode(number)?;
        for run in self.runs(&inode)? {
            let part = RegionPart::Is(What::Journal);
            regions.push(Region::of(run, inode.size, part));
        }
        self.node_regions(&Name(b"the journal".to_vec()), regions)
            .map(drop)
    }

    /// What a file has; whether there may be more.
    fn file_regions(
        &mut self,
        number: u32,
        entry: &Entry,
        regions: &mut Regions<'_>,
    ) -> Result<bool, Fault> {
        let inode = self.inode(number)?;
        let path = || entry.path.clone();
        let mut fits = true;
        if inode.xattr_block() != 0 {
            let block = self.place(inode.xattr_block(), 1)?;
            fits &= regions.push(Region::is(block, What::AttributeBlock { path: path() }));
        }
        let is_link = inode.kind == Type::Symlink;
        match &entry.node {
            Node::File(file) => {
                let (path, size, runs) = (path(), file.size, file.runs.clone());
                fits &= regions.file(Stored { path, size, runs });
                if !self.has_tree(&inode) {
                    return Ok(fits);
                }
                let _ = self.runs(&inode)?;
            }
            Node::Dir | Node::Symlink { .. } if !(is_link && inode.inner_target().is_some()) => {
                let runs: Vec<Run> = self.runs(&inode)?;
                for run in runs {
                    let what = match is_link {
                        true => What::LinkTarget { path: path() },
                        false => What::Directory { path: path() },
                    };
                    let part = RegionPart::Is(what);
                    fits &= regions.push(Region::of(run, inode.size, part));
                }
            }
            _ => return Ok(fits),
        }
        Ok(self.node_regions(&entry.path, regions)? && fits)
    }

    /// Whether some of what says where the file lies is outside of its inode.
    fn has_tree(&self, inode: &Inode) -> bool {
        let depth = u16::from_le_bytes(*crate::bytes::Fields::field::<6, 2>(inode.i_block()));
        !inode.is_inline() && (!inode.has_extents() || depth > 0)
    }

    /// The blocks of the tree that was read last.
    fn node_regions(&self, path: &Name, regions: &mut Regions<'_>) -> Result<bool, Fault> {
        let mut fits = true;
        for block in &self.nodes {
            let path = path.clone();
            let place = self.place(*block, 1)?;
            fits &= regions.push(Region::is(place, What::ExtentBlock { path }));
        }
        Ok(fits)
    }
}
