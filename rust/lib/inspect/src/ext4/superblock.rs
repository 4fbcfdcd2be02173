//! The superblock: 1024 bytes at byte 1024.

use super::features::{names, COMPAT, INCOMPAT, RO_COMPAT};
use super::{crc32c, high_low, uuid};
use crate::bytes::{part, times, u16_at, u32_at, u8_at};
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

pub(super) fn bytes(window: Window<'_>) -> Result<Vec<u8>, Fault> {
    window.bytes(AT, LEN)
}

pub(super) fn has_magic(bytes: &[u8]) -> bool {
    u16_at(bytes, 0x38) == MAGIC
}

/// What of the superblock other parts need.
pub(super) struct Superblock {
    bytes: Vec<u8>,
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    pub(super) inodes: u32,
    pub(super) inodes_per_group: u32,
    pub(super) inode_size: u64,
    pub(super) descriptor_size: u64,
    /// Inode of the journal; 0: it is on another device.
    pub(super) journal: Option<u32>,
    /// Where checksums begin, if there are any.
    pub(super) checksum_seed: Option<u32>,
    first_data_block: u64,
}

impl Superblock {
    pub(super) fn read(window: Window<'_>) -> Result<Self, Fault> {
        let bytes = bytes(window)?;
        let s_log_block_size = u32_at(&bytes, 0x18);
        if s_log_block_size > 6 {
            return Err(damage!("block size 2^{s_log_block_size} KiB"));
        }
        let block_size = 1024u64 << s_log_block_size;
        let wide = u32_at(&bytes, 0x60) & IS_64BIT != 0;
        let old = u32_at(&bytes, 0x4c) == 0;
        // A journal on a device of its own has no inodes.
        let files = u32_at(&bytes, 0x60) & JOURNAL_DEV == 0;
        let s_inode_size = match old || !files {
            true => 128,
            false => u16_at(&bytes, 0x58),
        };
        if s_inode_size < 128 || u64::from(s_inode_size) > block_size {
            return Err(damage!("inodes of {s_inode_size} bytes"));
        }
        let s_desc_size = if wide && files {
            u16_at(&bytes, 0xfe)
        } else {
            32
        };
        if s_desc_size < 32 || u64::from(s_desc_size) > block_size {
            return Err(damage!("group descriptors of {s_desc_size} bytes"));
        }
        let inodes_per_group = u32_at(&bytes, 0x28);
        if inodes_per_group == 0 && files {
            return Err(damage!("no inodes in a group"));
        }
        let high = if wide { u32_at(&bytes, 0x150) } else { 0 };
        let checksums = u32_at(&bytes, 0x64) & METADATA_CSUM != 0;
        let seed = match u32_at(&bytes, 0x60) & CSUM_SEED {
            0 => crc32c(u32::MAX, part(&bytes, 0x68, 16)),
            _ => u32_at(&bytes, 0x270),
        };
        let journal = u32_at(&bytes, 0x5c) & HAS_JOURNAL != 0;
        Ok(Self {
            block_size,
            blocks: crate::bytes::joined(high, u32_at(&bytes, 0x4)),
            inodes: u32_at(&bytes, 0x0),
            inodes_per_group,
            inode_size: s_inode_size.into(),
            descriptor_size: s_desc_size.into(),
            journal: journal.then(|| u32_at(&bytes, 0xe0)),
            checksum_seed: checksums.then_some(seed),
            first_data_block: u32_at(&bytes, 0x14).into(),
            bytes,
        })
    }

    /// Length of the file system in bytes.
    pub(super) fn len(&self) -> u64 {
        self.blocks.saturating_mul(self.block_size)
    }

    pub(super) fn is_64bit(&self) -> bool {
        self.has(0x60, IS_64BIT)
    }

    /// Position of the descriptor of a group.
    pub(super) fn descriptor(&self, group: u64) -> u64 {
        let per_block = times(self.block_size, self.descriptor_size);
        let block = times(group, per_block);
        let first = block.saturating_mul(per_block);
        let within = group
            .saturating_sub(first)
            .saturating_mul(self.descriptor_size);
        let s_first_meta_bg = u64::from(u32_at(&self.bytes, 0x104));
        let at = match self.has(0x60, META_BG) && block >= s_first_meta_bg {
            // A block of descriptors for as many groups as it has room for lies in the first of them.
            true => self.start(first).saturating_add(self.copies(first)),
            false => self.superblock().saturating_add(1).saturating_add(block),
        };
        at.saturating_mul(self.block_size).saturating_add(within)
    }

    /// Block that the superblock is in.
    fn superblock(&self) -> u64 {
        // Clusters of several blocks leave no block out at the start, but the superblock is in block 1 all the same.
        match (self.first_data_block, self.block_size) {
            (0, 1024) => 1,
            (first, _) => first,
        }
    }

