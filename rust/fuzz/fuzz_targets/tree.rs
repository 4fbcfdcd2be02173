//! Tree manifests: whatever is taken is written as it was read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tree::Tree;

fuzz_target!(|data: &[u8]| {
    if let Ok(tree) = Tree::read(data) {
        let mut out = Vec::new();
        tree.write(&mut out).unwrap();
        assert_eq!(out, data);
    }
});
