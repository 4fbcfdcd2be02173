//! Archives as they come from the world: of the shapes that the test files of GNU tar, libarchive and Go's archive/tar have.
//! GNU tar unpacks each to the same tree as this crate, and the index says the same.

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

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use archive::{index, pack, unpack_with, Entry, Error, Kind, PackOptions, UnpackOptions};

use crate::common::{header, member, patch, pax, with_data};

const END: &[u8] = &[0; 1024];

fn mode(block: Vec<u8>, mode: &str) -> Vec<u8> {
    patch(block, 100, mode.as_bytes())
}

/// What a folder holds, as an archive. Only times that the archive gave are kept.
fn packed(dir: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    pack(dir, &PackOptions::new(1000), &mut out).unwrap();
    out
}

/// The tree that this crate, its index and GNU tar agree on; entries by path, data as text.
fn agreed(what: &str, bytes: &[u8]) -> BTreeMap<String, (Entry, String)> {
    let dir = tempfile::tempdir().unwrap();
    let (ours, gnus) = (dir.path().join("ours"), dir.path().join("gnus"));
    fs::create_dir(&ours).unwrap();
    fs::create_dir(&gnus).unwrap();
    let options = UnpackOptions::default().owners(false);
    unpack_with(bytes, &ours, &options).unwrap_or_else(|e| panic!("{what}: {e}"));
    let file = dir.path().join("a.tar");
    fs::write(&file, bytes).unwrap();
    let out = Command::new("tar")
        .args(["--no-same-owner", "--warning=none", "-xpf"])
        .arg(&file)
        .arg("-C")
        .arg(&gnus)
        .output()
        .unwrap();
    assert!(out.status.success(), "{what}: {out:?}");
    let tree = packed(&ours);
    let theirs = by_path(what, &packed(&gnus));
    for (path, entry) in by_path(what, &tree) {
        let mut other = theirs[&path].clone();
        if let (Kind::File { offset, .. }, Kind::File { offset: at, .. }) =
            (&entry.0.kind, &mut other.0.kind)
        {
            *at = *offset;
        }
        if entry.0.kind.is_dir() {
            // Of a folder that comes again GNU tar leaves the time as work in it has made it.
            other.0.mtime = entry.0.mtime;
        }
        assert_eq!(entry, other, "{what}: GNU tar's tree is another one");
    }
    assert_eq!(theirs.len(), by_path(what, &tree).len());
    let on_disk = by_path(what, &tree);
    let indexed = by_path(what, bytes);
    for (path, (entry, data)) in &indexed {
        let (disk, content) = &on_disk[path];
        let is_link = |kind: &Kind| matches!(kind, Kind::HardLink { .. });
        // Which of its names is the file depends on the order.
        if !is_link(&entry.kind) && !is_link(&disk.kind) {
            assert_eq!(content, data, "{what}: {path}");
            let is_link = matches!(disk.kind, Kind::Symlink { .. });
            assert!(is_link || disk.mode == entry.mode, "{what}: {path}");
            assert_eq!(
                std::mem::discriminant(&disk.kind),
                std::mem::discriminant(&entry.kind)
            );
        }
        // Only what the index knows, and folders on the way.
        for at in on_disk.keys().filter(|at| !indexed.contains_key(*at)) {
            let below = format!("{at}/");
            assert!(
                at.is_empty() || indexed.keys().any(|known| known.starts_with(&below)),
                "{what}: {at}"
            );
        }
    }
    indexed
}

fn by_path(what: &str, bytes: &[u8]) -> BTreeMap<String, (Entry, String)> {
    let entries = index(Cursor::new(bytes)).unwrap_or_else(|e| panic!("{what}: {e}"));
    let mut found = BTreeMap::new();
    for entry in entries {
        let data = match entry.kind {
            Kind::File { offset, len } => &bytes[offset as usize..(offset + len) as usize],
            _ => b"",
        };
        let data = String::from_utf8_lossy(data).into_owned();
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        assert!(
            found.insert(path, (entry, data)).is_none(),
            "{what}: a path twice"
        );
    }
    found
}

