//! Edits of volumes on which others have been at work: what their records and numbers say is kept, or is refused.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod volume;

use fat::{EditError, Volume};

use crate::volume::{applied, assert_tidy, disk, edit, files, fsck, wanted, Disk};

/// The volume with other bytes in the first record of that short name, from `at` of the record on.
fn with_record(name: &[u8; 11], at: usize, bytes: &[u8]) -> Disk {
    let mut disk = disk();
    let root = root(&disk);
    let mut sector = disk.sector(root);
    let record = sector
        .chunks(32)
        .position(|record| record.starts_with(name));
    let at = record.unwrap() * 32 + at;
    sector[at..at + bytes.len()].copy_from_slice(bytes);
    disk.write(&(root, sector));
    disk
}

fn number(sector: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(sector[at..at + 4].try_into().unwrap())
}

/// Sectors of a table, and the first sector of the root directory, which is in the first cluster.
fn table_and_root(disk: &Disk) -> (u64, u64) {
    let table = u64::from(number(&disk.sector(0), 36));
    (table, 32 + 2 * table)
}

fn root(disk: &Disk) -> u64 {
    table_and_root(disk).1
}

fn open(disk: &Disk) -> Volume<'_> {
    Volume::open(disk, 0, disk.base.len() as u64).unwrap()
}

fn names(disk: &Disk) -> Vec<String> {
    let files = open(disk).files().into_iter();
    files.map(|(name, _)| name).collect()
}

#[test]
fn one_file_is_removed() {
    let before = disk();
    for path in ["config.ini", "ssh_authorized_keys/deep/README"] {
        let edit = edit(&before, &[], &[path]).unwrap();
        assert!(!edit.is_empty());
        let after = applied(before.clone(), &edit);
        assert_eq!(files(&after), wanted(&before, &[], &[path]));
        assert_tidy(&after);
        fsck(&after);
    }
    let mut volume = open(&before);
    assert!(volume.remove("CONFIG.INI"));
    assert!(!volume.remove("config.ini"));
    // A folder is no file.
    assert!(!volume.remove("ssh_authorized_keys"));
    assert!(!volume.remove("ssh_authorized_keys/deep"));
}

#[test]
fn a_file_without_content() {
    let before = disk();
    let empty: [(&str, &[u8]); 1] = [("config.ini", b"")];
    let after = applied(before.clone(), &edit(&before, &empty, &[]).unwrap());
    assert_eq!(files(&after), wanted(&before, &empty, &[]));
    assert_eq!(open(&after).get("config.ini").unwrap(), Some(Vec::new()));
    fsck(&after);
}

/// A folder that nothing in it changes stays where it is: of the 34 MiB two clusters are written, for the root directory and the file.
#[test]
fn folders_without_changes_stay() {
    let before = disk();
    let edit = edit(&before, &[("config.ini", b"x")], &[]).unwrap();
    let clusters = edit
        .prepare
        .iter()
        .filter(|(at, _)| at / 512 >= root(&before));
    let bytes: Vec<usize> = clusters.map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(bytes, [2 * 512]);
}

/// Hidden, read-only, not to be saved: what there is written is to be saved, and the others stay.
#[test]
fn attributes_are_kept() {
    let before = with_record(b"CONFIG  INI", 11, &[0x03]);
    let after = applied(
        before.clone(),
        &edit(&before, &[("config.ini", b"x")], &[]).unwrap(),
    );
    let mut raw = after.clone();
    raw.at = 0;
    let volume = fatfs::FileSystem::new(raw, fatfs::FsOptions::new()).unwrap();
    let mut entries = volume.root_dir().iter().map(Result::unwrap);
    let entry = entries.find(|entry| entry.file_name() == "config.ini");
    assert_eq!(entry.unwrap().attributes().bits(), 0x23);
}

/// A record that was removed is no file, and the long name before it is nobody's.
#[test]
fn records_that_were_removed() {
    let before = with_record(b"CONFIG  INI", 0, &[0xe5]);
    let mut want = names(&disk());
    want.retain(|name| name != "config.ini");
    assert_eq!(names(&before), want);
}

/// Another system renamed a file by its short name alone: the long name is nobody's. In the root directory no name is that of a folder above.
#[test]
fn a_long_name_of_another_short_one() {
    let mut want = names(&disk());
    for name in [b"SONFIG  INI", b".ONFIG  INI"] {
        let before = with_record(b"CONFIG  INI", 0, name);
        want[1] = format!("{}.INI", String::from_utf8_lossy(&name[..6]));
        let mut found = names(&before);
        found.sort_by_key(|name| !name.starts_with("Sys"));
        let mut want = want.clone();
        want.sort_by_key(|name| !name.starts_with("Sys"));
        want[1..].sort();
        found[1..].sort();
        assert_eq!(found, want);
    }
}