    /// First block of a group.
    fn start(&self, group: u64) -> u64 {
        let s_blocks_per_group = u64::from(u32_at(&self.bytes, 0x20));
        group
            .saturating_mul(s_blocks_per_group)
            .saturating_add(self.first_data_block)
    }

    /// How many blocks a group begins with before its descriptors: one if it has a copy of the superblock.
    fn copies(&self, group: u64) -> u64 {
        let backups = [u32_at(&self.bytes, 0x24c), u32_at(&self.bytes, 0x250)];
        let power = |base: u64| {
            let mut number = base;
            while number < group {
                number = number.saturating_mul(base);
            }
            number == group
        };
        let has = match group {
            0 => {
                return self
                    .superblock()
                    .saturating_sub(self.first_data_block)
                    .saturating_add(1)
            }
            _ if self.has(0x5c, SPARSE_SUPER2) => backups.iter().any(|at| u64::from(*at) == group),
            1 => true,
            _ if self.has(0x64, SPARSE_SUPER) => [3, 5, 7].into_iter().any(power),
            _ => true,
        };
        u64::from(has)
    }

    /// Whether a feature is set, in the word at `at`.
    fn has(&self, at: usize, feature: u32) -> bool {
        u32_at(&self.bytes, at) & feature != 0
    }

    /// Whether several files may have the same blocks.
    pub(super) fn shares_blocks(&self) -> bool {
        self.has(0x64, SHARED_BLOCKS)
    }

    /// Why files are not read.
    pub(super) fn unsupported(&self) -> Option<String> {
        if self.has(0x60, JOURNAL_DEV) {
            return Some(
                "this is the journal of a file system on another device: it has no files"
                    .to_owned(),
            );
        }
        let bits = u32_at(&self.bytes, 0x60) & NOT_READ;
        let names = names("incompat", bits, INCOMPAT).join(" ");
        (!names.is_empty()).then(|| {
            format!("files of a file system with {names} are not read here: debugfs or a mount may know it")
        })
    }

    /// Why files may be older than what was written last.
    pub(super) fn is_stale(&self) -> Option<String> {
        self.has(0x60, NEEDS_RECOVERY).then(|| {
            "the journal was not replayed: files are shown as they are before; e2fsck -fy replays it, best on a copy"
                .to_owned()
        })
    }

    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.checksum_seed.is_some() {
            let (found, want) = (
                u32_at(&self.bytes, 0x3fc),
                crc32c(u32::MAX, part(&self.bytes, 0, 0x3fc)),
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
        let count = |low: usize, high: usize| {
            let all = high_low(b, high, low);
            Number(if wide { all } else { all & 0xffff_ffff })
        };
        let mut features = names("compat", u32_at(b, 0x5c), COMPAT);
        features.extend(names("incompat", u32_at(b, 0x60), INCOMPAT));
        features.extend(names("ro_compat", u32_at(b, 0x64), RO_COMPAT));
        features.sort();
        let name = |at, len| {
            let bytes = part(b, at, len).split(|byte| *byte == 0).next();
            Parameter::Name(Name(bytes.unwrap_or_default().to_vec()))
        };
        vec![
            ("label", name(0x78, 16)),
            ("uuid", Text(uuid(b, 0x68))),
            ("block-size", Number(self.block_size)),
            ("blocks", Number(self.blocks)),
            ("free-blocks", count(0xc, 0x158)),
            ("reserved-blocks", count(0x8, 0x154)),
            ("inodes", Number(self.inodes.into())),
            ("free-inodes", Number(u32_at(b, 0x10).into())),
            ("inode-size", Number(self.inode_size)),
            ("features", Words(features)),
            ("hash", Text(self.hash())),
            ("hash-seed", Text(uuid(b, 0xec))),
            ("created", self.time(0x108, 0x276)),
            ("written", self.time(0x30, 0x275)),
            ("mounted", self.time(0x2c, 0x274)),
            ("checked", self.time(0x40, 0x277)),
            ("mounts", Number(u16_at(b, 0x34).into())),
            ("last-mounted-on", name(0x88, 64)),
            ("state", Text(state(u16_at(b, 0x3a)))),
            ("on-error", Text(on_error(u16_at(b, 0x3c)))),
            ("mount-options", Text(format!("{:#x}", u32_at(b, 0x100)))),
        ]
    }

    fn time(&self, low: usize, high: usize) -> Parameter {
        let seconds = crate::bytes::joined(u8_at(&self.bytes, high), u32_at(&self.bytes, low));
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Parameter::Time((seconds != 0).then(|| Time::utc(seconds)))
    }

    fn hash(&self) -> String {
        let version = u8_at(&self.bytes, 0xfc);
        let name = match version {
            0 | 3 => "legacy",
            1 | 4 => "half_md4",
            2 | 5 => "tea",
            6 => "siphash",
            _ => return format!("{version}"),
        };
        let sign = match u32_at(&self.bytes, 0x160) & 3 {
            1 => " signed",
            2 => " unsigned",
            _ => "",
        };
        format!("{name}{sign}")
    }
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
