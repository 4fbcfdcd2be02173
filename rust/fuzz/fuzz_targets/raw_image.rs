//! Any bytes as an image: other formats by their magic, and whole small file systems of mke2fs and mkfs.fat with some bytes changed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fuzz::look(&data.to_vec()));
