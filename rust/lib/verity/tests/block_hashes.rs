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

use std::sync::Mutex;

use common::noise;
use plan::{Input, ReadAt};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use verity::{write_block_hashes, BlockHashes, Error, Known, Params};

fn file(input: &[u8], salt: &[u8], block: u32) -> Vec<u8> {
    let out = Mutex::new(Vec::new());
    write_block_hashes(&input.to_vec(), input.len() as u64, salt, block, &out).unwrap();
    out.into_inner().unwrap()
}

fn open(bytes: &[u8]) -> Result<BlockHashes, Error> {
    BlockHashes::open(Box::new(bytes.to_vec()), bytes.len() as u64)
}

#[test]
fn every_byte() {
    for len in [0, 1, 4096, 4097, 5000 * 512] {
        let (input, salt) = (noise(len, 7), b"pepper");
        let mut want = b"BLKHASH\0\x01\0\0\0\0\x02\0\0".to_vec();
        want.extend_from_slice(&(len as u64).to_le_bytes());
        want.extend_from_slice(&6u64.to_le_bytes());
        want.extend_from_slice(salt);
        want.resize(288, 0);
        let mut padded = input.clone();
        padded.resize(len.next_multiple_of(512), 0);
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
        let got = file(&input, salt, 512);
        assert!(got == want, "{len}");
        assert_eq!(open(&got).unwrap().input_len(), len as u64);
    }
}

#[test]
fn an_input_beyond_files() {
    let out = Mutex::new(Vec::new());
    let error = write_block_hashes(&Vec::new(), 1 << 63, b"", 512, &out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an input of 9223372036854775808 bytes is too long: files end before 2^63"
    );
    assert_eq!(out.into_inner().unwrap(), b"");
}

#[test]
fn refusals() {
    let good = file(&noise(5000, 1), b"pepper", 4096);
    let changes: [(usize, &[u8], &str); 7] = [
        (0, b"b", "at byte 0: it does not begin with BLKHASH"),
        (8, &[2], "at byte 8: version 2, want 1"),
        (12, &[1], "at byte 12: data block size 4097: want a power of two from 512 to 65536"),
        (18, &[1], "at byte 16: an input of 70536 bytes has 18 blocks, which the 384 bytes of this file don't fit"),
        (23, &[255], "at byte 16: an input of 18374686479671628680 bytes has 4486007441326082 blocks, which the 384 bytes of this file don't fit"),
        (25, &[1], "at byte 24: a salt of 262 bytes, at most 256 fit"),
        (300, &[1], "at byte 352: the digest is another one: damaged"),
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
    let text = open(&good[..100]).unwrap_err().to_string();
    assert_eq!(
        text,
        "not valid block hashes: at byte 100: it ends there, a header has 288 bytes"
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
    let result = write_block_hashes(&Short, 5000, b"", 4096, &out);
    let text = result.unwrap_err().to_string();
    assert_eq!(text, "cannot read the input at byte 0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is changed is noticed.
    #[test]
    fn changed(len in 0..20_000usize, at in any::<prop::sample::Index>(), bit in 0..8u8, cut in any::<prop::sample::Index>()) {
        let good = file(&noise(len, 9), b"pepper", 512);
        let mut bytes = good.clone();
        let at = at.index(good.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(open(&bytes).is_err());
        prop_assert!(open(&good[..cut.index(good.len())]).is_err());
        prop_assert!(open(&good).is_ok());
    }
}
