//! Manifests: round trips, hostile ones, and what injections do to a tree.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::io::Cursor;

use proptest::prelude::*;
use tree::{Entry, Error, Input, Kind, Source, Stamp, Tree};

const STAMP: Stamp = Stamp {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 7,
    mtime_nanos: 0,
};

fn member(path: &str, kind: archive::Kind) -> archive::Entry {
    archive::Entry::new(path, kind, 0o755)
}

fn data(offset: u64, len: u64) -> archive::Kind {
    archive::Kind::File { offset, len }
}

fn symlink(target: &str) -> archive::Kind {
    archive::Kind::Symlink {
        target: target.into(),
    }
}

fn hard_link(target: &str) -> archive::Kind {
    archive::Kind::HardLink {
        target: target.into(),
    }
}

fn base() -> Tree {
    let index = vec![
        member("bin", symlink("usr/bin")),
        member("usr/bin/z", data(512, 10)),
        member("usr/bin/a", hard_link("usr/bin/z")),
        member("usr/bin/m", hard_link("usr/bin/z")),
        member("usr/lib", archive::Kind::Dir),
        member("usr/lib/l", symlink("../bin/z")),
        member("etc/conf", data(2048, 3)),
        member("abs", symlink("/usr/lib")),
        member("loop1", symlink("loop2")),
        member("loop2", symlink("/loop1")),
        member("up", symlink("../../etc")),
    ];
    Tree::from_tar(index, 4096).unwrap()
}

fn file(tree: &mut Tree, len: u64) -> Entry {
    let input = tree.add_input(Input { len });
    let source = Source {
        input,
        offset: 0,
        len,
    };
    Entry::injected(Kind::File(source), STAMP)
}

fn dir() -> Entry {
    let stamp = Stamp {
        mode: 0o700,
        ..STAMP
    };
    Entry::injected(Kind::Dir, stamp)
}

fn link(target: &str) -> Entry {
    let target = target.into();
    Entry::injected(Kind::Symlink { target }, STAMP)
}

/// The bytes of a file without holes.
fn range(tree: &Tree, path: &[u8]) -> Source {
    match tree.inode(path).unwrap().kind {
        Kind::File(source) => source,
        ref other => panic!("{other:?}"),
    }
}

