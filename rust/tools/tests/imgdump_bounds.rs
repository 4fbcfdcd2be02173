//! Memory and time of `imgdump` are bounded by what is stored for an image, whatever it says of itself: each of these is a few KB
//! or MB on the disk. The program runs with 300 MiB of address space and a minute of CPU time or two.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use plan::{Builder, Canvas, Input};

const TIB: u64 = 1 << 40;
const LONGEST: u64 = (1 << 63) - 1;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A sparse file of `len` bytes that has `pieces`.
    fn sparse(&self, len: u64, pieces: &[(u64, &[u8])]) -> PathBuf {
        let path = self.at("sparse.img");
        let file = File::create(&path).unwrap();
        file.set_len(len).unwrap();
        for (at, bytes) in pieces {
            file.write_all_at(bytes, *at).unwrap();
        }
        path
    }

    /// A plan of `len` bytes that holds `pieces`.
    fn plan(&self, len: u64, pieces: &[(u64, &[u8])]) -> PathBuf {
        let mut canvas = Canvas::new(len, vec![]).unwrap();
        for (at, bytes) in pieces {
            canvas.inline(*at, bytes).unwrap();
        }
        self.list(&canvas.finish().unwrap())
    }

    fn list(&self, plan: &plan::Plan) -> PathBuf {
        fs::write(self.at("the.plan"), plan.encode()).unwrap();
        let list = format!("{}\n", self.at("the.plan").display());
        fs::write(self.at("the.image"), list).unwrap();
        self.at("the.image")
    }
}

/// Status and output of `imgdump` under limits: 300 MiB, 120 s.
fn limited(args: &[&str]) -> (i32, String, String) {
    let program = fs::canonicalize(env!("CARGO_BIN_EXE_imgdump")).unwrap();
    let mut command = Command::new("sh");
    let limits = "ulimit -v 307200 && ulimit -t 120 && exec \"$0\" \"$@\"";
    let output = command
        .args(["-c", limits])
        .arg(program)
        .args(args)
        .output();
    let output = output.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    let status = output.status;
    let code = status.code();
    (
        code.unwrap_or_else(|| panic!("{args:?}: {status}: {errors}")),
        out,
        errors,
    )
}

/// The dump of an image, in both forms; all other commands end, too.
fn ask(image: &std::path::Path) -> (i32, String, String) {
    let image = image.to_str().unwrap();
    limited(&["--json", image]);
    limited(&["ls", image]);
    limited(&["cat", image, "1:/f"]);
    limited(&[image])
}

/// An ext4 superblock of so many blocks of 1 KiB.
fn superblock(blocks: u64) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    for (at, number) in [
        (0x0, 8192u32),
        (0x14, 1),
        (0x20, 8192),
        (0x24, 8192),
        (0x28, 8192),
        (0x4c, 1),
    ] {
        put(at, &number.to_le_bytes());
    }
    put(0x4, &(blocks as u32).to_le_bytes());
    put(0x150, &((blocks >> 32) as u32).to_le_bytes());
    put(0x38, &0xef53u16.to_le_bytes());
    put(0x58, &256u16.to_le_bytes());
    put(0x60, &0xc2u32.to_le_bytes());
    put(0xfe, &64u16.to_le_bytes());
    bytes
}

#[test]
fn a_file_system_as_long_as_can_be() {
    let folder = Folder::new();
    for image in [
        folder.plan(LONGEST, &[(1024, &superblock(LONGEST / 1024))]),
        folder.sparse(4 * TIB, &[(1024, &superblock(4 * TIB / 1024))]),
        folder.sparse(1 << 20, &[(1024, &superblock(u64::MAX))]),
    ] {
        let (status, out, errors) = ask(&image);
        assert_eq!(status, 1, "{errors}");
        assert!(
            out.contains("\ncontent ext4\n") && out.contains("\nrest sha256:"),
            "{out}"
        );
        assert!(out.contains("\ndamaged "), "{out}");
    }
}

