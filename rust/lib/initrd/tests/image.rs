//! Initial RAM disks of a made-up root file system, read back by another reader.
#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "support/elf.rs"]
mod elf;
#[path = "support/newc.rs"]
mod newc;
#[path = "support/root.rs"]
mod root;

use elf::{elf, module};
use initrd::{build, Archive, Error, Name, Request, Root};
use plan::{Piece, Reader};
use proptest::prelude::*;
use root::{Files, R};

fn names(text: &str) -> Vec<Name> {
    Name::list("list.txt", text).unwrap()
}

/// What is asked for, as lists.
#[derive(Clone, Copy, Default)]
struct Asked<'a> {
    available: &'a str,
    at_once: &'a str,
    release: Option<&'a str>,
    microcode: bool,
    backwards: bool,
}

fn made(files: &Files, asked: Asked<'_>) -> Result<Vec<u8>, Error> {
    let dir = tempfile::tempdir().unwrap();
    let (tree, bodies, _) = files.tree(&dir, asked.backwards);
    let root = Root::open(&tree, &bodies, 0)?;
    build(
        &root,
        &Request {
            init: &elf(&[]),
            available: &names(asked.available),
            at_once: &names(asked.at_once),
            release: asked.release,
            microcode: asked.microcode,
        },
    )
}

fn refused(files: &Files, asked: Asked<'_>) -> String {
    made(files, asked).unwrap_err().to_string()
}

const DISK: Asked<'_> = Asked {
    available: "ext4\ndisk-a\n",
    at_once: "",
    release: None,
    microcode: false,
    backwards: false,
};

#[test]
fn all_that_is_in_it() {
    let at_once = "bus\next4\ncore\n";
    let bytes = made(&Files::new(), Asked { at_once, ..DISK }).unwrap();
    let archive = zstd::decode_all(&bytes[..]).unwrap();
    let (entries, rest) = newc::read(&archive);
    assert!(rest.is_empty());
    let got: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), format!("{:o}", entry.mode)))
        .collect();
    let want = [
        ("dev", "40755"),
        ("dev/console", "20600"),
        ("dev/null", "20666"),
        ("etc", "40755"),
        ("etc/modules-load.d", "40755"),
        ("etc/modules-load.d/initrd.conf", "100644"),
        ("init", "100755"),
        ("lib", "40755"),
        ("lib/firmware", "40755"),
        ("lib/firmware/fw", "40755"),
        ("lib/firmware/fw/dir1", "40755"),
        ("lib/firmware/fw/dir1/b1.bin", "100644"),
        ("lib/firmware/fw/dir2", "40755"),
        ("lib/firmware/fw/dir2/b2.bin", "100644"),
        ("lib/firmware/fw/one.bin", "100644"),
        ("lib/firmware/linked", "100644"),
        ("lib/modules", "40755"),
        ("lib/modules/6.1-x", "40755"),
        ("lib/modules/6.1-x/kernel", "40755"),
        ("lib/modules/6.1-x/kernel/a", "40755"),
        ("lib/modules/6.1-x/kernel/a/disk-a.ko", "100644"),
        ("lib/modules/6.1-x/kernel/b", "40755"),
        ("lib/modules/6.1-x/kernel/b/bus.ko", "100644"),
        ("lib/modules/6.1-x/kernel/c", "40755"),
        ("lib/modules/6.1-x/kernel/c/core.ko", "100644"),
        ("lib/modules/6.1-x/kernel/c/soft.ko", "100644"),
        ("lib/modules/6.1-x/modules.alias", "100644"),
        ("lib/modules/6.1-x/modules.dep", "100644"),
        ("lib/modules/6.1-x/modules.softdep", "100644"),
        ("proc", "40755"),
        ("run", "40755"),
        ("sys", "40755"),
        ("sysroot", "40755"),
    ];
    let want: Vec<_> = want.map(|(name, mode)| (name, mode.to_owned())).to_vec();
    assert_eq!(got, want);
    let of = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    assert_eq!(of("dev/console").device, (5, 1));
    assert_eq!(of("dev/null").device, (1, 3));
    for (name, want) in [
        ("init", elf(&[])),
        ("etc/modules-load.d/initrd.conf", b"bus\ncore\n".to_vec()),
        ("lib/firmware/fw/dir1/b1.bin", b"b1".to_vec()),
        ("lib/firmware/fw/dir2/b2.bin", b"b2".to_vec()),
        ("lib/firmware/linked", b"one".to_vec()),
        (
            "lib/modules/6.1-x/kernel/a/disk-a.ko",
            module("disk_a", &["fw/one.bin", "fw/gone", "../../shadow", "/abs"]),
        ),
        ("lib/modules/6.1-x/kernel/b/bus.ko", module("bus", &["fw/dir*/b*.bin", "linked"])),
        (
            "lib/modules/6.1-x/modules.alias",
            b"alias pci:v1* disk_a\nalias acpi* disk_a\nalias bus-0 bus\nalias crypto-soft soft\n".to_vec(),
        ),
        (
            "lib/modules/6.1-x/modules.dep",
            b"kernel/a/disk-a.ko: kernel/b/bus.ko kernel/c/core.ko\nkernel/b/bus.ko: kernel/c/core.ko\nkernel/c/core.ko:\nkernel/c/soft.ko:\n"
                .to_vec(),
        ),
        (
            "lib/modules/6.1-x/modules.softdep",
            b"softdep bus pre: crypto-soft gone post: ext4\n".to_vec(),
        ),
    ] {
        assert!(of(name).bytes == want, "{name}");
    }
}

