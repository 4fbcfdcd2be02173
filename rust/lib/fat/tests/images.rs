//! Images as fsck.fat and mtools see them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fat::{layout, Error, FatType, Params};
use plan::{ImageSet, Plan, Reader};
use proptest::prelude::*;
use tree::Tree;

/// Path -> content; nothing for a directory.
type Files = BTreeMap<String, Option<Vec<u8>>>;

fn params(size_mib: u64, fat_type: Option<FatType>) -> Params {
    Params {
        size_mib,
        fat_type,
        volume_id: 0x1234_abcd,
        label: "ESP".into(),
        mtime: 1_700_000_000,
    }
}

fn member(path: &str, data: Option<&[u8]>) -> archive::Entry {
    let kind = match data {
        Some(data) => archive::Kind::File {
            offset: 0,
            len: data.len() as u64,
        },
        None => archive::Kind::Dir,
    };
    archive::Entry::new(path, kind, 0o755)
}

fn open(dir: &Path, members: &[(archive::Entry, Vec<u8>)]) -> (Tree, PathBuf) {
    let mut writer = archive::Writer::new(Vec::new());
    for (entry, data) in members {
        writer.append(entry, &data[..]).unwrap();
    }
    let bytes = writer.finish().unwrap();
    let path = dir.join("base.tar");
    fs::write(&path, &bytes).unwrap();
    let index = archive::index(fs::File::open(&path).unwrap()).unwrap();
    let tree = Tree::from_tar(index, bytes.len() as u64).unwrap();
    (tree, path)
}

fn open_files(dir: &Path, files: &Files) -> (Tree, PathBuf) {
    let files = files.iter();
    let members = files.map(|(path, data)| {
        (
            member(path, data.as_deref()),
            data.clone().unwrap_or_default(),
        )
    });
    open(dir, &members.collect::<Vec<_>>())
}

fn planned(tree: &Tree, params: &Params) -> Result<Plan, Error> {
    let lens: Vec<u64> = tree.inputs().iter().map(|input| input.len).collect();
    layout(tree, &ImageSet::of_lens(&lens).unwrap(), params)
}

/// The image's bytes in a file.
fn materialised(dir: &Path, plan: Plan, inputs: &[PathBuf]) -> PathBuf {
    let reader = Reader::open(plan, inputs).unwrap();
    let path = dir.join("image");
    let file = fs::File::create(&path).unwrap();
    file.set_len(reader.len()).unwrap();
    for extent in reader.plan().extents() {
        if extent.piece != plan::Piece::Zero {
            let mut bytes = vec![0; extent.len as usize];
            reader.read_at(&mut bytes, extent.start).unwrap();
            file.write_all_at(&bytes, extent.start).unwrap();
        }
    }
    path
}

fn image(dir: &Path, files: &Files, params: &Params) -> Result<PathBuf, Error> {
    let (tree, tar) = open_files(dir, files);
    Ok(materialised(dir, planned(&tree, params)?, &[tar]))
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .output();
    let output = output.unwrap_or_else(|e| panic!("{program} (packages dosfstools, mtools): {e}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}{wrong}");
    said
}

/// fsck.fat finds nothing to say.
fn check(image: &Path) {
    let said = run("/usr/sbin/fsck.fat", &["-n", image.to_str().unwrap()]);
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// What mtools reads.
fn read_back(image: &Path) -> Files {
    let dir = tempfile::tempdir().unwrap();
    let to = format!("{}/", dir.path().display());
    run(
        "/usr/bin/mcopy",
        &["-s", "-i", image.to_str().unwrap(), "::/", &to],
    );
    let mut out = Files::new();
    walk(dir.path(), "", &mut out);
    out
}

fn walk(dir: &Path, prefix: &str, out: &mut Files) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), out);
            out.insert(name, None);
        } else {
            out.insert(name, Some(fs::read(entry.path()).unwrap()));
        }
    }
}

