//! The superblock: 1024 bytes at byte 1024.

use std::num::{NonZeroU32, NonZeroU64};

use super::features::{names, COMPAT, INCOMPAT, RO_COMPAT};
use super::{crc32c, uuid};
use crate::bytes::{joined, Fields, Number};
use crate::error::{damage, Fault};
use crate::image::Window;
use crate::model::Parameter;
use crate::names::Name;
use crate::time::Time;

const AT: u64 = 1024;
const LEN: usize = 1024;
const MAGIC: u16 = 0xef53;

const HAS_JOURNAL: u32 = 0x4;
const NEEDS_RECOVERY: u32 = 0x4;
const JOURNAL_DEV: u32 = 0x8;
const META_BG: u32 = 0x10;
const IS_64BIT: u32 = 0x80;
const CSUM_SEED: u32 = 0x2000;
const METADATA_CSUM: u32 = 0x400;
const SPARSE_SUPER: u32 = 0x1;
const SHARED_BLOCKS: u32 = 0x4000;
const SPARSE_SUPER2: u32 = 0x200;
/// What changes how files are read in a way that is not known here, new features too: compression, dirdata.
const NOT_READ: u32 = 0x1 | JOURNAL_DEV | 0x1000 | 0xfffc_0820;

pub(super) fn bytes(window: Window<'_>) -> Result<[u8; LEN], Fault> {
    window.array(AT)
}

pub(super) fn has_magic(bytes: &[u8; LEN]) -> bool {
    bytes.u16::<0x38>() == MAGIC
}

/// What of the superblock other parts need.
pub(super) struct Superblock {
    bytes: [u8; LEN],
    pub(super) block_size: NonZeroU64,
    pub(super) blocks: u64,
    /// Length of the file system in bytes.
    pub(super) len: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: NonZeroU32,
    pub(super) inode_size: u64,
    pub(super) descriptor_size: NonZeroU64,
    /// Inode of the journal; 0: it is on another device.
    pub(super) journal: Option<u32>,
    /// Where checksums begin, if there are any.
    pub(super) checksum_seed: Option<u32>,
    first_data_block: u64,
}

impl Superblock {
    pub(super) fn read(window: Window<'_>) -> Result<Self, Fault> {
        let bytes = bytes(window)?;
        let s_log_block_size = bytes.u32::<0x18>();
        let block_size = match s_log_block_size {
            0..=6 => NonZeroU64::new(1024 << s_log_block_size),
            _ => None,
        };
        let block_size =
            block_size.ok_or_else(|| damage!("block size 2^{s_log_block_size} KiB"))?;
        let compat = bytes.u32::<0x5c>();
        let incompat = bytes.u32::<0x60>();
        let wide = incompat & IS_64BIT != 0;
        let old = bytes.u32::<0x4c>() == 0;
        // A journal on a device of its own has no inodes.
        let files = incompat & JOURNAL_DEV == 0;
        let s_inode_size = match old || !files {
            true => 128,
            false => bytes.u16::<0x58>(),
        };
        if s_inode_size < 128 || u64::from(s_inode_size) > block_size.get() {
            return Err(damage!("inodes of {s_inode_size} bytes"));
        }
        let s_desc_size = match wide && files {
            true => bytes.u16::<0xfe>(),
            false => 32,
        };
        let descriptor_size = NonZeroU64::new(s_desc_size.into())
            .filter(|size| (32..=block_size.get()).contains(&size.get()))
            .ok_or_else(|| damage!("group descriptors of {s_desc_size} bytes"))?;
        let inodes_per_group = match NonZeroU32::new(bytes.u32::<0x28>()) {
            Some(count) => count,
            None if files => return Err(damage!("no inodes in a group")),
            None => NonZeroU32::MIN,
        };
        let low = bytes.u32::<0x4>();
        let blocks = match wide {
            true => joined(bytes.u32::<0x150>(), low),
            false => low.into(),
        };
        let checksums = bytes.u32::<0x64>() & METADATA_CSUM != 0;
        let seed = match incompat & CSUM_SEED {
            0 => crc32c(u32::MAX, bytes.field::<0x68, 16>()),
            _ => bytes.u32::<0x270>(),
        };
        Ok(Self {
            block_size,
            blocks,
            len: blocks.times(block_size.get())?,
            inodes: bytes.u32::<0x0>(),
            inodes_per_group,
            inode_size: s_inode_size.into(),
            descriptor_size,
            journal: (compat & HAS_JOURNAL != 0).then(|| bytes.u32::<0xe0>()),
            checksum_seed: checksums.then_some(seed),
            first_data_block: bytes.u32::<0x14>().into(),
            bytes,
        })
    }

