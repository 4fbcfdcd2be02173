//! Compressed images: any bytes, with a table at their end that may be right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seekable::Reader;

fuzz_target!(|data: &[u8]| {
    check(data.to_vec());
    // As a table of frames: a skippable frame with as many entries as there are.
    let Some((count, entries)) = data.split_first() else {
        return;
    };
    let count = usize::from(*count % 16).min(entries.len() / 8);
    let (entries, frames) = entries.split_at(count * 8);
    let mut bytes = frames.to_vec();
    bytes.extend_from_slice(&0x184d_2a5eu32.to_le_bytes());
    bytes.extend_from_slice(&(count as u32 * 8 + 9).to_le_bytes());
    bytes.extend_from_slice(entries);
    bytes.extend_from_slice(&(count as u32).to_le_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&0x8f92_eab1u32.to_le_bytes());
    check(bytes);
});

fn check(bytes: Vec<u8>) {
    let len = bytes.len() as u64;
    let Ok(image) = Reader::open(bytes, len) else {
        return;
    };
    let mut buffer = [0; 100];
    for at in [0, image.len() / 2, image.len().saturating_sub(100)] {
        let _ = image.read_at(&mut buffer, at);
    }
}
