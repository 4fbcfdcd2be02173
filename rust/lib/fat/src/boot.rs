//! Boot sector and FSInfo (sections 3.1 to 3.3 and 5 of the specification): 512 bytes each.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::Error;
use crate::geometry::{Geometry, ROOT_RECORDS, SECTOR_LEN, TABLES};
use crate::params::FatType;

/// What a volume's heads carry besides its geometry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) volume_id: u32,
    pub(crate) label: Option<[u8; 11]>,
    /// Free clusters, and the first of them.
    pub(crate) free: (u32, u32),
}

/// A sector's bytes.
pub(crate) type Sector = [u8; 512];

/// The first 36 bytes of every volume.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Bpb {
    /// A jump over these fields.
    pub(crate) jump: [u8; 3],
    /// The name that most readers have been tried with.
    pub(crate) oem_name: [u8; 8],
    pub(crate) bytes_per_sector: U16,
    pub(crate) sectors_per_cluster: u8,
    pub(crate) reserved_sectors: U16,
    pub(crate) tables: u8,
    /// 0 in FAT32.
    pub(crate) root_records: U16,
    /// 0 where 16 bits do not hold it, and in FAT32.
    pub(crate) total_16: U16,
    pub(crate) media: u8,
    /// 0 in FAT32.
    pub(crate) table_16: U16,
    /// 32 sectors a track and 64 heads: 1 MiB a cylinder; nothing uses it any more.
    pub(crate) sectors_per_track: U16,
    pub(crate) heads: U16,
    pub(crate) hidden_sectors: U32,
    /// 0 where `total_16` has it.
    pub(crate) total_32: U32,
}

/// What follows in FAT32 only.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Wide {
    pub(crate) table_32: U32,
    /// 0: both tables are kept alike.
    pub(crate) flags: U16,
    pub(crate) version: U16,
    pub(crate) root_cluster: U32,
    pub(crate) info_sector: U16,
    pub(crate) backup_sector: U16,
    pub(crate) reserved: [u8; 12],
}

/// What follows then.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Names {
    pub(crate) drive: u8,
    pub(crate) reserved: u8,
    /// 0x29: the three fields below are there.
    pub(crate) signature: u8,
    pub(crate) volume_id: U32,
    pub(crate) label: [u8; 11],
    pub(crate) kind: [u8; 8],
}

/// The boot sector of FAT12 and FAT16.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct NarrowBoot {
    bpb: Bpb,
    names: Names,
    code: [u8; 448],
    signature: [u8; 2],
}

/// The boot sector of FAT32.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct WideBoot {
    pub(crate) bpb: Bpb,
    pub(crate) wide: Wide,
    pub(crate) names: Names,
    pub(crate) code: [u8; 420],
    pub(crate) signature: [u8; 2],
}

/// FSInfo, in FAT32 only.
#[derive(Clone, Copy, FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct FsInfo {
    pub(crate) lead: [u8; 4],
    pub(crate) reserved: [u8; 480],
    pub(crate) structure: [u8; 4],
    pub(crate) free: U32,
    /// Where a search for a free cluster should start.
    pub(crate) next: U32,
    pub(crate) reserved_2: [u8; 12],
    pub(crate) trail: [u8; 4],
}

/// The third sector of FAT32's boot record: empty but for its signature.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Third {
    code: [u8; 510],
    signature: [u8; 2],
}

const _: () = {
    assert!(size_of::<Bpb>() == 36 && size_of::<Wide>() == 28 && size_of::<Names>() == 26);
    assert!(size_of::<NarrowBoot>() == 512 && size_of::<WideBoot>() == 512);
    assert!(size_of::<FsInfo>() == 512 && size_of::<Third>() == 512);
};

pub(crate) const SIGNATURE: [u8; 2] = [0x55, 0xaa];
const MEDIA: u8 = 0xf8;
const INFO: u16 = 1;
/// Where FAT32 keeps the second copy of the three.
const BACKUP: u16 = 6;

