//! Inodes.

use super::superblock::Superblock;
use super::{crc32c, xattr};
use crate::bytes::{array, joined, Fields, Number};
use crate::error::{damage, Fault};
use crate::model::Attributes;
use crate::span::{Run, Span};
use crate::time::Time;
use base::{as_u64, as_usize};

const EXTENTS: u32 = 0x8_0000;
const INLINE_DATA: u32 = 0x1000_0000;
const ENCRYPTED: u32 = 0x800;
const EA_INODE: u32 = 0x20_0000;
/// Flags that say how a file is stored, not what it is: index, huge_file, extents, ea_inode, eofblocks, inline_data.
const STORAGE: u32 = 0x1000 | 0x4_0000 | EXTENTS | EA_INODE | 0x40_0000 | INLINE_DATA;

/// Where block numbers are in an inode.
const I_BLOCK: u64 = 0x28;
/// Length of the fields that each inode has.
const BASE: usize = 128;

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
    place: Span,
    base: [u8; BASE],
    /// What follows: first fields of which inodes have more or fewer, then attributes.
    rest: Vec<u8>,
    /// How many bytes of `rest` are fields.
    extra: usize,
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
        let place = Span::new(at, as_u64(bytes.len()))?;
        let base: [u8; BASE] = array(&bytes, 0)?;
        let i_mode = base.u16::<0x0>();
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
        let rest = bytes.get(BASE..).unwrap_or(&[]).to_vec();
        let i_extra_isize = rest
            .first_chunk()
            .map_or(0, |size| u16::from_le_bytes(*size));
        let extra = usize::from(i_extra_isize);
        let mut inode = Self {
            number,
            kind,
            size: joined(base.u32::<0x6c>(), base.u32::<0x4>()),
            place,
            base,
            extra: if extra > rest.len() { 0 } else { extra },
            rest,
            problem: None,
        };
        inode.problem = match extra > inode.rest.len() {
            true => Some(format!(
                "inode {number} has {} bytes behind its first {BASE}, its fields want {extra}",
                inode.rest.len()
            )),
            false => sb.checksum_seed.and_then(|seed| inode.check(seed)),
        };
        Ok(inode)
    }

    /// Compares the checksum: over the inode with the two halves of the checksum as zeros.
    fn check(&self, seed: u32) -> Option<String> {
        let base = &self.base;
        let mut sum = crc32c(seed, &self.number.to_le_bytes());
        sum = crc32c(sum, base.field::<0x64, 4>());
        sum = crc32c(sum, base.field::<0, 0x7c>());
        sum = crc32c(sum, &[0; 2]);
        sum = crc32c(sum, base.field::<0x7e, 2>());
        let low = u32::from(base.u16::<0x7c>());
        let found = match self.rest.split_first_chunk::<4>() {
            // The upper half of it lies behind the length of the additional fields.
            Some((head, after)) if self.extra >= 4 => {
                sum = crc32c(sum, head.field::<0, 2>());
                sum = crc32c(sum, &[0; 2]);
                sum = crc32c(sum, after);
                (u32::from(head.u16::<2>()) << 16) | low
            }
            _ => {
                sum = crc32c(sum, &self.rest) & 0xffff;
                low
            }
        };
        (found != sum).then(|| {
            format!(
                "the checksum of inode {} is {found:08x}, its bytes have {sum:08x}",
                self.number
            )
        })
    }

    /// A field of the upper half, counted from there, if the inode has it.
    fn upper(&self, at: usize) -> Option<u32> {
        let field = self.rest.get(..self.extra)?.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*field))
    }

    /// A time of seconds in `low`, and in `extra` two bits more of them and the nanoseconds: 1970 to 2446.
    fn time(low: u32, extra: Option<u32>) -> Time {
        let seconds = i64::from(i32::from_le_bytes(low.to_le_bytes()));
        // An inode without the field has neither.
        let Some(extra) = extra else {
            return Time::utc(seconds);
        };
        #[expect(
            clippy::arithmetic_side_effects,
            reason = "33 bits and a sign go into 64"
        )]
        let seconds = seconds + (i64::from(extra & 3) << 32);
        Time {
            seconds,
            nanoseconds: extra >> 2,
            local: false,
        }
    }

    pub(super) fn flags(&self) -> u32 {
        self.base.u32::<0x20>()
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
        let inner = self.place.skip(I_BLOCK).first(as_u64(self.i_block().len()));
        let content = Span::up_to(self.size);
        let (first, rest) = (content.first(inner.len()), content.skip(inner.len()));
        let mut runs = Vec::new();
        if !first.is_empty() {
            runs.push(Run::new(0, first.len(), inner.start())?);
        }
        if !rest.is_empty() {
            let value = self.inline_value()?;
            let have = value.map_or(0, Span::len);
            match value {
                Some(value) if have >= rest.len() => {
                    runs.push(Run::new(rest.start(), rest.len(), value.start())?);
                }
                _ => {
                    let (size, have) = (self.size, have.plus(first.len())?);
                    return Err(damage!("{size} bytes inside the inode, which has {have}"));
                }
            }
        }
        Ok(runs)
    }

    /// Where in the file system the attribute `system.data` is; nothing if there is none.
    fn inline_value(&self) -> Result<Option<Span>, Fault> {
        let Some(entries) = xattr::inner_entries(self.inner_xattrs()) else {
            return Ok(None);
        };
        let Some((e_value_offs, e_value_size)) = xattr::inline_data(entries) else {
            return Ok(None);
        };
        let value = Span::new(as_u64(e_value_offs), as_u64(e_value_size))?;
        if value.end() > as_u64(entries.len()) {
            return Ok(None);
        }
        // The entries end where the inode ends.
        let before = self.place.len().minus(as_u64(entries.len()))?;
        Ok(Some(
            self.place
                .skip(before)
                .skip(value.start())
                .first(value.len()),
        ))
    }

    /// The sixty bytes that hold block numbers, or something else.
    pub(super) fn i_block(&self) -> &[u8; 60] {
        self.base.field::<0x28, 60>()
    }

    /// Attributes in the inode itself, behind its fields.
    pub(super) fn inner_xattrs(&self) -> &[u8] {
        self.rest.get(self.extra..).unwrap_or(&[])
    }

    /// Block with more attributes.
    pub(super) fn xattr_block(&self) -> u64 {
        joined(self.base.u16::<0x76>(), self.base.u32::<0x68>())
    }

    /// Number of a device.
    pub(super) fn rdev(&self) -> (u32, u32) {
        let (old, new) = (self.i_block().u32::<0>(), self.i_block().u32::<4>());
        if old != 0 {
            return ((old >> 8) & 0xff, old & 0xff);
        }
        ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xf_ff00))
    }

    /// A short link's text is in the inode.
    pub(super) fn inner_target(&self) -> Option<&[u8]> {
        let target = self.i_block().get(..as_usize(self.size))?;
        (target.len() < self.i_block().len() && !self.has_extents()).then_some(target)
    }

    pub(super) fn attributes(&self, xattrs: xattr::Map) -> Attributes {
        let base = &self.base;
        let both = |high: u16, low: u16| (u32::from(high) << 16) | u32::from(low);
        let flags = self.flags() & !STORAGE;
        let created = match self.upper(0x10) {
            Some(low) => Self::time(low, self.upper(0x14)).to_string(),
            None => "unknown".to_owned(),
        };
        let accessed = Self::time(base.u32::<0x8>(), self.upper(0xc));
        let changed = Self::time(base.u32::<0xc>(), self.upper(0x4));
        Attributes {
            mode: Some(base.u16::<0x0>() & 0o7777),
            uid: Some(both(base.u16::<0x78>(), base.u16::<0x2>())),
            gid: Some(both(base.u16::<0x7a>(), base.u16::<0x18>())),
            mtime: Self::time(base.u32::<0x10>(), self.upper(0x8)),
            flags: (flags != 0).then(|| format!("{flags:#x}")),
            xattrs,
            more: vec![
                ("inode", self.number.to_string()),
                ("links", base.u16::<0x1a>().to_string()),
                ("accessed", accessed.to_string()),
                ("changed", changed.to_string()),
                ("created", created),
            ],
        }
    }
}
