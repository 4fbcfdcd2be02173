//! What each byte of an image is, beside what the readers of files say.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod fixtures;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fixtures::{disk, everything, ext4, fat, golden, verity, MIB};
use inspect::{Files, Found, Locator, Node, Place, What};
use proptest::prelude::*;

/// All stretches of an image: each byte is in one, and none is without a structure.
fn all(image: &Vec<u8>) -> Vec<Found> {
    let mut locator = Locator::new(image);
    let (mut at, mut all) = (0, Vec::new());
    while at < image.len() as u64 {
        let found = locator.at(at).unwrap();
        assert_eq!(found.start, at, "{found:?}");
        assert!(found.size > 0 && !found.steps.is_empty(), "{found:?}");
        // The same from any other byte of it.
        let last = locator.at(at + found.size - 1).unwrap();
        let whats = |found: &Found| -> Vec<What> {
            let steps = found.steps.iter().map(|step| step.what.clone());
            steps.collect()
        };
        assert_eq!((last.size, whats(&last)), (1, whats(&found)));
        for (first, last) in found.steps.iter().zip(&last.steps) {
            assert_eq!(last.byte - first.byte, found.size - 1, "{found:?}");
            assert!(last.byte < last.size, "{last:?}");
        }
        at += found.size;
        all.push(found);
    }
    assert_eq!(at, image.len() as u64);
    all
}

fn text(all: &[Found]) -> String {
    let mut text = String::new();
    for found in all {
        write!(text, "{} {}", found.start, found.size).unwrap();
        for step in &found.steps {
            write!(text, " > {} [{} of {}]", step.what, step.byte, step.size).unwrap();
        }
        text.push('\n');
    }
    text
}

/// The bytes of every file of `place`, as the stretches say.
fn check_files(image: &Vec<u8>, all: &[Found], partition: &str, depth: usize) {
    let place = match partition {
        "" => "/".to_owned(),
        name => format!("{name}:/"),
    };
    let files = Files::open(image, &Place::parse(place.as_bytes())).unwrap();
    let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for found in all {
        let Some(step) = found.steps.get(depth) else {
            continue;
        };
        let slot = match &found.steps[0].what {
            What::Partition { slot, .. } => slot.as_str(),
            _ => "",
        };
        let What::FileData { path } = &step.what else {
            continue;
        };
        if slot != partition {
            continue;
        }
        let content = contents.entry(path.word()).or_default();
        content.resize(step.size as usize, 0);
        let (from, to) = (found.start as usize, step.byte as usize);
        let len = found.size as usize;
        content[to..to + len].copy_from_slice(&image[from..from + len]);
    }
    let root = files.find(b"/", false).unwrap();
    let mut count = 0;
    for entry in files.below(root) {
        let Node::File(file) = &entry.node else {
            continue;
        };
        let mut want = Vec::new();
        files.copy(entry, &mut want).unwrap();
        let got = contents.remove(&entry.path.word());
        // What has no bytes is nowhere.
        let got = got.unwrap_or_else(|| vec![0; file.size as usize]);
        assert_eq!(got, want, "{}", entry.path);
        count += 1;
    }
    assert!(count > 2 && contents.is_empty(), "{contents:?}");
}

#[test]
fn a_disk_with_one_of_everything() {
    let image = everything();
    let all = all(&image);
    check_files(&image, &all, "A_root", 1);
    check_files(&image, &all, "esp", 1);
    // Inodes that are not in use say nothing new.
    let used = all
        .into_iter()
        .filter(|found| match &found.steps.last().unwrap().what {
            What::Inode { paths, .. } => !paths.is_empty(),
            _ => true,
        });
    golden("locate.txt", &text(&used.collect::<Vec<_>>()));
}

#[test]
fn bare_file_systems() {
    for image in [
        ext4(b"extra"),
        fat(1, fat::FatType::Fat12),
        fat(40, fat::FatType::Fat32),
    ] {
        let all = all(&image);
        check_files(&image, &all, "", 0);
    }
}

