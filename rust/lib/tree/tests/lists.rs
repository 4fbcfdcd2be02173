//! Lists of trees, and the bytes that their entries name.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use plan::{ImageSet, Plan, Reader};
use tree::{Entry, Kind, Source, Sources, Stamp, Tree};

/// An archive in `dir` with a file, another name of it, a link to it and a file with holes; its tree, and the tree's list.
fn listed(dir: &Path, name: &str, content: &str) -> (PathBuf, Tree, PathBuf) {
    let mut writer = archive::Writer::new(Vec::new());
    let len = content.len() as u64;
    let piece = |at, len| archive::Piece { at, len, offset: 0 };
    let pieces = vec![piece(7, 3), piece(20, 5)];
    for (path, kind, data) in [
        ("d", archive::Kind::Dir, ""),
        ("f", archive::Kind::File { offset: 0, len }, content),
        ("g", archive::Kind::HardLink { target: "f".into() }, ""),
        (
            "holed",
            archive::Kind::Sparse { len: 99, pieces },
            "12345678",
        ),
        (
            "l",
            archive::Kind::Symlink {
                target: "/d/../f".into(),
            },
            "",
        ),
    ] {
        let entry = archive::Entry::new(path, kind, 0o644);
        writer.append(&entry, data.as_bytes()).unwrap();
    }
    let bytes = writer.finish().unwrap();
    let [tar, manifest, list] =
        ["tar", "manifest", "tree"].map(|end| dir.join(format!("{name}.{end}")));
    fs::write(&tar, &bytes).unwrap();
    let index = archive::index(fs::File::open(&tar).unwrap()).unwrap();
    let tree = Tree::from_tar(index, bytes.len() as u64).unwrap();
    tree.write(fs::File::create(&manifest).unwrap()).unwrap();
    fs::write(
        &list,
        format!("{}\n{}\n", manifest.display(), tar.display()),
    )
    .unwrap();
    (list, tree, tar)
}

fn bytes(plan: Plan, images: &ImageSet) -> Vec<u8> {
    let reader = Reader::open(plan, images.paths()).unwrap();
    let mut bytes = vec![0; reader.len() as usize];
    reader.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn holed() -> Vec<u8> {
    let mut bytes = vec![0; 99];
    bytes[7..10].copy_from_slice(b"123");
    bytes[20..25].copy_from_slice(b"45678");
    bytes
}

#[test]
fn a_list_is_a_tree_and_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let (list, made, tar) = listed(dir.path(), "a", "content");
    let (tree, images) = Tree::open_list(&list).unwrap();
    assert_eq!(tree, made);
    assert_eq!(images.paths(), [tar]);
    for (path, want) in [
        ("f", &b"content"[..]),
        ("/g", b"content"),
        ("/l", b"content"),
        ("holed", &holed()),
    ] {
        let plan = tree.file(path, &images, 0).unwrap();
        assert_eq!(bytes(plan, &images), want, "{path}");
    }
    for (path, want) in [
        ("/absent", "no file /absent: the tree has none"),
        ("d", "no file d: it is a dir"),
        (
            "f/x",
            "whoever takes a file: '/f/x' lies under '/f', which is a file of the base",
        ),
    ] {
        assert_eq!(tree.file(path, &images, 0).unwrap_err().to_string(), want);
    }
}

#[test]
fn several_trees_are_over_one_list_of_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let (one, _, _) = listed(dir.path(), "a", "first");
    let (two, made, _) = listed(dir.path(), "b", "second");
    let (trees, images) = Tree::open_lists(&[&one, &two]).unwrap();
    let firsts: Vec<usize> = trees.iter().map(|(_, first)| *first).collect();
    assert_eq!(firsts, [0, 1]);
    assert_eq!(trees[1].0, made);
    for ((tree, first), want) in trees.iter().zip(["first", "second"]) {
        let plan = tree.file("f", &images, *first).unwrap();
        assert_eq!(bytes(plan, &images), want.as_bytes());
    }
    // Of which tree the file too many is would be anybody's guess.
    let more = fs::read_to_string(&one).unwrap() + "another\n";
    fs::write(&one, more).unwrap();
    let error = Tree::open_lists(&[&one, &two]).unwrap_err();
    assert_eq!(error.to_string(), one.display().to_string());
    let why = error.source().unwrap().to_string();
    assert_eq!(why, "2 files are given for 1 inputs");
}

