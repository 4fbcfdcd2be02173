//! Trees at random: what goes in comes out, and injections move nothing of the base.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::{bytes, fsck, noise, params, plain, same, Scene, NOW, SMALLEST};
use ext4::{Layout, Params, Size};
use plan::Piece;
use proptest::prelude::*;
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

/// Something to put into a tree.
#[derive(Clone, Debug)]
struct Item {
    dir: prop::sample::Index,
    name: Vec<u8>,
    kind: u8,
    len: usize,
    stamp: Stamp,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(vec![
        b'a', b'b', b'-', b'.', b'0', 0xff, 0xc3, 0xa9, 1, b'\\',
    ]);
    let len = prop_oneof![8 => 1..4usize, 1 => 200..256usize];
    let name = len.prop_flat_map(move |len| prop::collection::vec(byte.clone(), len));
    name.prop_filter("dots", |name| name != b"." && name != b"..")
}

fn stamps() -> impl Strategy<Value = Stamp> {
    let seconds = prop_oneof![4 => 0..NOW + 5, 1 => -(1i64 << 33)..0, 1 => NOW..i64::MAX];
    let ids = prop_oneof![Just(0u32), any::<u32>()];
    (
        0..0o1_0000u32,
        ids.clone(),
        ids,
        seconds,
        0..1_000_000_000u32,
    )
        .prop_map(|(mode, uid, gid, mtime, mtime_nanos)| Stamp {
            mode,
            uid,
            gid,
            mtime,
            mtime_nanos,
        })
}

fn xattrs() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    let prefix = prop::sample::select(vec!["user.", "trusted.", "security.", "system.x"]);
    let name =
        (prefix, "[a-z]{1,20}").prop_map(|(prefix, rest)| [prefix, &rest].concat().into_bytes());
    let value = prop::collection::vec(any::<u8>(), 0..120);
    let some = prop::collection::btree_map(name, value, 1..6);
    prop_oneof![3 => Just(BTreeMap::new()), 1 => some]
}

fn items(count: usize) -> impl Strategy<Value = Vec<Item>> {
    let len = prop_oneof![2 => Just(0usize), 4 => 1..9000usize, 1 => 9000..70_000usize];
    let item = (
        any::<prop::sample::Index>(),
        names(),
        0u8..12,
        len,
        stamps(),
        xattrs(),
    );
    let item = item.prop_map(|(dir, name, kind, len, stamp, xattrs)| Item {
        dir,
        name,
        kind,
        len,
        stamp,
        xattrs,
    });
    prop::collection::vec(item, 0..count)
}

/// A tree of `items`, as an archive would give it.
fn base(items: &[Item]) -> (Tree, Vec<u8>) {
    let mut scene = Scene::default();
    let mut dirs = vec![Vec::new()];
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut taken = BTreeMap::new();
    for item in items {
        let dir = &dirs[item.dir.index(dirs.len())];
        let path = match dir.is_empty() {
            true => item.name.clone(),
            false => [dir, &b"/"[..], &item.name].concat(),
        };
        if taken.insert(path.clone(), ()).is_some() {
            continue;
        }
        let entry = match item.kind {
            0..=2 => {
                dirs.push(path.clone());
                scene.dir(&path)
            }
            3 => {
                let target = "t/".repeat(item.len % 400 + 1).into();
                scene.add(&path, archive::Kind::Symlink { target }, 0)
            }
            4 if !files.is_empty() => {
                let target: Vec<u8> = files[item.dir.index(files.len())].clone();
                scene.add(&path, archive::Kind::HardLink { target }, 0);
                continue;
            }
            5 => {
                let (major, minor) = (item.stamp.uid % 4096, item.stamp.gid % (1 << 20));
                scene.add(&path, archive::Kind::Char { major, minor }, 0)
            }
            6 => scene.add(&path, archive::Kind::Fifo, 0),
            7 => {
                files.push(path.clone());
                // Pieces of whole blocks but for the last one, as they are in archives that are packed here.
                let blocks = 1 + item.len as u64 / 20_000;
                let mut parts: Vec<_> = (0..blocks)
                    .map(|n| ((2 * n + 1) * 4096, noise(4096)))
                    .collect();
                parts.push(((2 * blocks + 1) * 4096, noise(1 + item.len % 9000)));
                scene.holes(&path, (2 * blocks + 9) * 4096 + 7, &parts)
            }
            _ => {
                files.push(path.clone());
                scene.file(&path, &noise(item.len))
            }
        };
        entry.mode = item.stamp.mode;
        (entry.uid, entry.gid) = (item.stamp.uid, item.stamp.gid);
        (entry.mtime, entry.mtime_nanos) = (item.stamp.mtime, item.stamp.mtime_nanos);
        entry.xattrs = item.xattrs.clone();
    }
    (scene.tree(), scene.data)
}

