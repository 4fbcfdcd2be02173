//! The boot sector.

use std::num::NonZeroU64;

use crate::bytes::{Fields, Number};
use crate::error::{damage, Fault};
use crate::image::Window;
use crate::model::Parameter;
use crate::names::Name;
use crate::span::Span;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fat12,
    Fat16,
    Fat32,
}

impl Kind {
    /// Entries from here on end a chain.
    pub(super) fn end(self) -> u32 {
        match self {
            Self::Fat12 => 0xff8,
            Self::Fat16 => 0xfff8,
            Self::Fat32 => 0x0fff_fff8,
        }
    }

    /// How many entries are zero for sure if so many bytes of the table are.
    pub(super) fn entries_in(self, zeros: u64) -> u64 {
        match self {
            // Three bytes have two, and the first of them may share a byte with the one before.
            Self::Fat12 => zeros / 3,
            Self::Fat16 => zeros / 2,
            Self::Fat32 => zeros / 4,
        }
    }

    fn bits(self) -> u64 {
        match self {
            Self::Fat12 => 12,
            Self::Fat16 => 16,
            Self::Fat32 => 32,
        }
    }

    /// How many entries a table of `len` bytes has.
    fn entries(self, len: u64) -> Result<u64, Fault> {
        Ok(match self {
            Self::Fat12 => len.times(2)? / 3,
            Self::Fat16 => len / 2,
            Self::Fat32 => len / 4,
        })
    }
}

pub(super) struct Boot {
    pub(super) kind: Kind,
    pub(super) cluster_size: u64,
    /// From 2 on.
    pub(super) clusters: Span,
    /// The table that counts.
    pub(super) table: Span,
    pub(super) tables: u8,
    /// Whether all tables say the same.
    pub(super) mirrored: bool,
    /// The root directory of FAT12 and FAT16.
    pub(super) root: Span,
    /// First cluster of the root directory of FAT32.
    pub(super) root_cluster: u64,
    /// Length of the file system in bytes.
    pub(super) len: u64,
    sector_size: u64,
    sectors: u64,
    /// Where the first cluster is.
    data: u64,
    bytes: [u8; 512],
}

impl Boot {
    pub(super) fn read(window: Window<'_>) -> Result<Self, Fault> {
        let b: [u8; 512] = window.array(0)?;
        let sizes = Sizes::read(&b).ok_or_else(|| damage!("no FAT boot sector"))?;
        let (sector, per_cluster) = (sizes.sector.get(), sizes.per_cluster.get());
        let root_len = sizes.root_entries.times(32)?;
        let root_sectors = root_len.div_ceil(sector);
        let tables_len = u64::from(sizes.tables).times(sizes.per_table)?;
        let meta = sizes.reserved.plus(tables_len)?.plus(root_sectors)?;
        let data_sectors = sizes.sectors.checked_sub(meta);
        // The specification's limits: the number of clusters alone decides.
        let (kind, clusters) = match data_sectors.map(|sectors| sectors / sizes.per_cluster) {
            None | Some(0) => return Err(damage!("no FAT boot sector")),
            // FAT32 says so by having no root directory in a fixed place, too.
            Some(count) if sizes.root_entries == 0 => (Kind::Fat32, count),
            Some(count @ 1..4085) => (Kind::Fat12, count),
            Some(count @ 4085..65525) => (Kind::Fat16, count),
            Some(count) => (Kind::Fat32, count),
        };
        let table_size = sizes.per_table.times(sector)?;
        // BPB_ExtFlags: bit 7 says that one table counts, the lowest four which.
        let (mirrored, active) = match (kind, b.u16::<40>()) {
            (Kind::Fat32, flags) if flags & 0x80 != 0 => (false, u64::from(flags & 15)),
            _ => (true, 0),
        };
        let tables = sizes.tables;
        if active >= u64::from(tables) {
            return Err(damage!("table {active} of {tables} is to count"));
        }
        let first_table = sizes.reserved.times(sector)?;
        let table = Span::new(first_table.plus(active.times(table_size)?)?, table_size)?;
        // No cluster that is not in the table, and no more than there are bytes for. The first two entries are of none.
        let in_table = Span::up_to(kind.entries(table_size)?).skip(2).len();
        let there = window.len() / sizes.sector / sizes.per_cluster;
        let data = meta.times(sector)?;
        Ok(Self {
            kind,
            cluster_size: sector.times(per_cluster)?,
            clusters: Span::new(2, clusters.min(in_table).min(there))?,
            table,
            tables,
            mirrored,
            root: Span::new(data.minus(root_sectors.times(sector)?)?, root_len)?,
            root_cluster: b.u32::<44>().into(),
            len: sizes.sectors.times(sector)?,
            sector_size: sector,
            sectors: sizes.sectors,
            data,
            bytes: b,
        })
    }

