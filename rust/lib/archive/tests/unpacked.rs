//! What is in the way of unpacking, and what needs privilege.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs;
use std::os::unix::fs::{symlink, FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use archive::{unpack, unpack_members, unpack_with, Error, UnpackOptions};

use crate::common::{member, patch, pax, with_data};

fn bare(members: &[Vec<u8>], dir: &Path) -> Result<(), Error> {
    let options = UnpackOptions::default().owners(false);
    unpack_with(members.concat().as_slice(), dir, &options)
}

/// What was being done to which member when it failed.
fn failed(result: Result<(), Error>) -> (String, &'static str) {
    match result.unwrap_err() {
        Error::Unpack { path, action, .. } => (path, action),
        other => panic!("{other}"),
    }
}

/// Members that are not to be made: what follows them is read as it is, and a folder is made where something in it is.
#[test]
fn members_may_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let members = [
        member(b"a/", b'5', b""),
        with_data(b"a/out", b'0', &[b'x'; 1000]),
        with_data(b"a/in", b'0', b"stays"),
        member(b"b/", b'5', b""),
    ];
    let options = UnpackOptions::default().owners(false);
    let mut seen = Vec::new();
    let reader = members.concat();
    unpack_members(reader.as_slice(), dir.path(), &options, &mut |entry| {
        let path = String::from_utf8(entry.path.clone()).unwrap();
        let comes = path == "a/in";
        seen.push(path);
        comes
    })
    .unwrap();
    assert_eq!(seen, ["a", "a/out", "a/in", "b"]);
    assert_eq!(fs::read(dir.path().join("a/in")).unwrap(), b"stays");
    assert!(!dir.path().join("a/out").exists() && !dir.path().join("b").exists());
    let mode = fs::metadata(dir.path().join("a")).unwrap().mode();
    assert_eq!(
        mode & 0o7777,
        0o755,
        "not what the member would have given it"
    );
}

/// A file that is there stays as it is, also where a link leads to it; so does one that a link would make.
#[test]
fn files_in_the_way_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("file"), b"old").unwrap();
    fs::write(dir.path().join("outside"), b"old").unwrap();
    symlink("../outside", target.join("link")).unwrap();
    symlink("../later", target.join("dangling")).unwrap();
    for name in ["file", "link", "dangling"] {
        let file = with_data(name.as_bytes(), b'0', b"new");
        let making = (name.to_owned(), "making the file");
        assert_eq!(failed(bare(&[file], &target)), making);
    }
    assert_eq!(fs::read(target.join("file")).unwrap(), b"old");
    assert_eq!(fs::read(dir.path().join("outside")).unwrap(), b"old");
    assert!(!dir.path().join("later").exists());
}

/// No folder is made of a file, and none is found through a link that was there.
#[test]
fn folders_are_folders() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    fs::create_dir_all(dir.path().join("outside/deep")).unwrap();
    fs::create_dir(&target).unwrap();
    fs::write(target.join("file"), b"old").unwrap();
    symlink("../outside", target.join("link")).unwrap();
    let opening = |path: &str| (path.to_owned(), "opening the folder");
    for (name, folder) in [
        ("file", "file"),
        ("file/x", "file/x"),
        ("link", "link"),
        ("link/deep", "link/deep"),
    ] {
        let member = member(name.as_bytes(), b'5', b"");
        assert_eq!(failed(bare(&[member], &target)), opening(folder));
    }
    let error = bare(&[member(b"link/deep/x", b'0', b"")], &target);
    assert_eq!(failed(error), opening("link/deep"));
    let found = fs::read_dir(dir.path().join("outside/deep")).unwrap();
    assert_eq!(found.count(), 0);
    let error = bare(&[], &target.join("file")).unwrap_err();
    assert!(matches!(error, Error::Source { .. }), "{error}");
}