/// Injects `items`, new entries and ones in the place of others.
fn inject(tree: &mut Tree, inputs: &mut Vec<Vec<u8>>, items: &[Item]) {
    for item in items {
        let paths: Vec<Vec<u8>> = tree.entries().keys().cloned().collect();
        let at = &paths[item.dir.index(paths.len())];
        let dir = tree.get(at).unwrap().kind == Kind::Dir;
        let path = match dir {
            true if at.is_empty() => item.name.clone(),
            true => [at, &b"/"[..], &item.name].concat(),
            false => at.clone(),
        };
        let kind = match item.kind {
            0 => Kind::Dir,
            1 => Kind::Symlink {
                target: item.name.clone(),
            },
            _ => {
                let len = item.len as u64;
                let input = tree.add_input(Input { len });
                inputs.push(noise(item.len));
                Kind::File(Source {
                    input,
                    offset: 0,
                    len,
                })
            }
        };
        let mut entry = Entry::injected(kind, item.stamp);
        entry.xattrs = item.xattrs.clone();
        // Two at one place and the like are refused.
        let _ = tree.insert(&path, entry, "test");
    }
}

/// Where in the image each byte range of the base's input lies.
fn places(layout: &Layout) -> Vec<(u64, u64, u64)> {
    let sources = layout
        .plan
        .extents()
        .filter_map(|extent| match extent.piece {
            Piece::Source { input: 0, offset } => Some((offset, extent.len, extent.start)),
            _ => None,
        });
    let mut places: Vec<_> = sources.collect();
    places.sort_unstable();
    places
}

fn place(places: &[(u64, u64, u64)], at: u64) -> u64 {
    let next = places.partition_point(|(offset, _, _)| *offset <= at);
    let (offset, len, start) = places[next - 1];
    assert!(at < offset + len);
    start + (at - offset)
}

fn sizes() -> impl Strategy<Value = Size> {
    prop_oneof![
        (0u8..60).prop_map(|free_percent| Size::Smallest { free_percent }),
        (8u64..40).prop_map(Size::Mib)
    ]
}

fn params_of(size: Size, journal: bool) -> Params {
    Params {
        journal,
        ..params(size)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_in_comes_out(
        first in items(40), second in items(12), size in sizes(), journal in any::<bool>()
    ) {
        let (mut tree, data) = base(&first);
        let mut inputs = vec![data];
        inject(&mut tree, &mut inputs, &second);
        let layout = plain(&tree, &params_of(size, journal)).unwrap();
        let image = bytes(&layout.plan, &inputs);
        prop_assert_eq!(image.len() as u64, layout.size_mib << 20);
        fsck(&image);
        same(&tree, &inputs, &image);
    }

    /// Whatever is injected, new or in the place of something: the base's data stays where it is.
    #[test]
    fn base_data_stays(
        first in items(60), second in items(30), third in items(30), fixed in any::<bool>(), journal in any::<bool>()
    ) {
        let params = params_of(if fixed { Size::Mib(32) } else { SMALLEST }, journal);
        let (tree, data) = base(&first);
        let alone = places(&plain(&tree, &params).unwrap());
        for items in [second, third] {
            let mut tree = tree.clone();
            inject(&mut tree, &mut vec![data.clone()], &items);
            let layout = plain(&tree, &params).unwrap();
            let with = places(&layout);
            for (path, entry) in tree.entries() {
                let Kind::File(source) = entry.kind else { continue };
                if source.input == 0 {
                    for at in (source.offset..source.offset + source.len).step_by(4096) {
                        prop_assert_eq!(place(&alone, at), place(&with, at), "{}", path.escape_ascii());
                    }
                }
            }
        }
    }
}
