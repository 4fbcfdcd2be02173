//! Holes: those that we write are read by others, and the other way about.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs::{self, File};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use archive::{
    index, pack, unpack_with, Alignment, Entry, Kind, PackOptions, Piece, UnpackOptions, Writer,
};

use crate::common::{member, patch, pax, with_data};

const MIB: u64 = 1 << 20;

fn packed(dir: &Path, alignment: Alignment) -> Vec<u8> {
    let mut out = Vec::new();
    pack(dir, &PackOptions::new(1000).align(alignment), &mut out).unwrap();
    out
}

fn unpacked(bytes: &[u8], dir: &Path) {
    fs::create_dir(dir).unwrap();
    unpack_with(bytes, dir, &UnpackOptions::default().owners(false)).unwrap();
}

/// A file of `len` bytes with some data at each place.
fn holed(path: &Path, len: u64, data: &[u64]) {
    let file = File::create(path).unwrap();
    file.set_len(len).unwrap();
    for at in data {
        file.write_all_at(b"some data", *at).unwrap();
    }
}

fn pieces(bytes: &[u8], path: &str) -> (u64, Vec<(u64, u64)>) {
    let entries = index(Cursor::new(bytes)).unwrap();
    let entry = entries.iter().find(|e| e.path == path.as_bytes()).unwrap();
    match &entry.kind {
        Kind::Sparse { len, pieces } => (*len, pieces.iter().map(|p| (p.at, p.len)).collect()),
        Kind::File { len, .. } => (*len, vec![(0, *len)]),
        other => panic!("{other:?}"),
    }
}

/// What `useradd -u` with a large number does to /var/log/lastlog.
#[test]
fn three_gibibytes_of_hole_are_small() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    let len = 3 << 30;
    holed(&from.join("lastlog"), len, &[2 << 30]);
    holed(&from.join("empty"), len, &[]);
    for alignment in [Alignment::Block, Alignment::Page] {
        let bytes = packed(&from, alignment);
        assert!(bytes.len() < 32_768, "{}", bytes.len());
        assert_eq!(pieces(&bytes, "lastlog"), (len, vec![(2 << 30, 4096)]));
        assert_eq!(pieces(&bytes, "empty"), (len, vec![]));
        let to = dir.path().join(format!("to-{alignment:?}"));
        unpacked(&bytes, &to);
        let meta = fs::metadata(to.join("lastlog")).unwrap();
        assert_eq!(meta.len(), len);
        assert!(meta.blocks() < 1024, "{} blocks", meta.blocks());
        assert!(packed(&to, alignment) == bytes);
    }
}

/// How the disk stores zeros does not reach the archive; what is shorter than a mebibyte stays as it was.
#[test]
fn the_same_bytes_give_the_same_archive() {
    let dir = tempfile::tempdir().unwrap();
    let (holes, data) = (dir.path().join("holes"), dir.path().join("data"));
    fs::create_dir(&holes).unwrap();
    fs::create_dir(&data).unwrap();
    let cases: [(&str, u64, &[u64]); 7] = [
        ("a", 5 * MIB, &[0, 3 * MIB]),
        ("b", 5 * MIB + 77, &[MIB - 5, 5 * MIB + 60]),
        ("c", 2 * MIB, &[]),
        ("d", MIB - 1, &[]),
        (
            "e",
            3 * MIB,
            &[MIB / 2, MIB + MIB / 2 - 10, 2 * MIB + MIB / 2 - 4096],
        ),
        ("f", 2 * MIB + 4096, &[0, MIB + 8192]),
        ("g", MIB, &[]),
    ];
    for (name, len, at) in cases {
        holed(&holes.join(name), len, at);
        let bytes = fs::read(holes.join(name)).unwrap();
        File::create(data.join(name))
            .unwrap()
            .write_all(&bytes)
            .unwrap();
    }
    let bytes = packed(&holes, Alignment::Page);
    assert!(packed(&data, Alignment::Page) == bytes);
    let page = 4096;
    let want: [(&str, Vec<(u64, u64)>); 7] = [
        ("a", vec![(0, page), (3 * MIB, page)]),
        // The hole before the data is shorter than a mebibyte by a block, and data crosses into the next one.
        ("b", vec![(0, MIB + page), (5 * MIB, 77)]),
        ("c", vec![]),
        ("d", vec![(0, MIB - 1)]),
        ("e", vec![(0, 3 * MIB)]),
        ("f", vec![(0, page), (MIB + 2 * page, MIB - page)]),
        ("g", vec![]),
    ];
    for (name, want) in want {
        assert_eq!(pieces(&bytes, name).1, want, "{name}");
    }
}

