//! GRUB's own tool reads what we write and writes what we read. Without the tool these tests only say so.

#![allow(missing_docs, clippy::panic, clippy::print_stdout, reason = "tests")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use grubenv::Block;
use proptest::prelude::*;

fn editenv(file: &Path, args: &[&OsStr]) -> Option<Vec<u8>> {
    let output = match Command::new("grub-editenv").arg(file).args(args).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: grub-editenv is not installed");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    assert!(output.status.success(), "{output:?}");
    Some(output.stdout)
}

#[test]
fn reads_what_it_creates_and_sets() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grubenv");
    let Some(_) = editenv(&file, &[OsStr::new("create")]) else {
        return;
    };
    let set = ["set", "boot_alternative=B", "x=a\\b\nc#", "empty="].map(OsStr::new);
    editenv(&file, &set).unwrap();
    let mut block = Block::parse(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(block.get("boot_alternative"), Some(&b"B"[..]));
    assert_eq!(block.get("x"), Some(&b"a\\b\nc#"[..]));
    assert_eq!(block.get("empty"), Some(&b""[..]));
    // The same change by us and by GRUB gives the same bytes, comments and all.
    block.set("boot_alternative", b"A").unwrap();
    block.set("new", b"1\\2").unwrap();
    editenv(
        &file,
        &["set", "boot_alternative=A", "new=1\\2"].map(OsStr::new),
    )
    .unwrap();
    assert_eq!(
        std::fs::read(&file).unwrap(),
        block.to_bytes().unwrap().to_vec()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_reads_and_writes_the_same_bytes(values in prop::collection::btree_map(
        "[a-zA-Z_][a-z0-9_]{0,8}",
        prop::collection::vec(prop_oneof![Just(b'\\'), Just(b'\n'), Just(b'#'), Just(b'='), 1..=255_u8], 0..40), 1..8)) {
        let dir = tempfile::tempdir().unwrap();
        let ours = dir.path().join("ours");
        let theirs = dir.path().join("theirs");
        let mut block = Block::new();
        std::fs::write(&theirs, block.to_bytes().unwrap()).unwrap();
        let mut listing = Vec::new();
        for (name, value) in &values {
            block.set(name, value).unwrap();
            let pair = [name.as_bytes(), b"=", value].concat();
            if editenv(&theirs, &[OsStr::new("set"), OsStr::from_bytes(&pair)]).is_none() {
                return Ok(());
            }
            listing.extend_from_slice(&pair);
            listing.push(b'\n');
        }
        let bytes = block.to_bytes().unwrap().to_vec();
        std::fs::write(&ours, &bytes).unwrap();
        prop_assert_eq!(editenv(&ours, &[OsStr::new("list")]).unwrap(), listing);
        prop_assert_eq!(std::fs::read(&theirs).unwrap(), bytes);
    }
}
