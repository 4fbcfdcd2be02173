//! Images onto a disk in memory, cut off at every instant.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::{self, Cursor};
use std::ops::Range;
use std::path::Path;
use std::sync::Mutex;

use materialize::Target;
use plan::Reader;

const IMAGE: usize = 6 << 20;

/// A disk with an older system on it. It takes so many calls; those behind are lost, and so are those that were not flushed yet.
struct Memory {
    state: Mutex<State>,
    calls: usize,
}

struct State {
    bytes: Vec<u8>,
    done: usize,
}

impl Memory {
    fn new(old: &[u8], len: usize, calls: usize) -> Self {
        let mut bytes = vec![0x5a; len];
        bytes[..old.len()].copy_from_slice(old);
        let old_tail = &old[old.len() - 33 * 512..];
        bytes[len - 33 * 512..].copy_from_slice(old_tail);
        let state = Mutex::new(State { bytes, done: 0 });
        Self { state, calls }
    }

    fn change(&self, change: impl FnOnce(&mut [u8])) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.done == self.calls {
            return Err(io::Error::other("pulled"));
        }
        state.done += 1;
        change(&mut state.bytes);
        Ok(())
    }
}

impl Target for Memory {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.change(|disk| disk[at as usize..][..bytes.len()].copy_from_slice(bytes))
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        buffer.copy_from_slice(&self.state.lock().unwrap().bytes[at as usize..][..buffer.len()]);
        Ok(())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        self.change(|disk| disk[range.start as usize..range.end as usize].fill(0))
    }
}

/// A disk with one partition, its content and what is around it full of `byte`.
fn image(byte: u8) -> Vec<u8> {
    let mut disk = Cursor::new(vec![0; IMAGE]);
    let mbr = gpt::mbr::ProtectiveMBR::with_lb_size((IMAGE / 512 - 1) as u32);
    mbr.overwrite_lba0(&mut disk).unwrap();
    let mut table = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(gpt::disk::LogicalBlockSize::Lb512)
        .create_from_device(&mut disk, None)
        .unwrap();
    table
        .add_partition(
            "data",
            3 << 20,
            gpt::partition_types::LINUX_FS,
            0,
            Some(2048),
        )
        .unwrap();
    table.write().unwrap();
    let mut bytes = disk.into_inner();
    bytes[1 << 20..(1 << 20) + 5000].fill(byte);
    bytes[3 << 20..4 << 20].fill(byte);
    bytes
}

fn open(path: &Path) -> Reader {
    Reader::open_any(path).unwrap().with_holes().unwrap()
}

/// Whether firmware or a system would find partitions: by the table, or by its copy.
fn looks_whole(disk: &[u8]) -> bool {
    gpt::GptConfig::new()
        .open_from_device(Cursor::new(disk.to_vec()))
        .is_ok()
}

#[test]
fn a_cut_leaves_nothing_that_looks_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (image(1), image(2));
    let path = dir.path().join("disk.img");
    std::fs::write(&path, &new).unwrap();
    for len in [IMAGE, 9 << 20] {
        let mut calls = 0;
        let disk = loop {
            let memory = Memory::new(&old, len, calls);
            assert!(calls > 0 || looks_whole(&memory.state.lock().unwrap().bytes));
            let flush = || Ok(());
            let done = flash::write(open(&path), &memory, len as u64, true, &flush, &|_, _| ());
            let state = memory.state.into_inner().unwrap();
            match done {
                Ok(()) => break state.bytes,
                Err(error) => {
                    let pulled = error.to_string();
                    assert!(pulled.starts_with("cannot write from byte"), "{pulled}");
                    // Before the first call it is what it was.
                    let firmware = state.bytes[..1024].iter().any(|byte| *byte != 0);
                    assert!(calls == 0 || !firmware, "{calls} of {len}");
                    // No copy of a table, either, before all of the image is there.
                    let all = state.bytes[3 << 20..4 << 20] == new[3 << 20..4 << 20];
                    assert!(
                        calls < 2 || all || !looks_whole(&state.bytes),
                        "{calls} of {len}"
                    );
                }
            }
            calls += 1;
            assert!(calls < 100);
        };
        assert!(calls > 6, "{calls}");
        assert!(looks_whole(&disk));
        let table = gpt::GptConfig::new()
            .open_from_device(Cursor::new(disk.clone()))
            .unwrap();
        assert!(table.primary_header().is_ok() && table.backup_header().is_ok());
        assert_eq!(
            table.primary_header().as_ref().unwrap().backup_lba,
            (len / 512 - 1) as u64
        );
        // Between tables it is the image; the copy's old place is zero.
        let from = 34 * 512;
        let to = IMAGE - 33 * 512;
        assert!(disk[from..to] == new[from..to]);
        if len == IMAGE {
            assert!(disk == new);
        } else {
            assert!(disk[to..IMAGE].iter().all(|byte| *byte == 0));
            assert!(disk[IMAGE..len - (1 << 20)]
                .iter()
                .all(|byte| *byte == 0x5a));
        }
    }
}

#[test]
fn a_disk_that_is_too_small() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk.img");
    std::fs::write(&path, image(1)).unwrap();
    let memory = Memory::new(&image(2), IMAGE, 0);
    let error =
        flash::write(open(&path), &memory, 5 << 20, true, &|| Ok(()), &|_, _| ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a disk of 5242880 bytes has no room for an image of 6291456"),
        "{error}"
    );
}