/// GNU tar, and Python's tarfile, get the same content.
#[test]
fn others_unpack_our_holes() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    let long = "long-name-".repeat(20);
    holed(&from.join("a"), 8 * MIB, &[0, 3 * MIB, 8 * MIB - 9]);
    holed(&from.join(&long), 9 * MIB + 3, &[4 * MIB - 4]);
    holed(&from.join("none"), 2 * MIB, &[]);
    let file = dir.path().join("a.tar");
    for alignment in [Alignment::Block, Alignment::Page] {
        fs::write(&file, packed(&from, alignment)).unwrap();
        let gnu = dir.path().join(format!("gnu-{alignment:?}"));
        fs::create_dir(&gnu).unwrap();
        let mut tar = Command::new("tar");
        let out = tar
            .arg("-xpf")
            .arg(&file)
            .arg("-C")
            .arg(&gnu)
            .output()
            .unwrap();
        assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
        let python = dir.path().join(format!("python-{alignment:?}"));
        let text = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])";
        let mut command = Command::new("python3");
        let command = command
            .args(["-W", "ignore", "-c", text])
            .arg(&file)
            .arg(&python);
        assert!(command.status().unwrap().success());
        for name in ["a", &long, "none"] {
            let want = fs::read(from.join(name)).unwrap();
            assert!(fs::read(gnu.join(name)).unwrap() == want, "{name}");
            assert!(fs::read(python.join(name)).unwrap() == want, "{name}");
        }
    }
}

#[test]
fn every_form_of_gnu_tar_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    let many: Vec<u64> = (0..60).map(|n| n * 300_000).collect();
    holed(&from.join("many"), 20 * MIB, &many);
    holed(&from.join("tail"), 3 * MIB, &[0]);
    holed(&from.join("head"), 3 * MIB, &[3 * MIB - 9]);
    holed(&from.join("none"), 3 * MIB, &[]);
    for form in [
        &["--format=gnu"][..],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let file = dir.path().join("a.tar");
        let mut tar = Command::new("tar");
        let status = tar
            .arg("--sparse")
            .args(form)
            .arg("-cf")
            .arg(&file)
            .arg("-C")
            .arg(&from)
            .arg(".")
            .status();
        assert!(status.unwrap().success());
        let bytes = fs::read(&file).unwrap();
        assert!(
            (bytes.len() as u64) < 2 * MIB,
            "this tar found no holes: {}",
            bytes.len()
        );
        let (len, found) = pieces(&bytes, "many");
        assert_eq!((len, found.len()), (20 * MIB, 60), "{form:?}");
        let to = dir.path().join(form.concat());
        unpacked(&bytes, &to);
        for name in ["many", "tail", "head", "none"] {
            let same = fs::read(to.join(name)).unwrap() == fs::read(from.join(name)).unwrap();
            assert!(same, "{form:?}: {name}");
        }
    }
}

#[test]
fn bad_maps_are_refused() {
    let why = |members: &[Vec<u8>]| {
        index(Cursor::new(members.concat()))
            .unwrap_err()
            .to_string()
    };
    let records = |map: &str, size: &str, data: &[u8]| {
        let records = pax(&[
            ("GNU.sparse.map", map.as_bytes()),
            ("GNU.sparse.size", size.as_bytes()),
        ]);
        why(&[records, with_data(b"f", b'0', data)])
    };
    for (map, size, want) in [
        ("0,5,4,2", "10", "is not in order"),
        ("8,7", "10", "reaches beyond the file"),
        (
            "18446744073709551615,7",
            "18446744073709551615",
            "reaches beyond the file",
        ),
        ("0,5", "10", "does not fit the length of its data"),
        ("0,5,9", "10", "has an offset without a length"),
        ("0,x", "10", "has an entry that is no number"),
    ] {
        let error = records(map, size, b"1234567");
        assert!(
            error.contains("(`f`): the map of its holes") && error.contains(want),
            "{map}: {error}"
        );
    }
    let one = |map: &[u8]| {
        let records = [
            ("GNU.sparse.major", &b"1"[..]),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.realsize", b"10"),
        ];
        let mut map = map.to_vec();
        map.resize(map.len().next_multiple_of(512), 0);
        why(&[pax(&records), with_data(b"f", b'0', &map)])
    };
    assert!(one(b"x\n").contains("does not begin with a number"));
    assert!(one(b"18446744073709551615\n").contains("does not begin with a number"));
    assert!(one(b"9\n0\n1\n").contains("is longer than its data"));
    assert!(one(b"").contains("is longer than its data"));
    let endless = vec![b'1'; 3 << 20];
    assert!(one(&endless).contains("has more than 1 MiB"));
    let dir = [pax(&[("GNU.sparse.size", b"10")]), member(b"d", b'5', b"")];
    assert!(why(&dir).contains("belongs to a file only"));
    let version = pax(&[
        ("GNU.sparse.major", b"2"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.realsize", b"1"),
    ]);
    assert!(why(&[version, member(b"f", b'0', b"")]).contains("want 0.0, 0.1 or 1.0"));
    // An old header that says that a block follows, and none does.
    let cut = patch(member(b"f", b'S', b""), 482, b"\x01");
    assert!(why(&[cut]).contains("inside a map of holes"));
}

#[test]
fn the_writer_checks_pieces() {
    let mut writer = Writer::new(io::sink());
    let piece = |at, len| Piece { at, len, offset: 0 };
    for (len, pieces) in [
        (10, vec![piece(4, 2), piece(0, 2)]),
        (10, vec![piece(8, 4)]),
        (10, vec![piece(0, 0)]),
    ] {
        let entry = Entry::new("f", Kind::Sparse { len, pieces }, 0o644);
        let error = writer.append(&entry, io::empty()).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot archive `f`: the map of its holes"),
            "{error}"
        );
    }
}
