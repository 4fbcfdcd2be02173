//! Block hashes: whatever is taken is what the header says it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use verity::BlockHashes;

fuzz_target!(|data: &[u8]| {
    let open = |bytes: Vec<u8>| {
        let len = bytes.len() as u64;
        BlockHashes::open(Box::new(bytes), len)
    };
    let _ = open(data.to_vec());
    // With the magic before and the right seal behind.
    let mut bytes = b"BLKHASH\0\x01\0\0\0".to_vec();
    bytes.extend_from_slice(data);
    let Some((header, digests)) = bytes.split_at_checked(288) else {
        return;
    };
    let mut sealed = header.to_vec();
    for group in digests.chunks(4096 * 32) {
        sealed.extend_from_slice(&Sha256::digest(group));
    }
    bytes.extend_from_slice(&Sha256::digest(&sealed));
    if let Ok(hashes) = open(bytes.clone()) {
        let block = u64::from(u32::from_le_bytes(bytes[12..16].try_into().unwrap()));
        let digests = (bytes.len() as u64 - 288 - 32) / 32;
        assert_eq!(hashes.input_len().div_ceil(block), digests);
    }
});
