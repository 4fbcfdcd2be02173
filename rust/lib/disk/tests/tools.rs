//! sgdisk and sfdisk accept our disks and read from them what we wrote. Without them these tests only say so.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use disk::{assemble, Image, Images};
use partitions::{Layout, Table, COLUMNS, MIB, SECTOR};
use plan::{Builder, Input, Piece, Plan, Reader};
use proptest::prelude::*;
use uuid::Uuid;

const DISK_GUID: Uuid = Uuid::from_u128(0x0d15_c000_0000_4000_8000_0000_0000_0001);

/// Output of a tool that must succeed; `None` if it is not installed.
fn tool(name: &str, args: &[&str], disk: &Path) -> Option<String> {
    // Not on everybody's PATH.
    let Some(program) = ["/usr/sbin", "/sbin", "/usr/bin"]
        .map(|dir| Path::new(dir).join(name))
        .into_iter()
        .find(|path| path.exists())
    else {
        println!("skipped: {name} is not installed");
        return None;
    };
    let output = Command::new(program).args(args).arg(disk).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{name}: {text}{errors}"
    );
    Some(text)
}

fn check(disk: &Path, layout: &Layout) {
    if let Some(text) = tool("sgdisk", &["--verify"], disk) {
        assert!(text.contains("No problems found"), "{text}");
    }
    if let Some(text) = tool("sfdisk", &["--verify"], disk) {
        assert!(text.contains("No errors detected"), "{text}");
    }
    let Some(text) = tool("sfdisk", &["--json"], disk) else {
        return;
    };
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let table = &table["partitiontable"];
    assert_eq!(table["label"], "gpt");
    assert_eq!(table["id"], DISK_GUID.to_string().to_uppercase());
    let found = table["partitions"].as_array().unwrap();
    assert_eq!(found.len(), layout.partitions.len());
    for (found, placed) in found.iter().zip(&layout.partitions) {
        let partition = &placed.partition;
        assert_eq!(found["start"], placed.start / SECTOR);
        assert_eq!(found["size"], partition.size / SECTOR);
        assert_eq!(found["name"], partition.name.as_str());
        // sfdisk writes most of them in capitals, not all.
        let guid = |key: &str| Uuid::parse_str(found[key].as_str().unwrap()).unwrap();
        assert_eq!(guid("uuid"), partition.uuid);
        assert_eq!(guid("type"), partition.type_guid);
        assert!(found["attrs"].is_null());
    }
}

struct Made {
    _dir: tempfile::TempDir,
    path: PathBuf,
    plan: Plan,
}

/// The plan of a disk: images are inputs in their order.
fn planned(layout: &Layout, images: &[(&str, &[u8])]) -> Result<Plan, disk::Error> {
    let mut named = Images::new();
    let inputs = images
        .iter()
        .map(|(_, bytes)| Input::of_len(bytes.len() as u64));
    let inputs: Arc<[Input]> = inputs.collect();
    for (position, (name, bytes)) in (0..).zip(images) {
        let mut whole = Builder::new(Arc::clone(&inputs));
        whole.source(position, 0, bytes.len() as u64).unwrap();
        let image = Image {
            path: "the.img".into(),
            plan: whole.finish().unwrap(),
        };
        named.insert((*name).to_owned(), image);
    }
    assemble(layout, DISK_GUID, &named, inputs)
}

