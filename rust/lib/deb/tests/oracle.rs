//! Packages that dpkg-deb makes and reads: what it finds in them is what we find.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::Command;

use deb::{Deb, Packing};
use proptest::prelude::*;

fn dpkg_deb(args: &[&str]) -> Vec<u8> {
    let output = Command::new("dpkg-deb").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Compares a package of these files, packed so.
fn same(files: &[(String, Vec<u8>)], packing: &str, want: Packing) {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    let control = "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n";
    write(&tree.join("DEBIAN/control"), control.as_bytes(), 0o644);
    write(&tree.join("DEBIAN/postinst"), b"#!/bin/sh\n", 0o755);
    fs::set_permissions(tree.join("DEBIAN"), fs::Permissions::from_mode(0o755)).unwrap();
    for (path, content) in files {
        write(&tree.join("usr/share").join(path), content, 0o640);
    }
    fs::create_dir_all(tree.join("usr/bin")).unwrap();
    symlink("../share", tree.join("usr/bin/link")).unwrap();
    write(&tree.join("usr/bin/tool"), b"tool", 0o4755);
    fs::hard_link(tree.join("usr/bin/tool"), tree.join("usr/bin/other")).unwrap();
    let deb = dir.path().join("a.deb");
    let (tree, path) = (tree.to_str().unwrap(), deb.to_str().unwrap());
    dpkg_deb(&["--root-owner-group", packing, "--build", tree, path]);
    let mut ours = Deb::open(File::open(&deb).unwrap()).unwrap();
    assert_eq!(ours.packing(), want);
    let mut tar = Vec::new();
    ours.data().unwrap().read_to_end(&mut tar).unwrap();
    assert!(tar == dpkg_deb(&["--fsys-tarfile", path]), "{packing}");
    let control = ours.control().unwrap();
    let out = dir.path().join("control");
    dpkg_deb(&["--control", path, out.to_str().unwrap()]);
    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let found: Vec<&str> = control.files().map(|(name, _)| name).collect();
    assert_eq!(found, names);
    for (name, file) in control.files() {
        let theirs = out.join(name);
        assert_eq!(file.bytes, fs::read(&theirs).unwrap(), "{name}");
        let mode = fs::metadata(&theirs).unwrap().permissions().mode();
        assert_eq!(file.mode, mode & 0o7777, "{name}");
    }
    assert_eq!(
        control.description(),
        fs::read(out.join("control")).unwrap()
    );
}

const PACKINGS: [(&str, Packing); 4] = [
    ("-Znone", Packing::None),
    ("-Zgzip", Packing::Gzip),
    ("-Zxz", Packing::Xz),
    ("-Zzstd", Packing::Zstd),
];

#[test]
fn every_packing() {
    let large: Vec<u8> = (0..300_000u32)
        .flat_map(|n| (n / 7).to_le_bytes())
        .collect();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let files = [
        ("empty".to_owned(), Vec::new()),
        ("large".to_owned(), large),
        (long, b"long".to_vec()),
        ("\u{e4} b".to_owned(), b"name".to_vec()),
    ];
    for (packing, want) in PACKINGS {
        same(&files, packing, want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_files(
        files in proptest::collection::btree_map("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..5000), 0..6),
        packing in 0usize..4,
    ) {
        let (packing, want) = PACKINGS[packing];
        let files: Vec<_> = files.into_iter().collect();
        same(&files, packing, want);
    }
}
