//! The journal: empty, clean.
//!
//! Spec: the kernel's `filesystems/ext4/journal` page. Integers are big-endian here.

use zerocopy::big_endian::U32;
use zerocopy::{Immutable, IntoBytes, Unaligned};

use crate::bytes::BLOCK;
use crate::num::{narrow, short};

/// What the first block of a journal begins with; the rest is zero.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Superblock {
    /// 0: 0xC03B3998.
    h_magic: U32,
    /// 4: 4, superblock of version 2.
    h_blocktype: U32,
    /// 8: 0.
    h_sequence: U32,
    /// 0xC: 4096.
    s_blocksize: U32,
    /// 0x10: blocks of the journal.
    s_maxlen: U32,
    /// 0x14: 1.
    s_first: U32,
    /// 0x18: 1.
    s_sequence: U32,
    /// 0x1C: 0, nothing to replay.
    s_start: U32,
    /// 0x20: 0.
    s_errno_and_features: [u8; 16],
    /// 0x30: the file system's.
    s_uuid: [u8; 16],
    /// 0x40: 1.
    s_nr_users: U32,
}

const _: () = assert!(size_of::<Superblock>() == 0x44);

/// The first block of a journal of `blocks` blocks, without the zeros at its end.
pub(crate) fn superblock(blocks: u64, uuid: &[u8; 16]) -> Vec<u8> {
    let superblock = Superblock {
        h_magic: U32::new(0xc03b_3998),
        h_blocktype: U32::new(4),
        h_sequence: U32::ZERO,
        s_blocksize: U32::new(short(BLOCK).into()),
        s_maxlen: U32::new(narrow(blocks)),
        s_first: U32::new(1),
        s_sequence: U32::new(1),
        s_start: U32::ZERO,
        s_errno_and_features: [0; 16],
        s_uuid: *uuid,
        s_nr_users: U32::new(1),
    };
    superblock.as_bytes().to_vec()
}
