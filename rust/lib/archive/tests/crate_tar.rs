//! The crate `tar` beside ours: it reads what we write, and we read what it writes. Times beyond 2242 are left out: it does not
//! look at the record that holds them.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt;

use archive::{index, Alignment, Entry, Kind, Writer};

/// Path to mode, modification time, content or target.
type Scene = BTreeMap<Vec<u8>, (u32, i64, Vec<u8>)>;

fn long(name: &str) -> Vec<u8> {
    [&b"d/"[..], &name.repeat(120).into_bytes()].concat()
}

/// Path, kind, mode, modification time, content.
type Member = (Vec<u8>, Kind, u32, i64, Vec<u8>);

fn scene() -> Vec<Member> {
    let file = |len| Kind::File { offset: 0, len };
    let link = |target: &[u8]| Kind::Symlink {
        target: target.to_vec(),
    };
    vec![
        (b"d".to_vec(), Kind::Dir, 0o1777, 7, vec![]),
        (b"d/empty".to_vec(), file(0), 0o4755, 0, vec![]),
        (
            b"d/f".to_vec(),
            file(600),
            0o640,
            1_767_225_600,
            vec![7; 600],
        ),
        (long("n"), file(3), 0o600, 1, b"abc".to_vec()),
        (b"d/caf\xe9".to_vec(), file(1), 0o600, 1, b"x".to_vec()),
        (b"d/link".to_vec(), link(b"../there"), 0o777, 2, vec![]),
        (b"d/far".to_vec(), link(&long("t")), 0o777, 2, vec![]),
    ]
}

fn wanted() -> Scene {
    let entries = scene().into_iter().map(|(path, kind, mode, mtime, data)| {
        let data = match kind {
            Kind::Symlink { target } => target,
            _ => data,
        };
        (path, (mode, mtime, data))
    });
    entries.collect()
}

fn slashless(path: &[u8]) -> Vec<u8> {
    path.strip_suffix(b"/").unwrap_or(path).to_vec()
}

#[test]
fn it_reads_ours() {
    for alignment in [Alignment::Block, Alignment::Page] {
        let mut writer = Writer::aligned(Vec::new(), alignment);
        for (path, kind, mode, mtime, data) in scene() {
            let mut entry = Entry::new(path, kind, mode);
            entry.mtime = mtime;
            writer.append(&entry, &data[..]).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let mut got = Scene::new();
        for entry in tar::Archive::new(Cursor::new(bytes)).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = slashless(&entry.path_bytes());
            let head = entry.header();
            let mode = head.mode().unwrap() & 0o7777;
            let mtime = i64::try_from(head.mtime().unwrap()).unwrap();
            let mut data = entry.link_name_bytes().map_or(vec![], |t| t.into_owned());
            entry.read_to_end(&mut data).unwrap();
            got.insert(path, (mode, mtime, data));
        }
        assert_eq!(got, wanted());
    }
}

#[test]
fn we_read_its() {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, mode, mtime, data) in scene() {
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&path)).to_owned();
        let mut head = tar::Header::new_gnu();
        head.set_mode(mode);
        head.set_mtime(u64::try_from(mtime).unwrap());
        head.set_size(u64::try_from(data.len()).unwrap());
        head.set_uid(0);
        head.set_gid(0);
        match kind {
            Kind::Symlink { target } => {
                head.set_entry_type(tar::EntryType::Symlink);
                let target = std::path::Path::new(std::ffi::OsStr::from_bytes(&target));
                builder.append_link(&mut head, path, target).unwrap();
                continue;
            }
            Kind::Dir => head.set_entry_type(tar::EntryType::Directory),
            _ => head.set_entry_type(tar::EntryType::Regular),
        }
        builder.append_data(&mut head, path, &data[..]).unwrap();
    }
    let bytes = builder.into_inner().unwrap();
    let mut got = Scene::new();
    for entry in index(Cursor::new(&bytes)).unwrap() {
        let data = match &entry.kind {
            Kind::File { offset, len } => {
                let (start, len) = (usize::try_from(*offset), usize::try_from(*len));
                bytes
                    .iter()
                    .skip(start.unwrap())
                    .take(len.unwrap())
                    .copied()
                    .collect()
            }
            Kind::Symlink { target } => target.clone(),
            _ => vec![],
        };
        got.insert(slashless(&entry.path), (entry.mode, entry.mtime, data));
    }
    assert_eq!(got, wanted());
}
