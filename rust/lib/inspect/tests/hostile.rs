//! Images that were made to harm: no panic, no endless loop, no memory by claimed sizes; damage is said.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

mod fixtures;

use std::io::{self, ErrorKind, Write};
use std::sync::LazyLock;

use fixtures::{disk, dump, everything, ext4, fat, MIB};
use inspect::{Files, Options, Place};
use proptest::prelude::*;

static IMAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    vec![
        everything(),
        ext4(b"extra"),
        fat(1, fat::FatType::Fat12),
        fat(40, fat::FatType::Fat32),
    ]
});

/// Where an image has bytes that are not zero: changes elsewhere are mostly changes of free space.
fn used(image: &[u8]) -> Vec<usize> {
    let blocks = image.chunks(64).enumerate();
    let used = blocks.filter(|(_, block)| block.iter().any(|b| *b != 0));
    used.map(|(number, _)| number * 64).collect()
}

/// Somebody who reads so many bytes and goes away. Who reads all of a file of 2^62 zeros reads for years.
struct Bounded(usize);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that can be asked of an image.
fn ask(image: &Vec<u8>) {
    let options = Options {
        verify: true,
        ..Options::default()
    };
    if let Ok(dump) = inspect::dump(image, options, None) {
        fixtures::text(&dump);
        serde_json::to_string(&dump).unwrap();
    }
    let _ = inspect::partitions(image);
    for place in ["A_root:/etc/up", "esp:/efi", "/etc/up", "/"] {
        let place = Place::parse(place.as_bytes());
        let Ok(files) = Files::open(image, &place) else {
            continue;
        };
        for path in [&place.path[..], b"/loop", b"/extra", b"/grubenv"] {
            if let Ok(entry) = files.find(path, true) {
                let _ = files.copy(entry, &mut Bounded(64 << 20));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn changed_bytes(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..64, any::<u8>()), 1..30),
    ) {
        let mut image = IMAGES[which].clone();
        let used = used(&image);
        for (block, offset, value) in changes {
            let at = used[block.index(used.len())] + offset;
            if at < image.len() {
                image[at] = value;
            }
        }
        ask(&image);
    }

    #[test]
    fn cut_off(which in 0usize..4, at in any::<prop::sample::Index>()) {
        let mut image = IMAGES[which].clone();
        // Half of them within the first blocks, where everything is.
        let short = at.index(2) == 0;
        let len = if short { at.index(64 << 10) } else { at.index(image.len()) };
        image.truncate(len);
        ask(&image);
    }

    #[test]
    fn copied_blocks(which in 0usize..4, from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let mut image = IMAGES[which].clone();
        let used = used(&image);
        let (from, to) = (used[from.index(used.len())] / 512 * 512, used[to.index(used.len())] / 512 * 512);
        image.copy_within(from..from + 512, to);
        ask(&image);
    }
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Position of inode `number` in [`ext4`]'s image.
fn inode(image: &[u8], number: usize) -> usize {
    let table = u32::from_le_bytes(image[4096 + 8..4096 + 12].try_into().unwrap());
    table as usize * 4096 + (number - 1) * 256
}

/// Number of the inode that `path` has.
fn number(image: &Vec<u8>, path: &str) -> usize {
    let files = Files::open(image, &Place::default()).unwrap();
    let entry = files.find(path.as_bytes(), false).unwrap();
    let mut out = Vec::new();
    inspect::stat(entry, files.whole(entry), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("inode "));
    line.unwrap().parse().unwrap()
}

fn damage(image: &Vec<u8>) -> Vec<String> {
    let text = dump(image);
    let lines = text.lines().filter(|line| line.contains("damaged"));
    lines.map(str::to_owned).collect()
}

/// As [`damage`] without what checksums say.
fn other_damage(image: &Vec<u8>) -> Vec<String> {
    let mut lines = damage(image);
    lines.retain(|line| !line.contains("damaged: the checksum") || line.contains(';'));
    lines
}

#[test]
fn a_directory_in_itself() {
    let mut image = ext4(b"x");
    assert_eq!(damage(&image), Vec::<String>::new());
    // The entry of `etc` in the root directory points to the root directory.
    let at = image
        .windows(7)
        .position(|bytes| bytes == b"\x03\x02etc\0\0".as_slice());
    let at = at.or_else(|| image.windows(5).position(|bytes| bytes == b"\x03\x02etc"));
    let at = at.unwrap() - 6;
    put(&mut image, at, &2u32.to_le_bytes());
    assert_eq!(
        other_damage(&image),
        ["damaged /etc: a directory that is elsewhere, too"]
    );
}

#[test]
fn two_files_with_the_same_blocks() {
    let mut image = ext4(b"extra");
    let (tool, extra) = (number(&image, "/tool"), number(&image, "/extra"));
    let (from, to) = (inode(&image, tool) + 0x28, inode(&image, extra) + 0x28);
    image.copy_within(from..from + 60, to);
    let lines = other_damage(&image);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("is in use elsewhere, too"), "{lines:?}");
}

#[test]
fn sizes_beyond_everything() {
    let mut image = ext4(b"extra");
    let (sparse, link) = (number(&image, "/sparse"), number(&image, "/etc/long link"));
    // 2^63 bytes of holes: hashed without them.
    let at = inode(&image, sparse);
    put(&mut image, at + 0x6c, &0x7fff_ffffu32.to_le_bytes());
    let at = inode(&image, link);
    put(&mut image, at + 0x6c, &0x7fff_ffffu32.to_le_bytes());
    let text = dump(&image);
    assert!(text.contains(" sparse-sha256:"), "{text}");
    let lines = other_damage(&image);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("bytes, want at most 4095"), "{lines:?}");
}

