//! The label of a FAT volume.
//!
//! Microsoft FAT specification 1.03: the boot sector (section 3) says where the root folder is; an entry there with
//! attribute `ATTR_VOLUME_ID` (section 6) holds the label. Desktops change that entry only, so it counts before the copy
//! in the boot sector. All integers little-endian.
//!
//! | offset | size | field                       | FAT12, FAT16 | FAT32        |
//! |-------:|-----:|-----------------------------|--------------|--------------|
//! |     11 |    2 | `BPB_BytsPerSec`            | yes          | yes          |
//! |     13 |    1 | `BPB_SecPerClus`            | yes          | yes          |
//! |     14 |    2 | `BPB_RsvdSecCnt`            | yes          | yes          |
//! |     16 |    1 | `BPB_NumFATs`               | yes          | yes          |
//! |     17 |    2 | `BPB_RootEntCnt`            | entries      | 0            |
//! |     22 |    2 | `BPB_FATSz16`               | sectors      | 0            |
//! |     36 |    4 | `BPB_FATSz32`               | –            | sectors      |
//! |     44 |    4 | `BPB_RootClus`              | –            | first cluster |
//! |  43/71 |   11 | `BS_VolLab`                 | at 43        | at 71        |
//! |  54/82 |    8 | `BS_FilSysType`             | at 54        | at 82        |
//! |    510 |    2 | signature `55 AA`           | yes          | yes          |

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What a device holds, as far as a label is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Volume {
    /// A FAT file system and its label.
    Fat(Option<String>),
    /// Something else; its name if it is one that media often come with.
    Other(Option<&'static str>),
}

/// Most bytes of a root folder that are looked at: the label is among its first entries.
const MOST_ROOT: u64 = 1 << 16;
const ENTRY: usize = 32;
const ATTR_VOLUME_ID: u8 = 0x08;
/// Of a long name's entries, which have that bit too.
const ATTR_LONG_NAME: u8 = 0x0f;

/// Looks at the volume in `device`.
pub(crate) fn look(device: &File) -> io::Result<Volume> {
    let mut sector = [0; 512];
    if let Err(error) = device.read_exact_at(&mut sector, 0) {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => Ok(Volume::Other(None)),
            _ => Err(error),
        };
    }
    let Some(boot) = Boot::parse(&sector) else {
        return Ok(Volume::Other(other(&sector)));
    };
    // A folder that can't be read to its end is one without a label.
    let len = usize::try_from(boot.root_len.min(MOST_ROOT)).unwrap_or(0);
    let mut root = vec![0; len];
    let read = device.read_exact_at(&mut root, boot.root_start).is_ok();
    let entry = read.then(|| label_entry(&root)).flatten();
    Ok(Volume::Fat(entry.or(boot.label).and_then(text)))
}

fn other(sector: &[u8; 512]) -> Option<&'static str> {
    match sector.get(3..11)? {
        b"EXFAT   " => Some("exFAT"),
        b"NTFS    " => Some("NTFS"),
        _ => None,
    }
}

/// What the boot sector says.
struct Boot {
    root_start: u64,
    root_len: u64,
    label: Option<[u8; 11]>,
}

impl Boot {
    fn parse(sector: &[u8; 512]) -> Option<Self> {
        let byte = |at: usize| sector.get(at).copied().map(u64::from);
        let word = |at: usize| Some(byte(at)? | byte(at.checked_add(1)?)? << 8);
        let long = |at: usize| Some(word(at)? | word(at.checked_add(2)?)? << 16);
        let bytes = word(11)?;
        let per_cluster = byte(13)?;
        let fine = matches!(bytes, 512 | 1024 | 2048 | 4096)
            && per_cluster.is_power_of_two()
            && matches!(byte(16)?, 1 | 2)
            && word(14)? > 0
            && sector.get(510..)? == [0x55, 0xaa];
        if !fine {
            return None;
        }
        let is_32 = word(22)? == 0;
        let (label_at, type_at) = if is_32 { (71, 82) } else { (43, 54) };
        // Not a proof after the specification, but NTFS and boot loaders have nothing like it there.
        if !sector.get(type_at..)?.starts_with(b"FAT") {
            return None;
        }
        let table = if is_32 { long(36)? } else { word(22)? };
        let tables = byte(16)?.checked_mul(table)?;
        let first = word(14)?.checked_add(tables)?;
        let (sectors, root_len) = if is_32 {
            let cluster = long(44)?.checked_sub(2)?.checked_mul(per_cluster)?;
            (first.checked_add(cluster)?, per_cluster.checked_mul(bytes)?)
        } else {
            (first, word(17)?.checked_mul(32)?)
        };
        let label = sector.get(label_at..)?.first_chunk::<11>().copied();
        Some(Self {
            root_start: sectors.checked_mul(bytes)?,
            root_len,
            label,
        })
    }
}

fn label_entry(root: &[u8]) -> Option<[u8; 11]> {
    for entry in root.chunks_exact(ENTRY) {
        let (first, attributes) = (*entry.first()?, *entry.get(11)?);
        match first {
            // No entry after it is in use.
            0 => break,
            // Deleted.
            0xe5 => {}
            _ if attributes & ATTR_LONG_NAME == ATTR_LONG_NAME => {}
            _ if attributes & ATTR_VOLUME_ID != 0 => return entry.first_chunk::<11>().copied(),
            _ => {}
        }
    }
    None
}

/// A label without the spaces that fill it; `NO NAME` is how formatters say that there is none.
fn text(label: [u8; 11]) -> Option<String> {
    let text: String = label.iter().map(|b| char::from(*b)).collect();
    let text = text.trim_end_matches([' ', '\0']);
    (!text.is_empty() && text != "NO NAME").then(|| text.to_owned())
}

#[cfg(test)]
#[path = "fat_tests.rs"]
mod tests;
