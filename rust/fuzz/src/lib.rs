//! What several targets do with an image.

use inspect::{Content, Dump, Files, Image, Node, Options, Place};

/// Hashing or copying more zeros than this is right, takes long, and teaches nothing.
const MANY: u64 = 1 << 24;

/// Asks all that can be asked of an image.
pub fn look(image: &dyn Image) {
    let quick = Options {
        digests: false,
        ..Options::default()
    };
    let Ok(dump) = inspect::dump(image, quick, None) else {
        return;
    };
    show(&dump);
    if !is_long(image, &dump) {
        let full = Options {
            verify: true,
            ..Options::default()
        };
        if let Ok(dump) = inspect::dump(image, full, None) {
            show(&dump);
        }
    }
    let _ = inspect::partitions(image);
    let Ok(files) = Files::open(image, &Place::parse(b"/")) else {
        return;
    };
    for path in [&b"/a/link"[..], b"/../a/link/x"] {
        let _ = files.find(path, true);
    }
    let Ok(top) = files.find(b"/", true) else {
        return;
    };
    for entry in files.below(top) {
        let _ = inspect::stat(entry, files.whole(entry), &mut std::io::sink());
        if !matches!(&entry.node, Node::File(file) if file.size > MANY) {
            let _ = files.copy(entry, &mut std::io::sink());
        }
    }
}

fn show(dump: &Dump) {
    inspect::write_text(dump, &mut std::io::sink()).expect("a sink");
}

/// Whether there is much to hash that is not stored: holes of files, or of the image.
fn is_long(image: &dyn Image, dump: &Dump) -> bool {
    let partitions = dump.gpt.iter().flat_map(|gpt| &gpt.partitions);
    let inside = partitions.filter_map(|partition| partition.content.as_ref());
    let entries = |content: &'_ Content| -> u64 {
        let files = content.entries.iter().map(|entry| match &entry.node {
            Node::File(file) => file.size,
            _ => 0,
        });
        files.fold(0, u64::saturating_add)
    };
    let files = dump.content.iter().chain(inside).map(entries);
    let files = files.fold(0, u64::saturating_add);
    // Beyond 16 GiB zeros are passed over.
    files > MANY || (image.stored() < MANY && (MANY..32 << 30).contains(&image.len()))
}
