//! How a volume is divided (sections 3.1 to 3.5 of the specification).

use crate::error::Error;
use crate::params::FatType;

/// Bytes in a sector.
pub(crate) const SECTOR_LEN: u16 = 1 << SECTOR_BITS;
const SECTOR_BITS: u32 = 9;
/// Number of tables.
pub(crate) const TABLES: u8 = 2;
/// Records of the root directory in FAT12 and FAT16.
pub(crate) const ROOT_RECORDS: u16 = 512;
/// First cluster of the data area.
pub(crate) const FIRST_CLUSTER: u32 = 2;
const SECTORS_PER_MIB: u64 = 2048;
/// Largest cluster that everybody reads: 32 KiB.
const MAX_CLUSTER_SECTORS: u8 = 64;

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
    fn clusters(self) -> (u32, u32) {
        match self {
            Self::Fat12 => (1, 4085 - 16),
            Self::Fat16 => (4085 + 16, 65525 - 16),
            Self::Fat32 => (65525 + 16, 0x0fff_fff5),
        }
    }

    pub(crate) fn reserved(self) -> u16 {
        match self {
            Self::Fat12 | Self::Fat16 => 1,
            Self::Fat32 => 32,
        }
    }

    /// Sectors of a root directory with a place of its own.
    fn root_sectors(self) -> u32 {
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
    fn usual_cluster(self, size_mib: u64) -> u8 {
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
    pub(crate) total: u32,
    pub(crate) cluster: u8,
    pub(crate) table: u32,
    pub(crate) clusters: u32,
    /// Where the clusters start.
    data: u32,
}

impl Geometry {
    /// Divides a volume of `size_mib` MiB.
    pub(crate) fn of(size_mib: u64, kind: Option<FatType>) -> Result<Self, Error> {
        let chosen = kind.unwrap_or_else(|| FatType::usual(size_mib));
        let mut cluster = chosen.usual_cluster(size_mib);
        let (fewest, most) = chosen.clusters();
        let (mut small, mut large) = (false, false);
        while (1..=MAX_CLUSTER_SECTORS).contains(&cluster) && !(small && large) {
            let geometry = Self::divide(size_mib, chosen, cluster)
                .ok_or_else(|| refusal(chosen, size_mib, "its tables have no room"))?;
            if geometry.clusters < fewest {
                small = true;
                cluster >>= 1;
            } else if geometry.clusters > most {
                large = true;
                cluster <<= 1;
            } else {
                return Ok(geometry);
            }
        }
        let reason = if small { "too small" } else { "too large" };
        Err(refusal(chosen, size_mib, reason))
    }

    /// The division with clusters of that many sectors; nothing if there is no room for the tables, or for the number of sectors.
    fn divide(size_mib: u64, kind: FatType, cluster: u8) -> Option<Self> {
        let total = u32::try_from(size_mib.checked_mul(SECTORS_PER_MIB)?).ok()?;
        let data = |table: u32| {
            let tables = table.checked_mul(TABLES.into())?;
            let heads = u32::from(kind.reserved()).checked_add(tables)?;
            heads.checked_add(kind.root_sectors())
        };
        let clusters = |table: u32| {
            let room = total.checked_sub(data(table)?)?;
            room.checked_div(cluster.into())
        };
        let wanted = |table: u32| {
            let entries = clusters(table)?.checked_add(FIRST_CLUSTER)?;
            let bits = u64::from(entries).checked_mul(kind.bits())?;
            u32::try_from(bits.div_ceil(8).div_ceil(SECTOR_LEN.into())).ok()
        };
        // Enough for a volume without tables is enough; then as much less as will do.
        let most = wanted(0)?;
        let enough = |table: &u32| wanted(*table).is_some_and(|wanted| wanted <= *table);
        let less = (1..most).rev().take_while(enough).last();
        let table = less.unwrap_or(most);
        Some(Self {
            kind,
            size_mib,
            total,
            cluster,
            table,
            clusters: clusters(table)?,
            data: data(table)?,
        })
    }

    /// The volume that has `more` MiB more; or the smallest larger one that is of another kind or has other clusters, where
    /// that is smaller. Nothing, if there is none.
    ///
    /// A volume that has more MiB is never of a narrower kind, and in the same kind it never has smaller clusters.
    pub(crate) fn larger(&self, more: u64, kind: Option<FatType>) -> Option<Self> {
        let of = |size_mib| Self::of(size_mib, kind).ok();
        let alike = |other: &Self| (other.kind, other.cluster) == (self.kind, self.cluster);
        // Where that saturates there is no volume, either.
        let (mut below, mut above) = (self.size_mib, self.size_mib.saturating_add(more));
        if let Some(larger) = of(above).filter(alike) {
            return Some(larger);
        }
        while above.abs_diff(below) > 1 {
            let middle = below.midpoint(above);
            match of(middle).filter(alike) {
                Some(_) => below = middle,
                None => above = middle,
            }
        }
        of(above)
    }

    /// Why the volume is none.
    pub(crate) fn refusal(&self, reason: &'static str) -> Error {
        refusal(self.kind, self.size_mib, reason)
    }

    pub(crate) fn cluster_bytes(&self) -> u32 {
        u32::from(self.cluster) << SECTOR_BITS
    }

    /// Offsets in bytes of the tables.
    pub(crate) fn table_offsets(&self) -> [u64; 2] {
        let first = u32::from(self.kind.reserved());
        [Some(first), first.checked_add(self.table)].map(inside)
    }

    /// Offset in bytes of the root directory of FAT12 and FAT16.
    pub(crate) fn root_offset(&self) -> u64 {
        inside(self.data.checked_sub(self.kind.root_sectors()))
    }

    /// Offset in bytes of a cluster that the table has.
    pub(crate) fn cluster_offset(&self, cluster: u32) -> u64 {
        let index = cluster.checked_sub(FIRST_CLUSTER);
        let sectors = index.and_then(|index| index.checked_mul(self.cluster.into()));
        inside(sectors.and_then(|sectors| self.data.checked_add(sectors)))
    }
}

/// Offset in bytes of a sector.
#[expect(
    clippy::expect_used,
    reason = "divide() found room for tables, root directory and clusters within `total` sectors, a u32"
)]
fn inside(sector: Option<u32>) -> u64 {
    offset(sector.expect("a sector of the volume"))
}