fn refused(members: &[Vec<u8>]) -> String {
    index(Cursor::new(members.concat()))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_folder_twice_is_merged() {
    let archive = [
        mode(member(b"d/", b'5', b""), "0000700"),
        with_data(b"d/a", b'0', b"a"),
        mode(member(b"./d/", b'5', b""), "0000755"),
        with_data(b"d/b", b'0', b"b"),
        member(b"./", b'5', b""),
        mode(member(b".", b'5', b""), "0000711"),
        END.to_vec(),
    ];
    let tree = agreed("a folder twice", &archive.concat());
    assert_eq!(tree.keys().collect::<Vec<_>>(), ["", "d", "d/a", "d/b"]);
    assert_eq!((tree["d"].0.mode, tree[""].0.mode), (0o755, 0o711));
}

#[test]
fn of_a_file_twice_the_later_one_counts() {
    let archive = [
        with_data(b"a", b'0', b"old"),
        member(b"also", b'1', b"a"),
        member(b"self", b'0', b""),
        member(b"self", b'1', b"self"),
        with_data(b"./a", b'0', b"new"),
        member(b"new", b'1', b"a"),
        member(b"chain", b'1', b"also"),
        member(b"l", b'2', b"nowhere"),
        with_data(b"l", b'0', b"no link"),
        with_data(b"f", b'0', b"no file"),
        member(b"f", b'2', b"a"),
        with_data(b"h", b'0', b"own"),
        member(b"h", b'1', b"a"),
        END.to_vec(),
    ];
    let tree = agreed("a file twice", &archive.concat());
    let link = |target: &str| Kind::HardLink {
        target: target.into(),
    };
    assert_eq!(
        (tree["a"].1.as_str(), tree["also"].1.as_str()),
        ("new", "old")
    );
    assert_eq!(
        (&tree["new"].0.kind, &tree["chain"].0.kind),
        (&link("a"), &link("also"))
    );
    assert_eq!(
        (&tree["h"].0.kind, tree["l"].1.as_str()),
        (&link("a"), "no link")
    );
    assert_eq!(
        tree["f"].0.kind,
        Kind::Symlink {
            target: b"a".to_vec()
        }
    );
}

#[test]
fn names_of_every_dialect() {
    let long = "n".repeat(120);
    let path = format!("{}/{}", "p".repeat(90), "q".repeat(90));
    let gnu = |block: Vec<u8>| patch(block, 257, b"ustar  \0");
    let v7 = |block: Vec<u8>| patch(block, 257, &[0; 255]);
    let mut star = patch(member(b"x", b'0', b""), 345, b"star");
    star = patch(star, 476, b"00000000001 00000000001 ");
    star = patch(star, 508, b"tar\0");
    let terminated = |text: &str| format!("{text}\0").into_bytes();
    let archive = [
        v7(member(b"v7//dir/", 0, b"")),
        v7(with_data(b"v7/dir/file", 0, b"v7")),
        // What stood behind the names was not zeros everywhere.
        patch(v7(member(b"v7/junk", 0, b"")), 329, b"x!\xff"),
        patch(member(b"ustar", b'0', b""), 345, b"prefix"),
        star,
        // Times of GNU's, not a prefix.
        patch(gnu(member(b"gnu", b'0', b"")), 345, b"00000000001\0"),
        with_data(b"././@LongLink", b'L', &terminated(&long)),
        with_data(b"././@LongLink", b'K', &terminated(&path)),
        gnu(member(
            &long.as_bytes()[..100],
            b'2',
            &path.as_bytes()[..100],
        )),
        pax(&[("path", path.as_bytes()), ("linkpath", b"v7/dir/file")]),
        member(b"short", b'1', b"v7"),
        patch(pax(&[("path", b"solaris")]), 156, b"X"),
        member(b"x", b'0', b""),
        member(b"contiguous", b'7', b""),
        member(b"a volume", b'V', b""),
        END.to_vec(),
    ];
    let tree = agreed("names", &archive.concat());
    let mut want = vec![
        "v7/dir",
        "v7/dir/file",
        "v7/junk",
        "prefix/ustar",
        "star/x",
        "gnu",
        "solaris",
        "contiguous",
    ];
    want.extend([long.as_str(), path.as_str()]);
    want.sort_unstable();
    assert_eq!(tree.keys().map(String::as_str).collect::<Vec<_>>(), want);
    let target = path.clone().into_bytes();
    assert_eq!(tree[&long].0.kind, Kind::Symlink { target });
}

#[test]
fn numbers_of_every_dialect() {
    let block = patch(
        member(b"base256", b'0', b""),
        108,
        b"\x80\0\0\0\x01\0\0\0\x80\0\0\0\x01\0\0\x01",
    );
    let block = patch(block, 136, &[0xff; 12]);
    let archive = [
        block,
        patch(member(b"blank", b'0', b""), 108, b"      \0       \0"),
        patch(member(b"blanks", b'0', b""), 100, b"   644 \0"),
        pax(&[
            ("uid", b"2097153"),
            ("gid", b"3000000000"),
            ("mtime", b"12.5"),
        ]),
        member(b"pax", b'0', b""),
        // Room to keep for a folder; nothing for a pipe.
        patch(member(b"dir", b'5', b""), 124, b"00000001000\0"),
        patch(member(b"pipe", b'6', b""), 124, b"00000001000\0"),
        END.to_vec(),
    ];
    let tree = agreed("numbers", &archive.concat());
    let entry = &tree["base256"].0;
    assert_eq!(
        (entry.uid, entry.gid, entry.mtime),
        (1 << 24, (1 << 24) + 1, -1)
    );
    let entry = &tree["pax"].0;
    assert_eq!((entry.uid, entry.gid), (2_097_153, 3_000_000_000));
    assert_eq!((entry.mtime, entry.mtime_nanos), (12, 500_000_000));
    assert_eq!((tree["blank"].0.uid, tree["blanks"].0.mode), (0, 0o644));
}

#[test]
fn ends_of_every_kind() {
    let file = with_data(b"a", b'0', b"data");
    for (what, end) in [
        ("none", 0),
        ("one block", 512),
        ("two", 1024),
        ("a record", 10_240),
        ("a tape's", 1 << 20),
    ] {
        let bytes = [file.clone(), vec![0; end]].concat();
        assert_eq!(agreed(what, &bytes).len(), 1);
    }
    // Another archive, or whatever it is, would be lost silently.
    let joined = [file.clone(), END.to_vec(), file.clone(), END.to_vec()];
    let error = index(Cursor::new(joined.concat())).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Trailing {
                end: 1024,
                at: 2048
            }
        ),
        "{error}"
    );
    let error = refused(&[file.clone(), END.to_vec(), b"x".to_vec()]);
    let want = "archive ends at byte 1024, but other things than zeros follow at byte 2048: \
                cut them off, or join archives with `tar --concatenate`";
    assert_eq!(error, want);
    assert_eq!(index(Cursor::new(END)).unwrap(), []);
}