/// The sectors before the tables as (sector, bytes).
pub(crate) fn sectors(geometry: &Geometry, head: Head) -> Result<Vec<(u32, Sector)>, Error> {
    let bpb = bpb(geometry)?;
    let names = names(geometry.kind, head);
    if geometry.kind != FatType::Fat32 {
        let boot = NarrowBoot {
            bpb,
            names,
            code: [0; 448],
            signature: SIGNATURE,
        };
        return Ok(vec![(0, zerocopy::transmute!(boot))]);
    }
    let boot = WideBoot {
        bpb,
        wide: wide(geometry),
        names,
        code: [0; 420],
        signature: SIGNATURE,
    };
    let third = Third {
        code: [0; 510],
        signature: SIGNATURE,
    };
    let record: [Sector; 3] = [
        zerocopy::transmute!(boot),
        zerocopy::transmute!(fs_info(head.free)),
        zerocopy::transmute!(third),
    ];
    let first = (0..).zip(record);
    Ok(first.chain((BACKUP.into()..).zip(record)).collect())
}

fn bpb(geometry: &Geometry) -> Result<Bpb, Error> {
    let wide = geometry.kind == FatType::Fat32;
    // FAT32 has more clusters than 16 bits hold.
    let (total_16, total_32) = match u16::try_from(geometry.total) {
        Ok(total) => (total, 0),
        Err(_) => (0, geometry.total),
    };
    let table_16 = match geometry.kind {
        FatType::Fat32 => 0,
        _ => u16::try_from(geometry.table).map_err(|_| geometry.refusal("too large"))?,
    };
    Ok(Bpb {
        jump: [0xeb, if wide { 0x58 } else { 0x3c }, 0x90],
        oem_name: *b"MSWIN4.1",
        bytes_per_sector: SECTOR_LEN.into(),
        sectors_per_cluster: geometry.cluster,
        reserved_sectors: geometry.kind.reserved().into(),
        tables: TABLES,
        root_records: if wide { 0 } else { ROOT_RECORDS }.into(),
        total_16: total_16.into(),
        media: MEDIA,
        table_16: table_16.into(),
        sectors_per_track: 32.into(),
        heads: 64.into(),
        hidden_sectors: 0.into(),
        total_32: total_32.into(),
    })
}

fn wide(geometry: &Geometry) -> Wide {
    Wide {
        table_32: geometry.table.into(),
        flags: 0.into(),
        version: 0.into(),
        root_cluster: 2.into(),
        info_sector: INFO.into(),
        backup_sector: BACKUP.into(),
        reserved: [0; 12],
    }
}

fn names(kind: FatType, head: Head) -> Names {
    Names {
        drive: 0x80,
        reserved: 0,
        signature: 0x29,
        volume_id: head.volume_id.into(),
        label: head.label.unwrap_or(*b"NO NAME    "),
        kind: match kind {
            FatType::Fat12 => *b"FAT12   ",
            FatType::Fat16 => *b"FAT16   ",
            FatType::Fat32 => *b"FAT32   ",
        },
    }
}

fn fs_info((free, next): (u32, u32)) -> FsInfo {
    FsInfo {
        lead: *b"RRaA",
        reserved: [0; 480],
        structure: *b"rrAa",
        free: free.into(),
        next: next.into(),
        reserved_2: [0; 12],
        trail: [0, 0, 0x55, 0xaa],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the two fields for the number of sectors one is 0.
    #[test]
    fn sectors_in_sixteen_bits_or_in_thirty_two() {
        for (size_mib, kind, want) in [
            (1, FatType::Fat12, (2048, 0)),
            (31, FatType::Fat16, (63_488, 0)),
            (32, FatType::Fat16, (0, 65_536)),
            (33, FatType::Fat32, (0, 67_584)),
        ] {
            let geometry = Geometry::of(size_mib, Some(kind)).unwrap();
            let bpb = bpb(&geometry).unwrap();
            assert_eq!((bpb.total_16.get(), bpb.total_32.get()), want);
        }
    }
}