#[test]
fn superblocks_that_make_no_sense() {
    for (at, bytes, want) in [
        (0x18, &7u32.to_le_bytes()[..], "damaged block size 2^7 KiB"),
        (0x58, &0u16.to_le_bytes(), "damaged inodes of 0 bytes"),
        (0x28, &0u32.to_le_bytes(), "damaged no inodes in a group"),
        (
            0x4,
            &u32::MAX.to_le_bytes(),
            "damaged the file system is 17592186040320 bytes long",
        ),
    ] {
        let mut image = ext4(b"x");
        put(&mut image, 1024 + at, bytes);
        let lines = damage(&image);
        assert!(lines.iter().any(|line| line.starts_with(want)), "{lines:?}");
    }
}

#[test]
fn fields_beyond_their_inode() {
    let mut image = ext4(b"x");
    let number = number(&image, "/tool");
    let at = inode(&image, number);
    put(&mut image, at + 0x80, &u16::MAX.to_le_bytes());
    let lines = other_damage(&image);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let want = format!("inode {number} has 128 bytes behind its first 128, its fields want 65535");
    assert!(lines[0].contains(&want), "{lines:?}");
}

#[test]
fn more_blocks_than_64_bits_can_count() {
    let mut image = ext4(b"x");
    let at = 1024 + 0x60;
    let incompat = u32::from_le_bytes(image[at..at + 4].try_into().unwrap()) | 0x80;
    put(&mut image, at, &incompat.to_le_bytes());
    put(&mut image, 1024 + 0xfe, &64u16.to_le_bytes());
    put(&mut image, 1024 + 0x150, &u32::MAX.to_le_bytes());
    let lines = damage(&image);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].ends_with(" times 4096 is more than an image can have"),
        "{lines:?}"
    );
}

#[test]
fn a_ring_of_clusters() {
    let mut image = fat(8, fat::FatType::Fat16);
    // Each cluster of the first thousand is followed by the next, the last by the first; in both copies of the table.
    let table = 512 * usize::from(u16::from_le_bytes([image[14], image[15]]));
    let len = 512 * usize::from(u16::from_le_bytes([image[22], image[23]]));
    for copy in 0..2 {
        for cluster in 2u16..1000 {
            let next = if cluster == 999 { 2 } else { cluster + 1 };
            put(
                &mut image,
                table + copy * len + usize::from(cluster) * 2,
                &next.to_le_bytes(),
            );
        }
    }
    let lines = damage(&image);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("is in use elsewhere, too")),
        "{lines:?}"
    );
}

#[test]
fn partitions_that_lie() {
    let image = disk(&[("a", &vec![1; MIB]), ("b", &vec![2; MIB])]);
    let entry = 1024 + 128;
    // Over the first one, and to the end of all sectors.
    for (first, last, want) in [
        (2048u64, 4000u64, "overlap"),
        (4096, u64::MAX, "not inside the disk"),
        (9000, 8000, "partition 2 from sector 9000 to 8000 is not inside the disk and has no bytes: its entry has sha256:"),
        (u64::MAX - 1, u64::MAX - 1, "from sector 18446744073709551614 to 18446744073709551614 is not inside the disk"),
    ] {
        let mut bad = image.clone();
        put(&mut bad, entry + 32, &first.to_le_bytes());
        put(&mut bad, entry + 40, &last.to_le_bytes());
        let sum = crc32fast::hash(&bad[1024..1024 + 128 * 128]);
        put(&mut bad, 512 + 88, &sum.to_le_bytes());
        put(&mut bad, 512 + 16, &[0; 4]);
        let sum = crc32fast::hash(&bad[512..512 + 92]);
        put(&mut bad, 512 + 16, &sum.to_le_bytes());
        let lines = damage(&bad);
        assert!(lines.iter().any(|line| line.contains(want)), "{lines:?}");
        assert!(
            lines
                .iter()
                .any(|line| line.contains("two copies of the table differ")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_table_without_a_good_copy_is_not_an_absent_one() {
    let mut image = disk(&[("a", &vec![1; MIB])]);
    let asked = |image: &Vec<u8>| {
        let place = Place {
            partition: Some("b".to_owned()),
            path: b"/".to_vec(),
        };
        let errors = [
            inspect::dump(image, Options::default(), Some("b")).err(),
            inspect::partition(image, "b").err(),
            Files::open(image, &place).err(),
        ];
        errors.map(|error| error.map(|error| error.to_string()))
    };
    let want =
        |have: &str| [(); 3].map(|()| Some(format!("no partition \"b\", the image has {have}")));
    assert_eq!(asked(&image), want("a"));
    // The signatures of both headers.
    let last = image.len() - 512;
    for at in [512, last] {
        put(&mut image, at, b"X");
    }
    assert_eq!(
        asked(&image),
        want("a partition table (GPT), and neither of its two copies is good")
    );
    // What announces them.
    put(&mut image, 450, &[0]);
    assert_eq!(asked(&image), want("no partition table"));
}