    pub(super) fn sector_size(&self) -> u64 {
        self.sector_size
    }

    /// Position and length of a cluster's entry in the table; of FAT12 it is one and a half bytes.
    pub(super) fn entry(&self, cluster: u64) -> Result<(u64, usize), Fault> {
        let (offset, len) = match self.kind {
            Kind::Fat12 => (cluster.plus(cluster / 2)?, 2),
            Kind::Fat16 => (cluster.times(2)?, 2),
            Kind::Fat32 => (cluster.times(4)?, 4),
        };
        Ok((self.table.start().plus(offset)?, len))
    }

    /// Where a cluster is.
    pub(super) fn position(&self, cluster: u64) -> Result<u64, Fault> {
        let from_first = cluster.minus(self.clusters.start())?;
        from_first.times(self.cluster_size)?.plus(self.data)
    }

    /// The extended fields, which begin later in FAT32.
    fn extended(&self) -> &[u8; 26] {
        match self.kind {
            Kind::Fat32 => self.bytes.field::<64, 26>(),
            _ => self.bytes.field::<36, 26>(),
        }
    }

    /// The label that stands here.
    pub(super) fn label(&self) -> Option<Name> {
        let extended = self.extended();
        (extended.u8::<2>() == 0x29).then(|| trimmed(extended.field::<7, 11>()))
    }

    pub(super) fn parameters(&self) -> Vec<(&'static str, Parameter)> {
        // They count if their signature says so.
        let extended = self.extended();
        let signature = extended.u8::<2>();
        let number = extended.u32::<3>();
        let id = format!("{:04x}-{:04x}", number >> 16, number & 0xffff);
        let mut parameters = vec![
            ("fat", Parameter::Number(self.kind.bits())),
            (
                "oem-name",
                Parameter::Name(trimmed(self.bytes.field::<3, 8>())),
            ),
        ];
        if matches!(signature, 0x28 | 0x29) {
            parameters.push(("volume-id", Parameter::Text(id)));
        }
        let label = self.label().map(Parameter::Name);
        parameters.extend(label.map(|label| ("boot-label", label)));
        parameters.extend([
            ("sector-size", Parameter::Number(self.sector_size)),
            ("sectors", Parameter::Number(self.sectors)),
            ("tables", Parameter::Number(self.tables.into())),
            ("cluster-size", Parameter::Number(self.cluster_size)),
            ("clusters", Parameter::Number(self.clusters.len())),
        ]);
        parameters
    }
}

/// What the boot sector says of sizes: numbers of sectors, except for their own length and the entries of the root directory.
struct Sizes {
    sector: NonZeroU64,
    per_cluster: NonZeroU64,
    reserved: u64,
    tables: u8,
    root_entries: u64,
    sectors: u64,
    per_table: u64,
}

impl Sizes {
    /// Nothing if the fields make no sense, as far as each does for itself.
    fn read(b: &[u8; 512]) -> Option<Self> {
        let jump = matches!((b.u8::<0>(), b.u8::<2>()), (0xeb, 0x90) | (0xe9, _));
        // The specification ends at 4096, mkfs.fat at 32768.
        let sector = matches!(
            b.u16::<11>(),
            512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768
        );
        let good = jump
            && sector
            && b.u16::<510>() == 0xaa55
            && b.u8::<13>().is_power_of_two()
            && b.u16::<14>() > 0
            && b.u8::<16>() > 0
            && matches!(b.u8::<21>(), 0xf0 | 0xf8..)
            && (b.u16::<22>() > 0 || b.u32::<36>() > 0);
        // The older, shorter field counts unless it is zero.
        let either = |short: u16, long: u32| match short {
            0 => u64::from(long),
            short => short.into(),
        };
        good.then_some(Self {
            sector: NonZeroU64::new(b.u16::<11>().into())?,
            per_cluster: NonZeroU64::new(b.u8::<13>().into())?,
            reserved: b.u16::<14>().into(),
            tables: b.u8::<16>(),
            root_entries: b.u16::<17>().into(),
            sectors: either(b.u16::<19>(), b.u32::<32>()),
            per_table: either(b.u16::<22>(), b.u32::<36>()),
        })
    }
}

/// A padded field without its padding.
pub(super) fn trimmed(mut bytes: &[u8]) -> Name {
    while let Some(rest) = bytes.strip_suffix(b" ") {
        bytes = rest;
    }
    Name(bytes.to_vec())
}
