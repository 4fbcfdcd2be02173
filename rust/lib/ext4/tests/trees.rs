//! Images of trees made for the purpose, as other programs see them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs;

use common::{
    bytes, fsck, listed, noise, params, plain, run, same, Scene, NOW, SEED, SMALLEST, STAMP, UUID,
};
use ext4::{layout, Error, Params, Size};
use plan::{ImageSet, Input};
use tree::{Entry, Kind, Source, Tree};

fn scene() -> Scene {
    let mut a = Scene::default();
    let root = a.dir("");
    (root.mode, root.mtime) = (0o751, 99);
    let bin = a.file("bin/ping", b"ping");
    (bin.mode, bin.mtime, bin.mtime_nanos) = (0o4755, 1_600_000_000, 123_456_789);
    let capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    bin.xattrs
        .insert(b"security.capability".to_vec(), capability.to_vec());
    bin.xattrs.insert(b"user.long".to_vec(), noise(300));
    bin.xattrs
        .insert(b"trusted.overlay.opaque".to_vec(), b"y".to_vec());
    a.link("bin/alias", "bin/ping");
    a.file("data", &noise(10_000));
    let dir = a.dir("home");
    (dir.uid, dir.gid, dir.mtime, dir.mode) = (1000, 70_000, 1_800_000_000, 0o1770);
    dir.xattrs.insert(b"user.dir".to_vec(), b"x".to_vec());
    let label = b"system_u:object_r:home_root_t:s0\0".to_vec();
    dir.xattrs.insert(b"security.selinux".to_vec(), label);
    dir.xattrs
        .insert(b"system.posix_acl_default".to_vec(), acl());
    a.symlink("l", "bin/ping");
    for len in [58, 59, 60, 61, 100, 4095] {
        a.symlink(&format!("l{len}"), &"a/directory/".repeat(400)[..len]);
    }
    a.add("null", archive::Kind::Char { major: 1, minor: 3 }, 0o666);
    let large = archive::Kind::Block {
        major: 259,
        minor: 70_000,
    };
    a.add("nvme", large, 0o660);
    a.add("pipe", archive::Kind::Fifo, 0o600);
    a.dir("caf\u{e9}");
    a.file(b"caf\xe9\xff", b"not UTF-8");
    a.file("n".repeat(255), b"long").mtime = -77;
    a.file("with space and \"\n", b"x");
    a.file("empty", b"");
    a
}

/// user::rw-, user:1000:r--, group::r--, mask::r--, other::---
fn acl() -> Vec<u8> {
    let mut acl = vec![2, 0, 0, 0];
    let none = u32::MAX;
    for (tag, permissions, id) in [
        (1u16, 6u16, none),
        (2, 4, 1000),
        (4, 4, none),
        (16, 4, none),
        (32, 0, none),
    ] {
        acl.extend_from_slice(&tag.to_le_bytes());
        acl.extend_from_slice(&permissions.to_le_bytes());
        acl.extend_from_slice(&id.to_le_bytes());
    }
    acl
}

#[test]
fn everything_arrives() {
    let scene = scene();
    let tree = scene.tree();
    let inputs = [scene.data.clone()];
    for size in [Size::Mib(8), SMALLEST] {
        for journal in [false, true] {
            let params = Params {
                journal,
                ..params(size)
            };
            let layout = plain(&tree, &params).unwrap();
            let image = bytes(&layout.plan, &inputs);
            assert_eq!(image.len() as u64, layout.size_mib << 20);
            fsck(&image);
            same(&tree, &inputs, &image);
        }
    }
    let small = plain(&tree, &params(SMALLEST)).unwrap();
    assert_eq!((small.size_mib, small.needs_mib), (1, 1));
}

