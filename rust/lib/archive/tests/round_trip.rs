//! What is written is read back the same, by this crate and by GNU tar and Python's tarfile.

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

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use archive::{
    index, pack, unpack, unpack_with, Alignment, Entry, Error, Kind, PackOptions, Piece, Reason,
    UnpackOptions, Writer,
};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(b'a'..=b'e', 1..4),
        1 => prop::collection::vec(1_u8..=255, 1..6),
        1 => prop::collection::vec(b'x'..=b'z', 90..250),
    ]
    .prop_map(|mut name| {
        name.iter_mut()
            .filter(|b| **b == b'/')
            .for_each(|b| *b = b'_');
        name
    })
    .prop_filter("dots", |name| name != b"." && name != b"..")
}

fn attributes() -> impl Strategy<Value = Entry> {
    (
        0_u32..=0o7777,
        any::<u32>(),
        prop_oneof![0..70_000_u32, any::<u32>()],
        prop_oneof![0..1_i64 << 33, any::<i64>().prop_map(|t| t >> 8)],
        prop_oneof![3 => Just(0_u32), 1 => 0..1_000_000_000_u32],
        prop::collection::btree_map(
            prop::collection::vec(1_u8..=255, 1..20),
            prop::collection::vec(any::<u8>(), 0..200),
            0..3,
        ),
    )
        .prop_map(|(mode, uid, gid, mtime, mtime_nanos, xattrs)| Entry {
            uid,
            gid,
            mtime,
            mtime_nanos,
            xattrs,
            ..Entry::new("", Kind::Dir, mode)
        })
}

#[derive(Clone, Debug)]
enum Shape {
    File(Vec<u8>),
    /// Holes with data behind them, and a hole at the end.
    Holes(Vec<(u64, Vec<u8>)>, u64),
    Dir,
    Symlink(Vec<u8>),
    Hard(usize),
    Char(u32, u32),
    Fifo,
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..1500).prop_map(Shape::File),
        1 => (prop::collection::vec((1_u64..5000, prop::collection::vec(any::<u8>(), 1..1500)), 0..4), 1_u64..9000)
            .prop_map(|(pieces, tail)| Shape::Holes(pieces, tail)),
        2 => Just(Shape::Dir),
        1 => prop::collection::vec(1_u8..=255, 1..300).prop_map(Shape::Symlink),
        1 => any::<usize>().prop_map(Shape::Hard),
        1 => (0_u32..4096, 0_u32..1 << 20).prop_map(|(a, b)| Shape::Char(a, b)),
        1 => Just(Shape::Fifo),
    ]
}

/// Entries of a possible tree, with the data of files.
fn tree() -> impl Strategy<Value = Vec<(Entry, Vec<u8>)>> {
    prop::collection::vec((any::<usize>(), name(), attributes(), shape()), 0..24).prop_map(
        |nodes| {
            let mut dirs: Vec<Vec<u8>> = vec![Vec::new()];
            let mut made: BTreeMap<Vec<u8>, (Entry, Vec<u8>)> = BTreeMap::new();
            let mut order: Vec<Vec<u8>> = Vec::new();
            let mut files: Vec<Vec<u8>> = Vec::new();
            for (parent, name, attributes, shape) in nodes {
                let parent = &dirs[parent % dirs.len()];
                let path = if parent.is_empty() {
                    name
                } else {
                    [parent.as_slice(), b"/", &name].concat()
                };
                if made.contains_key(&path) || path.len() > 4000 {
                    continue;
                }
                let mut data = Vec::new();
                let kind = match shape {
                    Shape::File(bytes) => {
                        files.push(path.clone());
                        data = bytes;
                        Kind::File {
                            offset: 0,
                            len: data.len() as u64,
                        }
                    }
                    Shape::Holes(parts, tail) => {
                        files.push(path.clone());
                        let mut pieces = Vec::new();
                        let mut at = 0;
                        for (hole, bytes) in parts {
                            let len = bytes.len() as u64;
                            at += hole;
                            pieces.push(Piece { at, len, offset: 0 });
                            at += len;
                            data.extend(bytes);
                        }
                        Kind::Sparse {
                            len: at + tail,
                            pieces,
                        }
                    }
                    Shape::Hard(_) if files.is_empty() => Kind::Fifo,
                    Shape::Hard(n) => Kind::HardLink {
                        target: files[n % files.len()].clone(),
                    },
                    Shape::Dir => {
                        dirs.push(path.clone());
                        Kind::Dir
                    }
                    Shape::Symlink(target) => Kind::Symlink { target },
                    Shape::Char(major, minor) => Kind::Char { major, minor },
                    Shape::Fifo => Kind::Fifo,
                };
                order.push(path.clone());
                let entry = Entry {
                    path: path.clone(),
                    kind,
                    ..attributes
                };
                made.insert(path, (entry, data));
            }
            order.iter().map(|path| made[path].clone()).collect()
        },
    )
}