    fn compat(&self) -> u32 {
        self.bytes.u32::<0x5c>()
    }

    fn incompat(&self) -> u32 {
        self.bytes.u32::<0x60>()
    }

    fn ro_compat(&self) -> u32 {
        self.bytes.u32::<0x64>()
    }

    pub(super) fn is_64bit(&self) -> bool {
        self.incompat() & IS_64BIT != 0
    }

    /// Position of the descriptor of a group.
    pub(super) fn descriptor(&self, group: u64) -> Result<u64, Fault> {
        let per_block = self.block_size.get() / self.descriptor_size;
        // A block has room for one at least.
        let per_block = NonZeroU64::new(per_block).unwrap_or(NonZeroU64::MIN);
        let block = group / per_block;
        let within = (group % per_block).times(self.descriptor_size.get())?;
        let s_first_meta_bg = u64::from(self.bytes.u32::<0x104>());
        let at = match self.incompat() & META_BG != 0 && block >= s_first_meta_bg {
            // A block of descriptors for as many groups as it has room for lies in the first of them.
            true => {
                let first = block.times(per_block.get())?;
                self.start(first)?.plus(self.copies(first)?)?
            }
            false => self.superblock().plus(1)?.plus(block)?,
        };
        at.times(self.block_size.get())?.plus(within)
    }

    /// Block that the superblock is in.
    pub(super) fn superblock(&self) -> u64 {
        // Clusters of several blocks leave no block out at the start, but the superblock is in block 1 all the same.
        match (self.first_data_block, self.block_size.get()) {
            (0, 1024) => 1,
            (first, _) => first,
        }
    }

    /// First block of a group.
    pub(super) fn start(&self, group: u64) -> Result<u64, Fault> {
        let s_blocks_per_group = self.bytes.u32::<0x20>();
        let before = group.times(s_blocks_per_group.into())?;
        before.plus(self.first_data_block)
    }