#[test]
fn an_image_in_a_file() {
    let inner = disk(&[("data", &fat(1, fat::FatType::Fat12))]);
    let image = verity(&ext4(&inner));
    let all = all(&image);
    check_files(&image, &all, "", 0);
    let names: BTreeSet<String> = all
        .iter()
        .filter_map(|found| match &found.steps[..] {
            [file, disk, within] => {
                assert_eq!(file.what.to_string(), "content of /extra");
                assert!(matches!(&disk.what, What::Partition { slot, .. } if slot == "data"));
                Some(within.what.to_string())
            }
            _ => None,
        })
        .collect();
    for want in [
        "boot sector (FAT)",
        "names in the directory /EFI",
        "content of /grubenv",
    ] {
        assert!(names.contains(want), "{want}: {names:?}");
    }
}

#[test]
fn members_of_an_archive() {
    let inner = ext4(b"last");
    let long = "long/".repeat(40) + "name";
    let mut writer = archive::Writer::new(Vec::new());
    for (name, data) in [
        ("boot.img", &b"boot"[..]),
        ("root.img", &inner),
        (&long, b"x"),
    ] {
        let (offset, len) = (0, data.len() as u64);
        let entry = archive::Entry::new(name, archive::Kind::File { offset, len }, 0o644);
        writer.append(&entry, data).unwrap();
    }
    let image = writer.finish().unwrap();
    let all = all(&image);
    let text = text(&all);
    for want in [
        "0 512 > header of the member boot.img (tar) [0 of 512]\n512 4 > content of boot.img [0 of 4]\n516 508 > between the members (tar)",
        &format!("> content of root.img [1024 of {}] > superblock (ext4) [0 of 1024]", inner.len()),
        &format!("1 > content of {long} [0 of 1]"),
        "> end of the archive (tar) [0 of ",
    ] {
        assert!(text.contains(want), "{want}");
    }
}

#[test]
fn places() {
    let image = everything();
    let mut locator = Locator::new(&image);
    let mut of = |place: &str| locator.stretches(place.as_bytes());
    let mib = MIB as u64;
    assert_eq!(of("0x200").unwrap(), [(512, 1)]);
    assert_eq!(of("5000").unwrap(), [(5000, 1)]);
    // The one that is called 8, not the eighth, nor byte 8.
    for name in ["esp", "esp:", "1"] {
        assert_eq!(of(name).unwrap(), [(mib, mib)], "{name}");
    }
    for place in ["A_root:/etc/hosts", "A_root:/a-name-of-hosts"] {
        let stretches = of(place).unwrap();
        let sizes: Vec<u64> = stretches.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [256, 4], "{place}");
        let at = stretches[1].0 as usize;
        assert_eq!(&image[at..at + 4], b"::1\n");
    }
    let folder = of("A_root:/etc").unwrap();
    // Its inode, its extended attributes, its names.
    assert_eq!(
        folder.iter().map(|(_, size)| *size).collect::<Vec<_>>(),
        [256, 4096, 4096]
    );
    for (place, want) in [
        ("nothing", "no partition \"nothing\""),
        ("A_root:/none", "no such file"),
        ("/etc", "names no partition"),
    ] {
        let error = of(place).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let beyond = locator.at(image.len() as u64).unwrap_err().to_string();
    assert!(beyond.contains("lie outside the image"), "{beyond}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is wrong with it, each byte asked for is in something, in a place that has it.
    #[test]
    fn damaged_images(
        changes in prop::collection::vec((0usize..40_000, any::<u8>()), 1..12),
        at in prop::collection::vec(0u64..(20 << 20), 8),
    ) {
        static IMAGE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(everything);
        let mut image = IMAGE.clone();
        let used: Vec<usize> = (0..image.len()).step_by(64).filter(|at| image[*at..*at + 64] != [0; 64]).collect();
        for (place, value) in changes {
            let at = used[place % used.len()] + place % 64;
            image[at] = value;
        }
        let mut locator = Locator::new(&image);
        for at in at {
            let found = locator.at(at).unwrap();
            prop_assert!(found.start == at && found.size > 0 && !found.steps.is_empty());
            prop_assert!(at + found.size <= image.len() as u64);
        }
        let _ = locator.stretches(b"A_root:/extra");
    }
}
