//! Inodes.

use super::superblock::Superblock;
use super::{crc32c, xattr};
use crate::bytes::{index, joined, long, part, u16_at, u32_at};
use crate::error::{damage, Fault};
use crate::model::{Attributes, Run};
use crate::time::Time;

const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const ENCRYPTED: u32 = 0x800;
const EA_INODE: u32 = 0x20_0000;
/// Flags that say how a file is stored, not what it is: index, huge_file, extents, ea_inode, eofblocks, inline_data.
const STORAGE: u32 = 0x1000 | 0x4_0000 | EXTENTS | EA_INODE | 0x40_0000 | INLINE_DATA;

/// Where block numbers are in an inode.
const I_BLOCK: usize = 0x28;

/// Types of files, the upper four bits of the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Fifo,
    Char,
    Dir,
    Block,
    File,
    Symlink,
    Socket,
}

/// An inode whose fields are in reach.
pub(super) struct Inode {
    pub(super) number: u32,
    pub(super) kind: Type,
    pub(super) size: u64,
    /// Where it is in the file system.
    at: u64,
    bytes: Vec<u8>,
    /// Why it is not to be trusted.
    pub(super) problem: Option<String>,
}

impl Inode {
    pub(super) fn parse(
        number: u32,
        at: u64,
        bytes: Vec<u8>,
        sb: &Superblock,
    ) -> Result<Self, Fault> {
        let i_mode = u16_at(&bytes, 0x0);
        let kind = match i_mode >> 12 {
            0x1 => Type::Fifo,
            0x2 => Type::Char,
            0x4 => Type::Dir,
            0x6 => Type::Block,
            0x8 => Type::File,
            0xa => Type::Symlink,
            0xc => Type::Socket,
            _ => {
                return Err(damage!(
                    "inode {number} is of no type, its mode is {i_mode:06o}"
                ))
            }
        };
        let size = joined(u32_at(&bytes, 0x6c), u32_at(&bytes, 0x4));
        let mut inode = Self {
            number,
            kind,
            size,
            at,
            bytes,
            problem: None,
        };
        inode.problem = sb.checksum_seed.and_then(|seed| inode.check(seed));
        Ok(inode)
    }

    /// Compares the checksum: over the inode with the two halves of the checksum as zeros.
    fn check(&self, seed: u32) -> Option<String> {
        let b = &self.bytes;
        let mut sum = crc32c(seed, &self.number.to_le_bytes());
        sum = crc32c(sum, part(b, 0x64, 4));
        let wide = self.extra() >= 4;
        sum = crc32c(sum, part(b, 0, 0x7c));
        sum = crc32c(sum, &[0; 2]);
        let mut found = u32::from(u16_at(b, 0x7c));
        if wide {
            sum = crc32c(sum, part(b, 0x7e, 4));
            sum = crc32c(sum, &[0; 2]);
            sum = crc32c(sum, part(b, 0x84, b.len()));
            found |= u32::from(u16_at(b, 0x82)) << 16;
        } else {
            sum = crc32c(sum, part(b, 0x7e, b.len()));
            sum &= 0xffff;
        }
        (found != sum).then(|| {
            format!(
                "the checksum of inode {} is {found:08x}, its bytes have {sum:08x}",
                self.number
            )
        })
    }

    /// How many bytes of fields follow the first 128.
    fn extra(&self) -> usize {
        let extra = usize::from(u16_at(&self.bytes, 0x80));
        let there = self.bytes.len().saturating_sub(128);
        if extra > there {
            0
        } else {
            extra
        }
    }

    /// A field of the upper half, if the inode has it.
    fn upper(&self, at: usize) -> Option<u32> {
        let end = self.extra().saturating_add(128);
        (at.saturating_add(4) <= end).then(|| u32_at(&self.bytes, at))
    }

    fn time(&self, at: usize, extra: usize) -> Time {
        let seconds = i64::from(i32::from_le_bytes(crate::bytes::array(&self.bytes, at)));
        let extra = self.upper(extra).unwrap_or(0);
        Time {
            seconds: seconds.saturating_add(i64::from(extra & 3) << 32),
            nanoseconds: extra >> 2,
            local: false,
        }
    }

    pub(super) fn flags(&self) -> u32 {
        u32_at(&self.bytes, 0x20)
    }