/// An attribute that a link cannot have is not left out.
#[test]
fn attributes_of_links_are_kept_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let archive = [
        pax(&[("SCHILY.xattr.user.a", b"v")]),
        member(b"l", b'2', b"there"),
    ];
    let setting = ("l".to_owned(), "setting an extended attribute");
    assert_eq!(failed(bare(&archive, dir.path())), setting);
}

/// Owners are given where asked for, which takes privilege, and else left alone.
#[test]
fn owners_are_given_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mine = fs::metadata(dir.path()).unwrap();
    let (uid, gid) = (mine.uid() + 1, mine.gid() + 1);
    let owned = patch(
        member(b"f", b'0', b""),
        108,
        format!("{uid:07o}\0{gid:07o}\0").as_bytes(),
    );
    match unpack(owned.as_slice(), dir.path()) {
        Ok(()) => {
            let made = fs::metadata(dir.path().join("f")).unwrap();
            assert_eq!((made.uid(), made.gid()), (uid, gid));
        }
        other => assert_eq!(failed(other), ("f".to_owned(), "setting its owner")),
    }
    let other = tempfile::tempdir().unwrap();
    bare(&[owned], other.path()).unwrap();
    let made = fs::metadata(other.path().join("f")).unwrap();
    assert_eq!((made.uid(), made.gid()), (mine.uid(), mine.gid()));
}

/// Devices are made where that is permitted, and else left out; a pipe may always be made.
#[test]
fn devices_are_made_or_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = b"0000001\x000000003\0";
    let device = |name: &[u8], typeflag| patch(member(name, typeflag, b""), 329, numbers);
    let archive = [
        device(b"char", b'3'),
        device(b"block", b'4'),
        member(b"pipe", b'6', b""),
    ];
    bare(&archive, dir.path()).unwrap();
    let at = |name: &str| fs::symlink_metadata(dir.path().join(name));
    assert!(at("pipe").unwrap().file_type().is_fifo());
    let probe = dir.path().join("probe");
    let mut mknod = Command::new("mknod");
    if mknod
        .arg(&probe)
        .args(["c", "1", "3"])
        .output()
        .unwrap()
        .status
        .success()
    {
        let want = fs::symlink_metadata(&probe).unwrap().rdev();
        let (char, block) = (at("char").unwrap(), at("block").unwrap());
        assert!(char.file_type().is_char_device() && block.file_type().is_block_device());
        assert_eq!((char.rdev(), block.rdev()), (want, want));
    } else {
        println!("without privilege: devices are left out");
        assert!(at("char").is_err() && at("block").is_err());
    }
    // What is in the way of a device is no lack of privilege.
    for (name, typeflag) in [(&b"char"[..], b'3'), (b"pipe", b'6')] {
        let other = tempfile::tempdir().unwrap();
        let path = String::from_utf8(name.to_vec()).unwrap();
        fs::write(other.path().join(&path), b"old").unwrap();
        let making = (path, "making the device or pipe");
        assert_eq!(
            failed(bare(&[device(name, typeflag)], other.path())),
            making
        );
    }
}

/// In a folder where nobody may make anything a device is left out, as everywhere where it is not permitted; a pipe is not.
#[test]
fn only_devices_are_left_out() {
    use rustix::fs::{ioctl_getflags, ioctl_setflags, IFlags};

    let dir = tempfile::tempdir().unwrap();
    let folder = fs::File::open(dir.path()).unwrap();
    let before = ioctl_getflags(&folder);
    let set = before.and_then(|flags| ioctl_setflags(&folder, flags | IFlags::IMMUTABLE));
    let Ok(()) = set else {
        println!("skipped: no folder can be immutable here");
        return;
    };
    let device = bare(&[member(b"char", b'3', b"")], dir.path());
    let pipe = bare(&[member(b"pipe", b'6', b"")], dir.path());
    ioctl_setflags(&folder, before.unwrap()).unwrap();
    device.unwrap();
    let making = ("pipe".to_owned(), "making the device or pipe");
    assert_eq!(failed(pipe), making);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
