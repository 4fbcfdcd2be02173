//! Boot sector and FSInfo (sections 3.1 to 3.3 and 5 of the specification).

use crate::bytes::{low16, Block};
use crate::geometry::{Geometry, ROOT_RECORDS, SECTOR, TABLES};
use crate::params::FatType;

/// What a volume's heads carry besides its geometry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) volume_id: u32,
    pub(crate) label: Option<[u8; 11]>,
}

const SECTOR_LEN: usize = 512;
const MEDIA: u8 = 0xf8;
/// Where FAT32 keeps the second copy of boot sector and FSInfo.
const BACKUP: u64 = 6;

/// The sectors before the tables as (sector, bytes).
pub(crate) fn sectors(geometry: &Geometry, head: Head, info: (u32, u32)) -> Vec<(u64, Block)> {
    let mut out = vec![(0, boot(geometry, head))];
    if geometry.kind == FatType::Fat32 {
        out.push((1, fs_info(info)));
        out.push((2, tail()));
        out.push((BACKUP, boot(geometry, head)));
        out.push((BACKUP.saturating_add(1), fs_info(info)));
        out.push((BACKUP.saturating_add(2), tail()));
    }
    out
}

fn boot(geometry: &Geometry, head: Head) -> Block {
    let mut b = Block::new(SECTOR_LEN);
    let wide = geometry.kind == FatType::Fat32;
    let half = |value: u64| low16(word(value));
    b.put(0, &[0xeb, if wide { 0x58 } else { 0x3c }, 0x90]);
    // The name that most readers have been tried with.
    b.put(3, b"MSWIN4.1");
    b.put(11, &half(SECTOR));
    b.put(13, &half(geometry.cluster)[..1]);
    b.put(14, &half(geometry.kind.reserved()));
    b.put(16, &half(TABLES)[..1]);
    b.put(17, &half(if wide { 0 } else { ROOT_RECORDS }));
    let short = !wide && geometry.total < 0x10000;
    b.put(19, &half(if short { geometry.total } else { 0 }));
    b.put(21, &[MEDIA]);
    b.put(22, &half(if wide { 0 } else { geometry.table }));
    // 32 sectors a track and 64 heads: 1 MiB a cylinder; nothing uses it any more.
    b.put(24, &[32, 0, 64, 0]);
    let total = if short { 0 } else { word(geometry.total) };
    b.put(32, &total.to_le_bytes());
    let at = if wide { 64 } else { 36 };
    if wide {
        b.put(36, &word(geometry.table).to_le_bytes());
        // Flags 0: both tables are kept alike; version 0.0; root directory at cluster 2; FSInfo in sector 1.
        b.put(44, &2u32.to_le_bytes());
        b.put(48, &half(1));
        b.put(50, &half(BACKUP));
    }
    let kind: &[u8; 8] = match geometry.kind {
        FatType::Fat12 => b"FAT12   ",
        FatType::Fat16 => b"FAT16   ",
        FatType::Fat32 => b"FAT32   ",
    };
    let rest: [&[u8]; 5] = [
        &[0x80, 0, 0x29],
        &head.volume_id.to_le_bytes(),
        &head.label.unwrap_or(*b"NO NAME    "),
        kind,
        &[],
    ];
    b.put(at, &rest.concat());
    b.put(510, &[0x55, 0xaa]);
    b
}

/// Free clusters and the cluster where a search for one should start.
fn fs_info((free, next): (u32, u32)) -> Block {
    let mut b = Block::new(SECTOR_LEN);
    b.put(0, b"RRaA");
    b.put(484, b"rrAa");
    b.put(488, &free.to_le_bytes());
    b.put(492, &next.to_le_bytes());
    b.put(510, &[0x55, 0xaa]);
    b
}

/// The third sector of the boot record: empty but for its signature.
fn tail() -> Block {
    let mut b = Block::new(SECTOR_LEN);
    b.put(510, &[0x55, 0xaa]);
    b
}

/// The field of a value that the geometry keeps below 2^32.
fn word(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