    /// How many blocks a group begins with before its descriptors: one if it has a copy of the superblock.
    pub(super) fn copies(&self, group: u64) -> Result<u64, Fault> {
        let backups = [self.bytes.u32::<0x24c>(), self.bytes.u32::<0x250>()];
        let power = |base: u64| {
            let mut powers = std::iter::successors(Some(base), |power| power.checked_mul(base));
            powers.find(|power| *power >= group) == Some(group)
        };
        let has = match group {
            0 => return self.superblock().minus(self.first_data_block)?.plus(1),
            _ if self.compat() & SPARSE_SUPER2 != 0 => {
                backups.iter().any(|at| u64::from(*at) == group)
            }
            1 => true,
            _ if self.ro_compat() & SPARSE_SUPER != 0 => [3, 5, 7].into_iter().any(power),
            _ => true,
        };
        Ok(u64::from(has))
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> Result<u64, Fault> {
        let s_blocks_per_group = u64::from(self.bytes.u32::<0x20>());
        let blocks = self.blocks.minus(self.first_data_block)?;
        match s_blocks_per_group {
            0 => Err(damage!("no blocks in a group")),
            per_group => Ok(blocks.div_ceil(per_group)),
        }
    }

    /// How many blocks follow the descriptors so that there can be more of them.
    pub(super) fn reserved_descriptors(&self) -> u64 {
        self.bytes.u16::<0xce>().into()
    }

    /// Whether descriptors lie in the groups that they describe.
    pub(super) fn has_meta_groups(&self) -> bool {
        self.incompat() & META_BG != 0
    }

    /// Whether several files may have the same blocks.
    pub(super) fn shares_blocks(&self) -> bool {
        self.ro_compat() & SHARED_BLOCKS != 0
    }

    /// Why files are not read.
    pub(super) fn unsupported(&self) -> Option<String> {
        if self.incompat() & JOURNAL_DEV != 0 {
            return Some(
                "this is the journal of a file system on another device: it has no files"
                    .to_owned(),
            );
        }
        let bits = self.incompat() & NOT_READ;
        let names = names("incompat", bits, INCOMPAT).join(" ");
        (!names.is_empty()).then(|| {
            format!("files of a file system with {names} are not read here: debugfs or a mount may know it")
        })
    }

    /// Why files may be older than what was written last.
    pub(super) fn is_stale(&self) -> Option<String> {
        (self.incompat() & NEEDS_RECOVERY != 0).then(|| {
            "the journal was not replayed: files are shown as they are before; e2fsck -fy replays it, best on a copy"
                .to_owned()
        })
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.checksum_seed.is_some() {
            let (found, want) = (
                self.bytes.u32::<0x3fc>(),
                crc32c(u32::MAX, self.bytes.field::<0, 0x3fc>()),
            );
            if found != want {
                problems.push(format!(
                    "the superblock's checksum is {found:08x}, its bytes have {want:08x}"
                ));
            }
        }
        problems
    }

    /// Every parameter that is worth a line.
    pub(super) fn parameters(&self) -> Vec<(&'static str, Parameter)> {
        use Parameter::{Number, Text, Words};
        let b = &self.bytes;
        let wide = self.is_64bit();
        let count = |high, low| Number(if wide { joined(high, low) } else { low.into() });
        let mut features = names("compat", self.compat(), COMPAT);
        features.extend(names("incompat", self.incompat(), INCOMPAT));
        features.extend(names("ro_compat", self.ro_compat(), RO_COMPAT));
        features.sort();
        vec![
            ("label", name(b.field::<0x78, 16>())),
            ("uuid", Text(uuid(b.field::<0x68, 16>()))),
            ("block-size", Number(self.block_size.get())),
            ("blocks", Number(self.blocks)),
            ("free-blocks", count(b.u32::<0x158>(), b.u32::<0xc>())),
            ("reserved-blocks", count(b.u32::<0x154>(), b.u32::<0x8>())),
            ("inodes", Number(self.inodes.into())),
            ("free-inodes", Number(b.u32::<0x10>().into())),
            ("inode-size", Number(self.inode_size)),
            ("features", Words(features)),
            ("hash", Text(self.hash())),
            ("hash-seed", Text(uuid(b.field::<0xec, 16>()))),
            ("created", time(b.u8::<0x276>(), b.u32::<0x108>())),
            ("written", time(b.u8::<0x275>(), b.u32::<0x30>())),
            ("mounted", time(b.u8::<0x274>(), b.u32::<0x2c>())),
            ("checked", time(b.u8::<0x277>(), b.u32::<0x40>())),
            ("mounts", Number(b.u16::<0x34>().into())),
            ("last-mounted-on", name(b.field::<0x88, 64>())),
            ("state", Text(state(b.u16::<0x3a>()))),
            ("on-error", Text(on_error(b.u16::<0x3c>()))),
            ("mount-options", Text(format!("{:#x}", b.u32::<0x100>()))),
        ]
    }

    fn hash(&self) -> String {
        let version = self.bytes.u8::<0xfc>();
        let name = match version {
            0 | 3 => "legacy",
            1 | 4 => "half_md4",
            2 | 5 => "tea",
            6 => "siphash",
            _ => return format!("{version}"),
        };
        let sign = match self.bytes.u32::<0x160>() & 3 {
            1 => " signed",
            2 => " unsigned",
            _ => "",
        };
        format!("{name}{sign}")
    }
}

/// Text in a field, up to the first zero.
fn name(field: &[u8]) -> Parameter {
    let text = field.iter().copied().take_while(|byte| *byte != 0);
    Parameter::Name(Name(text.collect()))
}

/// Seconds since 1970 in 40 bits; none are never.
fn time(high: u8, low: u32) -> Parameter {
    let seconds = (i64::from(high) << 32) | i64::from(low);
    Parameter::Time((seconds != 0).then(|| Time::utc(seconds)))
}

fn state(bits: u16) -> String {
    match bits {
        0 => "not-clean".to_owned(),
        1 => "clean".to_owned(),
        2 | 3 => "errors".to_owned(),
        _ => format!("{bits:#x}"),
    }
}

fn on_error(value: u16) -> String {
    match value {
        1 => "continue".to_owned(),
        2 => "remount-read-only".to_owned(),
        3 => "panic".to_owned(),
        _ => value.to_string(),
    }
}
