//! Tar archives: the index, and the tree made of it, which comes back from its manifest.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tree::Tree;

fuzz_target!(|data: &[u8]| {
    // Checksums of headers are mended: mutations seldom hit them.
    let mut tar = data.to_vec();
    for block in tar.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    let len = tar.len() as u64;
    let Ok(index) = archive::index(Cursor::new(&tar)) else {
        return;
    };
    let Ok(tree) = Tree::from_tar(index, len) else {
        return;
    };
    let mut manifest = Vec::new();
    if tree.write(&mut manifest).is_ok() {
        let back = Tree::read(manifest.as_slice()).unwrap();
        let mut again = Vec::new();
        back.write(&mut again).unwrap();
        assert_eq!(manifest, again);
    }
});