fn write(tree: &[(Entry, Vec<u8>)], alignment: Alignment) -> Vec<u8> {
    let mut writer = Writer::aligned(Vec::new(), alignment);
    for (entry, data) in tree {
        writer.append(entry, data.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

fn alignment() -> impl Strategy<Value = Alignment> {
    prop::sample::select(vec![Alignment::Block, Alignment::Page])
}

/// How long a file is, holes included.
fn length(entry: &Entry) -> u64 {
    match entry.kind {
        Kind::File { len, .. } | Kind::Sparse { len, .. } => len,
        _ => 0,
    }
}

/// bsdtar is a thin program over libarchive, which is a library of more machines than bsdtar is a program of.
const LIBARCHIVE: &str = r#"
import sys, ctypes
from ctypes import c_void_p, c_char_p, c_int, c_int64, c_size_t
try:
    lib = ctypes.CDLL("libarchive.so.13")
except OSError:
    sys.exit(9)
def f(name, result, *types):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, types
    return function
a = f("archive_read_new", c_void_p)()
for name in ["archive_read_support_format_tar", "archive_read_support_filter_none"]:
    f(name, c_int, c_void_p)(a)
assert f("archive_read_open_filename", c_int, c_void_p, c_char_p, c_size_t)(a, sys.argv[1].encode(), 10240) == 0
next_header = f("archive_read_next_header", c_int, c_void_p, c_void_p)
get = lambda name, result: f("archive_entry_" + name, result, c_void_p)
read = f("archive_read_data", c_int64, c_void_p, c_char_p, c_size_t)
e, buffer = c_void_p(), ctypes.create_string_buffer(1 << 16)
while (status := next_header(a, ctypes.byref(e))) in (0, -20):
    total = length = 0
    while (got := read(a, buffer, 1 << 16)) > 0:
        length, total = length + got, total + sum(buffer.raw[:got])
    assert got == 0
    print(oct(get("filetype", c_int)(e)), oct(get("perm", c_int)(e) & 0o7777), get("uid", c_int64)(e),
          get("gid", c_int64)(e), get("mtime", c_int64)(e), length, total)
assert status == 1, (status, f("archive_error_string", c_char_p, c_void_p)(a))
"#;

/// The same line as the program over libarchive prints.
fn libarchive_line(entry: &Entry, data: &[u8]) -> String {
    let kind = match &entry.kind {
        Kind::File { .. } | Kind::Sparse { .. } => "0o100000",
        Kind::HardLink { .. } => "0o0",
        Kind::Symlink { .. } => "0o120000",
        Kind::Char { .. } => "0o20000",
        Kind::Block { .. } => "0o60000",
        Kind::Dir => "0o40000",
        Kind::Fifo => "0o10000",
    };
    let sum: u64 = data.iter().map(|b| u64::from(*b)).sum();
    let (mode, mtime) = (entry.mode, entry.mtime);
    let (uid, gid, len) = (entry.uid, entry.gid, length(entry));
    format!("{kind} 0o{mode:o} {uid} {gid} {mtime} {len} {sum}")
}

const PYTHON: &str = r#"
import sys, tarfile
b = lambda s: s.encode("utf-8", "surrogateescape").hex()
with tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as t:
    for m in t:
        data = t.extractfile(m).read() if m.isreg() else b""
        print(b(m.name), m.type.decode(), oct(m.mode), m.uid, m.gid, int(m.mtime // 1), b(m.linkname), len(data),
              sum(data), m.devmajor, m.devminor)
"#;

/// The same line as the Python program prints.
fn line(entry: &Entry, data: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (flag, link, major, minor) = match &entry.kind {
        Kind::File { .. } | Kind::Sparse { .. } => (0, &b""[..], 0, 0),
        Kind::HardLink { target } => (1, target.as_slice(), 0, 0),
        Kind::Symlink { target } => (2, target.as_slice(), 0, 0),
        Kind::Char { major, minor } => (3, &b""[..], *major, *minor),
        Kind::Block { major, minor } => (4, &b""[..], *major, *minor),
        Kind::Dir => (5, &b""[..], 0, 0),
        Kind::Fifo => (6, &b""[..], 0, 0),
    };
    let sum: u64 = data.iter().map(|b| u64::from(*b)).sum();
    format!(
        "{} {flag} 0o{:o} {} {} {} {} {} {sum} {major} {minor}",
        hex(&entry.path),
        entry.mode,
        entry.uid,
        entry.gid,
        entry.mtime,
        hex(link),
        length(entry),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn index_reads_what_writer_wrote(tree in tree(), alignment in alignment()) {
        let bytes = write(&tree, alignment);
        let entries = index(Cursor::new(&bytes)).unwrap();
        prop_assert_eq!(entries.len(), tree.len());
        for (got, (want, data)) in entries.iter().zip(&tree) {
            let mut want = want.clone();
            if let (Kind::Sparse { pieces, .. }, Kind::Sparse { pieces: to, .. }) = (&got.kind, &mut want.kind) {
                let mut data = data.as_slice();
                for (piece, to) in pieces.iter().zip(to) {
                    to.offset = piece.offset;
                    let start = piece.offset as usize;
                    let (piece, rest) = data.split_at(piece.len as usize);
                    prop_assert_eq!(&bytes[start..start + piece.len()], piece);
                    data = rest;
                }
                if let (Alignment::Page, Some(first)) = (alignment, pieces.first()) {
                    prop_assert_eq!(first.offset % 4096, 0);
                }
            }
            if let (Kind::File { offset, len }, Kind::File { offset: to, .. }) = (&got.kind, &mut want.kind) {
                *to = *offset;
                if alignment == Alignment::Page && *len > 0 {
                    prop_assert_eq!(offset % 4096, 0);
                }
                let start = *offset as usize;
                prop_assert_eq!(&bytes[start..start + *len as usize], data.as_slice());
            }
            prop_assert_eq!(got, &want);
        }
    }

    /// A file costs at most a page and a block more than without alignment.
    #[test]
    fn alignment_has_its_price(tree in tree()) {
        let plain = write(&tree, Alignment::Block).len();
        let aligned = write(&tree, Alignment::Page).len();
        let files = tree.iter().filter(|(_, data)| !data.is_empty()).count();
        prop_assert!(aligned >= plain && aligned <= plain + files * (4096 + 512), "{} {}", plain, aligned);
        if files == 0 {
            prop_assert_eq!(aligned, plain);
        }
    }
}

proptest! {
    // Three programs are started for each.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Python's tarfile, GNU tar and libarchive list the same members.
    #[test]
    fn others_read_what_writer_wrote(tree in tree(), alignment in alignment()) {
        // Python counts time in doubles, so only whole seconds that fit are compared.
        let tree: Vec<_> = tree
            .into_iter()
            .map(|(entry, data)| {
                let mtime = entry.mtime.clamp(-1 << 40, 1 << 40);
                (Entry { mtime, mtime_nanos: 0, ..entry }, data)
            })
            .collect();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.tar");
        fs::write(&file, write(&tree, alignment)).unwrap();
        let out = Command::new("python3").args(["-c", PYTHON]).arg(&file).output().unwrap();
        prop_assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let got = String::from_utf8(out.stdout).unwrap();
        let want: Vec<String> = tree.iter().map(|(e, d)| line(e, d)).collect();
        prop_assert_eq!(got.lines().collect::<Vec<_>>(), want);

        let out = Command::new("tar")
            .args(["--null", "--quoting-style=literal", "--warning=no-timestamp", "-tf"])
            .arg(&file)
            .output()
            .unwrap();
        prop_assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        prop_assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        let mut want = Vec::new();
        for (entry, _) in &tree {
            want.extend_from_slice(&entry.path);
            want.extend_from_slice(if entry.kind.is_dir() { b"/\n" } else { b"\n" });
        }
        prop_assert_eq!(out.stdout, want);

        let out = Command::new("python3").args(["-c", LIBARCHIVE]).arg(&file).output().unwrap();
        if out.status.code() == Some(9) {
            println!("skipped: libarchive is not installed");
            return Ok(());
        }
        prop_assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let got = String::from_utf8(out.stdout).unwrap();
        let want: Vec<String> = tree.iter().map(|(e, d)| libarchive_line(e, d)).collect();
        prop_assert_eq!(got.lines().collect::<Vec<_>>(), want);
    }
}

/// A tree of everything one user may make.
fn sample(dir: &Path) {
    fs::create_dir_all(dir.join("usr/bin")).unwrap();
    fs::create_dir(dir.join("usr-local")).unwrap();
    fs::write(dir.join("usr/bin/tool"), b"tool").unwrap();
    fs::hard_link(dir.join("usr/bin/tool"), dir.join("usr/bin/again")).unwrap();
    fs::set_permissions(dir.join("usr/bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("../nowhere", dir.join("usr/link")).unwrap();
    fs::create_dir(dir.join("tmp")).unwrap();
    fs::set_permissions(dir.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let deep = dir.join("d".repeat(120)).join("e".repeat(120));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("f".repeat(200)), vec![7; 70_000]).unwrap();
    rustix_mkfifo(&dir.join("pipe"));
}

fn rustix_mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn options() -> PackOptions {
    PackOptions::new(1000)
}

#[test]
fn folders_survive() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let mut first = Vec::new();
    pack(dir.path(), &options(), &mut first).unwrap();
    let entries = index(Cursor::new(&first)).unwrap();
    let mut sorted = entries.clone();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(entries, sorted);
    assert!(entries.iter().all(|e| e.mtime <= 1000));
    let link = entries.iter().find(|e| e.path == b"usr/bin/tool").unwrap();
    assert_eq!(
        link.kind,
        Kind::HardLink {
            target: b"usr/bin/again".to_vec()
        }
    );

    // Through this crate, through GNU tar, and from another folder: the same bytes.
    let ours = tempfile::tempdir().unwrap();
    let flags = UnpackOptions::default().owners(false);
    unpack_with(first.as_slice(), ours.path(), &flags).unwrap();
    let gnu = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &first).unwrap();
    let status = Command::new("tar")
        .arg("-xpf")
        .arg(file.path())
        .arg("-C")
        .arg(gnu.path())
        .status();
    assert!(status.unwrap().success());
    for other in [ours.path(), gnu.path()] {
        let mut again = Vec::new();
        pack(other, &options(), &mut again).unwrap();
        assert!(again == first, "{} differs", other.display());
    }
    let a = fs::metadata(ours.path().join("usr/bin/tool")).unwrap();
    let b = fs::metadata(ours.path().join("usr/bin/again")).unwrap();
    assert_eq!((a.ino(), a.mode() & 0o7777), (b.ino(), 0o4755));
}

#[test]
#[ignore = "needs real root"]
fn capabilities_owners_and_devices_survive() {
    let dir = tempfile::tempdir().unwrap();
    sample(dir.path());
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program)
            .args(args)
            .current_dir(dir.path())
            .status();
        assert!(status.unwrap().success(), "{program}");
    };
    run("chown", &["12:34", "usr/bin/tool", "tmp"]);
    run("chown", &["-h", "5:6", "usr/link"]);
    run("chmod", &["6755", "usr/bin/tool"]);
    // cap_net_raw+ep, as setcap would set it.
    let set = "import os; os.setxattr('usr/bin/tool', 'security.capability', \
               bytes.fromhex('0100000200200000000000000000000000000000'))";
    run("python3", &["-c", set]);
    run("mknod", &["device", "c", "1", "3"]);
    let mut first = Vec::new();
    pack(dir.path(), &options(), &mut first).unwrap();
    let entries = index(Cursor::new(&first)).unwrap();
    let tool = entries.iter().find(|e| e.path == b"usr/bin/again").unwrap();
    assert_eq!((tool.mode, tool.uid, tool.gid), (0o6755, 12, 34));
    assert_eq!(tool.xattrs[&b"security.capability"[..]].len(), 20);
    let other = tempfile::tempdir().unwrap();
    unpack(first.as_slice(), other.path()).unwrap();
    let mut again = Vec::new();
    pack(other.path(), &options(), &mut again).unwrap();
    assert!(again == first);
    let mut without = Vec::new();
    pack(
        dir.path(),
        &options().drop_xattrs("security."),
        &mut without,
    )
    .unwrap();
    let entries = index(Cursor::new(&without)).unwrap();
    assert!(entries.iter().all(|e| e.xattrs.is_empty()));
    // GNU tar understands the record.
    let gnu = tempfile::tempdir().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &first).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"]);
    assert!(tar
        .arg(file.path())
        .arg("-C")
        .arg(gnu.path())
        .status()
        .unwrap()
        .success());
    let mut again = Vec::new();
    pack(gnu.path(), &options(), &mut again).unwrap();
    assert!(again == first);
}

#[test]
fn data_must_be_as_long_as_said() {
    let entry = |len| Entry::new("f", Kind::File { offset: 0, len }, 0o644);
    for (len, got) in [(3, 4), (5, 4)] {
        let error = Writer::new(io::sink())
            .append(&entry(len), &b"four"[..])
            .unwrap_err();
        let Error::Unwritable { reason, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(reason, Reason::Length { want: len, got });
    }
}

/// Numbers of devices that have no room in a header are in records.
#[test]
fn large_numbers_of_devices() {
    for (major, minor) in [(0o7777777, 0o7777777), (1 << 21, 7), (7, u32::MAX)] {
        for kind in [Kind::Char { major, minor }, Kind::Block { major, minor }] {
            let entry = Entry::new("dev", kind, 0o600);
            let mut writer = Writer::new(Vec::new());
            writer.append(&entry, io::empty()).unwrap();
            let bytes = writer.finish().unwrap();
            assert_eq!(index(Cursor::new(bytes)).unwrap(), [entry]);
        }
    }
}

#[test]
fn bytes_do_not_move() {
    let mut writer = Writer::new(Vec::new());
    let mut file = Entry::new("a/b", Kind::File { offset: 0, len: 2 }, 0o644);
    file.xattrs.insert(b"user.k".to_vec(), b"v".to_vec());
    writer
        .append(&Entry::new("", Kind::Dir, 0o755), io::empty())
        .unwrap();
    assert_eq!(writer.append(&file, &b"hi"[..]).unwrap(), 4 * 512);
    let bytes = writer.finish().unwrap();
    assert_eq!(bytes.len(), 7 * 512);
    assert_eq!(&bytes[..3], b"./\0");
    assert_eq!(&bytes[1024..1051], b"25 SCHILY.xattr.user.k=v\n\0\0");
    assert_eq!(&bytes[148..156], b"006102\0 ");
}

/// Records of a member that needs some and those of one that needs none, at every distance from a page.
#[test]
fn data_on_pages() {
    for attributes in 0..2 {
        for before in 0..9 {
            let mut writer = Writer::aligned(Vec::new(), Alignment::Page);
            for n in 0..before {
                let dir = Entry::new(format!("d{n}"), Kind::Dir, 0o755);
                writer.append(&dir, io::empty()).unwrap();
            }
            let at = writer.position();
            let mut file = Entry::new("f", Kind::File { offset: 0, len: 2 }, 0o644);
            for n in 0..attributes * 7 {
                let name = format!("user.{n}").into_bytes();
                file.xattrs.insert(name, vec![b'v'; 100]);
            }
            let head = archive::head(&file, at, Alignment::Page).unwrap();
            let offset = writer.append(&file, &b"hi"[..]).unwrap();
            assert_eq!((offset % 4096, offset), (0, at + head.len() as u64));
            let mut empty = file.clone();
            empty.path = b"g".to_vec();
            empty.kind = Kind::File { offset: 0, len: 0 };
            let plain = archive::head(&empty, 0, Alignment::Block).unwrap();
            let at = writer.position();
            let offset = writer.append(&empty, io::empty()).unwrap();
            assert_eq!(offset, at + plain.len() as u64);
            let bytes = writer.finish().unwrap();
            assert_eq!(bytes[offset as usize..], archive::END);
            let entries = index(Cursor::new(&bytes)).unwrap();
            assert_eq!(entries[before].xattrs, file.xattrs);
        }
    }
}

/// GNU tar unpacks an aligned archive to the tree it was made of.
#[test]
fn gnu_tar_unpacks_aligned_archives() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    sample(&from);
    let packed = |dir: &Path, options: &PackOptions| {
        let mut bytes = Vec::new();
        pack(dir, options, &mut bytes).unwrap();
        bytes
    };
    let plain = packed(&from, &options());
    let aligned = packed(&from, &options().align(Alignment::Page));
    assert!(aligned.len() > plain.len());
    let file = dir.path().join("a.tar");
    fs::write(&file, &aligned).unwrap();
    let to = dir.path().join("to");
    fs::create_dir(&to).unwrap();
    let out = Command::new("tar")
        .args(["--xattrs", "-xpf"])
        .arg(&file)
        .arg("-C")
        .arg(&to)
        .output()
        .unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    assert!(packed(&to, &options()) == plain);
}