/// What the readers in the other test do not show.
#[test]
fn as_debugfs_sees_it() {
    let scene = scene();
    let layout = plain(&scene.tree(), &params(Size::Mib(8))).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let image = bytes(&layout.plan, &[scene.data]);
    fs::write(file.path(), &image).unwrap();
    let path = file.path().to_str().unwrap();
    let wanted = [
        ("stat /", "Mode:  0751"),
        ("stat bin/ping", "Links: 2"),
        ("stat bin/ping", "mtime: 0x5f5e1000:1d6f3454"),
        ("stat bin", "Links: 2"),
        ("stat home", "User:  1000   Group: 70000"),
        ("stat l", "Fast link dest: \"bin/ping\""),
        ("stat null", "Device major/minor number: 01:03"),
        (
            "stat nvme",
            "(New-style) Device major/minor number: 259:70000",
        ),
        ("ea_list bin/ping", "trusted.overlay.opaque (1) = \"y\""),
        ("ea_list home", "system.posix_acl_default (28)"),
        ("htree_dump /", "htree_dump: Not a hash-indexed directory"),
    ];
    for (command, want) in wanted {
        let Some(said) = run("debugfs", &["-R", command, path]) else {
            return;
        };
        let quiet = command.starts_with("htree");
        assert!(
            said.contains(want) || quiet,
            "{command}: want {want}\n{said}"
        );
    }
    let head = run("dumpe2fs", &["-h", path]).unwrap();
    for want in [
        UUID,
        SEED,
        "Filesystem features:      ext_attr dir_index filetype extent flex_bg sparse_super large_file huge_file \
         dir_nlink extra_isize metadata_csum\n",
        "Reserved block count:     0\n",
        "Block size:               4096\n",
        "Filesystem state:         clean\n",
        &format!("Free blocks:              {}\n", layout.free_blocks),
        &format!("Free inodes:              {}\n", layout.free_inodes),
        &format!("Inode count:              {}\n", layout.inodes),
    ] {
        assert!(head.contains(want), "{want}\n{head}");
    }
}

/// Every byte of an image, as text: whoever changes the format changes this on purpose.
#[test]
fn golden() {
    let mut a = Scene::default();
    a.file("a", b"hello");
    a.symlink("b", "a");
    let layout = plain(&a.tree(), &params(SMALLEST)).unwrap();
    let mut text = Vec::new();
    layout.plan.dump(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text, GOLDEN, "\n{text}");
}

const GOLDEN: &str = "\
plan 3
length 1048576
input 0 5
0 1024 zero
1024 374 inline sha256:0dc71dc30847ae39d491447b0474783349463d5980649fa38aad3e48087ff0d6
1398 646 zero
2044 4 inline hex:ac475c7c
2048 2048 zero
4096 32 inline hex:0a0000000900000008000000f500030002000400000000005b06737f0300b7ad
4128 4064 zero
8192 5 source 0 0
8197 4091 zero
12288 65 inline sha256:0ac899b3a4660c02f58165cb4e110a9a07dc7959b119d5ab85e086db6c919f48
12353 4023 zero
16376 30 inline hex:0c0000de246464870b0000000c0001022e00000002000000e80f02022e2e
16406 4066 zero
20472 14 inline hex:0c0000deebe03d8700000000f40f
20486 4082 zero
24568 14 inline hex:0c0000de05c64dd500000000f40f
24582 4082 zero
28664 14 inline hex:0c0000de05c64dd500000000f40f
28678 4082 zero
32760 3228 inline sha256:7c88d39d08813eb32b381cc1c2adb9907d1f22f5bcbfeaa5b488a7e3f4fe91a2
35988 876 zero
36864 8192 inline sha256:39cd32f91bfeac20984b6f9378bf77ce1c8e98959234c5a1893c754a773e3174
45056 1003520 zero
";

#[test]
fn the_same_again() {
    let tree = scene().tree();
    let good = params(Size::Mib(8));
    let one = plain(&tree, &good).unwrap().plan.encode();
    assert_eq!(plain(&tree, &good).unwrap().plan.encode(), one);
    // Every parameter counts.
    let changed = [
        Params {
            uuid: SEED.into(),
            ..good.clone()
        },
        Params {
            hash_seed: UUID.into(),
            ..good.clone()
        },
        Params {
            label: "other".into(),
            ..good.clone()
        },
        Params {
            mtime: NOW - 1,
            ..good.clone()
        },
        Params {
            journal: true,
            ..good.clone()
        },
        Params {
            size: Size::Mib(9),
            ..good.clone()
        },
    ];
    for params in changed {
        assert_ne!(plain(&tree, &params).unwrap().plan.encode(), one);
    }
}