fn scene() -> Files {
    let mut files = Files::new();
    let mut file = |path: &str, data: &[u8]| files.insert(path.to_owned(), Some(data.to_vec()));
    file("EFI/BOOT/BOOTX64.EFI", &[7; 100_000]);
    file("EFI/BOOT/grub.cfg", b"set x=1\n");
    file("a long name with spaces.txt", b"1");
    file("another long name with spaces.txt", b"2");
    file("caf\u{e9}.txt", b"3");
    file("empty", b"");
    file("exactly13char", b"4");
    file(".hidden", b"5");
    file("a+b;c=d.e,f", b"6");
    for name in ["EFI", "EFI/BOOT", "dir", "dir/empty"] {
        files.insert(name.to_owned(), None);
    }
    files
}

#[test]
fn everything_arrives() {
    let kinds = [
        (1, Some(FatType::Fat12)),
        (3, None),
        (8, Some(FatType::Fat16)),
        (40, None),
        (34, Some(FatType::Fat32)),
        (520, None),
    ];
    for (size_mib, kind) in kinds {
        let dir = tempfile::tempdir().unwrap();
        let image = image(dir.path(), &scene(), &params(size_mib, kind)).unwrap();
        check(&image);
        assert_eq!(fs::metadata(&image).unwrap().len(), size_mib << 20);
        assert_eq!(read_back(&image), scene(), "{size_mib}");
        let name = image.to_str().unwrap();
        let listed = run("/usr/bin/mdir", &["-i", name, "-/", "::"]);
        assert!(
            listed.contains("Volume Serial Number is 1234-ABCD"),
            "{listed}"
        );
        assert!(listed.contains("is ESP"), "{listed}");
        assert!(listed.contains("a long name with spaces.txt"), "{listed}");
        assert!(listed.contains("2023-11-14  22:13"), "{listed}");
        let text = run("/usr/bin/mtype", &["-i", name, "::/EFI/BOOT/grub.cfg"]);
        assert_eq!(text, "set x=1\n");
        let kind = run("/usr/bin/minfo", &["-i", name, "::"]);
        let bits = match size_mib {
            1 | 3 => "FAT12",
            8 | 40 => "FAT16",
            _ => "FAT32",
        };
        assert!(kind.contains(&format!("disk type=\"{bits}   \"")), "{kind}");
    }
}

#[test]
fn the_same_bytes_again() {
    let plan = || {
        let dir = tempfile::tempdir().unwrap();
        let (tree, _) = open_files(dir.path(), &scene());
        planned(&tree, &params(8, None)).unwrap().encode()
    };
    assert!(plan() == plan());
}

/// An input that is itself the image of a plan, and one whose position in the result is another.
#[test]
fn inputs_of_other_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let (mut tree, tar) = open_files(dir.path(), &scene());
    let tar_len = fs::metadata(&tar).unwrap().len();
    let raw = dir.path().join("raw");
    fs::write(&raw, [3; 5000]).unwrap();
    let mut inner = plan::Builder::new(vec![plan::Input::of_len(5000)]);
    inner.inline(b"head").unwrap();
    inner.zero_to(8192).unwrap();
    inner.source(0, 100, 4900).unwrap();
    let inner = inner.finish().unwrap();
    let len = inner.len();
    let inner_path = dir.path().join("inner.plan");
    fs::write(&inner_path, inner.encode()).unwrap();
    let input = tree.add_input(tree::Input { len });
    let source = tree::Source {
        input,
        offset: 0,
        len,
    };
    let stamp = tree::Stamp {
        mode: 0o644,
        ..tree.get(b"").unwrap().stamp
    };
    let entry = tree::Entry::injected(tree::Kind::File(source), stamp);
    tree.insert(b"/EFI/inner.img", entry, "test").unwrap();
    let list = dir.path().join("inner.image");
    let lines = [&inner_path, &raw].map(|path| path.display().to_string());
    fs::write(&list, lines.join("\n")).unwrap();
    let bodies = ImageSet::open_sized(&[&tar, &list], &[tar_len, len]).unwrap();
    let plan = layout(&tree, &bodies, &params(3, None)).unwrap();
    // Files are ranges of inputs: what the plan holds is the file system alone.
    assert!(plan.inline_len() < 40_000, "{}", plan.inline_len());
    let image = materialised(dir.path(), plan, &[tar, raw]);
    check(&image);
    let mut want = scene();
    let bytes = [&b"head"[..], &[0; 8188], &[3; 4900]].concat();
    want.insert("EFI/inner.img".into(), Some(bytes));
    assert_eq!(read_back(&image), want);
}

