//! Images that are long and hold little: a few bytes here and there, holes everywhere else. What they say of themselves must not be
//! taken for what there is.
#![no_main]

use inspect::{Error, Image};
use libfuzzer_sys::fuzz_target;

/// Bytes by position; all else is zero, and known to be.
struct Holes {
    len: u64,
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Image for Holes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        buffer.fill(0);
        for (start, bytes) in &self.pieces {
            for (place, byte) in (*start..).zip(bytes) {
                let index = place
                    .checked_sub(at)
                    .and_then(|index| usize::try_from(index).ok());
                if let Some(to) = index.and_then(|index| buffer.get_mut(index)) {
                    *to = *byte;
                }
            }
        }
        Ok(())
    }

    fn zeros(&self, at: u64) -> u64 {
        let inside =
            |(start, bytes): &&(u64, Vec<u8>)| (*start..start + bytes.len() as u64).contains(&at);
        if self.pieces.iter().find(inside).is_some() {
            return 0;
        }
        let next = self
            .pieces
            .iter()
            .map(|(start, _)| *start)
            .filter(|start| *start > at)
            .min();
        next.unwrap_or(self.len).saturating_sub(at)
    }

    fn stored(&self) -> u64 {
        self.pieces
            .iter()
            .map(|(_, bytes)| bytes.len() as u64)
            .sum()
    }
}

/// What there is to begin with: an ext4 superblock, a boot sector of FAT32, a hash tree behind a file system.
fn template(choice: u8) -> Vec<(u64, Vec<u8>)> {
    match choice % 4 {
        0 => vec![(1024, superblock())],
        1 => {
            let mut boot = b"\xeb\x58\x90mkfs.fat\0\x02\x08\x20\0\x02\0\0\0\0\xf8\0\0".to_vec();
            boot.resize(512, 0);
            boot[32..40].copy_from_slice(b"\0\0\0\x40\0\0\x02\0");
            boot[44] = 2;
            boot[510..].copy_from_slice(&[0x55, 0xaa]);
            vec![(0, boot)]
        }
        2 => {
            let mut tree = b"verity\0\0\x01\0\0\0\x01\0\0\0".to_vec();
            tree.resize(512, 0);
            tree[32..38].copy_from_slice(b"sha256");
            tree[64..72].copy_from_slice(b"\0\x10\0\0\0\x10\0\0");
            tree[72] = 16;
            vec![(1024, superblock()), (1 << 16, tree)]
        }
        _ => Vec::new(),
    }
}

fn superblock() -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    for (at, number) in [
        (0, 8192u32),
        (4, 64),
        (0x14, 1),
        (0x20, 8192),
        (0x24, 8192),
        (0x28, 8192),
        (0x4c, 1),
    ] {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
    bytes[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
    bytes[0x59] = 1;
    bytes[0x60] = 0xc2;
    bytes[0xfe] = 64;
    bytes
}

// Choice of the template, length as mantissa and exponent, then pieces: position as three bytes and a shift, length, bytes.
fuzz_target!(|data: &[u8]| {
    let [choice, mantissa, exponent, rest @ ..] = data else {
        return;
    };
    let mut rest = rest;
    let len = (u64::from(*mantissa) << (exponent % 56)).min((1 << 63) - 1);
    let mut pieces = template(*choice);
    while let [a, b, c, shift, len, after @ ..] = rest {
        let at = u64::from_le_bytes([*a, *b, *c, 0, 0, 0, 0, 0]) << (shift % 38);
        let (bytes, after) = after.split_at(after.len().min(usize::from(*len % 64)));
        pieces.push((at, bytes.to_vec()));
        rest = after;
    }
    pieces.retain(|(at, bytes)| !bytes.is_empty() && at + (bytes.len() as u64) <= len);
    let image = Holes { len, pieces };
    fuzz::look(&image);
});