fn text(tree: &Tree) -> String {
    let mut out = Vec::new();
    tree.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_first_name_of_a_file_is_the_file() {
    let tree = base();
    assert!(matches!(
        tree.get(b"usr/bin/a").unwrap().kind,
        Kind::File(_)
    ));
    for name in ["usr/bin/m", "usr/bin/z"] {
        let target = b"usr/bin/a".to_vec();
        assert_eq!(
            tree.get(name.as_bytes()).unwrap().kind,
            Kind::HardLink { target }
        );
    }
    // Cutting the first name off hands the file over.
    let rest = tree.without(&["usr/bin/a"]).unwrap();
    assert!(matches!(
        rest.get(b"usr/bin/m").unwrap().kind,
        Kind::File(_)
    ));
    let target = b"usr/bin/m".to_vec();
    assert_eq!(
        rest.get(b"usr/bin/z").unwrap().kind,
        Kind::HardLink { target }
    );
    let only = tree.subtree(b"usr/bin").unwrap();
    assert!(matches!(only.get(b"a").unwrap().kind, Kind::File(_)));
    assert_eq!(
        Tree::read(text(&rest).as_bytes()).unwrap().entries(),
        rest.entries()
    );
    assert_eq!(
        Tree::read(text(&only).as_bytes()).unwrap().entries(),
        only.entries()
    );
}

#[test]
fn replacing_a_linked_file_leaves_the_other_names() {
    let mut tree = base();
    let new = file(&mut tree, 5);
    tree.insert(b"/bin/a", new, "new").unwrap();
    assert_eq!(range(&tree, b"usr/bin/a").input, 1);
    assert_eq!(range(&tree, b"usr/bin/z").offset, 512);
    assert_eq!(
        Tree::read(text(&tree).as_bytes()).unwrap().entries(),
        tree.entries()
    );
}

#[test]
fn cuts() {
    let tree = base();
    let kept = tree.without(&["usr/bin/", "etc"]).unwrap();
    assert!(kept.get(b"usr/bin").is_some() && kept.get(b"usr/bin/a").is_none());
    assert!(kept.get(b"etc").is_none() && kept.get(b"usr/lib").is_some());
    let cut = tree.cut(Some(b"/usr"), &["lib/l"]).unwrap();
    let paths: Vec<_> = cut.entries().keys().map(|p| tree::display(p)).collect();
    assert_eq!(paths, ["", "bin", "bin/a", "bin/m", "bin/z", "lib"]);
    for bad in ["gone", "", "usr/bin/a/", "../x"] {
        assert!(tree.without(&[bad]).is_err(), "{bad}");
    }
    assert_eq!(tree.subtree(b"").unwrap(), tree);
    assert!(tree.subtree(b"etc/conf").is_err());
    assert!(tree.subtree(b"gone").is_err());
}

#[test]
fn parents_are_followed_and_made() {
    let mut tree = base();
    let cases = [
        ("/bin/new", "usr/bin/new"),
        ("/abs/deep/er/new", "usr/lib/deep/er/new"),
        ("/up/new", "etc/new"),
        ("/fresh/new", "fresh/new"),
    ];
    for (dest, want) in cases {
        let entry = file(&mut tree, 1);
        assert_eq!(
            tree.insert(dest.as_bytes(), entry, dest).unwrap(),
            want.as_bytes()
        );
    }
    let made = tree.get(b"usr/lib/deep").unwrap();
    assert_eq!(
        (made.stamp.mode, made.stamp.mtime, made.layer),
        (0o755, 7, 1)
    );
    // A directory line may come later and say more.
    tree.insert(b"/fresh", dir(), "dir").unwrap();
    assert_eq!(tree.get(b"fresh").unwrap().stamp.mode, 0o700);
    tree.insert(b"/etc", dir(), "dir").unwrap();
    assert_eq!(tree.get(b"etc").unwrap().layer, 0);
    assert_eq!(
        Tree::read(text(&tree).as_bytes()).unwrap().entries(),
        tree.entries()
    );
}

#[test]
fn refused_injections() {
    let mut tree = base();
    let one = file(&mut tree, 1);
    tree.insert(b"/etc/one", one.clone(), "first:one").unwrap();
    let message = |tree: &mut Tree, dest: &str, entry: Entry| {
        let error = tree
            .insert(dest.as_bytes(), entry, "second:two")
            .unwrap_err();
        error.to_string()
    };
    let cases = [
        (
            "/etc/one",
            one.clone(),
            "'/etc/one' is claimed by first:one and by second:two",
        ),
        (
            "/up/one",
            link("x"),
            "'/etc/one' is claimed by first:one and by second:two",
        ),
        (
            "/../etc/x",
            one.clone(),
            "second:two: path '/../etc/x' has a '..' component",
        ),
        (
            "/etc/./x",
            one.clone(),
            "second:two: path '/etc/./x' has a '.' component",
        ),
        (
            "/",
            one.clone(),
            "second:two: path '/' is the root directory",
        ),
        (
            "/usr/bin",
            one.clone(),
            "second:two: '/usr/bin' is a file, but the base has a dir there",
        ),
        (
            "/bin",
            one.clone(),
            "second:two: '/bin' is a file, but the base has a symlink to a directory there",
        ),
        (
            "/etc/conf",
            dir(),
            "second:two: '/etc/conf' is a dir, but the base has a file there",
        ),
        (
            "/etc/conf/x",
            one.clone(),
            "second:two: '/etc/conf/x' lies under '/etc/conf', which is a file of the base",
        ),
        (
            "/etc/one/x",
            one.clone(),
            "second:two: '/etc/one/x' lies under '/etc/one', which is a file of first:one",
        ),
        (
            "/loop1/x",
            one.clone(),
            "second:two: '/loop1/x' leads into a loop of symbolic links at '/loop1'",
        ),
    ];
    let before = text(&tree);
    for (dest, entry, want) in cases {
        let got = message(&mut tree, dest, entry);
        assert_eq!(got.replace("/loop2", "/loop1"), want, "{dest}");
        assert_eq!(text(&tree), before, "{dest}");
    }
    let beyond = Entry::injected(
        Kind::File(Source {
            input: 1,
            offset: 1,
            len: 1,
        }),
        STAMP,
    );
    assert!(matches!(
        tree.insert(b"/x", beyond, "o"),
        Err(Error::SourceOutside { .. })
    ));
    // A plain link is replaced, also one that leads nowhere.
    tree.insert(b"/loop1", one.clone(), "o").unwrap();
    tree.insert(b"/usr/lib/l", link("/x"), "o").unwrap();
    tree.insert(b"/bin", link("usr/lib"), "o").unwrap();
}

/// Who lays out the base needs to know what was there.
#[test]
fn what_was_replaced_is_remembered() {
    let mut tree = base();
    let source = Some(range(&tree, b"etc/conf"));
    let new = file(&mut tree, 9);
    tree.insert(b"etc/conf", new.clone(), "x").unwrap();
    assert_eq!(tree.get(b"etc/conf").unwrap().over, source);
    assert!(text(&tree).contains(r#""over":[0,2048,3],"layer":1}"#));
    assert_eq!(
        Tree::read(text(&tree).as_bytes()).unwrap().entries(),
        tree.entries()
    );
    // Under another name it is still there; a link has no bytes.
    tree.insert(b"usr/bin/a", new.clone(), "x").unwrap();
    assert_eq!(tree.get(b"usr/bin/a").unwrap().over, None);
    tree.insert(b"usr/lib/l", new.clone(), "x").unwrap();
    assert!(text(&tree).contains(r#""over":[0,0,0],"layer":1}"#));
    for path in ["usr/bin/m", "usr/bin/z"] {
        tree.insert(path.as_bytes(), new.clone(), "x").unwrap();
    }
    let last = tree.get(b"usr/bin/z").unwrap();
    assert_eq!(last.over.map(|s| (s.offset, s.len)), Some((512, 10)));
}

#[test]
fn removal() {
    let mut tree = base();
    assert!(tree.remove(b"usr/bin").is_err());
    assert!(tree.remove(b"gone").is_err());
    assert!(tree.remove(b"").is_err());
    for name in ["usr/bin/a", "usr/bin/z", "usr/bin/m"] {
        tree.remove(name.as_bytes()).unwrap();
    }
    tree.remove(b"usr/bin").unwrap();
    assert!(tree.get(b"usr/bin").is_none());
}

const ROOT: &str = r#"{"path":"","type":"dir","mode":"0755","uid":0,"gid":0,"mtime":0,"layer":0}"#;

fn line(fields: &str) -> String {
    format!("{{{fields},\"layer\":0}}").replace("$", r#""mode":"0644","uid":0,"gid":0,"mtime":0"#)
}

const HEAD: &str = r#"{"tree":3,"inputs":[{"len":100}]}"#;

/// Layer and fields of an entry below the root, and what is wrong with it.
const REFUSED: [(char, &str, &str); 19] = [
    (
        '0',
        r#""path":"a/b","type":"dir",$"#,
        "manifest line 3: the parent directory is missing",
    ),
    (
        '0',
        r#""path":"..","type":"dir",$"#,
        "manifest line 3: has a '..' component",
    ),
    (
        '0',
        r#""path":"a","type":"file",$,"source":[0,1,100]"#,
        "'a': bytes 1+100 of input 0 lie outside its 100 bytes",
    ),
    (
        '0',
        r#""path":"a","type":"file",$,"source":[0,18446744073709551615,2]"#,
        "'a': bytes 18446744073709551615+2 of input 0 lie outside its 100 bytes",
    ),
    (
        '0',
        r#""path":"a","type":"file",$,"source":[1,0,0]"#,
        "'a': bytes 0+0 of input 1 lie outside its 0 bytes",
    ),
    (
        '0',
        r#""path":"a","type":"hardlink",$,"target":"b""#,
        "hard link 'a' names 'b', which is not there",
    ),
    (
        '0',
        r#""path":"a","type":"symlink",$"#,
        "manifest line 3: 'target' is missing",
    ),
    (
        '0',
        r#""path":"a","type":"dir",$,"target":"b""#,
        "manifest line 3: 'target' belongs to links only",
    ),
    (
        '0',
        r#""path":"a","type":"char",$"#,
        "manifest line 3: 'rdev' belongs to devices, and to all of them",
    ),
    (
        '0',
        r#""path":"\\x41","type":"dir",$"#,
        "manifest line 3: bad escape in 'path'",
    ),
    (
        '0',
        r#""path":"a", "type":"dir",$"#,
        "manifest line 3: not in the one spelling that the format has",
    ),
    (
        '0',
        r#""path":"a","type":"fifo",$,"mtime_nanos":1000000000"#,
        "manifest line 3: 'mtime_nanos' is a second or more",
    ),
    (
        '0',
        r#""path":"a","type":"fifo",$,"mtime_nanos":0"#,
        "manifest line 3: not in the one spelling that the format has",
    ),
    (
        '0',
        r#""path":"a","type":"fifo",$,"over":[0,0,5]"#,
        "manifest line 3: 'over' belongs to what can replace a file of the base",
    ),
    (
        '1',
        r#""path":"a","type":"dir",$,"over":[0,0,5]"#,
        "manifest line 3: 'over' belongs to what can replace a file of the base",
    ),
    (
        '1',
        r#""path":"a","type":"fifo",$,"over":[0,1,0]"#,
        "manifest line 3: 'over' names no bytes",
    ),
    (
        '1',
        r#""path":"a","type":"fifo",$,"over":[0,99,2]"#,
        "'a': bytes 99+2 of input 0 lie outside its 100 bytes",
    ),
    (
        '0',
        r#""path":"a","type":"dir",$,"xattrs":{"user.a":"Zg"}"#,
        "manifest line 3: an xattr's value is not base64",
    ),
    (
        '2',
        r#""path":"a","type":"dir",$"#,
        "manifest line 3: 'layer' is neither 0 nor 1",
    ),
];

fn refused(lines: &[String], want: &str) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let error = Tree::read(text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), want, "{text}");
}

#[test]
fn refused_entries() {
    for (layer, fields, want) in REFUSED {
        let line = line(fields).replace("\"layer\":0", &format!("\"layer\":{layer}"));
        refused(&[HEAD.into(), ROOT.into(), line], want);
    }
    let file = |path: &str, at: u64| {
        line(&format!(
            r#""path":"{path}","type":"file",$,"source":[0,{at},10]"#
        ))
    };
    refused(
        &[HEAD.into(), ROOT.into(), file("a", 0), file("b", 9)],
        "'a' and 'b' overlap in input 0 at byte 9",
    );
    // The same bytes twice are fine.
    let twice = format!("{HEAD}\n{ROOT}\n{}\n{}\n", file("a", 0), file("b", 0));
    assert!(Tree::read(twice.as_bytes()).is_ok());
}

#[test]
fn refused_manifests() {
    let dir = line(r#""path":"a","type":"dir",$"#);
    for (lines, want) in [
        (vec![], "manifest line 1: the manifest is empty"),
        (
            vec!["{}".into()],
            "manifest line 1: missing field `tree` (column 2)",
        ),
        (
            vec![r#"{"tree":1,"inputs":[]}"#.into()],
            "manifest line 1: version 1, but only 3 is known",
        ),
        (
            vec![HEAD.into()],
            "manifest line 2: the root directory is missing",
        ),
        (
            vec![HEAD.into(), dir.clone()],
            "manifest line 2: the first entry is not the root directory",
        ),
        (
            vec![HEAD.into(), ROOT.into(), ROOT.into()],
            "manifest line 3: paths are not sorted",
        ),
        (
            vec![HEAD.into(), ROOT.into(), dir.replace("0644", "644")],
            "manifest line 3: 'mode' is not four octal digits",
        ),
    ] {
        refused(&lines, want);
    }
    let cut = format!("{HEAD}\n{ROOT}");
    assert!(Tree::read(cut.as_bytes()).is_err());
    assert!(Tree::read(format!("{cut}\n").as_bytes()).is_ok());
}

#[test]
fn archives_that_are_no_trees() {
    let wrong = [
        vec![member("a", data(0, 1)), member("a/b", data(1, 1))],
        vec![
            member("a", archive::Kind::Dir),
            member("a", archive::Kind::Dir),
        ],
        vec![member("a/../b", archive::Kind::Dir)],
        vec![member("", data(0, 1))],
        vec![member("a", hard_link("b"))],
        vec![member("b", archive::Kind::Dir), member("a", hard_link("b"))],
        vec![member("a", data(0, 5)), member("b", data(4, 5))],
        vec![member("a", data(4000, 97))],
        vec![member("a", symlink(""))],
    ];
    for index in wrong {
        let shown = format!("{index:?}");
        assert!(Tree::from_tar(index, 4096).is_err(), "{shown}");
    }
}

/// Thousands of files in a folder that only their paths tell of, as deep as paths go: each of its folders is made up once.
#[test]
fn many_files_deep_below_folders_that_nobody_named() {
    let folder = "a/".repeat(1990);
    let index = (0..10_000).map(|n| member(&format!("{folder}{n}"), data(0, 0)));
    let tree = Tree::from_tar(index.collect(), 0).unwrap();
    assert_eq!(tree.entries().len(), 1 + 1990 + 10_000);
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(
        prop::sample::select(vec![
            b'a', b'b', b'/', b'\\', 0xff, 0xc3, 0xa9, b'.', b'\n', b'"',
        ]),
        1..8,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any tree that can be put together reads back as it was.
    #[test]
    fn round_trip(items in prop::collection::vec((names(), 0u8..4, any::<i64>(), any::<u32>(), names()), 0..20)) {
        let mut tree = base();
        for (dest, kind, mtime, uid, other) in items {
            let kind = match kind {
                0 => Kind::Dir,
                1 => Kind::Symlink { target: other.clone() },
                2 => Kind::File(Source { input: 0, offset: 3000, len: 5 }),
                _ => Kind::Fifo,
            };
            let mut entry = Entry::injected(kind, Stamp { mode: uid & 0o7777, uid, gid: 1, mtime, mtime_nanos: uid % 3 });
            entry.xattrs = BTreeMap::from([([b"user.", &other[..]].concat(), dest.clone())]);
            let before = tree.clone();
            if tree.insert(&dest, entry, "x").is_err() {
                prop_assert_eq!(&tree, &before);
            }
        }
        let written = text(&tree);
        let again = Tree::read(written.as_bytes()).unwrap();
        prop_assert_eq!(again.entries(), tree.entries());
        prop_assert_eq!(text(&again), written);
    }

    /// What a tree remembers about further names of files follows all that is done to it: a tree that forgets becomes the same.
    #[test]
    fn names_of_files(
        links in prop::collection::vec((0u8..12, 0u8..12), 0..12),
        steps in prop::collection::vec((0u8..12, any::<bool>()), 0..12),
    ) {
        let name = |number: u8| format!("d/{}", char::from(b'a' + number));
        let mut index: Vec<archive::Entry> =
            (0..6).map(|n| member(&name(2 * n), data(u64::from(n) * 512, 7))).collect();
        for (from, to) in links {
            // To a file, and each name once.
            let from = name(from | 1);
            if index.iter().all(|entry| entry.path != from.as_bytes()) {
                index.push(member(&from, hard_link(&name(to & !1))));
            }
        }
        let mut tree = Tree::from_tar(index, 4096).unwrap();
        for (number, remove) in steps {
            let dest = name(number).into_bytes();
            let mut forgetful = tree.without::<&[u8]>(&[]).unwrap();
            for tree in [&mut tree, &mut forgetful] {
                let done = match remove {
                    true => tree.remove(&dest),
                    false => tree.insert(&dest, link("x"), "x").map(drop),
                };
                // Not there, or put there before.
                let _ = done;
            }
            prop_assert_eq!(text(&tree), text(&forgetful));
            let again = Tree::read(text(&tree).as_bytes()).unwrap();
            prop_assert_eq!(again.entries(), tree.entries());
        }
    }

    /// Names of a folder, whatever lies in and beside it.
    #[test]
    fn children(paths in prop::collection::btree_set("[a/!0-]{1,7}", 0..30)) {
        let mut tree = base();
        for path in paths {
            let _ = tree.insert(path.as_bytes(), dir(), "x");
        }
        for folder in tree.entries().keys() {
            let inside = |path: &[u8]| -> Option<Vec<u8>> {
                let rest = match folder.is_empty() {
                    true => path,
                    false => path.strip_prefix(&folder[..])?.strip_prefix(b"/")?,
                };
                (!rest.is_empty() && !rest.contains(&b'/')).then(|| rest.to_vec())
            };
            let want: Vec<Vec<u8>> = tree.entries().keys().filter_map(|path| inside(path)).collect();
            let got: Vec<Vec<u8>> = tree.children(folder).map(|(name, _)| name.to_vec()).collect();
            prop_assert_eq!(got, want);
        }
    }

    /// Whatever is done to a manifest: it is refused, or it is a manifest that writes back as it came.
    #[test]
    fn hostile(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6)) {
        let mut bytes = text(&base()).into_bytes();
        for (at, byte, what) in edits {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => { bytes.remove(at); }
                _ => {
                    // A line twice or in another place.
                    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                    let from = at % lines.len();
                    let line = lines[from].clone();
                    let to = usize::from(byte) % lines.len();
                    lines.insert(to, line);
                    bytes = lines.concat();
                }
            }
            if bytes.is_empty() { break; }
        }
        if let Ok(tree) = Tree::read(&bytes[..]) {
            let mut out = Vec::new();
            tree.write(&mut out).unwrap();
            prop_assert_eq!(out, bytes);
            // Its ranges can be added and its links followed.
            for path in tree.entries().keys() {
                let _ = tree.resolve(path, true, "x");
            }
        }
    }
}

/// Files with holes have one spelling.
#[test]
fn files_with_holes() {
    let mut writer = archive::Writer::new(Vec::new());
    let piece = |at, len| archive::Piece { at, len, offset: 0 };
    let pieces = vec![piece(7, 3), piece(20, 5)];
    let kind = archive::Kind::Sparse { len: 99, pieces };
    writer
        .append(&archive::Entry::new("f", kind, 0o644), &b"12345678"[..])
        .unwrap();
    let tar = writer.finish().unwrap();
    let index = archive::index(Cursor::new(&tar)).unwrap();
    let tree = Tree::from_tar(index, tar.len() as u64).unwrap();
    let manifest = text(&tree);
    let want = r#""sparse":[99,[[7,0,2048,3],[20,0,2051,5]]],"layer":0}"#;
    assert!(manifest.contains(want), "{manifest}");
    assert_eq!(Tree::read(manifest.as_bytes()).unwrap(), tree);
    for (bad, why) in [
        ("[99,[[7,0,2048,3],[10,0,2051,5]]]", "no hole before it"),
        ("[99,[[20,0,2051,5],[7,0,2048,3]]]", "not in order"),
        ("[99,[[7,0,2048,0]]]", "not in order"),
        (
            "[24,[[7,0,2048,3],[20,0,2051,5]]]",
            "reaches beyond the file",
        ),
        ("[99,[[7,0,99999,3]]]", "lie outside"),
        ("[3,[[0,0,2048,3]]]", "has no hole"),
        ("[0,[]]", "has no hole"),
    ] {
        let changed = manifest.replace("[99,[[7,0,2048,3],[20,0,2051,5]]]", bad);
        let error = Tree::read(changed.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{bad}: {error}");
    }
}