#[test]
fn microcode_lies_in_front() {
    let mut files = Files::new();
    let asked = Asked {
        microcode: true,
        ..DISK
    };
    let bytes = made(&files, asked).unwrap();
    let (entries, rest) = newc::read(&bytes);
    let got: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.bytes.as_slice()))
        .collect();
    let want: [(&str, &[u8]); 5] = [
        ("kernel", b""),
        ("kernel/x86", b""),
        ("kernel/x86/microcode", b""),
        ("kernel/x86/microcode/AuthenticAMD.bin", b"amd1amd2"),
        ("kernel/x86/microcode/GenuineIntel.bin", b"intel1intel2"),
    ];
    assert_eq!(got, want);
    assert!(entries[3..].iter().all(|entry| entry.at % 16 == 0));
    // What follows is what there is without microcode.
    assert!(rest == made(&files, DISK).unwrap());
    files
        .files
        .retain(|path, _| !path.contains("-ucode/0") && !path.ends_with("1.bin"));
    let bytes = made(&files, asked).unwrap();
    let (entries, _) = newc::read(&bytes);
    assert_eq!(entries.last().unwrap().bytes, b"amd2");
    files
        .files
        .retain(|path, _| !path.contains("-ucode/") || path.ends_with(".asc"));
    assert_eq!(
        refused(&files, asked),
        "microcode is asked for, but the tree has neither usr/lib/firmware/amd-ucode/*.bin nor a file in usr/lib/firmware/intel-ucode: \
         install a package that has some, or ask for none"
    );
}

#[test]
fn only_what_counts_counts() {
    let files = Files::new();
    let at_once = "bus\ncore\n";
    let one = made(&files, Asked { at_once, ..DISK }).unwrap();
    let other = Asked {
        available: "disk_a # a comment\nbus\n\next4\next4",
        backwards: true,
        at_once,
        ..DISK
    };
    assert!(one == made(&files, other).unwrap());
    // What is not chosen does not count either.
    let mut more = Files::new();
    more.add(&format!("{R}/kernel/z/other.ko"), b"changed".to_vec());
    assert!(one == made(&more, Asked { at_once, ..DISK }).unwrap());
    let at_once = "core\nbus\n";
    assert!(one != made(&files, Asked { at_once, ..DISK }).unwrap());
}

#[test]
fn kernels_to_choose_from() {
    let mut files = Files::new();
    let asked = |release| Asked { release, ..DISK };
    assert!(made(&files, asked(Some("6.1-x"))).unwrap() == made(&files, DISK).unwrap());
    assert_eq!(
        refused(&files, asked(Some("7"))),
        "usr/lib/modules has no folder 7, it has 6.1-x: give the tree of a root file system with a kernel, or another release"
    );
    files.add("usr/lib/modules/5.0/modules.dep", "");
    files.add("usr/lib/modules/README", "");
    assert_eq!(
        refused(&files, DISK),
        "usr/lib/modules has several folders, 5.0, 6.1-x: say which kernel's release it is for"
    );
    assert!(made(&files, asked(Some("6.1-x"))).is_ok());
    assert_eq!(
        refused(&files, asked(Some("5.0"))),
        "the tree has no file usr/lib/modules/5.0/modules.alias, which depmod writes: run it after the kernel's modules are in place"
    );
    assert_eq!(
        refused(&Files::default(), DISK),
        "usr/lib/modules has no folder of a kernel's release, it has none: give the tree of a root file system with a kernel, or another \
         release"
    );
}

