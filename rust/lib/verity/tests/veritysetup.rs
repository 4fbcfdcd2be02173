//! `veritysetup format` makes the same hash area and root hash, and `veritysetup verify` accepts ours.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::path::Path;
use std::process::Command;

use base::hex::encode as hex;
use common::{images, noise, reader, Image, Part};
use proptest::prelude::*;
use verity::{append, Known, Params};

const UUID_TEXT: &str = "00112233-4455-6677-8899-aabbccddeeff";

/// The program, which is not in every PATH; says so where it is missing.
fn program() -> Option<&'static str> {
    let places = ["/usr/sbin/veritysetup", "/sbin/veritysetup"];
    let found = places.into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        println!("skipped: no veritysetup here");
    }
    found
}

fn there() -> bool {
    program().is_some()
}

fn run(command: &str, arguments: &[String]) -> String {
    let output = Command::new(program().unwrap())
        .arg(command)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "veritysetup {command} {arguments:?}: {text}{error}"
    );
    text
}

fn compare(image: &Image, params: &Params) {
    let (plan, root, layout) = append(&image.reader(), &Known::default(), params).unwrap();
    let mut ours = vec![0; plan.len() as usize];
    reader(&plan, image.inputs.clone())
        .read_at(&mut ours, 0)
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let salt = match params.salt() {
        [] => "-".to_owned(),
        salt => hex(salt),
    };
    let options = [
        format!("--data-block-size={}", params.data_block_size()),
        format!("--hash-block-size={}", params.hash_block_size()),
        format!("--data-blocks={}", layout.data_blocks),
        format!("--hash-offset={}", layout.hash_offset),
        format!("--salt={salt}"),
    ];
    let mut theirs = image.bytes.clone();
    theirs.resize(layout.hash_offset as usize, 0);
    std::fs::write(path("theirs"), &theirs).unwrap();
    let mut format = vec![
        path("theirs"),
        path("theirs"),
        format!("--uuid={UUID_TEXT}"),
    ];
    format.extend_from_slice(&options);
    let said = run("format", &format);
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("Root hash:"));
    assert_eq!(line.map(str::trim), Some(hex(&root).as_str()), "{said}");
    let mut theirs = std::fs::read(path("theirs")).unwrap();
    // What veritysetup does not write behind a superblock alone is padding.
    assert!(theirs.len() <= ours.len());
    theirs.resize(ours.len(), 0);
    assert!(theirs == ours, "the bytes differ: {options:?}");

    std::fs::write(path("ours"), &ours).unwrap();
    let offset = format!("--hash-offset={}", layout.hash_offset);
    run("verify", &[path("ours"), path("ours"), hex(&root), offset]);
}

fn params(data: u32, hash: u32, salt: &[u8]) -> Params {
    let uuid = verity::parse_uuid(UUID_TEXT).unwrap();
    Params::new(data, hash, salt, uuid).unwrap()
}

#[test]
fn tiny_images() {
    if !there() {
        return;
    }
    for blocks in [1, 2, 127, 128, 129] {
        for salt in [&b""[..], &[5; 32]] {
            let image = Image::new(vec![vec![]], &[Part::Inline(noise(blocks * 4096, 1))]);
            compare(&image, &params(4096, 4096, salt));
        }
    }
}

/// Three levels.
#[test]
fn a_large_image() {
    if !there() {
        return;
    }
    let parts = [Part::Inline(noise(3 << 20, 1)), Part::Zero(80 << 20)];
    let image = Image::new(vec![vec![]], &parts);
    compare(&image, &params(4096, 4096, &[7; 32]));
}

fn sizes() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![512u32, 1024, 2048, 4096, 8192, 65536])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    #[test]
    fn any_image((data, image) in sizes().prop_flat_map(|data| (Just(data), images(data))),
                 hash in sizes(), salt in prop::collection::vec(any::<u8>(), 0..=256)) {
        if there() {
            compare(&image, &params(data, hash, &salt));
        }
    }
}
