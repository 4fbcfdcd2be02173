//! What is on a partition of the machine's own, which may be encrypted as a whole.
//!
//! | found      | how it is known                                                                                       |
//! |------------|-------------------------------------------------------------------------------------------------------|
//! | half made  | [`MARK`] at the start of the last 4096 bytes                                                          |
//! | ext4       | the magic number of its first superblock                                                              |
//! | nothing    | no second superblock, and nothing but zeros where a file system has its structures and where the mark is |
//! | other      | anything else                                                                                         |
//!
//! An encrypted one ([`is_luks`]) is told apart besides: the remains of a file system in front of it don't hide it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

/// At the end of a partition while its file system is made.
pub const MARK: &[u8] = b"node_tool: a file system is being made here\n";
/// Where the first superblock of ext4 is.
pub const SUPERBLOCK: u64 = 1024;

/// How far the mark is from the end: a block.
const MARK_FROM_END: u64 = 4096;
/// Magic number of ext4, and where it is in a superblock.
const MAGIC: [u8; 2] = [0x53, 0xef];
const MAGIC_AT: u64 = 0x38;
/// Block and block size of the second superblock.
const SECOND_SUPERBLOCK: [(u64, u64); 3] = [(8193, 1024), (16384, 2048), (32768, 4096)];
/// Where a file system has its first structures, whatever its size.
const START: u64 = 16 << 20;

/// What the first header of LUKS begins with, and where the second one may be, which begins with [`SECOND`] (LUKS2 On-Disk Format,
/// "Binary Header").
const FIRST: &[u8; 6] = b"LUKS\xba\xbe";
const SECOND: &[u8; 6] = b"SKUL\xba\xbe";
const SECOND_AT: [u64; 9] = [
    0x4000, 0x8000, 0x1_0000, 0x2_0000, 0x4_0000, 0x8_0000, 0x10_0000, 0x20_0000, 0x40_0000,
];

/// What is on a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing ever was.
    Nothing,
    /// A file system was being made when the power went.
    HalfMade,
    /// A superblock.
    Ext4,
    /// Something.
    Other,
}

/// What is on `partition`, which has `len` bytes.
pub fn look(partition: &File, len: u64) -> io::Result<Found> {
    let mut mark = [0; MARK.len()];
    partition.read_exact_at(&mut mark, mark_at(len)?)?;
    if mark == MARK {
        return Ok(Found::HalfMade);
    }
    if has_superblock(partition, SUPERBLOCK)? {
        return Ok(Found::Ext4);
    }
    if second_superblock(partition)?.is_some() {
        return Ok(Found::Other);
    }
    match zeros(partition, START.min(len))? && mark.iter().all(|byte| *byte == 0) {
        true => Ok(Found::Nothing),
        false => Ok(Found::Other),
    }
}

/// Where the mark is on a partition of `len` bytes; an error if it has not even a block.
pub fn mark_at(len: u64) -> io::Result<u64> {
    let too_small = || io::Error::other(format!("{len} bytes, want at least {MARK_FROM_END}"));
    len.checked_sub(MARK_FROM_END).ok_or_else(too_small)
}

/// Block and block size of the second superblock of ext4, should there be one.
pub fn second_superblock(partition: &File) -> io::Result<Option<(u64, u64)>> {
    for (block, size) in SECOND_SUPERBLOCK {
        let start = block.checked_mul(size).ok_or(io::ErrorKind::InvalidInput)?;
        if has_superblock(partition, start)? {
            return Ok(Some((block, size)));
        }
    }
    Ok(None)
}

/// Whether there is a superblock of ext4 at `start`.
pub fn has_superblock(partition: &File, start: u64) -> io::Result<bool> {
    let at = start
        .checked_add(MAGIC_AT)
        .ok_or(io::ErrorKind::InvalidInput)?;
    begins(partition, at, &MAGIC)
}

/// Whether there is a header of LUKS; one of two will do, for cryptsetup brings the other one back.
pub fn is_luks(partition: &File) -> io::Result<bool> {
    for (at, magic) in luks_headers() {
        if begins(partition, at, magic)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The same of a partition's first bytes.
pub fn is_luks_in(head: &[u8]) -> bool {
    luks_headers().any(|(at, magic)| {
        let there = head.get(base::as_usize(at)..);
        there.is_some_and(|bytes| bytes.starts_with(magic))
    })
}

/// Where a header of LUKS may be, and what it begins with there.
fn luks_headers() -> impl Iterator<Item = (u64, &'static [u8; 6])> {
    let second = SECOND_AT.into_iter().map(|at| (at, SECOND));
    std::iter::once((0, FIRST)).chain(second)
}

/// Whether `bytes` are at `at`; beyond the end nothing is.
fn begins<const N: usize>(partition: &File, at: u64, bytes: &[u8; N]) -> io::Result<bool> {
    let mut there = [0; N];
    match partition.read_exact_at(&mut there, at) {
        Ok(()) => Ok(there == *bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the first `len` bytes are zeros.
fn zeros(mut file: &File, len: u64) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut rest = file.take(len);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = rest.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(true);
        };
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u64 = 20 << 20;

    #[test]
    fn either_header_will_do() {
        let file = tempfile::tempfile().unwrap();
        assert!(!is_luks(&file).unwrap());
        file.set_len(LEN).unwrap();
        assert!(!is_luks(&file).unwrap());
        for (at, magic) in [(0, FIRST), (0x4000, SECOND), (0x40_0000, SECOND)] {
            file.write_all_at(magic, at).unwrap();
            assert!(is_luks(&file).unwrap(), "{at}");
            let mut head = vec![0; 8 << 20];
            assert!(!is_luks_in(&head));
            file.read_exact_at(&mut head, 0).unwrap();
            assert!(is_luks_in(&head), "{at}");
            file.write_all_at(&[0; 6], at).unwrap();
            // The one where the other belongs is none.
            let other = if at == 0 { SECOND } else { FIRST };
            file.write_all_at(other, at).unwrap();
            assert!(!is_luks(&file).unwrap(), "{at}");
            file.write_all_at(&[0; 6], at).unwrap();
        }
    }

    #[test]
    fn what_is_found() {
        let end = LEN - MARK_FROM_END;
        let second = 16384 * 2048 + MAGIC_AT;
        let cases: [(u64, &[u8], Found); 6] = [
            (0, b"", Found::Nothing),
            (end, MARK, Found::HalfMade),
            (SUPERBLOCK + MAGIC_AT, &MAGIC, Found::Ext4),
            (8193 * 1024 + MAGIC_AT, &MAGIC, Found::Other),
            (end, b"x", Found::Other),
            (START - 1, b"x", Found::Other),
        ];
        for (at, bytes, want) in cases {
            let file = tempfile::tempfile().unwrap();
            file.set_len(LEN).unwrap();
            file.write_all_at(bytes, at).unwrap();
            assert_eq!(look(&file, LEN).unwrap(), want, "{at}");
        }
        // Where no second superblock can be, for the partition ends before.
        let file = tempfile::tempfile().unwrap();
        assert!(second > LEN && second_superblock(&file).unwrap().is_none());
        let error = look(&file, 100).unwrap_err().to_string();
        assert_eq!(error, "100 bytes, want at least 4096");
    }
}
