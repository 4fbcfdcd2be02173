//! The journal: empty, clean.
//!
//! Spec: the kernel's `filesystems/ext4/journal` page. Integers are big-endian here. The first block of the journal:
//!
//! | offset | size | field                 | we write                   |
//! |-------:|-----:|-----------------------|----------------------------|
//! |      0 |    4 | `h_magic`             | 0xC03B3998                 |
//! |      4 |    4 | `h_blocktype`         | 4: superblock, version 2   |
//! |   0x0C |    4 | `s_blocksize`         | 4096                       |
//! |   0x10 |    4 | `s_maxlen`            | blocks of the journal      |
//! |   0x14 |    4 | `s_first`             | 1                          |
//! |   0x18 |    4 | `s_sequence`          | 1                          |
//! |   0x1C |    4 | `s_start`             | 0: nothing to replay       |
//! |   0x30 |   16 | `s_uuid`              | the file system's          |
//! |   0x40 |    4 | `s_nr_users`          | 1                          |

use crate::bytes::{narrow, put, BLOCK};
use crate::params::BLOCK_SIZE;

/// The first block of a journal of `blocks` blocks.
pub(crate) fn superblock(blocks: u64, uuid: &[u8; 16]) -> Vec<u8> {
    let mut out = vec![0; BLOCK];
    let fields = [
        (0, 0xc03b_3998),
        (0x4, 4),
        (0xc, narrow(BLOCK_SIZE)),
        (0x10, narrow(blocks)),
        (0x14, 1),
        (0x18, 1),
        (0x40, 1),
    ];
    for (at, value) in fields {
        put(&mut out, at, &u32::to_be_bytes(value));
    }
    put(&mut out, 0x30, uuid);
    out
}