    pub(super) fn has_extents(&self) -> bool {
        self.flags() & EXTENTS != 0
    }

    pub(super) fn is_inline(&self) -> bool {
        self.flags() & INLINE_DATA != 0
    }

    /// Whether names in it, or its content, are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.flags() & ENCRYPTED != 0
    }

    /// Whether it holds the value of an attribute.
    pub(super) fn is_value(&self) -> bool {
        self.flags() & EA_INODE != 0
    }

    /// Where in the file system the content of an inline inode is: in place of block numbers, and as the value of an attribute.
    pub(super) fn inline(&self) -> Result<Vec<Run>, Fault> {
        let first = self.size.min(long(self.i_block().len()));
        let start = self.at.saturating_add(long(I_BLOCK));
        let mut runs = Vec::new();
        if first > 0 {
            runs.push(Run {
                at: 0,
                len: first,
                from: start,
            });
        }
        let len = self.size.saturating_sub(first);
        if len > 0 {
            let (offset, have) = self.inline_value().unwrap_or_default();
            if have < len {
                let size = self.size;
                return Err(damage!(
                    "{size} bytes inside the inode, which has {}",
                    have.saturating_add(first)
                ));
            }
            runs.push(Run {
                at: first,
                len,
                from: self.at.saturating_add(offset),
            });
        }
        Ok(runs)
    }

    /// Place in the inode and length of the attribute `system.data`.
    fn inline_value(&self) -> Option<(u64, u64)> {
        let entries = xattr::inner_entries(self.inner_xattrs())?;
        let (e_value_offs, e_value_size) = xattr::inline_data(entries)?;
        let start = self.bytes.len().checked_sub(entries.len())?;
        let end = e_value_offs.checked_add(e_value_size)?;
        (end <= entries.len())
            .then(|| (long(start.saturating_add(e_value_offs)), long(e_value_size)))
    }

    /// The sixty bytes that hold block numbers, or something else.
    pub(super) fn i_block(&self) -> &[u8] {
        part(&self.bytes, I_BLOCK, 60)
    }

    /// Attributes in the inode itself, behind its fields.
    pub(super) fn inner_xattrs(&self) -> &[u8] {
        if self.bytes.len() <= 128 {
            return &[];
        }
        let start = self.extra().saturating_add(128);
        part(&self.bytes, start, self.bytes.len())
    }

    /// Block with more attributes.
    pub(super) fn xattr_block(&self) -> u64 {
        joined(u16_at(&self.bytes, 0x76), u32_at(&self.bytes, 0x68))
    }

    /// Number of a device.
    pub(super) fn rdev(&self) -> (u32, u32) {
        let (old, new) = (u32_at(self.i_block(), 0), u32_at(self.i_block(), 4));
        if old != 0 {
            return ((old >> 8) & 0xff, old & 0xff);
        }
        ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xf_ff00))
    }

    /// A short link's text is in the inode.
    pub(super) fn inner_target(&self) -> Option<&[u8]> {
        let len = index(self.size);
        (len < 60 && !self.has_extents()).then(|| part(self.i_block(), 0, len))
    }

    pub(super) fn attributes(&self, xattrs: xattr::Map) -> Attributes {
        let b = &self.bytes;
        let half = |high, low| (u32::from(u16_at(b, high)) << 16) | u32::from(u16_at(b, low));
        let flags = self.flags() & !STORAGE;
        Attributes {
            mode: Some(u16_at(b, 0x0) & 0o7777),
            uid: Some(half(0x78, 0x2)),
            gid: Some(half(0x7a, 0x18)),
            mtime: self.time(0x10, 0x88),
            flags: (flags != 0).then(|| format!("{flags:#x}")),
            xattrs,
            more: vec![
                ("inode", self.number.to_string()),
                ("links", u16_at(b, 0x1a).to_string()),
                ("accessed", self.time(0x8, 0x8c).to_string()),
                ("changed", self.time(0xc, 0x84).to_string()),
                ("created", self.created()),
            ],
        }
    }

    fn created(&self) -> String {
        match self.upper(0x90) {
            Some(_) => self.time(0x90, 0x94).to_string(),
            None => "unknown".to_owned(),
        }
    }
}
