//! What the writer refuses, and how it takes the data of its files.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::io::{self, Cursor, Read};

use archive::{
    head, index, pack, Alignment, Entry, Error, Kind, PackOptions, Piece, Reason, Writer,
};

fn symlink(target: impl Into<Vec<u8>>) -> Kind {
    let target = target.into();
    Kind::Symlink { target }
}

fn hard_link(target: &str) -> Kind {
    let target = target.into();
    Kind::HardLink { target }
}

/// No reader of ours would take these back.
#[test]
fn what_no_reader_takes_is_refused() {
    let with = |change: fn(&mut Entry)| {
        let mut entry = Entry::new("x", Kind::Dir, 0o755);
        change(&mut entry);
        entry
    };
    let named = |path: &str, kind| Entry::new(path, kind, 0o755);
    let name = Reason::Extended("bad name of an extended attribute");
    for (entry, want) in [
        (named("", Kind::Fifo), Reason::BadPath),
        (named("./x", Kind::Fifo), Reason::BadPath),
        (named("x/", Kind::Dir), Reason::BadPath),
        (named("../x", Kind::Fifo), Reason::Climbs),
        (named("x", hard_link("./y")), Reason::HardLink("./y".into())),
        (named("x", hard_link("/y")), Reason::HardLink("/y".into())),
        (named("x", symlink("")), Reason::BadTarget),
        (named("x", symlink("a\0b")), Reason::BadTarget),
        (named("x", symlink([b'a'; 4096])), Reason::BadTarget),
        (
            with(|entry| entry.mode = 0o10000),
            Reason::Number { field: "mode" },
        ),
        (
            with(|entry| entry.mtime_nanos = 1_000_000_000),
            Reason::Number { field: "mtime" },
        ),
        (
            with(|entry| drop(entry.xattrs.insert(b"".to_vec(), vec![]))),
            name.clone(),
        ),
        (
            with(|entry| drop(entry.xattrs.insert(b"a\0b".to_vec(), vec![]))),
            name,
        ),
    ] {
        let error = head(&entry, 0, Alignment::Block).unwrap_err();
        let Error::Unwritable { reason, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(reason, want);
    }
    for entry in [
        named("x", hard_link("y/z")),
        named("x", symlink([b'a'; 4095])),
        with(|entry| entry.mode = 0o7777),
        with(|entry| entry.mtime_nanos = 999_999_999),
    ] {
        head(&entry, 0, Alignment::Block).unwrap();
    }
}

/// Fails once, then has four bytes.
struct Stumbles(Option<io::ErrorKind>, &'static [u8]);

impl Read for Stumbles {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.take() {
            Some(kind) => Err(kind.into()),
            None => self.1.read(buffer),
        }
    }
}

fn four() -> Entry {
    Entry::new("f", Kind::File { offset: 0, len: 4 }, 0o644)
}

#[test]
fn a_signal_while_data_is_read_changes_nothing() {
    let mut writer = Writer::new(Vec::new());
    let interrupted = Stumbles(Some(io::ErrorKind::Interrupted), b"four");
    let offset = writer.append(&four(), interrupted).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(offset, 512);
    assert_eq!(&bytes[512..516], b"four");

    let fails = Stumbles(Some(io::ErrorKind::TimedOut), b"four");
    let error = Writer::new(io::sink()).append(&four(), fails).unwrap_err();
    assert!(matches!(error, Error::Source { .. }), "{error}");
}

#[test]
fn data_without_end_is_given_up() {
    let more = io::repeat(7).take(1 << 20);
    let error = Writer::new(io::sink()).append(&four(), more).unwrap_err();
    let Error::Unwritable { reason, .. } = error else {
        panic!("{error}")
    };
    let got = 1 << 16;
    assert_eq!(reason, Reason::Length { want: 4, got });
}

/// Where a member begins within a page is all that counts, up to the last block that has a number.
#[test]
fn alignment_far_away() {
    let near = head(&four(), 4096 - 512, Alignment::Page).unwrap();
    let far = head(&four(), u64::MAX - 511, Alignment::Page).unwrap();
    assert_eq!(far, near);
}

/// Other names of a file are links to it; what is no file is packed under each of its names.
#[test]
fn only_files_are_linked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::os::unix::fs::symlink("there", at("a")).unwrap();
    fs::hard_link(at("a"), at("b")).unwrap();
    fs::write(at("c"), b"x").unwrap();
    fs::hard_link(at("c"), at("d")).unwrap();
    let mut bytes = Vec::new();
    pack(dir.path(), &PackOptions::new(0), &mut bytes).unwrap();
    let entries = index(Cursor::new(&bytes)).unwrap();
    let kinds: Vec<_> = entries[1..].iter().map(|entry| &entry.kind).collect();
    assert_eq!(kinds[..2], [&symlink("there"), &symlink("there")]);
    // Not by reading a link to a link as that link again, which other programs don't.
    assert_eq!(
        bytes[512 + 156..]
            .iter()
            .step_by(512)
            .take(2)
            .collect::<Vec<_>>(),
        [&b'2'; 2]
    );
    assert!(kinds[2].is_file());
    assert_eq!(kinds[3], &hard_link("c"));
}

/// An archive does not keep that a file may not be written; a file system may not keep it either, or we may not say so.
#[test]
fn files_that_nobody_may_write_are_refused() {
    use rustix::fs::{ioctl_getflags, ioctl_setflags, IFlags};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let file = fs::File::create(&path).unwrap();
    for flag in [IFlags::IMMUTABLE, IFlags::APPEND] {
        let before = ioctl_getflags(&file);
        let set = before.and_then(|flags| ioctl_setflags(&file, flags | flag));
        let Ok(()) = set else {
            println!("skipped: no file can have {flag:?} here");
            return;
        };
        let packed = pack(dir.path(), &PackOptions::new(0), io::sink());
        ioctl_setflags(&file, before.unwrap()).unwrap();
        let error = packed.unwrap_err();
        let Error::Unwritable { reason, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(reason, Reason::Flags);
    }
    pack(dir.path(), &PackOptions::new(0), io::sink()).unwrap();
}

/// A file whose pieces are all of it is none with holes when it is read.
#[test]
fn a_piece_that_is_all_of_a_file() {
    let pieces = vec![Piece {
        at: 0,
        len: 4,
        offset: 0,
    }];
    let entry = Entry::new("f", Kind::Sparse { len: 4, pieces }, 0o644);
    let mut writer = Writer::new(Vec::new());
    let offset = writer.append(&entry, &b"four"[..]).unwrap();
    let bytes = writer.finish().unwrap();
    let entries = index(Cursor::new(&bytes)).unwrap();
    assert_eq!(entries[0].kind, Kind::File { offset, len: 4 });
}