#[test]
fn as_small_as_fits() {
    for (files, len) in [(0, 0), (1, 3 << 20), (400, 100), (60, 50_000)] {
        let mut a = scene();
        for i in 0..files {
            a.file(format!("f/{i:05}-{}", "n".repeat(40)), &noise(len + i));
        }
        let tree = a.tree();
        let inputs = [a.data.clone()];
        for free_percent in [0, 30] {
            let layout = plain(&tree, &params(Size::Smallest { free_percent })).unwrap();
            fsck(&bytes(&layout.plan, &inputs));
            let all = layout.size_mib * 256;
            let want = all * u64::from(free_percent) / 100;
            // Enough, and not a MiB more than that.
            assert!(layout.free_blocks >= want, "{layout:?}");
            assert!(layout.free_blocks < want + 256 + 64, "{layout:?}");
            assert_eq!(layout.plan.len(), layout.size_mib << 20);
        }
        // The largest share that can be asked for can be had.
        plain(&tree, &params(Size::Smallest { free_percent: 98 })).unwrap();
        let needs = plain(&tree, &params(SMALLEST)).unwrap().needs_mib;
        let exactly = plain(&tree, &params(Size::Mib(needs))).unwrap();
        assert_eq!((exactly.size_mib, exactly.needs_mib), (needs, needs));
        fsck(&bytes(&exactly.plan, &inputs));
        if needs > 1 {
            let error = plain(&tree, &params(Size::Mib(needs - 1))).unwrap_err();
            let want = format!(
                "the tree does not fit: it needs {needs} MiB, the partition has {} MiB (1 MiB more are wanted)",
                needs - 1
            );
            assert_eq!(error.to_string(), want);
        }
    }
}

#[test]
fn refused_parameters() {
    let tree = scene().tree();
    let good = params(Size::Mib(8));
    let bad = [
        (
            Params {
                uuid: "random".into(),
                ..good.clone()
            },
            "uuid: got 'random', want a UUID",
        ),
        (
            Params {
                hash_seed: "time".into(),
                ..good.clone()
            },
            "hash seed: got 'time', want a UUID",
        ),
        (
            Params {
                label: "x".repeat(17),
                ..good.clone()
            },
            "label: got 'xxxxxxxxxxxxxxxxx', want at most 16",
        ),
        (
            Params {
                label: "a\n".into(),
                ..good.clone()
            },
            "label: got 'a\n', want at most 16",
        ),
        (
            Params {
                mtime: -1,
                ..good.clone()
            },
            "mtime: got '-1', want 0 to 15032385535",
        ),
        (
            Params {
                mtime: 15_032_385_536,
                ..good.clone()
            },
            "mtime: got '15032385536', want 0 to",
        ),
        (
            Params {
                size: Size::Mib(0),
                ..good.clone()
            },
            "size: got '0', want 1 to 16777216 MiB",
        ),
        (
            Params {
                size: Size::Mib(1 << 40),
                ..good.clone()
            },
            "size: got '1099511627776', want",
        ),
        (
            Params {
                size: Size::Smallest { free_percent: 99 },
                ..good.clone()
            },
            "free percent: got '99', want 0 to 98",
        ),
    ];
    for (params, want) in bad {
        let error = plain(&tree, &params).unwrap_err();
        assert!(matches!(error, Error::Param { .. }), "{error}");
        assert!(error.to_string().starts_with(want), "{error}");
    }
}

