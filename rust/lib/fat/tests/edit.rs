//! Edits of volumes: what a cut at any instant leaves, as `fatfs` sees it; and the result as fsck.fat does.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod volume;

use fat::{EditError, FatType, Volume};
use proptest::prelude::*;

use crate::volume::{applied, assert_tidy, disk, edit, files, fresh, fsck, steps, wanted, Disk};

const CONFIG: [(&str, &[u8]); 3] = [
    ("config.ini", b"hostname=node-1\n"),
    ("ssh_authorized_keys/admin", &[b'k'; 1500]),
    ("config.sha256.sig", b"signature\n"),
];

#[test]
fn files_are_replaced_and_all_else_stays() {
    let before = disk();
    let edit = edit(&before, &CONFIG, &["readme first.txt"]).unwrap();
    assert_eq!(edit.commit.len(), 1);
    let after = applied(before.clone(), &edit);
    assert_eq!(
        files(&after),
        wanted(&before, &CONFIG, &["readme first.txt"])
    );
    assert_tidy(&after);
    fsck(&after);
    // What is there keeps its record but for place and length, and the label stays.
    let len = after.base.len() as u64;
    let volume = Volume::open(&after, 0, len).unwrap();
    let names: Vec<(String, u64)> = volume.files();
    let want = [
        ("System Volume Information/IndexerVolumeGuid", 3),
        ("config.ini", 16),
        ("config.sha256.sig", 10),
        ("ssh_authorized_keys/admin", 1500),
        ("ssh_authorized_keys/deep/README", 5),
    ];
    assert_eq!(names, want.map(|(name, len)| (name.to_owned(), len)));
    assert_eq!(volume.get("CONFIG.INI").unwrap().unwrap(), CONFIG[0].1);
    let mut raw = after.clone();
    raw.at = 0;
    let volume = fatfs::FileSystem::new(raw, fatfs::FsOptions::new()).unwrap();
    assert_eq!(
        volume.read_volume_label_from_root_dir().unwrap().as_deref(),
        Some("CONFIG")
    );
    let new = volume
        .root_dir()
        .iter()
        .map(Result::unwrap)
        .find(|e| e.file_name() == "config.sha256.sig");
    let time = new.unwrap().modified();
    assert_eq!(
        (time.date.year, time.date.month, time.date.day),
        (2023, 11, 14)
    );
}

#[test]
fn the_same_again_is_nothing() {
    let before = disk();
    let after = applied(before, &edit(&disk(), &CONFIG, &[]).unwrap());
    assert!(edit(&after, &CONFIG, &[]).unwrap().is_empty());
    assert!(edit(&after, &[], &["not/there", "config.ini/below"])
        .unwrap()
        .is_empty());
}

/// Each sector of each step, after all before it; in order, in the opposite order, and alone.
#[test]
fn every_cut_leaves_the_old_or_the_new() {
    let before = disk();
    let done = edit(&before, &CONFIG, &[]).unwrap();
    let (old, new) = (files(&before), wanted(&before, &CONFIG, &[]));
    let mut state = before;
    for (number, step) in steps(&done).iter().enumerate() {
        let backwards: Vec<_> = step.iter().rev().copied().collect();
        for order in [step, &backwards] {
            let mut cut = state.clone();
            for (count, sector) in order.iter().enumerate() {
                let mut alone = state.clone();
                alone.write(sector);
                cut.write(sector);
                for disk in [&cut, &alone] {
                    let want = if number == 0 { &old } else { &new };
                    assert_eq!(&files(disk), want, "step {number}, sector {count}");
                }
            }
        }
        state.write_all(step);
    }
    assert_tidy(&state);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any set of a step's sectors: old or new; and doing it again from there, or something else, ends as it would have.
    #[test]
    fn any_part_of_a_step(
        number in 0usize..3,
        keep in proptest::collection::vec(any::<bool>(), 64),
        ini in proptest::collection::vec(any::<u8>(), 0..3000),
        keys in proptest::collection::vec(any::<u8>(), 0..1200),
        removed in any::<bool>(),
        other in any::<bool>(),
    ) {
        let before = applied(disk(), &edit(&disk(), &[("ssh_authorized_keys/backup", b"old")], &[]).unwrap());
        let puts: [(&str, &[u8]); 2] = [("config.ini", &ini), ("ssh_authorized_keys/admin", &keys)];
        let removes: &[&str] = if removed { &["ssh_authorized_keys/backup"] } else { &[] };
        let done = edit(&before, &puts, removes).unwrap();
        let mut cut = before.clone();
        for (step, sectors) in steps(&done).iter().enumerate().take(number + 1) {
            let some = sectors.iter().zip(keep.iter().cycle());
            let some = some.filter(|(_, keep)| step < number || **keep);
            let some: Vec<_> = some.map(|(sector, _)| *sector).collect();
            cut.write_all(&some);
        }
        let (old, new) = (files(&before), wanted(&before, &puts, removes));
        let got = files(&cut);
        prop_assert!(got == new || got == old && number < 2);
        prop_assert!(number > 0 || got == old);
        // Afterwards.
        let puts = if other { [("config.ini", &b"other"[..]), puts[1]] } else { puts };
        let last = applied(cut.clone(), &edit(&cut, &puts, removes).unwrap());
        prop_assert_eq!(files(&last), wanted(&before, &puts, removes));
        assert_tidy(&last);
    }

    /// What others wrote: never a panic, and what is taken can be read.
    #[test]
    fn any_bytes_in_the_structures(flips in proptest::collection::vec((0usize..4096, 0u64..64, any::<u8>()), 1..12)) {
        let mut disk = disk();
        // Boot sectors, both tables' beginnings, and the first clusters.
        let regions = [0u64, 6, 32, 32 + 544, 32 + 2 * 544];
        for (at, sector, value) in flips {
            let number = regions[at % regions.len()] + sector % 8;
            let mut bytes = disk.sector(number);
            bytes[at % 512] = value;
            disk.write(&(number, bytes));
        }
        if let Ok(edit) = edit(&disk, &CONFIG, &[]) {
            let after = applied(disk, &edit);
            let len = after.base.len() as u64;
            let volume = Volume::open(&after, 0, len).unwrap();
            prop_assert_eq!(volume.get("config.ini").unwrap().unwrap(), CONFIG[0].1);
        }
    }
}

