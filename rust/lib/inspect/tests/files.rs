//! Files of an image: found, read, listed, extracted; the same as other readers find.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod fixtures;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fixtures::{disk, everything, ext4, fat, grubenv};
use inspect::{Files, Image, Node, Place};

fn place(text: &str) -> Place {
    Place::parse(text.as_bytes())
}

fn cat(image: &dyn Image, at: &str) -> Result<Vec<u8>, String> {
    let place = place(at);
    let files = Files::open(image, &place).map_err(|e| e.to_string())?;
    let entry = files.find(&place.path, true).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    files.copy(entry, &mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

#[test]
fn contents_by_place() {
    let (bare, disk) = (ext4(b"extra"), everything());
    for path in [
        "/etc/hosts",
        "etc/link",
        "/etc//up",
        "a-name-of-hosts",
        "/dev/../etc/./hosts",
    ] {
        assert_eq!(cat(&bare, path).as_deref(), Ok(&b"::1\n"[..]), "{path}");
        for partition in ["A_root", "2"] {
            let path = format!("{partition}:{path}");
            assert_eq!(cat(&disk, &path).as_deref(), Ok(&b"::1\n"[..]), "{path}");
        }
    }
    // FAT: in any case, and with names as they are shown.
    assert_eq!(cat(&disk, "esp:/GRUBENV").unwrap(), grubenv());
    let name = "esp:/EFI/a\\x20long\\x20name\\x20with\\x20ünïcode/BOOTX64.EFI";
    assert_eq!(cat(&disk, name).unwrap(), [3; 3000]);
    assert_eq!(
        cat(&disk, "1:efi/a long name with ünïcode/bootx64.efi").unwrap(),
        [3; 3000]
    );
    let mut sparse = vec![0; 112_288];
    sparse[8192..12288].fill(9);
    assert_eq!(cat(&bare, "/sparse").unwrap(), sparse);
}

#[test]
fn partitions_of_any_name() {
    let fs = ext4(b"extra");
    let disk = disk(&[("a:b", &fs), ("/ x\\:", &fs), ("1", &fs)]);
    for at in [
        "a\\:b:/etc/hosts",
        "\\/ x\\\\\\::/etc/hosts",
        "\\/\\x20x\\\\\\::etc/hosts",
        "1:etc/hosts",
        "2:etc/hosts",
    ] {
        assert_eq!(cat(&disk, at).as_deref(), Ok(&b"::1\n"[..]), "{at}");
    }
    let error = cat(&disk, "a:b:/etc/hosts").unwrap_err();
    assert!(error.starts_with("no partition \"a\""), "{error}");
    let found = inspect::partition(&disk, "a:b").unwrap();
    assert_eq!((found.number, found.start()), (1, 1 << 20));
}

#[test]
fn refusals_say_why() {
    let (bare, disk) = (ext4(b"extra"), everything());
    let partitions = "esp, A_root, 3, env, B_root, 6, 7, 8";
    for (image, at, want) in [
        (&bare, "/nothing", "/nothing: no such file or directory in the image".to_owned()),
        (&bare, "/etc/hosts/x", "/etc/hosts/x: no such file or directory in the image".to_owned()),
        (&bare, "/loop", "/loop: more than 40 symbolic links on the way".to_owned()),
        (&bare, "/etc", "/etc: is a dir, want a regular file".to_owned()),
        (&bare, "/dev/null", "/dev/null: is a char, want a regular file".to_owned()),
        (&bare, "x:/etc", "no partition \"x\", the image has no partition table".to_owned()),
        (&disk, "/etc", format!("\"/etc\" names no partition of the disk: write PARTITION:PATH, with one of {partitions}")),
        (&disk, "x:/etc", format!("no partition \"x\", the image has {partitions}")),
        (&disk, "B_root:/etc", "partition B_root has no file system that is read here, it holds zero".to_owned()),
    ] {
        assert_eq!(cat(image, at), Err(want), "{at}");
    }
}

fn listing(files: &Files<'_>, path: &str) -> Vec<String> {
    let top = files.find(path.as_bytes(), false).unwrap();
    let mut out = Vec::new();
    for entry in files.children(top) {
        inspect::long(entry, files.whole(entry), &entry.path.word(), &mut out).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn long_listings() {
    let image = ext4(b"extra");
    let files = Files::open(&image, &Place::default()).unwrap();
    assert_eq!(
        listing(&files, "/dev"),
        [
            "brw-rw----     0     6  259,65537 2023-11-14T22:13:20Z /dev/disk",
            "crw-rw-rw-     0     0        1,3 2023-11-14T22:13:20Z /dev/null",
            "prw-------     0     0          - 2023-11-14T22:13:20Z /dev/pipe",
            "srw-------     0     0          - 2023-11-14T22:13:20Z /dev/socket",
        ]
    );
    let root = listing(&files, "/");
    let find = |name: &str| {
        root.iter()
            .find(|line| line.contains(name))
            .unwrap()
            .clone()
    };
    assert_eq!(
        find(" /tool"),
        "-rwsr-xr-x 100000     5      10000 2023-11-14T22:13:20Z /tool"
    );
    assert_eq!(
        find(" /dev"),
        "drwxrwxrwt     7 70000          - 2023-11-14T22:13:20Z /dev"
    );
    assert_eq!(
        find(" /loop"),
        "lrwxrwxrwx     0     0          5 2023-11-14T22:13:20Z /loop -> /loop"
    );
    let etc = listing(&files, "/etc");
    assert_eq!(etc[0], "-rw-r--r--     0     0          4 2023-11-14T22:13:20.000000005Z /etc/hosts = /a-name-of-hosts");
    assert_eq!(
        files.children(files.find(b"/tool", false).unwrap()).count(),
        0
    );
}

#[test]
fn extracted_trees() {
    let image = ext4(b"extra");
    let files = Files::open(&image, &Place::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("all");
    let root = files.find(b"/", false).unwrap();
    // Not as root, whoever runs this.
    let notes = inspect::extract(&files, root, &dest, false).unwrap();
    assert!(notes
        .notes
        .contains(&"/dev/null: left out: only root makes devices".to_owned()));
    assert_eq!(fs::read(dest.join("etc/hosts")).unwrap(), b"::1\n");
    let (one, other) = (dest.join("etc/hosts"), dest.join("a-name-of-hosts"));
    let (one, other) = (fs::metadata(one).unwrap(), fs::metadata(other).unwrap());
    assert_eq!(
        (one.ino(), one.mtime(), one.mtime_nsec()),
        (other.ino(), 1_700_000_000, 5)
    );
    assert_eq!(
        fs::read_link(dest.join("etc/up")).unwrap(),
        Path::new("../../../etc/./link")
    );
    assert_eq!(
        fs::metadata(dest.join("tool")).unwrap().mode() & 0o7777,
        0o755
    );
    let link = fs::symlink_metadata(dest.join("loop")).unwrap();
    assert_eq!(link.mtime(), 1_700_000_000);
    assert_eq!(
        fs::metadata(dest.join("etc")).unwrap().mtime(),
        1_700_000_000
    );
    // It is there now.
    let error = inspect::extract(&files, root, &dest, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write {}", dest.display())
    );
    // One file; a hard link whose first name is elsewhere; a link as a link.
    for (path, name) in [("/extra", "extra"), ("/etc", "etc"), ("/etc/up", "up")] {
        let entry = files.find(path.as_bytes(), false).unwrap();
        inspect::extract(&files, entry, &dir.path().join(name), false).unwrap();
    }
    assert_eq!(fs::read(dir.path().join("extra")).unwrap(), b"extra");
    assert_eq!(fs::read(dir.path().join("etc/hosts")).unwrap(), b"::1\n");
    assert_eq!(
        fs::read_link(dir.path().join("up")).unwrap(),
        Path::new("../../../etc/./link")
    );
}

/// Names that lead out of the destination: the directory entry of `hosts` is called `..`, `.`, or has a slash in it.
#[test]
fn nothing_gets_out() {
    let image = ext4(b"extra");
    for name in [&b"../xx"[..], b"/etcx", b"a\0aaa"] {
        let mut bad = image.clone();
        let entry = b"\x05\x01hosts";
        let at = bad.windows(7).position(|bytes| bytes == entry).unwrap();
        bad[at + 2..at + 7].copy_from_slice(name);
        let files = Files::open(&bad, &Place::default()).unwrap();
        assert_eq!(files.problems().len(), 1);
        assert!(
            files.problems()[0].contains(": the name "),
            "{:?}",
            files.problems()
        );
        let dir = tempfile::tempdir().unwrap();
        let root = files.find(b"/", false).unwrap();
        inspect::extract(&files, root, &dir.path().join("in/../all"), false).unwrap_err();
        inspect::extract(&files, root, &dir.path().join("all"), false).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    // A name twice: a link out of the tree, and a directory with a file to be written through it.
    let mut bad = image;
    let entry = b"\x04\x07loop";
    let at = bad.windows(6).position(|bytes| bytes == entry).unwrap();
    bad[at] = 3;
    bad[at + 2..at + 6].copy_from_slice(b"etc\0");
    let files = Files::open(&bad, &Place::default()).unwrap();
    assert_eq!(files.problems(), ["/etc: the name is there twice"]);
}

/// The same files as ext4-view finds.
#[test]
fn as_another_ext4_reader() {
    let image = ext4(b"extra");
    let other = ext4_view::Ext4::load(Box::new(image.clone())).unwrap();
    let files = Files::open(&image, &Place::default()).unwrap();
    let mut seen = BTreeMap::new();
    for entry in files.below(files.find(b"/", false).unwrap()) {
        let path = ext4_view::PathBuf::new(&entry.path.0);
        let found = other.symlink_metadata(&path).unwrap();
        let whole = files.whole(entry);
        let attributes = whole.attributes.as_ref().unwrap();
        assert_eq!(Some(found.mode()), attributes.mode);
        assert_eq!(
            (Some(found.uid()), Some(found.gid())),
            (attributes.uid, attributes.gid)
        );
        let time = (found.modified().seconds(), found.modified().nanoseconds());
        assert_eq!(
            time,
            (attributes.mtime.seconds, attributes.mtime.nanoseconds)
        );
        match &whole.node {
            Node::File(_) => {
                let mut bytes = Vec::new();
                files.copy(entry, &mut bytes).unwrap();
                assert_eq!(other.read(&path).unwrap(), bytes, "{}", entry.path);
            }
            Node::Symlink { target } => {
                assert_eq!(
                    other.read_link(&path).unwrap().as_ref(),
                    target.0.as_slice()
                );
            }
            Node::Dir => {
                let names = other.read_dir(&path).unwrap().map(|entry| entry.unwrap());
                let count =
                    names.filter(|entry| !matches!(entry.file_name().as_ref(), b"." | b".."));
                assert_eq!(
                    count.count(),
                    files.children(entry).count(),
                    "{}",
                    entry.path
                );
            }
            _ => {}
        }
        *seen.entry(whole.node.as_str()).or_insert(0) += 1;
    }
    let seen: Vec<(&str, i32)> = seen.into_iter().collect();
    assert_eq!(
        seen,
        [
            ("block", 1),
            ("char", 1),
            ("dir", 4),
            ("fifo", 1),
            ("file", 7),
            ("socket", 1),
            ("symlink", 4)
        ]
    );
}

/// The same contents as crate fatfs finds, which knows short names only.
#[test]
fn as_another_fat_reader() {
    for (size_mib, kind) in [
        (1, fat::FatType::Fat12),
        (8, fat::FatType::Fat16),
        (40, fat::FatType::Fat32),
    ] {
        let image = fat(size_mib, kind);
        let mut reader = std::io::Cursor::new(image.clone());
        let other = fatfs::FileSystem::new(&mut reader, fatfs::FsOptions::new()).unwrap();
        let image = disk(&[("esp", &image)]);
        for (name, short) in [
            ("grubenv", "GRUBENV"),
            ("Some File.Text", "SOMEFI~1.TEX"),
            ("empty", "EMPTY"),
        ] {
            let mut want = Vec::new();
            let root = other.root_dir();
            root.open_file(short)
                .unwrap()
                .read_to_end(&mut want)
                .unwrap();
            assert_eq!(cat(&image, &format!("esp:{name}")).unwrap(), want);
        }
    }
}

/// A file whose inode has a wrong checksum is read, and the damage is said.
#[test]
fn suspicious_is_not_lost() {
    let mut image = ext4(b"extra");
    let at = image
        .windows(8)
        .position(|b| b == b"\x07\x01grubenv".get(..8).unwrap());
    assert!(at.is_some());
    let table = u32::from_le_bytes(image[4104..4108].try_into().unwrap());
    let entry = at.unwrap() - 6;
    let inode = u32::from_le_bytes(image[entry..entry + 4].try_into().unwrap());
    let inode = usize::try_from(table * 4096 + (inode - 1) * 256).unwrap();
    // The generation, which nothing but the checksum depends on.
    image[inode + 0x64] ^= 1;
    assert_eq!(cat(&image, "/grubenv").unwrap(), grubenv());
    let text = fixtures::dump(&image);
    let line = text
        .lines()
        .find(|line| line.starts_with("/grubenv file "))
        .unwrap();
    assert!(
        line.contains(" sha256:") && line.contains(" damaged: the checksum of inode "),
        "{line}"
    );
}