/// Offset in bytes of a sector.
pub(crate) fn offset(sector: u32) -> u64 {
    u64::from(sector) << SECTOR_BITS
}

fn refusal(kind: FatType, size_mib: u64, reason: &'static str) -> Error {
    Error::Geometry {
        bits: kind.bits(),
        size_mib,
        reason,
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
                    u64::from(g.clusters + 2) * g.kind.bits() <= u64::from(g.table) * 512 * 8,
                    "{g:?}"
                );
                assert_eq!(u64::from(g.total) << 9, size_mib << 20);
                let last = FIRST_CLUSTER + g.clusters;
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

    /// What [`Geometry::larger`] goes by.
    #[test]
    fn larger_volumes_have_larger_clusters() {
        for (kind, sizes) in [
            (None, 1..600),
            (None, 8000..8400),
            (None, 16_300..16_500),
            (None, 32_700..32_900),
            (None, (1 << 21) - 100..1 << 21),
            (Some(FatType::Fat12), 1..200),
            (Some(FatType::Fat16), 1..3000),
            (Some(FatType::Fat32), 1..600),
        ] {
            let valid: Vec<bool> = sizes
                .clone()
                .map(|size| Geometry::of(size, kind).is_ok())
                .collect();
            // None is left out between the smallest and the largest.
            assert!(valid.chunk_by(|a, b| a == b).count() <= 3, "{kind:?}");
            let all = sizes.filter_map(|size| Geometry::of(size, kind).ok());
            let all: Vec<_> = all.map(|g| (g.kind.bits(), g.cluster)).collect();
            assert!(all.is_sorted(), "{kind:?} {all:?}");
        }
        for (size, more, kind, want) in [
            (100, 28, None, Some(128)),
            (100, 29, None, Some(129)),
            (100, 1000, None, Some(129)),
            (511, 1, None, Some(512)),
            (8192, u64::MAX, None, Some(8193)),
            (8000, 1 << 30, None, Some(8193)),
            (40_000, 1 << 30, None, None),
            (2_097_151, 1, None, None),
            (33, 100, Some(FatType::Fat32), Some(133)),
        ] {
            let larger = Geometry::of(size, kind).unwrap().larger(more, kind);
            assert_eq!(larger.map(|g| g.size_mib), want, "{size} {more}");
        }
    }

    /// Bits of an entry, sectors of a cluster and number of clusters, at both ends of the lines of section 3.5's tables and beside the
    /// limits between the kinds.
    #[test]
    fn sizes_are_divided_as_the_specification_says() {
        let (twelve, sixteen) = (Some(FatType::Fat12), Some(FatType::Fat16));
        let wide = Some(FatType::Fat32);
        for (size_mib, kind, want) in [
            (1, None, (12, 1, 2003)),
            (3, None, (12, 2, 3046)),
            (4, None, (16, 1, 8095)),
            (16, None, (16, 2, 16303)),
            (17, None, (16, 4, 8678)),
            (128, None, (16, 4, 65399)),
            (129, None, (16, 8, 32987)),
            (256, None, (16, 8, 65467)),
            (257, None, (16, 16, 32877)),
            (511, None, (16, 16, 65373)),
            (512, None, (32, 8, 130_812)),
            (8192, None, (32, 8, 2_093_059)),
            (8193, None, (32, 16, 1_047_678)),
            (16_384, None, (32, 16, 2_095_103)),
            (16_385, None, (32, 32, 1_048_127)),
            (32_768, None, (32, 32, 2_096_127)),
            (32_769, None, (32, 64, 1_048_351)),
            (33, wide, (32, 1, 66_512)),
            (260, wide, (32, 1, 524_256)),
            (261, wide, (32, 8, 66_681)),
            // 4067 clusters are 18 below the limit; the 4081 and 65518 of clusters half as large would be too near.
            (4, twelve, (12, 2, 4067)),
            (8, twelve, (12, 8, 2042)),
            (512, sixteen, (16, 16, 65_501)),
            (1024, sixteen, (16, 64, 32_763)),
        ] {
            let g = Geometry::of(size_mib, kind).unwrap();
            assert_eq!((g.kind.bits(), g.cluster, g.clusters), want, "{size_mib}");
        }
    }
}
