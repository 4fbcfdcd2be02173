//! Reading ext2, ext3 and ext4.
//!
//! Spec: the kernel's `filesystems/ext4` pages; names as there at the place where bytes are taken apart. Nothing that stands in
//! the image is believed: block numbers are checked against its length, each block belongs to one file only ([`Claims`]), each
//! directory is entered once. So work and memory are bounded by what is in the image.
//!
//! Why not a reader from outside: what a dump needs is more than files by path. Numbers of inodes (hard links, directories that
//! contain themselves), extended attributes, device numbers, and where the content lies, so that the rest of the image can be
//! told from it.

mod dir;
mod extents;
mod features;
mod inode;
mod locate;
mod superblock;
mod walk;
mod xattr;

use base::as_usize;
use std::collections::BTreeMap;

use crate::bytes::{array, joined, Number};
use crate::claims::Claims;
use crate::error::{damage, damaged, Error, Fault};
use crate::image::{Cached, Window};
use crate::listing::Listing;
use crate::model::Parameter;
use crate::span::Run;

use inode::Inode;
pub(crate) use locate::regions;
use superblock::Superblock;

/// Whether there is a superblock.
pub(crate) fn is_here(window: Window<'_>) -> Result<bool, Error> {
    Ok(damaged(superblock::bytes(window))?.is_ok_and(|bytes| superblock::has_magic(&bytes)))
}

/// Reads everything but the contents of files.
pub(crate) fn read(window: Window<'_>) -> Result<Listing<'_>, Error> {
    let mut listing = Listing::new(window.source());
    let superblock = match damaged(Superblock::read(window))? {
        Ok(superblock) => superblock,
        Err(problem) => {
            listing.problem(problem);
            return Ok(listing);
        }
    };
    listing.parameters = superblock.parameters();
    listing.len = superblock.len.min(window.len());
    if superblock.len > window.len() {
        listing.problem(format!(
            "the file system is {} bytes long, there are {}",
            superblock.len,
            window.len()
        ));
    }
    listing.problems.extend(superblock.problems());
    listing.unread.extend(superblock.is_stale());
    if let Some(reason) = superblock.unsupported() {
        listing.unread.push(reason);
        return Ok(listing);
    }
    let mut reader = Reader::new(window, superblock);
    match damaged(reader.journal())? {
        Ok(journal) => listing.parameters.push(("journal", journal)),
        Err(problem) => listing.problem(format!("journal: {problem}")),
    }
    walk::walk(&mut reader, &mut listing)?;
    Ok(listing)
}

/// A file system that is being read.
struct Reader<'a> {
    cache: Cached<'a>,
    superblock: Superblock,
    /// Blocks of files and of their trees.
    claims: Claims,
    /// Blocks of the tree of the inode whose runs were looked for last.
    nodes: Vec<u64>,
    /// Values of attributes that are inodes of their own, which several files may have.
    values: BTreeMap<u32, Vec<u8>>,
}

impl<'a> Reader<'a> {
    fn new(window: Window<'a>, superblock: Superblock) -> Self {
        let there = window.len() / superblock.block_size;
        Self {
            cache: Cached::new(window),
            claims: Claims::new(superblock.blocks.min(there)),
            nodes: Vec::new(),
            values: BTreeMap::new(),
            superblock,
        }
    }

    fn block_size(&self) -> u64 {
        self.superblock.block_size.get()
    }

    /// Bytes of one block.
    fn block(&mut self, block: u64) -> Result<Vec<u8>, Fault> {
        let size = self.block_size();
        if block == 0 {
            return Err(damage!("block 0 is no block of a file"));
        }
        self.cache.bytes(block.times(size)?, as_usize(size))
    }

    /// Position of inode `number`.
    fn inode_position(&mut self, number: u32) -> Result<u64, Fault> {
        let sb = &self.superblock;
        let zero_based = match number.checked_sub(1) {
            Some(zero_based) if number <= sb.inodes => zero_based,
            _ => {
                return Err(damage!(
                    "there is no inode {number}, the last is {}",
                    sb.inodes
                ))
            }
        };
        let group = zero_based / sb.inodes_per_group;
        let position = u64::from(zero_based % sb.inodes_per_group).times(sb.inode_size)?;
        let (size, wide) = (sb.block_size.get(), sb.is_64bit());
        let at = sb.descriptor(group.into())?;
        let descriptor = self.cache.bytes(at, as_usize(sb.descriptor_size.get()))?;
        let word = |at| array(&descriptor, at).map(u32::from_le_bytes);
        let table = match wide {
            true => joined(word(0x28)?, word(0x8)?),
            false => word(0x8)?.into(),
        };
        table.times(size)?.plus(position)
    }

    fn inode(&mut self, number: u32) -> Result<Inode, Fault> {
        let at = self.inode_position(number)?;
        let len = as_usize(self.superblock.inode_size);
        let bytes = self.cache.bytes(at, len)?;
        Inode::parse(number, at, bytes, &self.superblock)
    }

    /// The journal in one word: none, or its size.
    fn journal(&mut self) -> Result<Parameter, Fault> {
        match self.superblock.journal {
            None => Ok(Parameter::Text("none".to_owned())),
            Some(0) => Ok(Parameter::Text("elsewhere".to_owned())),
            Some(number) => Ok(Parameter::Number(self.inode(number)?.size)),
        }
    }

    /// All bytes of a small file; a larger one is damage.
    fn content(&mut self, size: u64, runs: &[Run], max: u64) -> Result<Vec<u8>, Fault> {
        if size > max {
            return Err(damage!("{size} bytes, want at most {max}"));
        }
        let mut bytes = vec![0; as_usize(size)];
        for run in runs {
            let (at, from) = (run.at(), run.from());
            let Some(part) = bytes.get_mut(as_usize(at.start())..as_usize(at.end())) else {
                return Err(damage!("bytes up to {} of {size}", at.end()));
            };
            self.cache.window().read(part, from.start())?;
        }
        Ok(bytes)
    }
}

/// The raw form of a checksum that goes on from `seed`, without the inversions that the crate makes.
fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    !crc32c::crc32c_append(!seed, bytes)
}

/// Sixteen bytes as a UUID.
fn uuid(bytes: &[u8; 16]) -> String {
    uuid::Uuid::from_bytes(*bytes).to_string()
}
