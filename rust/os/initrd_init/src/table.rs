//! The partition table of a disk that anybody may have made: number, first sector and id of each partition.
//!
//! Spec: UEFI 2.10, chapter 5. A table counts where the kernel takes it, so that both mean the same partitions: behind a protective MBR, with both
//! checksums right, from the backup at the end of the disk if the first copy is damaged. What is read is bounded before it is read.

use std::os::unix::fs::FileExt;

use anyhow::{ensure, Context, Result};
use uuid::Uuid;

/// Bytes of a sector; systems are on drives of such sectors only.
const SECTOR: u64 = 512;
/// Length of a header, and of an entry.
const HEADER: usize = 92;
const ENTRY: usize = 128;
/// Entries of all tables there are are 128; this many are read at most.
const MOST: u32 = 1024;

/// A partition as its table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) number: u32,
    /// First sector, of 512 bytes.
    pub(crate) start: u64,
    pub(crate) id: Uuid,
}

/// Reads the table of a disk of so many bytes.
pub(crate) fn read(disk: &impl FileExt, len: u64) -> Result<Vec<Entry>> {
    let mut mbr = [0; 512];
    disk.read_exact_at(&mut mbr, 0)
        .context("cannot read its first sector")?;
    ensure!(is_protective(&mbr), "no protective MBR");
    let last = (len / SECTOR).checked_sub(1).context("it has no sector")?;
    copy(disk, 1).or_else(|first| copy(disk, last).map_err(|_| first))
}

/// Whether one of the four entries is of the kind that stands for a GPT, as the kernel asks.
fn is_protective(mbr: &[u8; 512]) -> bool {
    let kinds = [450, 466, 482, 498].map(|at| mbr.get(at).copied());
    mbr.ends_with(&[0x55, 0xaa]) && kinds.contains(&Some(0xee))
}

/// Reads the copy whose header is in a sector.
fn copy(disk: &impl FileExt, sector: u64) -> Result<Vec<Entry>> {
    let mut header = [0; 512];
    let at = sector
        .checked_mul(SECTOR)
        .context("a place beyond all disks")?;
    disk.read_exact_at(&mut header, at)
        .with_context(|| format!("cannot read sector {sector}"))?;
    ensure!(header.starts_with(b"EFI PART"), "no GPT in sector {sector}");
    ensure!(
        number::<4>(&header, 12) == 92,
        "the GPT in sector {sector} has a header of another length than {HEADER}"
    );
    let sum = number::<4>(&header, 16);
    header.get_mut(16..20).context("a header")?.fill(0);
    let found = crc32fast::hash(header.get(..HEADER).context("a header")?);
    ensure!(
        sum == u64::from(found),
        "the header of the GPT in sector {sector} is damaged"
    );
    ensure!(
        number::<8>(&header, 24) == sector,
        "the GPT in sector {sector} says that it is in another one"
    );
    let (count, size) = (number::<4>(&header, 80), number::<4>(&header, 84));
    ensure!(
        size == 128 && count <= u64::from(MOST),
        "the GPT in sector {sector} has {count} entries of {size} bytes, want {MOST} of {ENTRY} at most"
    );
    let mut entries = vec![
        0;
        usize::try_from(count)?
            .checked_mul(ENTRY)
            .context("entries")?
    ];
    let at = number::<8>(&header, 72)
        .checked_mul(SECTOR)
        .context("entries beyond all disks")?;
    disk.read_exact_at(&mut entries, at)
        .context("cannot read the entries of its GPT")?;
    let sum = number::<4>(&header, 88);
    ensure!(
        sum == u64::from(crc32fast::hash(&entries)),
        "the entries of the GPT in sector {sector} are damaged"
    );
    let partitions = (1..)
        .zip(entries.chunks_exact(ENTRY))
        .filter_map(|(number, entry)| of(number, entry));
    Ok(partitions.collect())
}

/// What an entry says; nothing if it is unused.
fn of(number: u32, entry: &[u8]) -> Option<Entry> {
    let guid = |at: usize| Some(Uuid::from_bytes_le(*entry.get(at..)?.first_chunk()?));
    if guid(0)?.is_nil() {
        return None;
    }
    let start = u64::from_le_bytes(*entry.get(32..)?.first_chunk()?);
    Some(Entry {
        number,
        start,
        id: guid(16)?,
    })
}

