//! The boot sector.

use crate::bytes::{part, times, u16_at, u32_at, u8_at};
use crate::error::{damage, Fault};
use crate::image::Window;
use crate::model::Parameter;
use crate::names::Name;

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
            // The first of them may share a byte with the one before.
            Self::Fat12 => (zeros / 3).saturating_mul(2).saturating_sub(1),
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
}

pub(super) struct Boot {
    pub(super) kind: Kind,
    pub(super) cluster_size: u64,
    pub(super) clusters: u64,
    /// Position of the table that counts, and the length of one.
    pub(super) table: u64,
    pub(super) table_size: u64,
    pub(super) tables: u8,
    /// Whether all tables say the same.
    pub(super) mirrored: bool,
    /// Position and length of the root directory of FAT12 and FAT16.
    pub(super) root: (u64, u64),
    /// First cluster of the root directory of FAT32.
    pub(super) root_cluster: u64,
    sector_size: u64,
    sectors: u64,
    data: u64,
    bytes: Vec<u8>,
}

impl Boot {
    pub(super) fn read(window: Window<'_>) -> Result<Self, Fault> {
        let bytes = window.bytes(0, 512)?;
        let b = &bytes;
        let sector_size = u64::from(u16_at(b, 11));
        let per_cluster = u64::from(u8_at(b, 13));
        let (reserved, tables) = (u64::from(u16_at(b, 14)), u8_at(b, 16));
        let root_entries = u64::from(u16_at(b, 17));
        let sectors = match u16_at(b, 19) {
            0 => u64::from(u32_at(b, 32)),
            sectors => sectors.into(),
        };
        let per_table = match u16_at(b, 22) {
            0 => u64::from(u32_at(b, 36)),
            sectors => sectors.into(),
        };
        let root_sectors = root_entries.saturating_mul(32).div_ceil(sector_size.max(1));
        let meta = u64::from(tables)
            .saturating_mul(per_table)
            .saturating_add(reserved)
            .saturating_add(root_sectors);
        let data_sectors = sectors.checked_sub(meta).filter(|_| is_valid(b));
        let clusters = data_sectors.map_or(0, |n| times(n, per_cluster));
        // The specification's limits: the number of clusters alone decides.
        let kind = match clusters {
            0 => return Err(damage!("no FAT boot sector")),
            1..4085 => Kind::Fat12,
            4085..65525 => Kind::Fat16,
            _ => Kind::Fat32,
        };
        // FAT32 says so by having no root directory in a fixed place, too.
        let kind = if root_entries == 0 { Kind::Fat32 } else { kind };
        let table_size = per_table.saturating_mul(sector_size);
        // BPB_ExtFlags: bit 7 says that one table counts, the lowest four which.
        let (mirrored, active) = match (kind, u16_at(b, 40)) {
            (Kind::Fat32, flags) if flags & 0x80 != 0 => (false, u64::from(flags & 15)),
            _ => (true, 0),
        };
        if active >= u64::from(tables) {
            return Err(damage!("table {active} of {tables} is to count"));
        }
        let table = reserved
            .saturating_mul(sector_size)
            .saturating_add(active.saturating_mul(table_size));
        // No cluster that is not in the table, and no more than there are bytes for.
        let in_table = times(table_size.saturating_mul(8), kind.bits()).saturating_sub(2);
        let there = times(window.len(), sector_size.saturating_mul(per_cluster));
        let root_size = root_entries.saturating_mul(32);
        let data = meta.saturating_mul(sector_size);
        Ok(Self {
            kind,
            cluster_size: sector_size.saturating_mul(per_cluster),
            clusters: clusters.min(in_table).min(there),
            table,
            table_size,
            tables,
            mirrored,
            root: (
                data.saturating_sub(root_sectors.saturating_mul(sector_size)),
                root_size,
            ),
            root_cluster: u32_at(b, 44).into(),
            sector_size,
            sectors,
            data,
            bytes,
        })
    }

    /// Length of the file system in bytes.
    pub(super) fn len(&self) -> u64 {
        self.sectors.saturating_mul(self.sector_size)
    }

    /// Position and length of a cluster's entry in the table; of FAT12 it is one and a half bytes.
    pub(super) fn entry(&self, cluster: u64) -> (u64, usize) {
        let (offset, len) = match self.kind {
            Kind::Fat12 => (cluster.saturating_add(cluster / 2), 2),
            Kind::Fat16 => (cluster.saturating_mul(2), 2),
            Kind::Fat32 => (cluster.saturating_mul(4), 4),
        };
        (self.table.saturating_add(offset), len)
    }

    /// Where a cluster from 2 on is.
    pub(super) fn position(&self, cluster: u64) -> u64 {
        let from_first = cluster.saturating_sub(2);
        self.data
            .saturating_add(from_first.saturating_mul(self.cluster_size))
    }

    pub(super) fn parameters(&self) -> Vec<(&'static str, Parameter)> {
        let b = &self.bytes;
        // The extended fields begin later in FAT32, and count if their signature says so.
        let extended = match self.kind {
            Kind::Fat32 => part(b, 64, 26),
            _ => part(b, 36, 26),
        };
        let signature = u8_at(extended, 2);
        let number = u32_at(extended, 3);
        let id = format!("{:04x}-{:04x}", number >> 16, number & 0xffff);
        let label = part(extended, 7, 11);
        let mut parameters = vec![
            ("fat", Parameter::Number(self.kind.bits())),
            ("oem-name", trimmed(part(b, 3, 8))),
        ];
        if matches!(signature, 0x28 | 0x29) {
            parameters.push(("volume-id", Parameter::Text(id)));
        }
        if signature == 0x29 {
            parameters.push(("boot-label", trimmed(label)));
        }
        parameters.extend([
            ("sector-size", Parameter::Number(self.sector_size)),
            ("sectors", Parameter::Number(self.sectors)),
            ("tables", Parameter::Number(self.tables.into())),
            ("cluster-size", Parameter::Number(self.cluster_size)),
            ("clusters", Parameter::Number(self.clusters)),
        ]);
        parameters
    }
}

/// Whether the fields make sense, as far as each does for itself.
fn is_valid(b: &[u8]) -> bool {
    let jump = matches!((u8_at(b, 0), u8_at(b, 2)), (0xeb, 0x90) | (0xe9, _));
    let (reserved, tables) = (u16_at(b, 14), u8_at(b, 16));
    jump && u16_at(b, 510) == 0xaa55
        // The specification ends at 4096, mkfs.fat at 32768.
        && matches!(u16_at(b, 11), 512 | 1024 | 2048 | 4096 | 8192 | 16384 | 32768)
        && u8_at(b, 13).is_power_of_two()
        && reserved > 0
        && tables > 0
        && matches!(u8_at(b, 21), 0xf0 | 0xf8..)
        && (u16_at(b, 22) > 0 || u32_at(b, 36) > 0)
}

/// A padded field without its padding.
pub(super) fn trimmed(bytes: &[u8]) -> Parameter {
    let end = bytes.iter().rposition(|b| *b != b' ');
    let end = end.map_or(0, |end| end.saturating_add(1));
    Parameter::Name(Name(part(bytes, 0, end).to_vec()))
}