/// A disk as a sparse file.
fn make(layout: &Layout, images: &[(&str, &[u8])]) -> Result<Made, disk::Error> {
    let plan = planned(layout, images)?;
    let inputs = images
        .iter()
        .map(|(name, b)| (name.to_string(), b.to_vec()));
    let reader = Reader::new(plan.clone(), inputs.collect()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.img");
    let file = File::create(&path).unwrap();
    file.set_len(reader.len()).unwrap();
    for extent in reader.plan().extents() {
        if extent.piece != Piece::Zero {
            let mut bytes = vec![0; extent.len as usize];
            reader.read_at(&mut bytes, extent.start).unwrap();
            file.write_all_at(&bytes, extent.start).unwrap();
        }
    }
    let _dir = dir;
    Ok(Made { _dir, path, plan })
}

fn table(rows: &[(&str, &str, &str, &str)]) -> Table {
    let mut csv = format!("{COLUMNS}\n");
    for (index, (name, start, size, kind)) in rows.iter().enumerate() {
        csv.push_str(&format!(
            "{name},{start},{size},{kind},b1a0a1c2-0000-4000-8000-{index:012x},\n"
        ));
    }
    Table::parse(&csv).unwrap()
}

#[test]
fn a_node_disk() {
    let layout = table(&[
        ("esp", "", "64M", "esp"),
        ("Größe 😀", "", "16M", "linux"),
        ("A_boot", "", "513K", "xbootldr"),
        ("A_root", "", "200M", "root-x86-64"),
        (
            "later",
            "300M",
            "1M",
            "11111111-2222-3333-4444-555555555555",
        ),
    ])
    .layout(None)
    .unwrap();
    let mut root = vec![0; 3 << 20];
    root[1 << 20] = 1;
    *root.last_mut().unwrap() = 2;
    let esp = vec![0xee; 5000];
    let made = make(&layout, &[("A_root", &root), ("esp", &esp)]).unwrap();
    check(&made.path, &layout);

    assert_eq!(fs::metadata(&made.path).unwrap().len(), layout.disk_size);
    // The plan holds the table; without the zeros in it, that is little.
    assert!(made.plan.inline_len() < 4096, "{}", made.plan.inline_len());
    let disk = File::open(&made.path).unwrap();
    for (name, bytes) in [("A_root", &root), ("esp", &esp)] {
        let mut got = vec![1; bytes.len() + 100];
        disk.read_exact_at(&mut got, layout.get(name).unwrap().start)
            .unwrap();
        assert!(got[..bytes.len()] == bytes[..]);
        assert!(got[bytes.len()..].iter().all(|b| *b == 0));
    }
    // Inputs in another order are the same disk.
    let again = make(&layout, &[("esp", &esp), ("A_root", &root)]).unwrap();
    assert!(again.plan != made.plan);
    assert!(fs::read(&again.path).unwrap() == fs::read(&made.path).unwrap());
}

#[test]
fn large_disks_are_small_plans() {
    let layout = table(&[("a", "", "63G", "linux"), ("b", "", "512M", "linux")])
        .layout(None)
        .unwrap();
    let plan = planned(&layout, &[("b", b"content")]).unwrap();
    assert_eq!(plan.len(), layout.disk_size);
    assert!(plan.encode().len() < 4096, "{}", plan.encode().len());
}

#[test]
fn full_table_and_other_sizes() {
    let rows: Vec<String> = (0..128).map(|n| format!("p{n}")).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|name| (name.as_str(), "", "1s", "linux"))
        .collect();
    let full = table(&rows);
    let layout = full.layout(None).unwrap();
    check(&make(&layout, &[]).unwrap().path, &layout);
    // Larger than wanted, and larger than a protective MBR can say (2 TiB).
    for size in [500 * MIB, 3 << 40] {
        let layout = full.layout(Some(size)).unwrap();
        check(&make(&layout, &[]).unwrap().path, &layout);
    }
    // From the first usable sector to the last one.
    let tight = table(&[
        ("bios", "34s", "2014s", "bios"),
        ("rest", "", "1M", "linux"),
    ]);
    let layout = tight.layout(Some(2 * MIB + 33 * SECTOR)).unwrap();
    check(&make(&layout, &[]).unwrap().path, &layout);
}

#[test]
fn protective_mbr() {
    let layout = table(&[("a", "", "1M", "esp")]).layout(None).unwrap();
    let made = make(&layout, &[]).unwrap();
    let mut mbr = [0; 512];
    let disk = File::open(&made.path).unwrap();
    disk.read_exact_at(&mut mbr, 0).unwrap();
    assert!(mbr[..446].iter().all(|b| *b == 0));
    // UEFI 2.10, table 5.4.
    assert_eq!(
        mbr[446..462],
        [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0x17, 0, 0]
    );
    assert_eq!(layout.disk_size, (0x17ff + 1) * SECTOR);
    assert_eq!(mbr[510..], [0x55, 0xaa]);
}

#[test]
fn refused() {
    let layout = table(&[("a", "", "1M", "esp"), ("b", "", "4K", "esp")])
        .layout(None)
        .unwrap();
    let error = |images: &[(&str, &[u8])]| make(&layout, images).err().unwrap().to_string();
    let text = error(&[("b", &[0; 4099])]);
    assert_eq!(
        text,
        "image the.img of 4099 bytes is 3 bytes larger than partition \"b\" of 4096 bytes; make the partition at least 1M"
    );
    assert_eq!(
        error(&[("c", b"")]),
        "image for partition \"c\", but the table has only: a, b"
    );
    let guid = layout.partitions[1].partition.uuid;
    let error = assemble(&layout, guid, &Images::new(), Arc::default()).unwrap_err();
    assert!(error
        .to_string()
        .contains("is also the uuid of partition \"b\""));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_tables(rows in prop::collection::btree_map(
        "[A-Za-z0-9_ äß→😀.-]{0,16}x", (1_u64..200_000, prop::sample::select(partitions::TYPES)), 1..40),
        extra in prop::option::of(0_u64..5000))
    {
        let mut csv = format!("{COLUMNS}\n");
        for (index, (name, (sectors, (alias, _)))) in rows.iter().enumerate() {
            csv.push_str(&format!("\"{name}\",,{sectors}s,{alias},b1a0a1c2-0000-4000-8000-{index:012x},\n"));
        }
        let table = Table::parse(&csv).unwrap();
        let size = table.layout(None).unwrap().disk_size;
        let layout = table.layout(extra.map(|sectors| size + sectors * SECTOR)).unwrap();
        let name = layout.partitions[0].partition.name.clone();
        let made = make(&layout, &[(name.as_str(), b"content")]).unwrap();
        check(&made.path, &layout);
    }
}