#[test]
fn trees_that_are_refused() {
    let with = |path: &str, bytes: &[u8]| {
        let mut files = Files::new();
        files.add(&format!("{R}/{path}"), bytes);
        refused(&files, DISK)
    };
    let disk = format!("{R}/kernel/a/disk-a.ko.xz");
    assert_eq!(
        with("kernel/a/disk-a.ko.xz", b"?"),
        format!("cannot unpack {disk}")
    );
    assert_eq!(
        with("kernel/c/core.ko", b"?"),
        format!("{R}/kernel/c/core.ko is no module that can be read")
    );
    assert_eq!(
        with("kernel/c/core.ko", &elf(&[])),
        format!("{R}/kernel/c/core.ko has no section .modinfo, want a module of the kernel")
    );
    assert_eq!(
        with("modules.dep", b"kernel/a/disk-a.ko:\n"),
        format!("the tree has no file {R}/kernel/a/disk-a.ko, which modules.dep names: run depmod again")
    );
    assert_eq!(
        with("modules.dep", b"kernel/a/disk-a.ko.gz:\n"),
        format!("{R}/kernel/a/disk-a.ko.gz: want a module that ends in .ko, .ko.xz or .ko.zst")
    );
    assert_eq!(
        with("modules.alias", b"alias a\xff b\n"),
        format!("{R}/modules.alias is not UTF-8 at byte 7, want text")
    );
    let nothing = refused(
        &Files::new(),
        Asked {
            available: "\nnone",
            ..DISK
        },
    );
    assert!(nothing.starts_with("list.txt line 2: the kernel 6.1-x has no module none, "));
}

#[test]
fn programs_that_would_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, bodies, _) = Files::new().tree(&dir, false);
    let root = Root::open(&tree, &bodies, 0).unwrap();
    let says = |init: &[u8]| {
        let request = Request {
            init,
            available: &[],
            at_once: &[],
            release: None,
            microcode: false,
        };
        build(&root, &request).unwrap_err().to_string()
    };
    assert_eq!(says(b"#!/bin/sh\n"), "the program for /init cannot be read");
    // A program header that names a loader behind it.
    let mut dynamic = elf(&[]);
    dynamic[32] = 64;
    dynamic[56] = 1;
    let path = b"/lib/ld.so\0";
    dynamic.extend([3u32, 4].iter().flat_map(|n| n.to_le_bytes()));
    let numbers = [120, 0, 0, path.len() as u64, path.len() as u64, 1];
    dynamic.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    dynamic.extend(path);
    assert_eq!(
        says(&dynamic),
        "the program for /init wants /lib/ld.so, which the initrd has not: link it statically"
    );
}

#[test]
fn what_it_was_made_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files::new();
    files.links.clear();
    let (tree, bodies, path) = files.tree(&dir, false);
    let root = Root::open(&tree, &bodies, 0).unwrap();
    let request = Request {
        init: &elf(&[]),
        available: &names("core\nsoft"),
        at_once: &[],
        release: None,
        microcode: true,
    };
    build(&root, &request).unwrap();
    let reader = Reader::open(root.sources().unwrap(), &[path]).unwrap();
    let mut bytes = vec![0; reader.len() as usize];
    reader.read_at(&mut bytes, 0).unwrap();
    let want = [
        &b"amd1amd2intel1intel2"[..],
        &module("core", &[]),
        &module("soft", &[]),
        &files.files[&format!("{R}/modules.alias")],
        &files.files[&format!("{R}/modules.builtin")],
        &files.files[&format!("{R}/modules.dep")],
        &files.files[&format!("{R}/modules.softdep")],
    ];
    assert!(bytes == want.concat());
    let mut extents = reader.plan().extents();
    assert!(extents.all(|extent| matches!(extent.piece, Piece::Source { .. })));
}

proptest! {
    /// Whatever an archive is given, in whatever order, another reader finds that and nothing else.
    #[test]
    fn archives_are_read_back(files in proptest::collection::btree_map("[a-c]{1,3}(/[a-c.]{1,3}x){0,2}", proptest::collection::vec(any::<u8>(), 0..9), 0..8), align in any::<bool>()) {
        let (mut one, mut other) = (Archive::default(), Archive::default());
        let add = |archive: &mut Archive, name: &str, bytes: &[u8]| match align {
            true => archive.aligned_file(name, bytes.to_vec()),
            false => archive.file(name, 0o600, bytes.to_vec()),
        };
        // A file may be where another one wants a folder.
        let done: Result<Vec<()>, _> = files.iter().map(|(name, bytes)| add(&mut one, name, bytes)).collect();
        prop_assume!(done.is_ok());
        for (name, bytes) in files.iter().rev() {
            add(&mut other, name, bytes).unwrap();
        }
        let bytes = one.write().unwrap();
        prop_assert_eq!(&bytes, &other.write().unwrap());
        let (entries, rest) = newc::read(&bytes);
        prop_assert!(rest.is_empty());
        let found = entries.into_iter().filter(|entry| entry.mode & 0o170000 == 0o100000);
        let found: std::collections::BTreeMap<_, _> = found.map(|entry| (entry.name, entry.bytes)).collect();
        prop_assert_eq!(found, files);
    }
}
