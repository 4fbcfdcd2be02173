//! What a tree takes in, what it refuses, and in which order it hands out.

#![allow(clippy::unwrap_used, reason = "tests")]

use tree::{Entry, Input, Kind, Source, Sparse, Stamp, Tree};

const STAMP: Stamp = Stamp {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 7,
    mtime_nanos: 0,
};

fn injected(kind: Kind) -> Entry {
    Entry::injected(kind, STAMP)
}

fn symlink(target: &str) -> Kind {
    let target = target.into();
    Kind::Symlink { target }
}

/// Folders of an archive, each with a mode.
fn folders(modes: &[(&str, u32)]) -> Tree {
    let folder = |(path, mode): &(&str, u32)| archive::Entry::new(*path, archive::Kind::Dir, *mode);
    Tree::from_tar(modes.iter().map(folder).collect(), 0).unwrap()
}

/// `stat` says in the same number what kind of file it is.
#[test]
fn of_a_mode_the_permissions_are_taken() {
    let tree = folders(&[("a", 0o41755), ("b", 0o750), ("c", 0o37777)]);
    for (path, want) in [("a", 0o1755), ("b", 0o750), ("c", 0o7777)] {
        let got = tree.get(path.as_bytes()).unwrap().stamp.mode;
        assert_eq!(got, want, "{path}: {got:o}");
    }
}

#[test]
fn what_an_insertion_cannot_be() {
    let mut tree = Tree::new(STAMP);
    let input = tree.add_input(Input { len: 10 });
    let sparse = |offset| {
        let source = |offset| Source {
            input,
            offset,
            len: 3,
        };
        let pieces = vec![(5, source(0)), (20, source(offset))];
        Kind::Sparse(Sparse { len: 99, pieces })
    };
    let hard_link = Kind::HardLink {
        target: b"holed".to_vec(),
    };
    tree.insert(b"holed", injected(sparse(7)), "x").unwrap();
    let before = tree.clone();
    for (kind, want) in [
        (
            sparse(8),
            "'new': bytes 8+3 of input 0 lie outside its 10 bytes",
        ),
        (
            hard_link,
            "hard link 'new' names 'holed', which cannot be linked by an insertion",
        ),
        (symlink(""), "symlink: path 'new' has an empty target"),
        (
            symlink("a\0"),
            "symlink: path 'new' has a NUL byte in its target",
        ),
    ] {
        let error = tree.insert(b"new", injected(kind), "x").unwrap_err();
        assert_eq!(error.to_string(), want);
        assert_eq!(tree, before, "{want}");
    }
}

/// Also where nothing lies in it.
#[test]
fn the_root_stays() {
    let mut tree = Tree::new(STAMP);
    let error = tree.remove(b"").unwrap_err();
    assert_eq!(error.to_string(), "'' (the root) has to stay");
    assert!(tree.get(b"").is_some());
    // It takes another mode, as any folder does.
    tree.insert(b"/", injected(Kind::Dir), "x").unwrap();
    assert_eq!(tree.entries().len(), 1);
}

#[test]
fn inputs_are_numbered_as_they_come() {
    let mut tree = Tree::new(STAMP);
    for (number, len) in [5, 7, 9].into_iter().enumerate() {
        assert_eq!(tree.add_input(Input { len }), number);
        assert_eq!(tree.inputs().last(), Some(&Input { len }));
    }
}

/// What was injected lies behind the base, which therefore lies where it lay without.
#[test]
fn the_base_is_placed_first() {
    let mut tree = folders(&[("b", 0o755), ("b/m", 0o755), ("d", 0o755)]);
    for path in ["a/x", "b/a", "b/z", "e"] {
        tree.insert(path.as_bytes(), injected(Kind::Fifo), "x")
            .unwrap();
    }
    let placed: Vec<(String, u8)> = tree
        .placement()
        .map(|(path, entry)| (tree::display(path), entry.layer))
        .collect();
    let want = [
        ("", 0),
        ("b", 0),
        ("b/m", 0),
        ("d", 0),
        ("a", 1),
        ("a/x", 1),
        ("b/a", 1),
        ("b/z", 1),
        ("e", 1),
    ];
    assert_eq!(placed, want.map(|(path, layer)| (path.to_owned(), layer)));
}

/// A link's text is followed as the kernel does, however it is written.
#[test]
fn links_are_followed_however_they_are_written() {
    let mut tree = folders(&[("usr", 0o755), ("usr/lib", 0o755)]);
    for (number, target) in [
        "usr/lib",
        "/usr/lib/",
        "usr//lib",
        "./usr/./lib/.",
        "//usr/lib",
        "usr/../usr/lib",
        "../../usr/lib",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("l{number}");
        tree.insert(name.as_bytes(), injected(symlink(target)), "x")
            .unwrap();
        let path = format!("{name}/x");
        let got = tree.resolve(path.as_bytes(), false, "x").unwrap();
        assert_eq!(tree::display(&got), "usr/lib/x", "{target}");
    }
}
