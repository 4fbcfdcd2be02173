//! Whole images as `imgdump` reads them: ext4, FAT and dm-verity with some bytes changed where there are any.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use plan::{Plan, Reader};
use tree::{Entry, Kind, Source, Stamp, Tree};

const UUID: &str = "00112233-4455-6677-8899-aabbccddeeff";
/// A file of one block and a bit in a folder; with a link, which FAT does not have, or without.
fn tree(link: bool) -> Tree {
    let stamp = Stamp {
        mode: 0o755,
        uid: 1,
        gid: 2,
        mtime: 0,
        mtime_nanos: 0,
    };
    let mut tree = Tree::new(stamp);
    let input = tree.add_input(tree::Input { len: 5000 });
    let (offset, len) = (0, 5000);
    let file = Kind::File(Source { input, offset, len });
    let target = b"../a/./file".to_vec();
    let mut entries = vec![(&b"a"[..], Kind::Dir), (b"a/file", file)];
    if link {
        entries.push((b"a/link", Kind::Symlink { target }));
    }
    for (path, kind) in entries {
        let entry = Entry::injected(kind, stamp);
        tree.insert(path, entry, "here").expect("a good path");
    }
    tree
}

/// An image, and where 64 bytes of it are not zero.
struct Base {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    let (plain, linked) = (tree(false), tree(true));
    let bodies = plan::ImageSet::of_lens(&[5000]).expect("one input");
    let params = ext4::Params {
        size: ext4::Size::Smallest { free_percent: 0 },
        uuid: UUID.to_owned(),
        hash_seed: UUID.to_owned(),
        label: "label".to_owned(),
        mtime: 0,
        journal: false,
    };
    let ext4 = ext4::layout(&linked, &bodies, &params).expect("fits").plan;
    let fat = |size_mib| {
        let params = fat::Params {
            size_mib,
            fat_type: None,
            volume_id: 1,
            label: "LABEL".to_owned(),
            mtime: 0,
        };
        fat::layout(&plain, &bodies, &params).expect("fits")
    };
    let params = verity::Params::new(4096, 4096, b"salt", [7; 16]).expect("known sizes");
    let (verity, _, _) =
        verity::append(&reader(&ext4), &Default::default(), &params).expect("small");
    [ext4, fat(1), fat(5), verity].iter().map(base).collect()
});

fn reader(plan: &Plan) -> Reader<Vec<u8>> {
    Reader::new(plan.clone(), vec![("input".to_owned(), vec![b'x'; 5000])]).expect("one input")
}

fn base(plan: &Plan) -> Base {
    let mut bytes = vec![0; plan.len() as usize];
    reader(plan).read_at(&mut bytes, 0).expect("all of it");
    let chunks = bytes.chunks(64).enumerate();
    let places = chunks.filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0));
    let places = places.map(|(n, _)| n * 64).collect();
    Base { bytes, places }
}

// The first byte chooses the image and how it is cut; the rest are changes: place, distance from it, length, bytes.
fuzz_target!(|data: &[u8]| {
    let Some((choice, mut rest)) = data.split_first() else {
        return;
    };
    let base = &BASES[usize::from(*choice) % BASES.len()];
    let mut image = base.bytes.clone();
    while let [low, high, distance, len, more @ ..] = rest {
        let place = base.places[usize::from(u16::from_le_bytes([*low, *high])) % base.places.len()];
        let at = place + usize::from(*distance);
        let (bytes, after) = more.split_at(more.len().min(usize::from(*len % 16)));
        for (to, from) in image.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
        rest = after;
    }
    if *choice >= 128 {
        let keep = usize::from(*choice - 127) * (image.len() / 128);
        image.truncate(keep);
    }
    fuzz::look(&image);
});
