//! Images as QEMU reads them, and as a small reader of our own does.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use materialize::{Options, Output};
use plan::{Builder, Input, Plan, Reader};
use proptest::prelude::*;

const INPUT: u64 = 1 << 20;
const CLUSTER: u64 = 1 << 16;

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    let bytes = &bytes[at..at + len];
    bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

/// What a qcow2 file says, by the specification; each cluster must be used exactly once, and have a refcount of 1.
fn decode(file: &[u8]) -> Vec<u8> {
    assert_eq!(&file[..8], b"QFI\xfb\0\0\0\x03");
    assert_eq!(
        (
            number(file, 20, 4),
            number(file, 96, 4),
            number(file, 100, 4)
        ),
        (16, 4, 104)
    );
    let cluster = |at: u64| {
        assert_eq!(at % CLUSTER, 0);
        &file[index(at)..index(at + CLUSTER)]
    };
    let mut used = vec![0];
    let mut disk = vec![0; index(number(file, 24, 8))];
    let l1 = number(file, 40, 8);
    let l1_size = number(file, 36, 4);
    used.extend((0..(l1_size * 8).div_ceil(CLUSTER)).map(|n| l1 + n * CLUSTER));
    for table in 0..l1_size {
        let entry = number(file, index(l1 + table * 8), 8);
        if entry == 0 {
            continue;
        }
        used.push(entry & !(1 << 63));
        let l2 = cluster(entry & !(1 << 63));
        for slot in 0..CLUSTER / 8 {
            let entry = number(l2, index(slot * 8), 8);
            if entry == 0 {
                continue;
            }
            assert_eq!(entry >> 63, 1);
            used.push(entry & !(1 << 63));
            let start = index((table * CLUSTER / 8 + slot) * CLUSTER);
            let end = disk.len().min(start + index(CLUSTER));
            disk[start..end].copy_from_slice(&cluster(entry & !(1 << 63))[..end - start]);
        }
    }
    let table = number(file, 48, 8);
    let clusters = u64::try_from(file.len()).unwrap() / CLUSTER;
    used.extend((0..number(file, 56, 4)).map(|n| table + n * CLUSTER));
    for block in 0..clusters.div_ceil(CLUSTER / 2) {
        let at = number(file, index(table + block * 8), 8);
        used.push(at);
        for slot in 0..CLUSTER / 2 {
            let exists = block * CLUSTER / 2 + slot < clusters;
            assert_eq!(number(cluster(at), index(slot * 2), 2), u64::from(exists));
        }
    }
    used.sort_unstable();
    assert_eq!(used, (0..clusters).map(|n| n * CLUSTER).collect::<Vec<_>>());
    disk
}

fn bytes(plan: &Plan) -> Vec<u8> {
    let input: Vec<u8> = (0..INPUT).map(|n| (n % 253).to_le_bytes()[0] | 2).collect();
    let reader = Reader::new(plan.clone(), vec![("input".to_owned(), input)]).unwrap();
    let mut bytes = vec![0; index(reader.len())];
    reader.read_at(&mut bytes, 0).unwrap();
    bytes
}

fn build(pieces: &[(u8, u64)]) -> Plan {
    let mut builder = Builder::new(vec![Input::of_len(INPUT)]);
    for (kind, len) in pieces {
        match kind {
            0 => builder.zero(*len).unwrap(),
            1 => builder.inline(&vec![7; index(len % 3000)]).unwrap(),
            _ => builder.source(0, INPUT - len, *len).unwrap(),
        }
    }
    builder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn the_disk_is_in_it(pieces in prop::collection::vec((0..3u8, 1..300_000u64), 0..12)) {
        let disk = build(&pieces);
        let image = qcow2::image(&disk).unwrap();
        prop_assert_eq!(image.inputs(), disk.inputs());
        let mut want = bytes(&disk);
        want.resize(want.len().next_multiple_of(512), 0);
        prop_assert!(decode(&bytes(&image)) == want);
    }
}

#[test]
fn refused() {
    let mut builder = Builder::new(Vec::new());
    builder.zero(qcow2::MAX_LEN + 1).unwrap();
    let error = qcow2::image(&builder.finish().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the disk has 2251799813685249 bytes, a qcow2 image at most 2251799813685248"
    );
}

/// Runs `qemu-img`, if there is one.
fn qemu(args: &[&str]) -> bool {
    match Command::new("qemu-img").args(args).output() {
        Ok(done) => {
            assert!(done.status.success(), "{args:?}: {done:?}");
            true
        }
        Err(error) => {
            eprintln!("nothing tested: qemu-img: {error}");
            false
        }
    }
}

/// Writes the disk and its qcow2 image into `dir`, and has QEMU check the one and compare both.
fn check(dir: &Path, disk: Plan) {
    let input = dir.join("input");
    let raw = dir.join("raw");
    let path = dir.join("qcow2");
    for (path, plan) in [(&path, qcow2::image(&disk).unwrap()), (&raw, disk)] {
        let reader = Reader::open(plan, &[&input]).unwrap();
        let output = Output::create(path).unwrap();
        materialize::write(&reader, output.file(), &Options::default()).unwrap();
        output.commit().unwrap();
    }
    let (raw, path) = (raw.to_str().unwrap(), path.to_str().unwrap());
    if qemu(&["check", "-f", "qcow2", path]) {
        assert!(qemu(&["compare", "-f", "qcow2", "-F", "raw", path, raw]));
    }
}

#[test]
fn qemu_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let noise: Vec<u8> = (0..INPUT).map(|n| (n * n / 7).to_le_bytes()[1]).collect();
    fs::write(dir.path().join("input"), noise).unwrap();
    check(dir.path(), build(&[]));
    check(dir.path(), build(&[(1, 3)]));
    check(dir.path(), build(&[(0, 5 << 20)]));
    check(
        dir.path(),
        build(&[
            (2, INPUT),
            (0, 700 << 20),
            (1, 2999),
            (0, 70_000),
            (2, 12_345),
        ]),
    );
    // 64 GiB, and something in each of many level 2 tables, at both ends of them.
    let mut builder = Builder::new(vec![Input::of_len(INPUT)]);
    for table in (0..128).step_by(3) {
        let at: u64 = table << 29;
        builder.zero_to(at.saturating_sub(5)).unwrap();
        builder.source(0, 0, 70_000).unwrap();
    }
    builder.zero_to(64 << 30).unwrap();
    check(dir.path(), builder.finish().unwrap());
}

/// A full disk of 64 GiB: 9 MiB of tables, and one extent.
#[test]
fn a_full_disk() {
    let mut builder = Builder::new(vec![Input::of_len(64 << 30)]);
    builder.source(0, 0, 64 << 30).unwrap();
    let image = qcow2::image(&builder.finish().unwrap()).unwrap();
    let clusters = 1 + 1 + 33 + 1 + 128 + (1 << 20);
    assert_eq!(image.len(), clusters * CLUSTER);
    assert!(image.inline_len() < 11 << 20);
    assert_eq!(image.extents().last().unwrap().len, 64 << 30);
}
