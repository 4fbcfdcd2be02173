//! GRUB's environment block: what is taken can be changed, written and read again.
#![no_main]

use grubenv::Block;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // A block is 1024 bytes; most inputs are its text.
    let mut padded = data.to_vec();
    padded.resize(1024, b'#');
    for bytes in [data, &padded] {
        let Ok(block) = Block::parse(bytes) else {
            continue;
        };
        for tries in [1, 3, 9] {
            let limit = grubenv::Limit::new(tries).unwrap();
            let _ = grubenv::next_boot(&block, limit, true);
        }
        if let Ok(written) = block.to_bytes() {
            assert_eq!(Block::parse(&written).unwrap().to_bytes().unwrap(), written);
        }
    }
});