/// FAT has no holes: they are zeros of the image.
#[test]
fn holes_are_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let piece = |at, len| archive::Piece { at, len, offset: 0 };
    let pieces = vec![piece(5, 10), piece(100_000, 3000)];
    let kind = archive::Kind::Sparse {
        len: 200_000,
        pieces,
    };
    let holed = (archive::Entry::new("holed", kind, 0o644), vec![9; 3010]);
    let (tree, tar) = open(
        dir.path(),
        &[holed, (member("next", Some(b"next")), b"next".to_vec())],
    );
    let plan = planned(&tree, &params(3, None)).unwrap();
    let image = materialised(dir.path(), plan, &[tar]);
    check(&image);
    let mut bytes = vec![0; 200_000];
    bytes[5..15].fill(9);
    bytes[100_000..103_000].fill(9);
    let want = [
        ("holed".into(), Some(bytes)),
        ("next".into(), Some(b"next".to_vec())),
    ];
    assert_eq!(read_back(&image), want.into());
}

/// 64 GiB cost what they hold.
#[test]
fn large_volumes_are_small_plans() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, _) = open_files(dir.path(), &scene());
    let plan = planned(&tree, &params(64 << 10, None)).unwrap();
    assert_eq!(plan.len(), 64 << 30);
    assert!(plan.inline_len() < 8192, "{}", plan.inline_len());
}

#[test]
fn mtools_can_go_on_writing() {
    let dir = tempfile::tempdir().unwrap();
    for kind in [FatType::Fat12, FatType::Fat16, FatType::Fat32] {
        let size = if kind == FatType::Fat32 { 40 } else { 5 };
        let size = if kind == FatType::Fat12 { 2 } else { size };
        let image = image(dir.path(), &scene(), &params(size, Some(kind))).unwrap();
        let name = image.to_str().unwrap();
        let new = dir.path().join("new");
        fs::write(&new, vec![9; 200_000]).unwrap();
        run(
            "/usr/bin/mcopy",
            &["-i", name, new.to_str().unwrap(), "::/dir/new file"],
        );
        run("/usr/bin/mdel", &["-i", name, "::/EFI/BOOT/grub.cfg"]);
        check(&image);
        let mut want = scene();
        want.remove("EFI/BOOT/grub.cfg");
        want.insert("dir/new file".into(), Some(vec![9; 200_000]));
        assert_eq!(read_back(&image), want);
    }
}

#[test]
fn too_small_says_by_how_much() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = scene();
    files.insert("big".into(), Some(vec![1; 5 << 20]));
    for (kind, has) in [(None, 3), (Some(FatType::Fat16), 4), (None, 4)] {
        let error = image(dir.path(), &files, &params(has, kind)).unwrap_err();
        let Error::DoesNotFit {
            needs_mib, has_mib, ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(has_mib, has);
        // What it asks for is enough, and a MiB less is not.
        let path = image(dir.path(), &files, &params(needs_mib, kind)).unwrap();
        check(&path);
        let less = image(dir.path(), &files, &params(needs_mib - 1, kind)).unwrap_err();
        assert!(matches!(less, Error::DoesNotFit { .. }), "{less}");
    }
    let error = image(dir.path(), &files, &params(5, Some(FatType::Fat16))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree does not fit: it needs 6 MiB, the partition has 5 MiB (146 KiB more are wanted)"
    );
}

#[test]
fn a_full_volume() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    // 2003 clusters of 512 bytes are left in 1 MiB.
    files.insert("FILL".into(), Some(vec![5; 2003 * 512]));
    let image1 = image(dir.path(), &files, &params(1, None)).unwrap();
    check(&image1);
    assert_eq!(read_back(&image1), files);
    files.insert("FILL".into(), Some(vec![5; 2003 * 512 + 1]));
    assert!(image(dir.path(), &files, &params(1, None)).is_err());
}