#[test]
fn a_byte_and_nothing_behind_it() {
    let folder = Folder::new();
    let mut texts = Vec::new();
    for (len, bytes) in [(4 * TIB, b"x"), (4 * TIB, b"y"), (4 * TIB + 1, b"x")] {
        let planned = ask(&folder.plan(len, &[(0, bytes)]));
        let sparse = ask(&folder.sparse(len, &[(0, bytes)]));
        // How it is stored makes no difference.
        assert_eq!(planned, sparse);
        assert_eq!(planned.0, 0, "{}", planned.2);
        assert!(
            planned.1.contains("\ncontent data sparse-sha256:"),
            "{}",
            planned.1
        );
        texts.push(planned.1);
    }
    texts.dedup();
    assert_eq!(texts.len(), 3);
    let (status, out, errors) = ask(&folder.plan(LONGEST, &[(LONGEST - 1, b"x")]));
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(out.contains("\ncontent data sparse-sha256:"), "{out}");
}

/// 32 bytes that a plan repeats up to the end of all numbers: they would have to be hashed.
#[test]
fn bytes_that_repeat() {
    let folder = Folder::new();
    let mut builder = Builder::new(vec![]);
    builder.repeat(&[7; 32], LONGEST).unwrap();
    let image = folder.list(&builder.finish().unwrap());
    let (status, out, errors) = limited(&[image.to_str().unwrap()]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(errors.contains("it repeats itself"), "{errors}");
    let (status, out, _) = limited(&["--no-digests", image.to_str().unwrap()]);
    assert_eq!(status, 0);
    assert!(out.ends_with("\ncontent data\n"), "{out}");
}

/// The same input, again and again.
#[test]
fn an_input_that_repeats() {
    let folder = Folder::new();
    let input = folder.at("input");
    fs::write(&input, vec![3; 1 << 20]).unwrap();
    let mut builder = Builder::new(vec![Input::of_len(1 << 20)]);
    for _ in 0..100_000 {
        builder.source(0, 1, (1 << 20) - 1).unwrap();
    }
    let list = folder.list(&builder.finish().unwrap());
    let text = fs::read_to_string(&list).unwrap() + &format!("{}\n", input.display());
    fs::write(&list, text).unwrap();
    let (status, _, errors) = limited(&[list.to_str().unwrap()]);
    assert_eq!(status, 1);
    assert!(errors.contains("it repeats itself"), "{errors}");
}

/// A FAT32 of as many clusters as can be, whose tables are holes: so is what they say of it.
#[test]
fn tables_of_clusters_that_are_holes() {
    let folder = Folder::new();
    for tables in [1, 2, 255] {
        let mut boot = vec![0u8; 512];
        let mut put = |at: usize, field: &[u8]| boot[at..at + field.len()].copy_from_slice(field);
        put(0, b"\xeb\x58\x90mkfs.fat");
        put(11, &[0, 2, 8, 32, 0, tables]);
        put(21, &[0xf8]);
        let per_table = 1u32 << 21;
        put(32, &u32::MAX.to_le_bytes());
        put(36, &per_table.to_le_bytes());
        put(44, &[2]);
        put(510, &[0x55, 0xaa]);
        let first = [
            0xf8, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x0f, 0xf8, 0xff, 0xff, 0x0f,
        ];
        let table = 32 * 512;
        let image = folder.sparse(2 * TIB, &[(0, &boot), (table, &first)]);
        let (status, out, errors) = ask(&image);
        assert!(
            out.contains("\nfat 32\n") && out.contains("\nfree-clusters "),
            "{status} {out} {errors}"
        );
    }
}

/// A superblock of dm-verity over more than there is.
#[test]
fn a_hash_tree_over_everything() {
    let folder = Folder::new();
    let mut tree = vec![0u8; 512];
    tree[..16].copy_from_slice(b"verity\0\0\x01\0\0\0\x01\0\0\0");
    tree[32..38].copy_from_slice(b"sha256");
    tree[64..72].copy_from_slice(&[0, 2, 0, 0, 0, 2, 0, 0]);
    let end = TIB;
    tree[72..80].copy_from_slice(&(end / 512).to_le_bytes());
    let image = folder.sparse(4 * TIB, &[(1024, &superblock(end / 1024)), (end, &tree)]);
    let (status, out, errors) = ask(&image);
    assert_eq!(status, 1, "{errors}");
    assert!(
        out.contains("\nverity root-hash ") && out.contains(" sparse-sha256:"),
        "{out}"
    );
}

/// A table of partitions that are all the same, each with as many names as fit.
#[test]
fn many_partitions_with_one_file_system() {
    let folder = Folder::new();
    let (fs_at, fs_len) = (8u64 << 20, 4u64 << 20);
    let file_system = names(fs_len, 60_000);
    let count = 30_000u32;
    let mut entries = vec![0u8; count as usize * 128];
    for (number, entry) in (0u32..).zip(entries.chunks_exact_mut(128)) {
        entry[..16].fill(0xaf);
        entry[16..20].copy_from_slice(&number.to_le_bytes());
        entry[32..40].copy_from_slice(&(fs_at / 512).to_le_bytes());
        entry[40..48].copy_from_slice(&((fs_at + fs_len) / 512 - 1).to_le_bytes());
    }
    let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for number in [1u64, 1 << 30, 34, 1 << 29] {
        header.extend(number.to_le_bytes());
    }
    header.extend([9; 16]);
    header.extend(2u64.to_le_bytes());
    header.extend(count.to_le_bytes());
    header.extend(128u32.to_le_bytes());
    header.extend(crc32fast::hash(&entries).to_le_bytes());
    let sum = crc32fast::hash(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    let pieces = [(512, &header[..]), (1024, &entries), (fs_at, &file_system)];
    let image = folder.sparse(TIB, &pieces);
    let (status, _, errors) = limited(&[image.to_str().unwrap()]);
    assert_eq!(status, 1, "{errors}");
    limited(&["ls", image.to_str().unwrap()]);
}

/// An ext2 in whose root directory are `count` names of one file.
fn names(len: u64, count: usize) -> Vec<u8> {
    let mut image = vec![0u8; len as usize];
    let mut sb = superblock(len / 1024);
    // Neither extents nor 64 bit.
    sb[0x60..0x64].copy_from_slice(&2u32.to_le_bytes());
    sb[0x28..0x2c].copy_from_slice(&64u32.to_le_bytes());
    image[1024..2048].copy_from_slice(&sb);
    let block = |number: usize| number * 1024;
    image[block(2) + 8..block(2) + 12].copy_from_slice(&5u32.to_le_bytes());
    let inode = |number: usize| block(5) + (number - 1) * 256;
    let blocks = (count * 12).div_ceil(1020);
    for (number, mode, size) in [(2, 0o040_755u16, blocks * 1024), (12, 0o100_644, 0)] {
        let at = inode(number);
        image[at..at + 2].copy_from_slice(&mode.to_le_bytes());
        image[at + 4..at + 8].copy_from_slice(&(size as u32).to_le_bytes());
    }
    // Twelve blocks, then one with the numbers of 256, then one with the numbers of such.
    let first = 100u32;
    let numbers: Vec<u32> = (0..blocks as u32).map(|number| first + number).collect();
    let put = |image: &mut Vec<u8>, at: usize, numbers: &[u32]| {
        for (index, number) in numbers.iter().enumerate() {
            image[at + index * 4..at + index * 4 + 4].copy_from_slice(&number.to_le_bytes());
        }
    };
    let map = inode(2) + 0x28;
    put(&mut image, map, &numbers[..12]);
    put(&mut image, map + 48, &[30, 31]);
    put(&mut image, block(30), &numbers[12..268]);
    for (index, part) in numbers[268..].chunks(256).enumerate() {
        let table = 32 + index as u32;
        put(&mut image, block(31) + index * 4, &[table]);
        put(&mut image, block(table as usize), part);
    }
    let mut number = 0u32;
    for entry in 0..blocks {
        let at = block(first as usize + entry);
        for slot in 0..85 {
            let len: u16 = if slot == 84 { 16 } else { 12 };
            let at = at + slot * 12;
            image[at..at + 4].copy_from_slice(&12u32.to_le_bytes());
            image[at + 4..at + 6].copy_from_slice(&len.to_le_bytes());
            image[at + 6..at + 8].copy_from_slice(&[4, 1]);
            let name = format!("{:04}", char::from_u32(0x100 + number % 0x600).unwrap());
            let name = [
                name.as_bytes()[0],
                name.as_bytes()[1],
                1 + (number / 0x600 % 46) as u8,
                1 + (number / 0x600 / 46) as u8,
            ];
            image[at + 8..at + 12].copy_from_slice(&name);
            number += 1;
        }
    }
    image
}

/// A directory of a million names takes what a million names take; there are no more than its bytes have.
#[test]
fn as_many_names_as_fit() {
    let folder = Folder::new();
    let image = folder.sparse(64 * TIB.min(1 << 30), &[(0, &names(4 << 20, 200_000))]);
    let (_, out, errors) = ask(&image);
    assert!(out.lines().count() > 1000, "{errors}");
}
