//! Any bytes as an image: other formats by their magic, and whole small file systems of mke2fs and mkfs.fat with some bytes changed.
#![no_main]

use inspect::{Files, Options, Place};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let image = data.to_vec();
    let options = Options {
        verify: true,
        ..Options::default()
    };
    if let Ok(dump) = inspect::dump(&image, options, None) {
        inspect::write_text(&dump, &mut std::io::sink()).expect("a sink");
    }
    let _ = inspect::partitions(&image);
    if let Ok(files) = Files::open(&image, &Place::parse(b"/")) {
        if let Ok(top) = files.find(b"/", true) {
            for entry in files.below(top) {
                let _ = inspect::stat(entry, files.whole(entry), &mut std::io::sink());
                // Holes are as long as they like.
                if !matches!(&entry.node, inspect::Node::File(file) if file.size > 1 << 24) {
                    let _ = files.copy(entry, &mut std::io::sink());
                }
            }
        }
    }
});