#[test]
fn the_root_directory_has_its_limits() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    for i in 0..511 {
        files.insert(format!("F{i}"), Some(Vec::new()));
    }
    let full = image(dir.path(), &files, &params(8, None)).unwrap();
    check(&full);
    assert_eq!(read_back(&full).len(), 511);
    files.insert("ONE".into(), None);
    let error = image(dir.path(), &files, &params(8, None)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::RootFull {
                wants: 513,
                has: 512
            }
        ),
        "{error}"
    );
    let wide = image(dir.path(), &files, &params(40, Some(FatType::Fat32))).unwrap();
    check(&wide);
    assert_eq!(read_back(&wide).len(), 512);
}

#[test]
fn other_directories_have_limits() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    files.insert("D".into(), None);
    // With `.` and `..` as many records as the specification allows.
    for i in 0..65_534 {
        files.insert(format!("D/F{i}"), Some(Vec::new()));
    }
    let wide = params(40, Some(FatType::Fat32));
    check(&image(dir.path(), &files, &wide).unwrap());
    files.insert("D/ONE".into(), None);
    let error = image(dir.path(), &files, &wide).unwrap_err().to_string();
    let want = "the directory '/D' wants 65537 records of 32 bytes, FAT has at most 65536";
    assert!(error.starts_with(want), "{error}");
}