#[test]
fn sources_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut tree, tar) = listed(dir.path(), "a", "content");
    let Kind::File(source) = tree.get(b"f").unwrap().kind else {
        unreachable!("a file")
    };
    let sources = Sources::open_files(&tree, &[Some(&tar)]).unwrap();
    assert_eq!(sources.read(source).unwrap(), b"content");
    let empty = Source { len: 0, ..source };
    assert_eq!(sources.read(empty).unwrap(), b"");
    let error = sources.read(Source { input: 1, ..source }).unwrap_err();
    assert_eq!(error.to_string(), "there is no input 1");

    // Somebody cuts the file.
    let cut = fs::File::options().write(true).open(&tar).unwrap();
    cut.set_len(source.offset + 3).unwrap();
    assert!(sources.read(source).is_err());
    let error = Sources::open_files(&tree, &[Some(&tar)]).unwrap_err();
    let want = format!("{} has {} bytes, but", tar.display(), source.offset + 3);
    assert!(error.to_string().starts_with(&want), "{error}");

    tree.add_input(tree::Input { len: 5 });
    let error = Sources::open_files(&tree, &[Some(&tar)]).unwrap_err();
    let want = "the manifest was made from 2 inputs, but 1 are given";
    assert_eq!(error.to_string(), want);
    let sources = Sources::open_files::<&Path>(&tree, &[None, None]).unwrap();
    let error = sources.read(source).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input 0 is an image that nobody has written"
    );
}

#[test]
fn pieces_from_a_place_on() {
    let dir = tempfile::tempdir().unwrap();
    let (_, tree, _) = listed(dir.path(), "a", "content");
    let starts = |path: &str, from: u64| -> Vec<u64> {
        let kind = &tree.get(path.as_bytes()).unwrap().kind;
        kind.pieces_from(from).map(|(at, _)| at).collect()
    };
    assert_eq!(starts("holed", 0), [7, 20]);
    assert_eq!(starts("holed", 9), [7, 20]);
    assert_eq!(starts("holed", 10), [20]);
    assert_eq!(starts("holed", 25), [0; 0]);
    assert_eq!(starts("f", 6), [0]);
    assert_eq!(starts("f", 7), [0; 0]);
    assert_eq!(starts("d", 0), [0; 0]);
}

/// An archive has the bytes of a file with holes in one piece, and that is what is remembered; of one whose bytes lie apart, nothing.
#[test]
fn what_a_file_with_holes_was_is_remembered() {
    let stamp = r#""mode":"0755","uid":0,"gid":0,"mtime":0"#;
    for (second, over) in [
        ("[20,0,2051,5]", (2048, 8)),
        ("[20,0,2052,5]", (0, 0)),
        ("[20,1,2051,5]", (0, 0)),
    ] {
        let manifest = format!(
            "{{\"tree\":3,\"inputs\":[{{\"len\":4096}},{{\"len\":4096}}]}}\n\
             {{\"path\":\"\",\"type\":\"dir\",{stamp},\"layer\":0}}\n\
             {{\"path\":\"f\",\"type\":\"file\",{stamp},\"sparse\":[99,[[7,0,2048,3],{second}]],\"layer\":0}}\n"
        );
        let mut tree = Tree::read(manifest.as_bytes()).unwrap();
        let stamp = Stamp {
            mtime: 1,
            ..tree.get(b"").unwrap().stamp
        };
        tree.insert(b"f", Entry::injected(Kind::Fifo, stamp), "x")
            .unwrap();
        let got = tree.get(b"f").unwrap().over.unwrap();
        assert_eq!(
            (got.input, got.offset, got.len),
            (0, over.0, over.1),
            "{second}"
        );
    }
}