#[test]
fn refused_trees() {
    let with = |path: &str, name: &str, value: &[u8]| {
        let mut a = Scene::default();
        let file = a.file(path, b"x");
        file.xattrs.insert(name.into(), value.to_vec());
        a.tree()
    };
    let mut devices = Scene::default();
    devices.add(
        "d",
        archive::Kind::Char {
            major: 4096,
            minor: 0,
        },
        0o600,
    );
    let mut lost = Scene::default();
    lost.file("lost+found", b"");
    let mut links = Scene::default();
    links.file("f", b"x");
    for i in 0..65_000 {
        links.link(&format!("l{i}"), "f");
    }
    let cases = [
        (
            with("a/b", "user.x", &noise(5000)),
            "'/a/b': extended attribute 'user.x' does not fit: it takes 5020 bytes",
        ),
        (
            with("a", "system.posix_acl_access", b"x"),
            "'/a': extended attribute 'system.posix_acl_access' is no POSIX",
        ),
        (
            with("a", "com.example", b"x"),
            "'/a': extended attribute 'com.example' has a name that ext4 does not have",
        ),
        (
            devices.tree(),
            "'/d' is device 4096:0, want at most 4095:1048575",
        ),
        (lost.tree(), "'/lost+found' is no directory"),
        (links.tree(), "'/f' has 65001 names, want at most 65000"),
    ];
    for (tree, want) in cases {
        let error = plain(&tree, &params(Size::Mib(64)))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn too_many_inodes() {
    let mut a = Scene::default();
    for i in 0..40_000 {
        a.file(format!("d{}/{i}", i % 100), b"");
    }
    let tree = a.tree();
    let error = plain(&tree, &params(Size::Mib(4))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tree does not fit: it has 40111 inodes, an image of 4 MiB holds 32704"
    );
    // Groups are smaller then, and the image is hardly larger than the table.
    let layout = plain(&tree, &params(SMALLEST)).unwrap();
    assert_eq!(layout.size_mib, 13);
    fsck(&bytes(&layout.plan, &[a.data]));
}

#[test]
fn bodies_of_another_tree() {
    let tree = scene().tree();
    let len = tree.inputs()[0].len;
    let cases = [
        (vec![], "the tree has 1 inputs, but 0 are given"),
        (vec![len, 1], "the tree has 1 inputs, but 2 are given"),
        (vec![len - 1], "input 0 of the tree has"),
    ];
    for (lens, want) in cases {
        let bodies = ImageSet::of_lens(&lens).unwrap();
        let error = layout(&tree, &bodies, &params(SMALLEST)).unwrap_err();
        assert!(error.to_string().starts_with(want), "{error}");
    }
}

/// Holes of files take no blocks, whether or not their pieces begin and end with blocks.
#[test]
fn holes_take_no_blocks() {
    // Length, pieces, blocks.
    type Case = (u64, &'static [(u64, usize)], u64);
    let cases: [Case; 8] = [
        (3 << 30, &[], 0),
        (3 << 30, &[(2 << 30, 4096)], 1),
        (1 << 40, &[((1 << 40) - 5, 5)], 1),
        (100_000, &[(5, 10), (20, 10), (4090, 12)], 2),
        (100_000, &[(4096, 8192), (20_000, 1), (20_479, 2)], 4),
        (100_000, &[(0, 4097), (99_999, 1)], 3),
        (8192, &[(0, 4096)], 1),
        (9_000_000, &[(8_888_888, 100_000)], 25),
    ];
    for (len, parts, blocks) in cases {
        let mut scene = Scene::default();
        scene.dir("");
        let parts: Vec<_> = parts.iter().map(|(at, len)| (*at, noise(*len))).collect();
        scene
            .holes("f", len, &parts)
            .xattrs
            .insert(b"user.a".to_vec(), b"b".to_vec());
        let tree = scene.tree();
        let mut manifest = Vec::new();
        tree.write(&mut manifest).unwrap();
        assert_eq!(Tree::read(&manifest[..]).unwrap(), tree);
        let layout = plain(&tree, &params(SMALLEST)).unwrap();
        assert!(layout.size_mib < 4, "{} MiB", layout.size_mib);
        let image = bytes(&layout.plan, std::slice::from_ref(&scene.data));
        fsck(&image);
        // e2fsck has compared the inode's count of blocks with its extents; here are those with data.
        let sources = layout.plan.extents();
        let sources = sources.filter(|extent| matches!(extent.piece, plan::Piece::Source { .. }));
        let used: std::collections::BTreeSet<u64> = sources
            .flat_map(|extent| extent.start / 4096..extent.end().div_ceil(4096))
            .collect();
        assert_eq!(used.len() as u64, blocks, "{parts:?}");
        // The reader takes no file that is longer than the image.
        if len < 1 << 20 {
            same(&tree, std::slice::from_ref(&scene.data), &image);
            let fs = mkext4::reader::Fs::open(&image[..]).unwrap();
            let inode = fs.inode(12).unwrap();
            assert_eq!((inode.size, inode.blocks), (len, 8 * blocks), "{parts:?}");
        }
    }
}

/// A file in the place of one with holes moves nothing of the base.
#[test]
fn the_place_of_a_file_with_holes_is_kept() {
    let mut scene = Scene::default();
    scene.dir("");
    let parts = [(4096, noise(8192)), (40_960, noise(5000))];
    scene.holes("a", 1 << 20, &parts);
    scene.file("b", &noise(10_000));
    let tree = scene.tree();
    let alone = plain(&tree, &params(SMALLEST)).unwrap();
    let mut changed = tree.clone();
    let len = 6000;
    let input = changed.add_input(tree::Input { len });
    let new = Source {
        input,
        offset: 0,
        len,
    };
    changed
        .insert(b"a", Entry::injected(Kind::File(new), STAMP), "x")
        .unwrap();
    let over = Source {
        input: 0,
        offset: 0,
        len: 13_192,
    };
    assert_eq!(changed.get(b"a").unwrap().over, Some(over));
    let with = plain(&changed, &params(SMALLEST)).unwrap();
    let place = |layout: &ext4::Layout| {
        let sources = layout.plan.extents();
        let b = |piece: &plan::Piece<'_>| {
            matches!(
                piece,
                plan::Piece::Source {
                    input: 0,
                    offset: 13_192
                }
            )
        };
        sources
            .filter(|extent| b(&extent.piece))
            .map(|extent| extent.start)
            .collect::<Vec<_>>()
    };
    assert_eq!(place(&alone), place(&with));
    assert_eq!(place(&alone).len(), 1);
    let image = bytes(&with.plan, &[scene.data.clone(), noise(6000)]);
    fsck(&image);
    same(&changed, &[scene.data, noise(6000)], &image);
}

/// Files out of an image that is a plan itself, at any offset: their zero blocks are holes.
#[test]
fn nested_plans() {
    let raw = noise(100_000);
    let mut builder = plan::Builder::new(vec![Input::of_len(raw.len() as u64)]);
    builder.source(0, 1000, 10_000).unwrap();
    builder.zero(50_000).unwrap();
    builder.inline(b"in the middle").unwrap();
    builder.zero(30_000).unwrap();
    builder.source(0, 20_000, 5_000).unwrap();
    builder.zero(20_000).unwrap();
    let nested = builder.finish().unwrap();
    let content = bytes(&nested, std::slice::from_ref(&raw));
    for offset in [
        0u64,
        1,
        4096,
        9999,
        10_000,
        12_345,
        60_005,
        content.len() as u64 - 20_000,
    ] {
        let mut tree = Tree::new(STAMP);
        let len = content.len() as u64;
        let input = tree.add_input(tree::Input { len });
        let len = len - offset;
        let source = Source { input, offset, len };
        tree.insert(b"f", Entry::injected(Kind::File(source), STAMP), "x")
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let bodies = listed(folder.path(), std::slice::from_ref(&nested), &["raw"]);
        let layout = layout(&tree, &bodies, &params(SMALLEST)).unwrap();
        let image = bytes(&layout.plan, std::slice::from_ref(&raw));
        fsck(&image);
        same(&tree, std::slice::from_ref(&content), &image);
        let fs = mkext4::reader::Fs::open(&image[..]).unwrap();
        let inode = fs.inode(12).unwrap();
        let blocks: u32 = fs.extents(12, &inode).unwrap().iter().map(|e| e.len).sum();
        let file = &content[offset as usize..];
        let full = file
            .chunks(4096)
            .filter(|block| block.iter().any(|b| *b != 0))
            .count();
        assert_eq!(blocks as usize, full, "at {offset}");
        assert_eq!(inode.blocks, 8 * full as u64);
    }
}

/// The crate mkext4 makes another image of the same tree; ext4-view sees the same in both.
#[test]
fn as_the_crate_mkext4_does() {
    use mkext4::{sink::VecSink, FsBuilder, Meta, Options, SpecialKind, ROOT};
    use std::collections::BTreeMap;

    let mut scene = scene();
    scene
        .entries
        .retain(|e| std::str::from_utf8(&e.path).is_ok());
    for i in 0..3000 {
        scene
            .file(format!("many/{i}"), format!("{i}").as_bytes())
            .mtime = i;
    }
    // ext4-view has no times before 1970.
    scene
        .entries
        .iter_mut()
        .for_each(|entry| entry.mtime = entry.mtime.clamp(0, NOW));
    let tree = scene.tree();
    let inputs = [scene.data.clone()];
    let ours = plain(&tree, &params(Size::Mib(64))).unwrap();
    let ours = bytes(&ours.plan, &inputs);

    let uuid = [0x11; 16];
    let mut options = Options::new(64 << 20, uuid, NOW);
    options.label = Some("root".into());
    let mut builder = FsBuilder::new(options).unwrap();
    let mut handles = BTreeMap::from([(Vec::new(), ROOT)]);
    let mut fills = Vec::new();
    for (path, entry) in tree.entries() {
        let stamp = tree.inode(path).unwrap().stamp;
        let time = (stamp.mtime, stamp.mtime_nanos);
        let meta = Meta::new(stamp.mode as u16, stamp.uid, stamp.gid, time);
        if path.is_empty() {
            builder.set_meta(ROOT, meta).unwrap();
            continue;
        }
        let text = std::str::from_utf8(path).unwrap();
        let (dir, name) = text.rsplit_once('/').unwrap_or(("", text));
        let dir = handles[dir.as_bytes()];
        let special = |kind| (kind, meta);
        let handle = match &entry.kind {
            Kind::Dir => builder.mkdir(dir, name, meta).unwrap(),
            Kind::File(source) => {
                let file = builder.file(dir, name, meta, source.len).unwrap();
                fills.push((file, *source));
                file
            }
            Kind::Sparse(_) => unreachable!("no file of the scene has holes"),
            Kind::Symlink { target } => {
                let target = std::str::from_utf8(target).unwrap();
                builder.symlink(dir, name, target, meta).unwrap()
            }
            Kind::HardLink { target } => {
                builder.hardlink(dir, name, handles[target]).unwrap();
                continue;
            }
            Kind::Char { major, minor } => {
                let (kind, meta) = special(SpecialKind::Char {
                    major: *major,
                    minor: *minor,
                });
                builder.mknod(dir, name, meta, kind).unwrap()
            }
            Kind::Block { major, minor } => {
                let (kind, meta) = special(SpecialKind::Block {
                    major: *major,
                    minor: *minor,
                });
                builder.mknod(dir, name, meta, kind).unwrap()
            }
            Kind::Fifo => builder.mknod(dir, name, meta, SpecialKind::Fifo).unwrap(),
        };
        handles.insert(path.clone(), handle);
    }
    let layout = builder.seal().unwrap();
    let mut sink = VecSink::default();
    let mut writer = layout.writer(&mut sink).unwrap();
    for (file, source) in fills {
        if source.len > 0 {
            writer
                .fill(
                    file,
                    &mut &common::content(&inputs, &Kind::File(source))[..],
                )
                .unwrap();
        }
    }
    writer.finish().unwrap();
    let (ours, theirs) = (listing(&ours), listing(&sink.buf));
    assert_eq!(ours.len(), tree.entries().len() + 1);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
}

/// All that ext4-view says of each path.
fn listing(image: &[u8]) -> Vec<String> {
    let view = ext4_view::Ext4::load(Box::new(image.to_vec())).unwrap();
    let mut lines = Vec::new();
    let mut todo = vec![ext4_view::PathBuf::new("/")];
    while let Some(path) = todo.pop() {
        let at = path.as_path();
        let meta = view.symlink_metadata(at).unwrap();
        let what = if meta.is_dir() {
            for entry in view.read_dir(at).unwrap() {
                let entry = entry.unwrap();
                if !matches!(entry.file_name().as_ref(), b"." | b"..") {
                    todo.push(entry.path());
                }
            }
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", view.read_link(at).unwrap())
        } else if meta.file_type() == ext4_view::FileType::Regular {
            format!("{:?}", view.read(at).unwrap())
        } else {
            String::new()
        };
        // The other crate dates and sizes its lost+found otherwise.
        let lost = at.display().to_string() == "/lost+found";
        let time = meta.modified();
        let time = (!lost).then(|| (time.seconds(), time.nanoseconds()));
        let len = (!meta.is_dir()).then(|| meta.len());
        let mode = meta.mode();
        let (uid, gid) = (meta.uid(), meta.gid());
        lines.push(format!(
            "{:?} {mode:o} {uid} {gid} {time:?} {len:?} {what}",
            at
        ));
    }
    lines.sort();
    lines
}