#[test]
fn a_chain_shorter_than_its_file() {
    let before = with_record(b"CONFIG  INI", 28, &513u32.to_le_bytes());
    let error = edit(&before, &[], &[]).unwrap_err().to_string();
    let want = "/config.ini has 513 bytes, and its chain has fewer";
    assert!(error.contains(want), "{error}");
    let before = with_record(b"CONFIG  INI", 28, &512u32.to_le_bytes());
    edit(&before, &[], &[]).unwrap();
}

/// As many entries as there are clusters, and one fewer.
#[test]
fn a_table_that_is_too_short() {
    let disk = disk();
    let (table, _) = table_and_root(&disk);
    let entries = table * 128;
    for more in [0, 1] {
        let total = 32 + 2 * table + entries - 2 + more;
        let mut bytes = disk.content();
        bytes.resize(total as usize * 512, 0);
        bytes[32..36].copy_from_slice(&(total as u32).to_le_bytes());
        let len = bytes.len() as u64;
        let opened = Volume::open(&bytes, 0, len).map(drop);
        match more {
            0 => opened.unwrap(),
            _ => {
                let error = opened.unwrap_err().to_string();
                let clusters = entries - 1;
                let want = format!("its table has {entries} entries for {clusters} clusters");
                assert!(error.contains(&want), "{error}");
            }
        }
    }
}

/// Both FSInfo say what the table does: how many clusters are free, and which is the first.
#[test]
fn numbers_of_free_clusters() {
    let before = disk();
    let after = applied(
        before.clone(),
        &edit(&before, &[("config.ini", b"x")], &[]).unwrap(),
    );
    let (table, root) = table_and_root(&after);
    let clusters = after.base.len() as u64 / 512 - root;
    let all = (0..table).flat_map(|sector| after.sector(32 + sector));
    let all: Vec<u8> = all.collect();
    let entry = |cluster: &u64| number(&all, *cluster as usize * 4);
    let free: Vec<u64> = (2..clusters + 2).filter(|at| entry(at) == 0).collect();
    let info = after.sector(1);
    assert_eq!(u64::from(number(&info, 488)), free.len() as u64);
    assert_eq!(u64::from(number(&info, 492)), free[0]);
    assert_eq!(after.sector(7), info);
}

/// Without a change of files a number of free clusters is mended, and one that nobody knows is left so.
#[test]
fn numbers_of_free_clusters_are_mended() {
    let fresh = disk();
    let with_free = |free: u32| {
        let mut disk = fresh.clone();
        for number in [1, 7] {
            let mut info = disk.sector(number);
            info[488..492].copy_from_slice(&free.to_le_bytes());
            disk.write(&(number, info));
        }
        disk
    };
    let wrong = with_free(5);
    let after = applied(wrong.clone(), &edit(&wrong, &[], &[]).unwrap());
    assert_eq!(after.sector(1), fresh.sector(1));
    assert_eq!(after.sector(7), fresh.sector(7));
    let unknown = with_free(u32::MAX);
    assert_tidy(&unknown);
    let puts: [(&str, &[u8]); 1] = [("config.ini", b"x")];
    let after = applied(unknown.clone(), &edit(&unknown, &puts, &[]).unwrap());
    let want = applied(fresh.clone(), &edit(&fresh, &puts, &[]).unwrap());
    assert_eq!(after.sector(1), want.sector(1));
}

/// Room for all that is new, to the last cluster; what is in a folder counts as well.
#[test]
fn room_to_the_last_cluster() {
    let before = disk();
    let much = vec![1; 40 << 20];
    for path in ["config.ini", "ssh_authorized_keys/deep/keys"] {
        let full = |len: usize| edit(&before, &[(path, &much[..len])], &[]);
        let error = full(much.len()).unwrap_err();
        let EditError::Full { wants, has } = error else {
            panic!("{error}")
        };
        let most = much.len() - (wants - has) as usize;
        let after = applied(before.clone(), &full(most).unwrap());
        assert_eq!(files(&after)[&format!("/{path}")].len(), most);
        let error = full(most + 1).unwrap_err();
        assert!(matches!(error, EditError::Full { .. }), "{error}");
    }
}
