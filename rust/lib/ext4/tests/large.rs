//! Large directories, files and images.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;

use common::{
    bytes, first_of, fsck, insert, listed, noise, params, plain, run, same, Scene, SMALLEST, STAMP,
};
use ext4::{layout, Layout, Params, Size};
use plan::{Builder, Input, Piece, Plan, Reader};
use tree::{Kind, Tree};

/// Writes a plan over inputs that are empty, or too large to be looked at, as a sparse file.
fn sparse(plan: &Plan) -> tempfile::NamedTempFile {
    let named = tempfile::NamedTempFile::new().unwrap();
    let file = File::create(named.path()).unwrap();
    file.set_len(plan.len()).unwrap();
    for extent in plan.extents() {
        if let Piece::Inline(bytes) = extent.piece {
            file.write_all_at(bytes, extent.start).unwrap();
        }
    }
    named
}

fn check(layout: &Layout) -> tempfile::NamedTempFile {
    let file = sparse(&layout.plan);
    run("e2fsck", &["-f", "-n", file.path().to_str().unwrap()]);
    file
}

#[test]
fn a_directory_of_100_000() {
    let mut a = Scene::default();
    for i in 0..100_000 {
        a.file(format!("dir/{i:07}{}", "x".repeat(i % 60)), b"");
    }
    // Base names in an index to which injected ones are added.
    let mut tree = a.tree();
    for i in 0..10 {
        insert(&mut tree, &format!("dir/late{i}"), Kind::Fifo);
    }
    let size = Size::Mib(512);
    let layout = plain(&tree, &params(size)).unwrap();
    let image = bytes(&layout.plan, &[Vec::new()]);
    fsck(&image);
    same(&tree, &[Vec::new()], &image);
    let file = check(&layout);
    if let Some(said) = run(
        "debugfs",
        &["-R", "htree_dump /dir", file.path().to_str().unwrap()],
    ) {
        let want = "Hash Version: 1\n\t Info length: 8\n\t Indirect levels: 1\n\t Flags: 0\n";
        assert!(said.contains(want), "{}", &said[..500]);
    }
    // The smallest one has smaller groups, and not much else.
    let small = plain(&tree, &params(SMALLEST)).unwrap();
    assert!(small.size_mib < 40, "{}", small.size_mib);
    check(&small);
    let view = bytes(&small.plan, &[Vec::new()]);
    let view = ext4_view::Ext4::load(Box::new(view)).unwrap();
    assert_eq!(view.read_dir("/dir").unwrap().count(), 100_012);
}

#[test]
fn directories_of_every_size() {
    // Around one block, one leaf more, and a full index block.
    for (count, len) in [
        (100, 33),
        (101, 33),
        (102, 33),
        (103, 33),
        (1, 255),
        (15, 255),
        (16, 255),
        (7602, 255),
        (7620, 255),
    ] {
        let mut a = Scene::default();
        for i in 0..count {
            let name = format!("{i:0len$}");
            a.file(format!("d/{name}"), b"");
        }
        let tree = a.tree();
        let layout = plain(&tree, &params(SMALLEST)).unwrap();
        check(&layout);
        let image = bytes(&layout.plan, &[Vec::new()]);
        let view = ext4_view::Ext4::load(Box::new(image)).unwrap();
        for path in tree.entries().keys().skip(1).step_by(97) {
            let path = [b"/", &path[..]].concat();
            let path = ext4_view::Path::try_from(&path[..]).unwrap();
            assert!(view.exists(path).unwrap(), "{count} {path:?}");
        }
    }
}

/// More than a directory can count.
#[test]
fn a_directory_of_70_000_directories() {
    let mut a = Scene::default();
    for i in 0..70_000 {
        a.dir(format!("dir/{i}"));
    }
    let layout = plain(&a.tree(), &params(SMALLEST)).unwrap();
    let file = check(&layout);
    if let Some(said) = run(
        "debugfs",
        &["-R", "stat /dir", file.path().to_str().unwrap()],
    ) {
        assert!(said.contains("Links: 1 "), "{said}");
    }
}

/// An image that is only read through its plan.
struct Planned(Reader<Vec<u8>>);

impl mkext4::reader::ReadAt for Planned {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        self.0
            .read_at(buffer, offset)
            .map_err(std::io::Error::other)
    }
}

/// A tree with one more file: the image of a plan.
fn with_file(nested: &Plan, tree: &mut Tree, path: &str) {
    let len = nested.len();
    let input = tree.add_input(tree::Input { len });
    insert(tree, path, first_of(input, len));
}

