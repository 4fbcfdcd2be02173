//! The text of small images, and that different images have different text.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod fixtures;

use fixtures::{disk, dump, everything, ext4, fat, golden, text, verity, MIB};
use inspect::Options;

#[test]
fn a_disk_with_everything() {
    let image = everything();
    let options = Options {
        verify: true,
        ..Options::default()
    };
    let dump = inspect::dump(&image, options, None).unwrap();
    golden("everything.txt", &text(&dump));
    let json = serde_json::to_string_pretty(&dump).unwrap();
    golden("everything.json", &(json + "\n"));
    assert_eq!(dump.damage(), 0);
}

#[test]
fn fat_of_each_width() {
    use fat::FatType::{Fat12, Fat16, Fat32};
    for (size_mib, kind, bits) in [(1, Fat12, 12), (8, Fat16, 16), (40, Fat32, 32)] {
        let image = fat(size_mib, kind);
        let got = dump(&image);
        assert!(got.contains(&format!("\nfat {bits}\n")), "{got}");
        let tree: Vec<&str> = got.lines().filter(|line| line.starts_with('/')).collect();
        golden("fat-tree.txt", &(tree.join("\n") + "\n"));
        let mut reader = std::io::Cursor::new(image);
        let fs = fatfs::FileSystem::new(&mut reader, fatfs::FsOptions::new()).unwrap();
        let stats = fs.stats().unwrap();
        let line = format!("\nfree-clusters {}\n", stats.free_clusters());
        assert!(got.contains(&line), "{got}");
        assert!(got.contains(&format!("\nclusters {}\n", stats.total_clusters())));
    }
}

/// Every byte of the image counts: one flipped bit anywhere shows.
#[test]
fn every_byte_shows() {
    let mut image = ext4(b"extra");
    image.resize(image.len() + 8192, 0);
    let before = dump(&image);
    let mut seed = 1u32;
    for _ in 0..60 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = usize::try_from(seed).unwrap() % image.len();
        image[at] ^= 0x10;
        assert_ne!(dump(&image), before, "byte {at}");
        image[at] ^= 0x10;
    }
    assert_eq!(dump(&image), before);
}

#[test]
fn content_and_options() {
    let (one, other) = (ext4(b"one"), ext4(b"two"));
    let difference = base::text::unified(("a", "b"), &dump(&one), &dump(&other), 0);
    let changed: Vec<&str> = difference
        .lines()
        .filter(|l| l.contains("/extra"))
        .collect();
    assert_eq!(changed.len(), 2, "{difference}");
    // Contents of files are no part of the rest.
    assert!(!difference.contains("rest"), "{difference}");
    let fast = Options {
        digests: false,
        depth: Some(1),
        ..Options::default()
    };
    let fast = text(&inspect::dump(&one, fast, None).unwrap());
    assert!(
        !fast.contains("sha256") && !fast.contains("/etc/"),
        "{fast}"
    );
    assert!(
        fast.contains("\n/extra file 0600 0:0 2023-11-14T22:13:20Z 3\n"),
        "{fast}"
    );
}

#[test]
fn one_partition() {
    let image = disk(&[
        ("esp", &vec![0; 4096]),
        ("data", b"x".repeat(4096).as_slice()),
    ]);
    for name in ["data", "2"] {
        let dump = inspect::dump(&image, Options::default(), Some(name)).unwrap();
        let got = text(&dump);
        assert!(got.contains("\ndata: content data sha256:"), "{got}");
        assert!(!got.contains("esp:"), "{got}");
    }
    let error = inspect::dump(&image, Options::default(), Some("x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no partition \"x\", the image has esp, data"
    );
    let bare = inspect::dump(&vec![0; 4096], Options::default(), Some("x")).unwrap_err();
    assert_eq!(
        bare.to_string(),
        "no partition \"x\", the image has no partition table"
    );
}

#[test]
fn damaged_trees_are_found() {
    let image = verity(&ext4(b"x"));
    let options = Options {
        verify: true,
        ..Options::default()
    };
    let check = |image: &Vec<u8>| text(&inspect::dump(image, options, None).unwrap());
    assert!(check(&image).contains("\nverity verified\n"));
    // The last block of data is free; the last byte belongs to the tree.
    for at in [16 * MIB - 1, image.len() - 4096] {
        let mut bad = image.clone();
        bad[at] ^= 1;
        let got = check(&bad);
        assert!(got.contains("\ndamaged verity: "), "{got}");
        assert!(!got.contains("verified"), "{got}");
    }
    let mut bad = image.clone();
    bad[16 * MIB + 64] = 1;
    let got = check(&bad);
    assert!(
        got.contains("damaged verity: superblock at byte 16777216: data_block_size"),
        "{got}"
    );
    assert!(got.contains("\ngap at 16777216 size "), "{got}");
}

#[test]
fn the_backup_table_stands_in() {
    let image = disk(&[("data", &vec![0; 4096])]);
    let good = dump(&image);
    let mut bad = image.clone();
    bad[512 + 16] ^= 1;
    let got = dump(&bad);
    assert!(got.contains("\ngpt damaged: only one copy of the table is good: the header at byte 512 has the checksum"), "{got}");
    // The damaged header is nobody's any more.
    assert!(got.contains("\ngap at 512 size "), "{got}");
    let len = image.len();
    let mut bad = image.clone();
    bad[len - 500] ^= 1;
    assert!(dump(&bad).contains("\ngpt damaged: only one copy"));
    let mut bad = image;
    bad[512] ^= 1;
    bad[len - 512] ^= 1;
    let got = dump(&bad);
    assert!(got.contains("\ncontent data sha256:"), "{got}");
    assert!(!good.contains("damaged"));
}

#[test]
fn wrapped_images_are_refused() {
    for (magic, what) in [
        (&b"\x28\xb5\x2f\xfd"[..], "a zstd stream"),
        (b"QFI\xfb", "a qcow2 image"),
        (b"\x1f\x8b\x08", "a gzip stream"),
    ] {
        let mut image = vec![0; 8192];
        image[..magic.len()].copy_from_slice(magic);
        let error = inspect::dump(&image, Options::default(), None).unwrap_err();
        assert!(error
            .to_string()
            .starts_with(&format!("this is {what}, not a raw image: ")));
    }
    assert_eq!(dump(&Vec::new()), "imgdump 2\nlength 0\ncontent zero\n");
    assert_eq!(dump(&vec![0; 99]), "imgdump 2\nlength 99\ncontent zero\n");
}
