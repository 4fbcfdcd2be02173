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
    let mut bytes = b"BLKHASH\0\x02\0\0\0".to_vec();
    bytes.extend_from_slice(data);
    let Some(cuts) = bytes.get(288..296) else {
        return;
    };
    let cuts = u64::from_le_bytes(cuts.try_into().unwrap());
    let end = cuts.saturating_mul(8).saturating_add(296);
    let Some((header, digests)) = bytes.split_at_checked(end as usize) else {
        return;
    };
    let mut sealed = header.to_vec();
    for group in digests.chunks(4096 * 32) {
        sealed.extend_from_slice(&Sha256::digest(group));
    }
    bytes.extend_from_slice(&Sha256::digest(&sealed));
    if let Ok(hashes) = open(bytes.clone()) {
        let block = u64::from(u32::from_le_bytes(bytes[12..16].try_into().unwrap()));
        let digests = (bytes.len() as u64 - end - 32) / 32;
        assert_eq!(hashes.input_len().div_ceil(block), digests);
        let mut before = None;
        for cut in bytes[296..end as usize].chunks(8) {
            let cut = u64::from_le_bytes(cut.try_into().unwrap());
            assert!(cut % block != 0 && cut < hashes.input_len() && before < Some(cut / block));
            before = Some(cut / block);
        }
    }
});