/// The number of `LEN` bytes at a place of a header, which has it.
fn number<const LEN: usize>(header: &[u8; 512], at: usize) -> u64 {
    let bytes = header
        .get(at..)
        .and_then(|bytes| bytes.first_chunk::<LEN>());
    let digits = bytes.map_or(&[][..], |bytes| bytes).iter().rev();
    digits.fold(0, |number, digit| number << 8 | u64::from(*digit))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use gpt::disk::LogicalBlockSize;
    use gpt::mbr::ProtectiveMBR;
    use gpt::partition_types::LINUX_FS;
    use gpt::GptConfig;
    use proptest::prelude::*;

    use super::*;

    const LEN: u64 = 8 << 20;

    /// A disk by another writer, and what that says of its partitions.
    fn disk() -> (File, Vec<Entry>) {
        let mut file = tempfile::tempfile().unwrap();
        file.set_len(LEN).unwrap();
        ProtectiveMBR::with_lb_size(u32::try_from(LEN / SECTOR).unwrap())
            .overwrite_lba0(&mut file)
            .unwrap();
        let config = GptConfig::new()
            .writable(true)
            .logical_block_size(LogicalBlockSize::Lb512);
        let mut table = config
            .create_from_device(file.try_clone().unwrap(), None)
            .unwrap();
        for _ in 0..3 {
            table
                .add_partition("p", 1 << 20, LINUX_FS, 0, None)
                .unwrap();
        }
        let entries = table.partitions().iter().map(|(number, partition)| Entry {
            number: *number,
            start: partition.first_lba,
            id: Uuid::from_bytes(*partition.part_guid.as_bytes()),
        });
        let entries = entries.collect();
        table.write().unwrap();
        (file, entries)
    }

    #[test]
    fn another_writers_table_is_read() {
        let (disk, entries) = disk();
        assert_eq!(entries.len(), 3);
        // An entry that is not used is passed over.
        assert_eq!(of(7, &[0; ENTRY]), None);
        assert_eq!(read(&disk, LEN).unwrap(), entries);
    }

    #[test]
    fn the_backup_counts_if_the_first_copy_is_damaged() {
        for place in [512, 512 + 60, 1024 + 40] {
            let (disk, entries) = disk();
            disk.write_all_at(&[0xff], place).unwrap();
            assert_eq!(read(&disk, LEN).unwrap(), entries, "{place}");
        }
    }

    /// A header with right checksums and anything in it: what a stick may bring.
    fn forged(change: impl Fn(&mut [u8; 512])) -> File {
        let (mut disk, _) = disk();
        let mut header = [0; 512];
        disk.read_exact_at(&mut header, 512).unwrap();
        change(&mut header);
        header[16..20].fill(0);
        let sum = crc32fast::hash(&header[..HEADER]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk.write_all_at(&header, 512).unwrap();
        // Only this copy.
        disk.set_len(LEN - SECTOR).unwrap();
        disk.flush().unwrap();
        disk
    }

    #[test]
    fn what_a_header_claims_is_bounded() {
        for (at, bytes, want) in [
            (84, u32::MAX, "entries of 4294967295 bytes"),
            (
                84,
                129,
                "128 entries of 129 bytes, want 1024 of 128 at most",
            ),
            (80, u32::MAX, "4294967295 entries of 128 bytes"),
            (80, 1025, "1025 entries"),
            (80, 127, "the entries of the GPT in sector 1 are damaged"),
            (76, u32::MAX, "entries beyond all disks"),
            (72, u32::MAX, "cannot read the entries"),
            (24, 7, "says that it is in another one"),
            (12, 512, "header of another length"),
            (0, 0, "no GPT in sector 1"),
        ] {
            let disk = forged(|header| header[at..at + 4].copy_from_slice(&bytes.to_le_bytes()));
            let error = format!("{:#}", read(&disk, LEN - SECTOR).unwrap_err());
            assert!(error.contains(want), "{at} {bytes}: {error}");
        }
    }

    #[test]
    fn a_disk_with_partitions_of_an_mbr_has_no_gpt() {
        let (disk, _) = disk();
        disk.write_all_at(&[0x83], 450).unwrap();
        assert_eq!(
            read(&disk, LEN).unwrap_err().to_string(),
            "no protective MBR"
        );
        assert!(read(&tempfile::tempfile().unwrap(), 0).is_err());
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(at in 0_usize..92, byte in any::<u8>()) {
            let disk = forged(|header| header[at] = byte);
            let _ = read(&disk, LEN - SECTOR);
        }
    }
}
