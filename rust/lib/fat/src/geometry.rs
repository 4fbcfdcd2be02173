//! How a volume is divided (sections 3.1 to 3.5 of the specification).

use crate::error::Error;
use crate::params::FatType;

/// Bytes in a sector.
pub(crate) const SECTOR: u64 = 512;
/// Number of tables.
pub(crate) const TABLES: u64 = 2;
/// Records of the root directory in FAT12 and FAT16.
pub(crate) const ROOT_RECORDS: u64 = 512;
/// First cluster of the data area.
pub(crate) const FIRST_CLUSTER: u32 = 2;
const SECTORS_PER_MIB: u64 = 2048;
/// Largest cluster that everybody reads: 32 KiB.
const MAX_CLUSTER_SECTORS: u64 = 64;

impl FatType {
    /// Bits of a table's entry.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Fat12 => 12,
            Self::Fat16 => 16,
            Self::Fat32 => 32,
        }
    }

    /// Fewest and most clusters. The count alone decides how a volume is read, and some count wrongly by a few: the
    /// specification (section 3.5) wants 16 clusters between a volume and the limits 4085 and 65525.
    fn clusters(self) -> (u64, u64) {
        match self {
            Self::Fat12 => (1, 4085 - 16),
            Self::Fat16 => (4085 + 16, 65525 - 16),
            Self::Fat32 => (65525 + 16, 0x0fff_fff5),
        }
    }

    pub(crate) fn reserved(self) -> u64 {
        match self {
            Self::Fat12 | Self::Fat16 => 1,
            Self::Fat32 => 32,
        }
    }

    /// Sectors of a root directory with a place of its own.
    pub(crate) fn root_sectors(self) -> u64 {
        match self {
            Self::Fat12 | Self::Fat16 => 32,
            Self::Fat32 => 0,
        }
    }

    /// The usual kind for a size.
    fn usual(size_mib: u64) -> Self {
        match size_mib {
            0..4 => Self::Fat12,
            4..512 => Self::Fat16,
            _ => Self::Fat32,
        }
    }

    /// The usual sectors of a cluster (tables of section 3.5).
    fn usual_cluster(self, size_mib: u64) -> u64 {
        match (self, size_mib) {
            (Self::Fat12, _) => 1,
            (Self::Fat16, 0..=16) => 2,
            (Self::Fat16, 17..=128) => 4,
            (Self::Fat16, 129..=256) => 8,
            (Self::Fat16, _) => 16,
            (Self::Fat32, 0..=260) => 1,
            (Self::Fat32, 261..=8192) => 8,
            (Self::Fat32, 8193..=16384) => 16,
            (Self::Fat32, 16385..=32768) => 32,
            (Self::Fat32, _) => 64,
        }
    }
}

/// A divided volume; lengths in sectors unless named otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) kind: FatType,
    pub(crate) size_mib: u64,
    pub(crate) total: u64,
    pub(crate) cluster: u64,
    pub(crate) table: u64,
    pub(crate) clusters: u64,
}

impl Geometry {
    /// Divides a volume of `size_mib` MiB.
    pub(crate) fn of(size_mib: u64, kind: Option<FatType>) -> Result<Self, Error> {
        let chosen = kind.unwrap_or_else(|| FatType::usual(size_mib));
        let mut cluster = chosen.usual_cluster(size_mib);
        let (fewest, most) = chosen.clusters();
        let (mut small, mut large) = (false, false);
        while (1..=MAX_CLUSTER_SECTORS).contains(&cluster) && !(small && large) {
            let geometry = Self::divide(size_mib, chosen, cluster);
            if geometry.clusters < fewest {
                small = true;
                cluster /= 2;
            } else if geometry.clusters > most {
                large = true;
                cluster = cluster.saturating_mul(2);
            } else {
                return Ok(geometry);
            }
        }
        let reason = if small { "too small" } else { "too large" };
        Err(Error::Geometry {
            bits: chosen.bits(),
            size_mib,
            reason,
        })
    }

    fn divide(size_mib: u64, kind: FatType, cluster: u64) -> Self {
        let total = size_mib.saturating_mul(SECTORS_PER_MIB);
        let rest = total
            .saturating_sub(kind.reserved())
            .saturating_sub(kind.root_sectors());
        let clusters = |table: u64| {
            let data = rest.saturating_sub(table.saturating_mul(TABLES));
            data.checked_div(cluster).unwrap_or(0)
        };
        let wanted = |clusters: u64| {
            let entries = clusters.saturating_add(u64::from(FIRST_CLUSTER));
            let bits = entries.saturating_mul(kind.bits());
            bits.div_ceil(8).div_ceil(SECTOR)
        };
        // Enough for a volume without tables is enough; then as much less as will do.
        let mut table = wanted(clusters(0));
        while table > 1 && wanted(clusters(table.saturating_sub(1))) < table {
            table = table.saturating_sub(1);
        }
        Self {
            kind,
            size_mib,
            total,
            cluster,
            table,
            clusters: clusters(table),
        }
    }

    pub(crate) fn cluster_bytes(&self) -> u64 {
        self.cluster.saturating_mul(SECTOR)
    }

    /// Offset in bytes of table number `index`.
    pub(crate) fn table_offset(&self, index: u64) -> u64 {
        let sector = index.saturating_mul(self.table);
        sector
            .saturating_add(self.kind.reserved())
            .saturating_mul(SECTOR)
    }

    /// Offset in bytes of the root directory of FAT12 and FAT16.
    pub(crate) fn root_offset(&self) -> u64 {
        self.table_offset(TABLES)
    }

    /// Offset in bytes of a cluster.
    pub(crate) fn cluster_offset(&self, cluster: u32) -> u64 {
        let index = u64::from(cluster.saturating_sub(FIRST_CLUSTER));
        let root = self.kind.root_sectors().saturating_mul(SECTOR);
        self.root_offset()
            .saturating_add(root)
            .saturating_add(index.saturating_mul(self.cluster_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn every_size_is_consistent() {
        let kinds = [
            None,
            Some(FatType::Fat12),
            Some(FatType::Fat16),
            Some(FatType::Fat32),
        ];
        for size_mib in (1..600).chain([1023, 4096, 8192, 40000, 1 << 20]) {
            for kind in kinds {
                let Ok(g) = Geometry::of(size_mib, kind) else {
                    // 512-byte clusters: 2049 of them in a MiB; 32-KiB ones: 32.
                    assert!(kind.is_some(), "{size_mib}");
                    continue;
                };
                let (fewest, most) = g.kind.clusters();
                assert!((fewest..=most).contains(&g.clusters), "{g:?}");
                assert!(
                    (g.clusters + 2) * g.kind.bits() <= g.table * SECTOR * 8,
                    "{g:?}"
                );
                let last = FIRST_CLUSTER + u32::try_from(g.clusters).unwrap();
                assert!(g.cluster_offset(last) <= size_mib << 20, "{g:?}");
            }
        }
        let bounds = [
            (1, FatType::Fat16),
            (2, FatType::Fat16),
            (32, FatType::Fat32),
            (200, FatType::Fat12),
            (4096, FatType::Fat16),
        ];
        for (size, kind) in bounds {
            assert!(Geometry::of(size, Some(kind)).is_err(), "{size} {kind:?}");
        }
    }
}
