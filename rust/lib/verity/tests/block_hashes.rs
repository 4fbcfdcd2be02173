//! Block hashes: what is in the file, and what is refused.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::io::Read;
use std::sync::Mutex;

use common::noise;
use plan::{Input, ReadAt};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use verity::{write_block_hashes, BlockHashes, Error, Known, Params};

fn file(input: &[u8], salt: &[u8], block: u32) -> Vec<u8> {
    cut_file(input, salt, block, &[]).unwrap()
}

fn cut_file(input: &[u8], salt: &[u8], block: u32, cuts: &[u64]) -> Result<Vec<u8>, Error> {
    let out = Mutex::new(Vec::new());
    let len = input.len() as u64;
    write_block_hashes(&input.to_vec(), len, salt, block, cuts, &out)?;
    Ok(out.into_inner().unwrap())
}

fn open(bytes: &[u8]) -> Result<BlockHashes, Error> {
    BlockHashes::open(Box::new(bytes.to_vec()), bytes.len() as u64)
}

#[test]
fn every_byte() {
    let many: Vec<u64> = (0..5000)
        .filter(|n| n % 3 != 0)
        .map(|n| n * 512 + n % 511 + 1)
        .collect();
    let cases: [(usize, &[u64]); 7] = [
        (0, &[]),
        (1, &[]),
        (4096, &[]),
        (4096, &[1, 513, 4095]),
        (4097, &[511, 4095]),
        (5000 * 512, &[]),
        (5000 * 512, &many),
    ];
    for (len, cuts) in cases {
        let (input, salt) = (noise(len, 7), b"pepper");
        let mut want = b"BLKHASH\0\x02\0\0\0\0\x02\0\0".to_vec();
        want.extend_from_slice(&(len as u64).to_le_bytes());
        want.extend_from_slice(&6u64.to_le_bytes());
        want.extend_from_slice(salt);
        want.resize(288, 0);
        want.extend_from_slice(&(cuts.len() as u64).to_le_bytes());
        want.extend(cuts.iter().flat_map(|cut| cut.to_le_bytes()));
        let mut padded = input.clone();
        padded.resize(len.next_multiple_of(512), 0);
        for cut in cuts {
            let cut = *cut as usize;
            padded[cut..cut.next_multiple_of(512)].fill(0);
        }
        let blocks = padded.chunks(512);
        let digests: Vec<u8> = blocks
            .flat_map(|block| Sha256::digest([salt, block].concat()))
            .collect();
        let mut sealed = want.clone();
        for piece in digests.chunks(4096 * 32) {
            sealed.extend_from_slice(&Sha256::digest(piece));
        }
        want.extend_from_slice(&digests);
        want.extend_from_slice(&Sha256::digest(sealed));
        let got = cut_file(&input, salt, 512, cuts).unwrap();
        assert!(got == want, "{len} {}", cuts.len());
        assert_eq!(open(&got).unwrap().input_len(), len as u64);
    }
}

#[test]
fn a_file_has_what_memory_has() {
    let input = noise(600 * 512, 7);
    let mut got = tempfile::tempfile().unwrap();
    let len = input.len() as u64;
    let written = write_block_hashes(&input, len, b"pepper", 512, &[5], &got).unwrap();
    let mut bytes = Vec::new();
    got.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, written);
    assert!(bytes == cut_file(&input, b"pepper", 512, &[5]).unwrap());
}

#[test]
fn cuts_that_are_none() {
    let input = noise(5000, 1);
    let tell = |cut| {
        format!(
            "a cut at {cut} of 5000 bytes: want them in ascending order, each within the input and within a block of its own"
        )
    };
    for (cuts, cut) in [
        (&[0u64][..], 0u64),
        (&[4096], 4096),
        (&[5000], 5000),
        (&[u64::MAX], u64::MAX),
        (&[4097, 1], 1),
        (&[1, 2], 2),
        (&[7, 7], 7),
    ] {
        let text = cut_file(&input, b"", 4096, cuts).unwrap_err().to_string();
        assert_eq!(text, tell(cut));
        // In a file that somebody made.
        let right = [1, 4097];
        let mut bytes = cut_file(&input, b"", 4096, &right[..cuts.len()]).unwrap();
        for (n, cut) in cuts.iter().enumerate() {
            bytes[296 + 8 * n..304 + 8 * n].copy_from_slice(&cut.to_le_bytes());
        }
        let end = bytes.len() - 32;
        let (sealed, digests) = bytes[..end].split_at(296 + 8 * cuts.len());
        let seal = Sha256::digest([sealed, &Sha256::digest(digests)].concat());
        bytes[end..].copy_from_slice(&seal);
        let at = 296 + 8 * (cuts.len() - 1);
        let text = open(&bytes).unwrap_err().to_string();
        assert_eq!(
            text,
            format!("not valid block hashes: at byte {at}: {}", tell(cut))
        );
    }
}