/// Its tables alone have more MiB than a few: the size that is named is the first that is large enough.
#[test]
fn a_tree_of_a_tebibyte() {
    let dir = tempfile::tempdir().unwrap();
    let holed = |number: u32| {
        let pieces = vec![archive::Piece {
            at: 0,
            len: 1,
            offset: 0,
        }];
        let len = (4 << 30) - 1;
        let kind = archive::Kind::Sparse { len, pieces };
        let entry = archive::Entry::new(format!("F{number}"), kind, 0o644);
        (entry, vec![9])
    };
    let members: Vec<_> = (0..256).map(holed).collect();
    let (tree, _) = open(dir.path(), &members);
    let error = planned(&tree, &params(512, None)).unwrap_err();
    let Error::DoesNotFit { needs_mib, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(needs_mib, (1 << 20) + 257);
    planned(&tree, &params(needs_mib, None)).unwrap();
    assert!(planned(&tree, &params(needs_mib - 1, None)).is_err());
}

/// A volume that is larger may have larger clusters, and small files then take more of it: the size that is named may be twice as large, and is
/// the first that is large enough.
#[test]
fn small_files_in_larger_clusters() {
    let dir = tempfile::tempdir().unwrap();
    let small = |number: u32| {
        let kind = archive::Kind::File { offset: 0, len: 1 };
        let path = format!("D{}/F{number}", number / 60_000);
        (archive::Entry::new(path, kind, 0o644), vec![9])
    };
    let folder = |number: u32| {
        let kind = archive::Kind::Dir;
        let entry = archive::Entry::new(format!("D{number}"), kind, 0o755);
        (entry, Vec::new())
    };
    let tree = |count: u32| {
        let members = (0..2).map(folder).chain((0..count).map(small));
        open(dir.path(), &members.collect::<Vec<_>>()).0
    };
    // Clusters of 2 KiB up to 128 MiB, of 4 KiB up to 256 MiB; and of 8 KiB up to 511 MiB, then of 4 KiB again.
    for (count, has, want) in [(64_400, 128, 254), (66_000, 511, 512)] {
        let tree = tree(count);
        let error = planned(&tree, &params(has, None)).unwrap_err();
        let Error::DoesNotFit { needs_mib, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(needs_mib, want, "{count} files");
        planned(&tree, &params(needs_mib, None)).unwrap();
        assert!(planned(&tree, &params(needs_mib - 1, None)).is_err());
    }
}

#[test]
fn no_volume_is_large_enough() {
    let dir = tempfile::tempdir().unwrap();
    let (at, len, offset) = (0, 1, 0);
    let pieces = vec![archive::Piece { at, len, offset }];
    let len = 1 << 30;
    let kind = archive::Kind::Sparse { len, pieces };
    let holed = (archive::Entry::new("holed", kind, 0o644), vec![9]);
    let (tree, _) = open(dir.path(), &[holed]);
    let error = planned(&tree, &params(1, Some(FatType::Fat12))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree does not fit: it needs more than 1024 MiB, and no FAT12 file system of that size has room for it"
    );
}

#[test]
fn what_fat_cannot_hold() {
    let dir = tempfile::tempdir().unwrap();
    let add =
        |path: &str, kind: archive::Kind| (archive::Entry::new(path, kind, 0o644), Vec::new());
    let link = archive::Kind::Symlink { target: "x".into() };
    let cases = [
        (vec![add("l", link)], "FAT cannot hold '/l': a symlink"),
        (
            vec![add("n", archive::Kind::Char { major: 1, minor: 3 })],
            "FAT cannot hold '/n': a char",
        ),
        (
            vec![add("p", archive::Kind::Fifo)],
            "FAT cannot hold '/p': a fifo",
        ),
        (
            vec![
                add("a/Name.txt", archive::Kind::Dir),
                add("a/name.TXT", archive::Kind::Dir),
            ],
            "FAT takes '/a/Name.txt' and '/a/name.TXT' for the same name: they differ in case only",
        ),
        (
            vec![add("a:b", archive::Kind::Dir)],
            "FAT cannot hold '/a:b': its name has a control character or one of \\ : * ? \" < > |",
        ),
        (
            vec![add("dot.", archive::Kind::Dir)],
            "FAT cannot hold '/dot.': its name ends in a dot or space",
        ),
        (
            vec![add("a\nb", archive::Kind::Dir)],
            "FAT cannot hold '/a\nb': its name has a control character or one of \\ : * ? \" < > |",
        ),
    ];
    for (members, want) in cases {
        let (tree, _) = open(dir.path(), &members);
        let error = planned(&tree, &params(8, None)).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
    // A hard link becomes a second file.
    let members = [
        (member("a", Some(b"data")), b"data".to_vec()),
        add("b", archive::Kind::HardLink { target: "a".into() }),
    ];
    let (tree, tar) = open(dir.path(), &members);
    let path = materialised(
        dir.path(),
        planned(&tree, &params(1, None)).unwrap(),
        &[tar],
    );
    check(&path);
    assert_eq!(read_back(&path)["b"], Some(b"data".to_vec()));
}

/// Two names are one for us if they are for mtools.
#[test]
fn names_that_differ_in_case() {
    for (first, second, same) in [
        ("\u{e9}", "\u{c9}", true),
        ("\u{44f}\u{3c9}", "\u{42f}\u{3a9}", true),
        // Long s, dotless i, micro: their capitals are those of other letters.
        ("\u{17f}x", "SX", true),
        ("\u{131}", "I", true),
        ("\u{b5}", "\u{39c}", true),
        ("\u{1c5}", "\u{1c4}", true),
        ("\u{1fb3}", "\u{1fbc}", true),
        // One letter is never two, and not every pair is one of small letter and capital.
        ("stra\u{df}e", "STRASSE", false),
        ("\u{df}", "\u{1e9e}", false),
        ("\u{fb01}", "FI", false),
        ("\u{130}", "i", false),
        ("e\u{301}", "\u{e9}", false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let content = |name: &str| (name.to_owned(), Some(name.as_bytes().to_vec()));
        let one = Files::from([content(first)]);
        let path = image(dir.path(), &one, &params(1, None)).unwrap();
        let found = Command::new("/usr/bin/mtype")
            .args(["-i", path.to_str().unwrap(), &format!("::/{second}")])
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        let found = found.status.success() && found.stdout == first.as_bytes();
        assert_eq!(found, same, "mtools: {first} {second}");
        let both = Files::from([content(first), content(second)]);
        match image(dir.path(), &both, &params(1, None)) {
            Err(error) => assert!(same && matches!(error, Error::CaseClash { .. }), "{error}"),
            Ok(path) => {
                assert!(!same, "{first} {second}");
                check(&path);
                assert_eq!(read_back(&path), both);
                for name in [first, second] {
                    let args = ["-i", path.to_str().unwrap(), &format!("::/{name}")];
                    assert_eq!(run("/usr/bin/mtype", &args), name);
                }
            }
        }
    }
}

/// What Linux and mtools take, too.
#[test]
fn unusual_names() {
    let dir = tempfile::tempdir().unwrap();
    // Trees have names of at most 255 bytes, so that there are never more than 255 UTF-16 units.
    let longest = "x".repeat(255);
    let mut files = Files::new();
    for name in [
        " leading space",
        "del\u{7f}",
        "next\u{85}line",
        "...dots",
        "con",
        "nul.txt",
        "CAF\u{c9}~1.TXT",
        "\u{ff}\u{fffd}\u{feff}",
        &longest,
    ] {
        files.insert(name.to_owned(), Some(name.as_bytes().to_vec()));
    }
    let path = image(dir.path(), &files, &params(1, None)).unwrap();
    check(&path);
    assert_eq!(read_back(&path), files);
}

#[test]
fn refused_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let good = params(8, None);
    let bad = [
        Params {
            label: "lower".into(),
            ..good.clone()
        },
        Params {
            label: "TWELVE CHARS".into(),
            ..good.clone()
        },
        Params {
            label: "NO NAME".into(),
            ..good.clone()
        },
        Params {
            size_mib: 0,
            ..good.clone()
        },
        Params {
            mtime: i64::MAX,
            ..good.clone()
        },
    ];
    for params in bad {
        let error = image(dir.path(), &scene(), &params).unwrap_err();
        assert!(matches!(error, Error::Param { .. }), "{error}");
    }
    let error = image(dir.path(), &scene(), &params(8, Some(FatType::Fat32))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a FAT32 file system cannot have 8 MiB: too small"
    );
    // A label is optional.
    let bare = Params {
        label: String::new(),
        ..good
    };
    check(&image(dir.path(), &scene(), &bare).unwrap());
}

/// What a label is made of, and where its spaces are.
#[test]
fn labels() {
    let dir = tempfile::tempdir().unwrap();
    for (label, good) in [
        ("ELEVEN-CH_1", true),
        ("A 2", true),
        ("TWELVE-CHARS", false),
        (" A", false),
        ("A ", false),
        ("A+B", false),
    ] {
        let params = Params {
            label: label.into(),
            ..params(8, None)
        };
        let path = image(dir.path(), &scene(), &params);
        assert_eq!(path.is_ok(), good, "{label}");
        if let Ok(path) = path {
            check(&path);
            let said = run("/usr/bin/mdir", &["-i", path.to_str().unwrap(), "::"]);
            assert!(said.contains(&format!("is {label}")), "{said}");
        }
    }
}

fn names() -> impl Strategy<Value = String> {
    let part =
        "[a-cA-C.~+\u{e9}][a-cA-C.~+ \u{e9}]{0,3}[a-cA-C0-9~\u{e9}]{1,12}(\\.[a-cA-C]{1,5})?";
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

/// `name` and the folders it lies in.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |at| Some(at.rsplit_once('/')?.0))
}

/// The names as a tree, without those that clash with an earlier one.
fn without_clashes(names: &[String], seed: u8) -> Files {
    let mut files = Files::new();
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (i, name) in names.iter().enumerate() {
        let clashes = prefixes(name).any(|at| {
            let there = taken.get(&at.to_uppercase());
            there.is_some_and(|there| there != at || at == name || files[there].is_some())
        });
        if clashes {
            continue;
        }
        for at in prefixes(name) {
            taken.insert(at.to_uppercase(), at.to_owned());
            files.entry(at.to_owned()).or_insert(None);
        }
        let len = (i * 977 * usize::from(seed)) % 9000;
        files.insert(name.clone(), Some(vec![seed; len]));
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any tree comes back whole, and fsck.fat has nothing to say.
    #[test]
    fn round_trip(names in prop::collection::vec(names(), 1..40), seed in any::<u8>(), kind in 0usize..3) {
        let files = without_clashes(&names, seed);
        let dir = tempfile::tempdir().unwrap();
        let (size, kind) = [(2, FatType::Fat12), (5, FatType::Fat16), (34, FatType::Fat32)][kind];
        let image = image(dir.path(), &files, &params(size, Some(kind))).unwrap();
        check(&image);
        prop_assert_eq!(read_back(&image), files);
    }
}
