//! Volumes written by crate `fatfs`, damaged ones, and none.

use super::*;
use std::io::{Read, Seek, SeekFrom, Write};

fn volume(kind: fatfs::FatType, mib: u64, label: &[u8; 11]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(mib << 20).unwrap();
    let options = fatfs::FormatVolumeOptions::new()
        .fat_type(kind)
        .volume_id(1)
        .volume_label(*label);
    fatfs::format_volume(&mut file, options).unwrap();
    file
}

fn label(file: &File) -> Option<String> {
    match look(file).unwrap() {
        Volume::Fat(label) => label,
        Volume::Other(other) => panic!("not FAT: {other:?}"),
    }
}

#[test]
fn every_kind_has_its_label() {
    use fatfs::FatType::{Fat12, Fat16, Fat32};
    for (kind, mib) in [(Fat12, 2), (Fat16, 16), (Fat32, 40)] {
        assert_eq!(
            label(&volume(kind, mib, b"CONFIG     ")).as_deref(),
            Some("CONFIG")
        );
        assert_eq!(label(&volume(kind, mib, b"NO NAME    ")), None);
    }
}

#[test]
fn the_entry_counts_before_the_boot_sector() {
    for (kind, mib, at) in [
        (fatfs::FatType::Fat16, 16, 43),
        (fatfs::FatType::Fat32, 40, 71),
    ] {
        let file = volume(kind, mib, b"CONFIG     ");
        file.write_all_at(b"OLD LABEL  ", at).unwrap();
        assert_eq!(label(&file).as_deref(), Some("CONFIG"), "{kind:?}");
    }
}

#[test]
fn files_before_the_label_do_not_hide_it() {
    let mut file = volume(fatfs::FatType::Fat32, 40, b"CONFIG     ");
    let fs = fatfs::FileSystem::new(&mut file, fatfs::FsOptions::new()).unwrap();
    let mut new = fs.root_dir().create_file("a rather long name.txt").unwrap();
    new.write_all(b"x").unwrap();
    drop(new);
    drop(fs);
    assert_eq!(label(&file).as_deref(), Some("CONFIG"));
}

#[test]
fn other_things_are_other() {
    let mut file = tempfile::tempfile().unwrap();
    assert_eq!(look(&file).unwrap(), Volume::Other(None));
    file.set_len(1 << 20).unwrap();
    assert_eq!(look(&file).unwrap(), Volume::Other(None));
    file.write_all_at(b"\xeb\x76\x90EXFAT   ", 0).unwrap();
    assert_eq!(look(&file).unwrap(), Volume::Other(Some("exFAT")));
    file.write_all_at(b"\xeb\x52\x90NTFS    ", 0).unwrap();
    assert_eq!(look(&file).unwrap(), Volume::Other(Some("NTFS")));
    // A volume that ends before its root folder keeps the label of the boot sector.
    let mut fat = volume(fatfs::FatType::Fat32, 40, b"CONFIG     ");
    let mut sector = [0; 512];
    fat.seek(SeekFrom::Start(0)).unwrap();
    fat.read_exact(&mut sector).unwrap();
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&sector).unwrap();
    assert_eq!(label(&file).as_deref(), Some("CONFIG"));
}

#[test]
fn damage_never_panics() {
    let fat = volume(fatfs::FatType::Fat32, 40, b"CONFIG     ");
    let mut sector = [0; 512];
    fat.read_exact_at(&mut sector, 0).unwrap();
    for at in 0..512 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bad = sector;
            bad[at] = value;
            fat.write_all_at(&bad, 0).unwrap();
            look(&fat).unwrap();
        }
    }
}