#[test]
fn an_input_beyond_files() {
    let out = Mutex::new(Vec::new());
    let error = write_block_hashes(&Vec::new(), 1 << 63, b"", 512, &[], &out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an input of 9223372036854775808 bytes is too long: files end before 2^63"
    );
    assert_eq!(out.into_inner().unwrap(), b"");
}

#[test]
fn refusals() {
    let good = file(&noise(5000, 1), b"pepper", 4096);
    let changes: [(usize, &[u8], &str); 9] = [
        (0, b"b", "at byte 0: it does not begin with BLKHASH"),
        (8, &[1], "at byte 8: version 1, want 2"),
        (12, &[1], "at byte 12: data block size 4097: want a power of two from 512 to 65536"),
        (18, &[1], "at byte 16: an input of 70536 bytes has 18 blocks, which with 0 cuts the 392 bytes of this file don't fit"),
        (23, &[255], "at byte 16: an input of 18374686479671628680 bytes has 4486007441326082 blocks, which with 0 cuts the 392 bytes of this file don't fit"),
        (25, &[1], "at byte 24: a salt of 262 bytes, at most 256 fit"),
        (288, &[1], "at byte 16: an input of 5000 bytes has 2 blocks, which with 1 cuts the 392 bytes of this file don't fit"),
        (295, &[255], "at byte 16: an input of 5000 bytes has 2 blocks, which with 18374686479671623680 cuts the 392 bytes of this file don't fit"),
        (300, &[1], "at byte 360: the digest is another one: damaged"),
    ];
    for (at, new, want) in changes {
        let mut bytes = good.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        let text = open(&bytes).unwrap_err().to_string();
        assert_eq!(text, format!("not valid block hashes: {want}"));
    }
    let mut salted = good.clone();
    salted[40] = 1;
    let text = open(&salted).unwrap_err().to_string();
    assert_eq!(
        text,
        "not valid block hashes: at byte 32: more salt than its length says"
    );
    let text = open(&good[..295]).unwrap_err().to_string();
    assert_eq!(
        text,
        "not valid block hashes: at byte 295: it ends there, a header has 296 bytes"
    );
    let text = open(&good[..296]).unwrap_err().to_string();
    assert_eq!(
        text,
        "not valid block hashes: at byte 16: an input of 5000 bytes has 2 blocks, which with 0 cuts the 296 bytes of this file don't fit"
    );
}

#[test]
fn hashes_of_something_else() {
    let bytes = file(&noise(5000, 1), b"\x01", 4096);
    let inputs = [Input::of_len(5000), Input::of_len(5001)];
    let add = |input, block, salt: &[u8]| {
        let params = Params::new(block, 4096, salt, [0; 16]).unwrap();
        let mut known = Known::default();
        let hashes = || open(&bytes).unwrap();
        known.add(input, hashes(), &params, &inputs)?;
        known.add(input, hashes(), &params, &inputs)
    };
    let text = |result: Result<(), Error>| result.unwrap_err().to_string();
    let other = "block hashes of another kind: they are of";
    assert_eq!(
        text(add(0, 512, b"\x01")),
        format!("{other} block size 4096, want 512")
    );
    assert_eq!(text(add(0, 4096, b"")), format!("{other} salt 01, want -"));
    assert_eq!(
        text(add(0, 4096, b"\x01\0")),
        format!("{other} salt 01, want 0100")
    );
    assert_eq!(
        text(add(1, 4096, b"\x01")),
        format!("{other} an input of length 5000, want 5001")
    );
    assert_eq!(
        text(add(2, 4096, b"\x01")),
        "block hashes of input 2, but the image has 2 inputs"
    );
    assert_eq!(
        text(add(0, 4096, b"\x01")),
        "block hashes of input 0 are given twice"
    );
}

/// An input that ends while it is read.
struct Short;

impl ReadAt for Short {
    fn read_exact_at(&self, _: &mut [u8], _: u64) -> std::io::Result<()> {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}

#[test]
fn short_input() {
    let out = Mutex::new(Vec::new());
    let result = write_block_hashes(&Short, 5000, b"", 4096, &[], &out);
    let text = result.unwrap_err().to_string();
    assert_eq!(text, "cannot read the input at byte 0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is changed is noticed.
    #[test]
    fn changed(len in 0..20_000usize, at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
        let cuts: Vec<u64> = (0..len as u64 / 512).step_by(3).map(|n| n * 512 + 5).collect();
        let good = cut_file(&noise(len, 9), b"pepper", 512, &cuts).unwrap();
        let mut bytes = good.clone();
        let at = at.index(good.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(open(&bytes).is_err());
        prop_assert!(open(&good[..cut.index(good.len())]).is_err());
        prop_assert!(open(&good).is_ok());
    }
}
