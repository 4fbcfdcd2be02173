//! Archives that cost little and ask for much: read by a process that may not have it.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use archive::{index, list, unpack_with, UnpackOptions};
use rustix::process::{setrlimit, Resource, Rlimit};

use crate::common::{member, patch, pax};

/// Address space of the process that reads: what it has at its start, and some 100 MiB.
const LIMIT: u64 = 192 << 20;

/// Reads the archive named by the environment under the limit; a test of its own does nothing.
#[test]
fn reader() {
    let Ok(file) = std::env::var("ARCHIVE_UNDER_LIMIT") else {
        return;
    };
    let limit = Some(LIMIT);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::As, limit).unwrap();
    let open = || File::open(&file).unwrap();
    let show = |result: Result<usize, archive::Error>| match result {
        Ok(count) => format!("{count} members"),
        Err(error) => error.to_string(),
    };
    println!("index: {}", show(index(open()).map(|all| all.len())));
    println!(
        "list: {}",
        show(list(open()).and_then(|mut list| list.try_fold(0, |n, entry| entry.map(|_| n + 1))))
    );
    let target = format!("{file}.d");
    fs::create_dir(&target).unwrap();
    let options = UnpackOptions::default().owners(false);
    let unpacked = unpack_with(open(), Path::new(&target), &options);
    let made = || fs::read_dir(&target).unwrap().count();
    println!("unpack: {}", show(unpacked.map(|()| made())));
}

/// What a reader of `members` says: the same by every way to read.
fn read(name: &str, members: impl Iterator<Item = Vec<u8>>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
    members.for_each(|member| file.write_all(&member).unwrap());
    file.write_all(&[0; 1024]).unwrap();
    file.into_inner().unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reader", "--nocapture", "--test-threads=1"])
        .env("ARCHIVE_UNDER_LIMIT", &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{name}: {text}{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let said = |way: &str| {
        let line = text.lines().find_map(|line| line.split_once(way));
        line.unwrap_or_else(|| panic!("{name}: {text}"))
            .1
            .to_owned()
    };
    let said = [said("index: "), said("list: "), said("unpack: ")];
    assert!(said.iter().all(|one| *one == said[0]), "{name}: {said:?}");
    said[0].clone()
}

fn numbered(prefix: &str, n: usize, typeflag: u8, link: &[u8]) -> Vec<u8> {
    member(format!("{prefix}{n}").as_bytes(), typeflag, link)
}

/// A link whose target is a mebibyte, and thousands of hard links to it: each would have the target again.
#[test]
fn links_to_a_long_link() {
    let target = vec![b't'; (1 << 20) - 100];
    let long = [pax(&[("linkpath", &target)]), member(b"s", b'2', b"")].into_iter();
    let links = (0..4000).map(|n| numbered("h", n, b'1', b"s"));
    assert!(read("long", long.chain(links))
        .ends_with("target of the link is empty, too long, or has a NUL byte"));
    // The longest target that there may be.
    let target = vec![b't'; 4095];
    let long = [pax(&[("linkpath", &target)]), member(b"s", b'2', b"")].into_iter();
    let links = (0..4000).map(|n| numbered("h", n, b'1', b"s"));
    assert_eq!(read("longest", long.chain(links)), "4001 members");
}

/// Files at the end of paths of two thousand folders each.
#[test]
fn paths_of_folders_of_their_own() {
    let members = (0..400).flat_map(|n| {
        let first = format!("{n:06x}").into_bytes();
        let path = [first.clone(), b"/a".repeat((4095 - first.len()) / 2)].concat();
        [pax(&[("path", &path)]), member(b"p", b'0', b"")]
    });
    assert!(read("paths", members)
        .contains("more folders are missing from the archive than 4096 and 16 for each member"));
}

/// Hard links to a file whose path is as long as it may be, and hard links to those.
#[test]
fn links_to_a_long_path() {
    let path = [b"d".repeat(250), b"/".to_vec(), b"e".repeat(250)].concat();
    let first = [
        pax(&[("path", &path)]),
        member(b"p", b'0', b""),
        pax(&[("linkpath", &path)]),
        member(b"h", b'1', b""),
    ];
    let links = (0..4000).map(|n| numbered("h", n, b'1', b"h"));
    assert_eq!(
        read("names", first.into_iter().chain(links)),
        "4002 members"
    );
}

/// Extended headers without end before one member, and headers for all members that say much.
#[test]
fn headers_without_end() {
    let value = vec![b'v'; 60_000];
    let attribute = |n: usize| pax(&[(&format!("SCHILY.xattr.user.{n}"), &value)]);
    let members = (0..4000).map(attribute).chain([member(b"f", b'0', b"")]);
    assert!(read("headers", members).ends_with("over 1 MiB long with those before it"));
    let global = patch(attribute(0), 156, b"g");
    let members = [global]
        .into_iter()
        .chain((0..4000).map(|n| numbered("f", n, b'0', b"")));
    assert!(read("global", members).contains("of a global header would change later members"));
}

/// A file that claims exbibytes of holes.
#[test]
fn claimed_lengths() {
    let size = b"9000000000000000000";
    let records = pax(&[("GNU.sparse.size", size), ("GNU.sparse.map", b"")]);
    let bytes = [records, member(b"f", b'0', b"")].concat();
    let error = index(std::io::Cursor::new(&bytes)).unwrap_err().to_string();
    assert!(error.contains("has an entry that is no number"), "{error}");
    let records = pax(&[("GNU.sparse.size", size), ("GNU.sparse.map", b"0,0")]);
    let bytes = [records, member(b"f", b'0', b"")].concat();
    let entries = index(std::io::Cursor::new(&bytes)).unwrap();
    assert_eq!(entries.len(), 1);
}
