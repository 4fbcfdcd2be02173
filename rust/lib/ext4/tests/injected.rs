//! What an injection leaves as it was besides the base's data, and what is not written.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{
    bytes, first_of, fsck, insert, noise, params, plain, same, walk, Scene, SMALLEST, STAMP,
};
use ext4::{Layout, Size};
use mkext4::reader::Fs;
use plan::Piece;
use tree::{Entry, Input, Kind};

/// What an image has at a place where its own bytes lie.
fn at(layout: &Layout, start: u64, len: usize) -> Vec<u8> {
    let mut read = vec![0; len];
    for extent in layout.plan.extents_in(start, len as u64).unwrap() {
        if let Piece::Inline(bytes) = extent.piece {
            let from = (extent.start - start) as usize;
            read[from..from + bytes.len()].copy_from_slice(bytes);
        }
    }
    read
}

/// Where the blocks of a file or directory lie.
fn blocks(fs: &Fs<&[u8]>, number: u32) -> Vec<u64> {
    let inode = fs.inode(number).unwrap();
    let extents = fs.extents(number, &inode).unwrap();
    let blocks = extents
        .iter()
        .flat_map(|extent| extent.physical..extent.physical + u64::from(extent.len));
    blocks.collect()
}

/// Names that sort before those of the base come behind them, in folders and among the inodes.
#[test]
fn the_base_keeps_numbers_and_records() {
    let mut scene = Scene::default();
    scene.dir("");
    scene.file("d/m", b"m");
    scene.file("d/n", b"n");
    scene.file("z", b"z");
    let tree = scene.tree();
    let inputs = [scene.data];
    let alone = bytes(&plain(&tree, &params(SMALLEST)).unwrap().plan, &inputs);
    let before = walk(&Fs::open(&alone[..]).unwrap());
    let mut tree = tree;
    insert(&mut tree, "a", Kind::Fifo);
    insert(&mut tree, "d/a", Kind::Fifo);
    let layout = plain(&tree, &params(SMALLEST)).unwrap();
    let image = bytes(&layout.plan, &inputs);
    fsck(&image);
    same(&tree, &inputs, &image);
    let fs = Fs::open(&image[..]).unwrap();
    let after = walk(&fs);
    for (path, number) in &before {
        assert_eq!(after.get(path), Some(number), "{}", path.escape_ascii());
    }
    let dir = fs.read_dir(after[&b"d"[..]].0).unwrap();
    let names: Vec<&[u8]> = dir.iter().map(|entry| &entry.name[..]).collect();
    assert_eq!(names, [&b"."[..], b"..", b"m", b"n", b"a"]);
}

/// Blocks by which a folder of the base grows lie behind the base: neither its own nor those of another folder move.
#[test]
fn a_folder_of_the_base_grows() {
    let mut scene = Scene::default();
    for number in 0..100 {
        scene.file(format!("d/{number:0200}"), b"");
    }
    scene.file("e/f", b"");
    let mut tree = scene.tree();
    let inputs = [scene.data];
    let alone = bytes(&plain(&tree, &params(SMALLEST)).unwrap().plan, &inputs);
    for number in 100..200 {
        insert(&mut tree, &format!("d/{number:0200}"), Kind::Fifo);
    }
    let layout = plain(&tree, &params(SMALLEST)).unwrap();
    let image = bytes(&layout.plan, &inputs);
    fsck(&image);
    same(&tree, &inputs, &image);
    let (alone, with) = (Fs::open(&alone[..]).unwrap(), Fs::open(&image[..]).unwrap());
    let number = |path: &str| alone.resolve(path).unwrap();
    assert_eq!(blocks(&with, number("/e")), blocks(&alone, number("/e")));
    let (before, after) = (blocks(&alone, number("/d")), blocks(&with, number("/d")));
    assert!(after.len() > before.len() + 2, "{after:?}");
    assert_eq!(after[..before.len()], before);
}

/// A file in the place of a smaller one of the base begins where that lay, and goes on behind the base.
#[test]
fn a_larger_file_takes_the_place_of_another() {
    let mut scene = Scene::default();
    scene.dir("");
    scene.file("a", &noise(10_000));
    scene.file("b", &noise(5000));
    let mut tree = scene.tree();
    let begins = |layout: &Layout, of: u32| {
        let mut sources = layout
            .plan
            .extents()
            .filter_map(|extent| match extent.piece {
                Piece::Source { input, offset: 0 } if input == of => {
                    Some((extent.start, extent.len))
                }
                _ => None,
            });
        sources.next().unwrap()
    };
    let (place, _) = begins(&plain(&tree, &params(SMALLEST)).unwrap(), 0);
    let len = 20_000;
    let input = tree.add_input(Input { len });
    insert(&mut tree, "a", first_of(input, len));
    let layout = plain(&tree, &params(SMALLEST)).unwrap();
    assert_eq!(begins(&layout, 1), (place, 3 * 4096));
    let inputs = [scene.data, noise(20_000)];
    let image = bytes(&layout.plan, &inputs);
    fsck(&image);
    same(&tree, &inputs, &image);
}

/// A tree may have its own `lost+found`, which has its number all the same.
#[test]
fn lost_and_found_of_the_tree() {
    let mut scene = Scene::default();
    scene.dir("");
    scene.file("a", b"a");
    scene.dir("lost+found").mode = 0o755;
    scene.file("lost+found/x", b"x");
    scene.file("z", b"z");
    let tree = scene.tree();
    let inputs = [scene.data];
    let layout = plain(&tree, &params(SMALLEST)).unwrap();
    let image = bytes(&layout.plan, &inputs);
    fsck(&image);
    same(&tree, &inputs, &image);
    let numbers = walk(&Fs::open(&image[..]).unwrap());
    let numbers: Vec<u32> = numbers.values().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 12, 11, 13, 14]);
}

/// Of groups that have nothing in use nothing is written but their descriptors, which say so; the last one has bits behind its end.
#[test]
fn groups_without_anything() {
    let mut scene = Scene::default();
    scene.file("a", b"");
    let layout = plain(&scene.tree(), &params(Size::Mib(300))).unwrap();
    let word = |start: u64| u32::from_le_bytes(at(&layout, start, 4).try_into().unwrap());
    for (group, flags, block_bits) in [(0, 4, true), (1, 7, false), (2, 5, true)] {
        let descriptor = 4096 + 32 * group;
        let written = |field: u64| {
            let bitmap = at(&layout, u64::from(word(descriptor + field)) * 4096, 4096);
            bitmap.iter().any(|byte| *byte != 0)
        };
        assert_eq!(at(&layout, descriptor + 0x12, 2), [flags, 0], "{group}");
        assert_eq!(written(0), block_bits, "{group}");
        assert_eq!(written(4), group == 0, "{group}");
    }
}

/// Room for the descriptors of an image that is four times as large as the base.
#[test]
fn a_large_base_has_room_to_grow() {
    for (gib, blocks) in [(4, 1), (5, 2)] {
        let mut scene = Scene::default();
        scene.file("a", b"");
        let mut tree = scene.tree();
        let len = gib << 30;
        let input = tree.add_input(Input { len });
        let file = Entry {
            layer: 0,
            ..Entry::injected(first_of(input, len), STAMP)
        };
        tree.insert(b"big", file, "x").unwrap();
        let layout = plain(&tree, &params(SMALLEST)).unwrap();
        let first = layout
            .plan
            .extents()
            .find(|extent| matches!(extent.piece, Piece::Source { .. }));
        assert_eq!(first.unwrap().start, (1 + blocks) * 4096);
    }
}