/// 10 GiB with data here and there, and a file of so many extents that their tree has two levels.
#[test]
fn sparse_files() {
    let mut tree = Tree::new(STAMP);
    let data = noise(8192);
    let mut far = Builder::new(vec![Input::of_len(8192)]);
    for at in [0u64, 3 << 30, (5 << 30) + 4095, (10 << 30) - 8192] {
        far.zero_to(at).unwrap();
        far.source(0, 0, 8192).unwrap();
    }
    let mut torn = Builder::new(vec![Input::of_len(8192)]);
    for _ in 0..2000 {
        torn.source(0, 0, 4096).unwrap();
        torn.zero(4096).unwrap();
    }
    let plans = [far.finish().unwrap(), torn.finish().unwrap()];
    with_file(&plans[0], &mut tree, "far");
    with_file(&plans[1], &mut tree, "torn");
    let folder = tempfile::tempdir().unwrap();
    let bodies = listed(folder.path(), &plans, &["data"]);
    let smallest = layout(&tree, &bodies, &params(SMALLEST)).unwrap();
    // 9 blocks of one, 2000 and a tree of 6 and 1 of the other.
    assert_eq!(smallest.size_mib, 8);
    fsck(&bytes(&smallest.plan, std::slice::from_ref(&data)));
    // The reader wants files to be smaller than their file system.
    let layout = layout(&tree, &bodies, &params(Size::Mib(11 << 10))).unwrap();
    let named = vec![(String::new(), data.clone())];
    let fs = Planned(Reader::new(layout.plan, named).unwrap());
    let fs = mkext4::reader::Fs::open(fs).unwrap();
    assert_eq!(fs.verify().unwrap(), []);
    let (far, torn) = (fs.inode(12).unwrap(), fs.inode(13).unwrap());
    assert_eq!((far.size, far.blocks), (10 << 30, 8 * 9));
    assert_eq!((torn.size, torn.blocks), (2000 * 8192, 8 * 2007));
    let extents = fs.extents(12, &far).unwrap();
    for (at, len) in [
        (3u64 << 30, 8192usize),
        ((5 << 30) + 4095, 8192),
        ((10 << 30) - 8192, 8192),
    ] {
        let mut read = vec![1; len];
        fs.read_file_at(&far, &extents, at, &mut read).unwrap();
        assert!(read == data);
    }
    let file = fs.read_file(13).unwrap();
    for (at, block) in file.chunks(4096).enumerate() {
        let want: &[u8] = if at % 2 == 0 {
            &data[..4096]
        } else {
            &[0; 4096]
        };
        assert!(block == want, "{at}");
    }
}

/// Data of many gigabytes: several extents, a tree of them, copies of the superblock in between.
#[test]
fn files_of_gigabytes() {
    for (gib, journal) in [(5, false), (40, true)] {
        let len = (gib << 30) + 5;
        let mut tree = Tree::new(STAMP);
        let input = tree.add_input(tree::Input { len });
        insert(&mut tree, "big", first_of(input, len));
        let params = Params {
            journal,
            ..params(SMALLEST)
        };
        let layout = plain(&tree, &params).unwrap();
        // Less than a part in thousand besides the data and the journal.
        let journal = if journal { 256 } else { 0 };
        assert!(
            layout.size_mib < gib * 1024 + journal + gib + 2,
            "{}",
            layout.size_mib
        );
        let file = check(&layout);
        let said = run(
            "debugfs",
            &["-R", "stat /big", file.path().to_str().unwrap()],
        );
        assert!(said.is_none_or(|said| said.contains(&format!("Size: {len}"))));
    }
}

/// Files of one input that all are as long as files can be: more than numbers of blocks are counted to.
#[test]
fn more_data_than_is_counted() {
    let blocks = u64::from(u32::MAX);
    let len = blocks * 4096;
    let mut tree = Tree::new(STAMP);
    let input = tree.add_input(tree::Input { len });
    for i in 0..300 {
        insert(&mut tree, &i.to_string(), first_of(input, len));
    }
    let error = plain(&tree, &params(SMALLEST)).unwrap_err().to_string();
    let (needs, more) = (257 * blocks / 256, 257 * blocks / 256 - (1 << 24));
    assert_eq!(
        error,
        format!("the tree does not fit: it needs {needs} MiB, the partition has 16777216 MiB ({more} MiB more are wanted)")
    );
}

/// Sizes from one MiB to what needs 64-bit block numbers.
#[test]
fn images_of_many_sizes() {
    let mut a = Scene::default();
    a.file("a", b"");
    let tree = a.tree();
    for mib in [
        1,
        2,
        128,
        129,
        385,
        1000,
        16 * 1024,
        16 * 1024 + 1,
        65 * 1024,
    ] {
        for journal in [false, true] {
            if mib < 8 && journal {
                continue;
            }
            let params = Params {
                journal,
                ..params(Size::Mib(mib))
            };
            let layout = plain(&tree, &params).unwrap();
            assert_eq!(layout.plan.len(), mib << 20);
            check(&layout);
        }
    }
    let largest = plain(&tree, &params(Size::Mib(1 << 24))).unwrap();
    assert_eq!(largest.plan.len(), 16 << 40);
}