/// A name that exists in capitals only is the same file; folders are made; names that need a number get one.
#[test]
fn names() {
    let before = disk();
    let puts: [(&str, &[u8]); 4] = [
        ("CONFIG.ini", b"a=b\n"),
        ("new folder/in it.txt", b"1"),
        ("new folder/in it too.txt", b"2"),
        ("readme first too.txt", b"3"),
    ];
    let after = applied(before.clone(), &edit(&before, &puts, &[]).unwrap());
    let mut want = wanted(&before, &puts[1..], &[]);
    want.insert("/config.ini".into(), b"a=b\n".to_vec());
    assert_eq!(files(&after), want);
    fsck(&after);
    // As many UTF-16 units as FAT has room for, and one more.
    let (most, more) = ("\u{e9}".repeat(255), "\u{e9}".repeat(256));
    let after = applied(
        before.clone(),
        &edit(&before, &[(&most, b"4")], &[]).unwrap(),
    );
    assert_eq!(files(&after), wanted(&before, &[(&most, b"4")], &[]));
    for (path, reason) in [
        (more.as_str(), format!("cannot place '{more}': its name has more than 255 UTF-16 units").as_str()),
        ("config.ini/below", "cannot place 'config.ini/below': a file is where a folder is wanted"),
        ("ssh_authorized_keys", "cannot place 'ssh_authorized_keys': a folder is where a file is wanted"),
        ("a:b", "cannot place 'a:b': its name has a control character or one of \\ : * ? \" < > |"),
        ("", "cannot place '': its name is empty"),
        ("README~1.TXT", "cannot place 'README~1.TXT': 'README~1.TXT' is the short name of 'readme first.txt' there"),
    ] {
        assert_eq!(edit(&before, &[(path, b"x")], &[]).unwrap_err().to_string(), reason);
    }
}

#[test]
fn what_has_no_room() {
    let before = disk();
    let much = vec![1; 40 << 20];
    let error = edit(&before, &[("config.ini", &much)], &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("the file system has no room: 41943"),
        "{error}"
    );
    // Room for one, not for two at once: the old one stays while the new one is written.
    let most = vec![1; 20 << 20];
    let full = applied(
        before.clone(),
        &edit(&before, &[("config.ini", &most)], &[]).unwrap(),
    );
    let other = vec![2; 20 << 20];
    let error = edit(&full, &[("config.ini", &other)], &[]).unwrap_err();
    assert!(matches!(error, EditError::Full { .. }), "{error}");
    let little = applied(
        full.clone(),
        &edit(&full, &[("config.ini", b"x")], &[]).unwrap(),
    );
    assert_eq!(files(&little)["/config.ini"], b"x");
    assert_tidy(&little);
}

#[test]
fn what_is_refused() {
    let refused = |disk: &Disk| edit(disk, &CONFIG, &[]).unwrap_err().to_string();
    let changed = |sector: u64, at: usize, bytes: &[u8]| {
        let mut disk = disk();
        let mut have = disk.sector(sector);
        have[at..at + bytes.len()].copy_from_slice(bytes);
        disk.write(&(sector, have));
        disk
    };
    let want = ", want FAT32 with sectors of 512 bytes and both tables in use";
    let sixteen = Disk::new(fresh(FatType::Fat16));
    assert_eq!(
        refused(&sixteen),
        format!("a FAT12 or FAT16 file system{want}")
    );
    assert_eq!(
        refused(&changed(0, 510, &[0, 0])),
        format!("no boot sector of a FAT file system{want}")
    );
    assert_eq!(
        refused(&changed(0, 11, &4096u16.to_le_bytes())),
        format!("a FAT file system with sectors of 4096 bytes{want}")
    );
    assert_eq!(
        refused(&changed(0, 40, &[0x81])),
        format!("a FAT32 file system with flags 0x81 and version 0{want}")
    );
    // The root's chain goes on in the one of a file.
    let crossed = refused(&changed(32, 8, &6u32.to_le_bytes()));
    assert!(
        crossed.contains("belongs to something else, too; fsck.fat -a mends it"),
        "{crossed}"
    );
    let loose = refused(&changed(32, 8, &0u32.to_le_bytes()));
    assert!(
        loose.contains("the chain of / breaks off at cluster 2"),
        "{loose}"
    );
    let beyond = refused(&changed(0, 44, &0x0fff_0000u32.to_le_bytes()));
    assert!(
        beyond.contains("leads to cluster 268369920, which there is not"),
        "{beyond}"
    );
    let half = Disk::new(disk().content()[..17 << 20].to_vec());
    assert!(refused(&half).contains("it says that it has 35651584 bytes, and there are 17825792"));
}
