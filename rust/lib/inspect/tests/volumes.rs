//! Labels of FAT volumes written by crate `fatfs`, of damaged ones, and what other volumes are.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::io::{Cursor, Write};

use fatfs::FatType::{self, Fat12, Fat16, Fat32};
use inspect::Volume;

fn volume(kind: FatType, mib: usize, label: &[u8; 11]) -> Vec<u8> {
    let mut bytes = vec![0; mib << 20];
    let options = fatfs::FormatVolumeOptions::new()
        .fat_type(kind)
        .volume_id(1)
        .volume_label(*label);
    fatfs::format_volume(Cursor::new(&mut bytes), options).unwrap();
    bytes
}

fn look(image: &Vec<u8>) -> Volume {
    inspect::volume(image).unwrap()
}

fn label(image: &Vec<u8>) -> Option<String> {
    match look(image) {
        Volume::Fat(label) => label.map(|label| label.word()),
        Volume::Other(other) => panic!("not FAT: {other:?}"),
    }
}

#[test]
fn every_kind_has_its_label() {
    for (kind, mib) in [(Fat12, 2), (Fat16, 16), (Fat32, 40)] {
        let image = volume(kind, mib, b"CONFIG     ");
        assert_eq!(label(&image).as_deref(), Some("CONFIG"));
        assert_eq!(label(&volume(kind, mib, b"NO NAME    ")), None);
    }
}

#[test]
fn the_entry_counts_before_the_boot_sector() {
    for (kind, mib, at) in [(Fat16, 16, 43), (Fat32, 40, 71)] {
        let mut image = volume(kind, mib, b"CONFIG     ");
        image[at..at + 11].copy_from_slice(b"OLD LABEL  ");
        assert_eq!(label(&image).as_deref(), Some("CONFIG"), "{kind:?}");
    }
}

#[test]
fn files_before_the_label_do_not_hide_it() {
    let mut image = volume(Fat32, 40, b"CONFIG     ");
    let options = fatfs::FsOptions::new();
    let fs = fatfs::FileSystem::new(Cursor::new(&mut image), options).unwrap();
    let mut new = fs.root_dir().create_file("LONGNAME.TXT").unwrap();
    new.write_all(b"x").unwrap();
    drop(new);
    drop(fs);
    assert_eq!(label(&image).as_deref(), Some("CONFIG"));
}

#[test]
fn other_things_are_other() {
    assert_eq!(look(&vec![]), Volume::Other(None));
    let mut image = vec![0; 1 << 20];
    assert_eq!(look(&image), Volume::Other(None));
    image[..11].copy_from_slice(b"\xeb\x76\x90EXFAT   ");
    let exfat = "an exFAT file system, which is no FAT";
    assert_eq!(look(&image), Volume::Other(Some(exfat)));
    image[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    assert_eq!(look(&image), Volume::Other(Some("an NTFS file system")));
}

#[test]
fn a_volume_without_its_root_directory_keeps_the_label_of_the_boot_sector() {
    let mut image = volume(Fat32, 40, b"CONFIG     ");
    image.truncate(512);
    assert_eq!(label(&image).as_deref(), Some("CONFIG"));
}

#[test]
fn a_changed_boot_sector_never_panics() {
    let image = volume(Fat32, 40, b"CONFIG     ");
    for at in 0..512 {
        for value in [0, 1, 0x7f, 0xff] {
            // Not all of it each time.
            let mut bad = image[..1 << 20].to_vec();
            bad[at] = value;
            look(&bad);
        }
    }
}