#[test]
fn what_programs_disagree_about_is_refused() {
    let (dir, file) = (member(b"x", b'5', b""), member(b"x", b'0', b""));
    assert!(refused(&[dir.clone(), file.clone()]).ends_with("keep one of the two"));
    assert!(refused(&[file, dir]).ends_with("keep one of the two"));
    assert!(refused(&[member(b"/etc/x", b'0', b"")]).ends_with("path is absolute"));
    let link = header(b"l", b'1', b"x", b"00000000004\0");
    assert!(refused(&[member(b"x", b'0', b""), link]).contains("4 bytes of data"));
}

#[test]
fn what_is_no_archive_is_named() {
    for (bytes, want) in [
        (
            &b""[..],
            "this is no tar archive but empty: even an archive without members has 1024 zeros",
        ),
        (
            b"\x1f\x8b\x08\0\0\0",
            "this is no tar archive but compressed by gzip: decompress it first (gunzip)",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "this is no tar archive but compressed by zstd: decompress it first (unzstd)",
        ),
        (
            b"\xfd7zXZ\0",
            "this is no tar archive but compressed by xz: decompress it first (unxz)",
        ),
        (
            b"BZh9",
            "this is no tar archive but compressed by bzip2: decompress it first (bunzip2)",
        ),
        (
            b"PK\x03\x04",
            "this is no tar archive but a zip archive: make a tar of its files",
        ),
        (
            b"070701",
            "this is no tar archive but a cpio archive: make a tar of its files",
        ),
        (
            b"7z\xbc\xaf\x27\x1c",
            "this is no tar archive but a 7z archive: make a tar of its files",
        ),
        (b"Hello\n", "this is no tar archive but text"),
    ] {
        for padded in [bytes.len(), 2000] {
            let mut bytes = bytes.to_vec();
            let fill = if want.ends_with("text") { b'x' } else { 7 };
            bytes.resize(if bytes.is_empty() { 0 } else { padded }, fill);
            assert_eq!(refused(&[bytes.clone()]), want);
            let dir = tempfile::tempdir().unwrap();
            let error = unpack_with(&bytes[..], dir.path(), &UnpackOptions::default()).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let error = index(fs::File::open(dir.path()).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is no tar archive but a folder: make a tar of it"
    );
}

#[test]
fn records_are_kept_or_name_the_file() {
    let list = b"user::rw-,user:7:rw-,group::r--,mask::rw-,other::r--";
    let archive = |records: &[(&str, &[u8])], bits: &str| {
        let file = mode(member(b"f", b'0', b""), bits);
        index(Cursor::new([pax(records), file].concat()))
    };
    let kept = archive(&[("SCHILY.acl.access", list)], "0000664").unwrap();
    assert_eq!(kept[0].xattrs[&b"system.posix_acl_access"[..]].len(), 44);
    let error = archive(&[("SCHILY.acl.access", list)], "0000644").unwrap_err();
    let want = "member at byte 1024 (`f`): record `SCHILY.acl.access` contradicts the mode";
    assert_eq!(error.to_string(), want);
    let error = archive(&[("VENDOR.thing", b"1")], "0000644").unwrap_err();
    let want = "member at byte 1024 (`f`): record `VENDOR.thing` is not known, and what it says would be lost: \
                make the archive without it";
    assert_eq!(error.to_string(), want);
}

/// An access list as GNU tar writes it is the one that the file has.
#[test]
fn gnu_tars_access_lists() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    fs::write(from.join("f"), b"x").unwrap();
    let set = "import os, struct, sys\n\
               acl = lambda *e: struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *x) for x in e)\n\
               no = 0xffffffff\n\
               base = [(1, 6, no), (2, 4, 3000012), (2, 6, 4000000000), (4, 4, no), (8, 6, 3000034), (16, 6, no), (32, 4, no)]\n\
               try:\n\
               \x20   os.setxattr('f', 'system.posix_acl_access', acl(*base))\n\
               \x20   os.setxattr('.', 'system.posix_acl_default', acl(*base))\n\
               except OSError:\n\
               \x20   sys.exit(9)\n";
    let mut python = Command::new("python3");
    let status = python
        .args(["-c", set])
        .current_dir(&from)
        .status()
        .unwrap();
    if status.code() == Some(9) {
        println!("skipped: the file system has no access lists");
        return;
    }
    assert!(status.success());
    let file = dir.path().join("a.tar");
    let mut tar = Command::new("tar");
    tar.args(["--acls", "--numeric-owner", "--format=posix", "-cf"])
        .arg(&file)
        .arg(".");
    assert!(tar.current_dir(&from).status().unwrap().success());
    let bytes = fs::read(&file).unwrap();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    if !has(b"SCHILY.acl.access=") {
        println!("skipped: this tar knows no access lists");
        return;
    }
    let entries = index(Cursor::new(&bytes)).unwrap();
    let on_disk = index(Cursor::new(packed(&from))).unwrap();
    let lists = |entries: &[Entry]| -> BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>> {
        entries
            .iter()
            .map(|e| (e.path.clone(), e.xattrs.clone()))
            .collect()
    };
    assert_eq!(lists(&entries), lists(&on_disk));
    assert_eq!(lists(&entries)[&b"f"[..]].len(), 1);
}
