//! Installations that are cut off at every write: what a drive has then, and that the next one ends in the right drive.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::io;
use std::sync::Mutex;

use super::*;
use crate::install::found::{decide, look, Allowed, Found};
use crate::install::marker::Marker;
use crate::install::source::Source;
use crate::install::table::Table;
use crate::install::testing::{guest_image, host_image, source};

const MIB: usize = 1 << 20;
/// Not a multiple of anything.
const SIZE: usize = 12 * MIB + 3 * 512;
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Op {
    Write(usize, Vec<u8>),
    Zero(usize, usize),
    Flush,
}

#[derive(Default)]
struct Drive {
    bytes: Mutex<Vec<u8>>,
    log: Mutex<Vec<Op>>,
    /// The byte that is wrong after the flush of this number, from 1.
    bad: Option<(usize, usize)>,
}

impl Drive {
    fn of(bytes: Vec<u8>) -> Self {
        let bytes = Mutex::new(bytes);
        Self {
            bytes,
            ..Self::default()
        }
    }
}

impl Medium for Drive {
    fn size(&self) -> io::Result<u64> {
        Ok(as_u64(self.bytes.lock().unwrap().len()))
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let at = as_usize(offset);
        buffer.copy_from_slice(&self.bytes.lock().unwrap()[at..at + buffer.len()]);
        Ok(())
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let op = Op::Write(as_usize(offset), data.to_vec());
        apply(&mut self.bytes.lock().unwrap(), &op);
        self.log.lock().unwrap().push(op);
        Ok(())
    }
    fn zero_at(&self, offset: u64, len: u64) -> io::Result<()> {
        let op = Op::Zero(as_usize(offset), as_usize(len));
        apply(&mut self.bytes.lock().unwrap(), &op);
        self.log.lock().unwrap().push(op);
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        let mut log = self.log.lock().unwrap();
        log.push(Op::Flush);
        let flushes = log.iter().filter(|op| matches!(op, Op::Flush)).count();
        if let Some((_, at)) = self.bad.filter(|(number, _)| *number == flushes) {
            self.bytes.lock().unwrap()[at] ^= 1;
        }
        Ok(())
    }
}

fn apply(bytes: &mut [u8], op: &Op) {
    match op {
        Op::Write(at, data) => bytes[*at..*at + data.len()].copy_from_slice(data),
        Op::Zero(at, len) => bytes[*at..*at + *len].fill(0),
        Op::Flush => {}
    }
}

struct Images {
    host: Source,
    guest: Source,
    config: Source,
    host_table: Table,
    guest_table: Table,
}

impl Images {
    fn new() -> Self {
        let (host, guest) = (host_image(), guest_image());
        let config: Vec<u8> = (0..MIB)
            .map(|at| u8::try_from(at / 4096 % 3).unwrap())
            .collect();
        Self {
            host_table: Table::of_image(&host).unwrap(),
            guest_table: Table::of_image(&guest).unwrap(),
            host: source("host-os.img", &host),
            guest: source("guest-os.img", &guest),
            config: source("config", &config),
        }
    }

    /// All of an installation, as the steps do it.
    fn install(&self, drive: &Drive, allowed: Allowed) -> Result<Layout, String> {
        let mut layout = Layout::new(&self.host_table, &self.guest_table, drive.size().unwrap())?;
        let found = look(drive, &layout, &self.host_table, &self.guest_table)?;
        layout.keep = decide(found, allowed, &layout)?.keep;
        let work = Work {
            drive,
            name: "sda",
            layout: &layout,
        };
        let mut done = 0;
        let mut tell = |more: u64| done += more;
        work.begin(&mut tell)?;
        let host = layout.host_pieces(&self.host);
        let guest = layout.guest_pieces(&self.guest);
        let config = layout.config_pieces(&self.config);
        work.write(&host, &mut tell)?;
        work.write(&guest, &mut tell)?;
        work.write(&config, &mut tell)?;
        for pieces in [&layout.wiped(), &host, &guest, &config] {
            work.verify(pieces, &mut tell)?;
        }
        work.end()?;
        let written = total(&layout.wiped()) + total(&host) + total(&guest) + total(&config);
        assert_eq!(done, 2 * written);
        Ok(layout)
    }
}

const ERASE: Allowed = Allowed {
    erase: true,
    keep_data: false,
};
const KEEP: Allowed = Allowed {
    erase: false,
    keep_data: true,
};
const NEITHER: Allowed = Allowed {
    erase: false,
    keep_data: false,
};

fn noise(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 7 + at / 4096 + seed) % 251).unwrap() | 1)
        .collect()
}

/// What the drive must be: every byte of both images in its place, by the specification of the layout and not by its code.
fn check(bytes: &[u8], images: &Images, before: &[u8], keeps: bool) {
    let disk = bytes.to_vec();
    let gpt = inspect::table(&disk).unwrap().unwrap();
    assert_eq!(gpt.problems, Vec::<String>::new());
    let host = host_image();
    let place = |number: usize| {
        let p = &gpt.partitions[number];
        as_usize(p.start())..as_usize(p.start() + p.size())
    };
    assert_eq!(place(0), MIB..2 * MIB);
    assert!(bytes[place(0)] == host[MIB..2 * MIB], "esp");
    let mut config = vec![0; MIB];
    images.config.read(&mut config, 0).unwrap();
    assert!(bytes[place(1)] == config[..], "config");
    let data = match keeps {
        true => before[place(2)].to_vec(),
        false => vec![0; MIB],
    };
    assert!(bytes[place(2)] == data[..], "data");
    let guestos = place(3);
    assert_eq!(guestos.start, 4 * MIB);
    assert!(guestos.end > SIZE - 34 * SECTOR - 4096 && guestos.end <= SIZE - 33 * SECTOR);
    let inner = bytes[guestos.clone()].to_vec();
    let gpt = inspect::table(&inner).unwrap().unwrap();
    assert_eq!(gpt.problems, Vec::<String>::new());
    let guest = guest_image();
    assert!(
        inner[MIB..2 * MIB] == guest[MIB..2 * MIB],
        "the guest's esp"
    );
    let data = as_usize(gpt.partitions[1].start());
    let end = data + as_usize(gpt.partitions[1].size());
    assert_eq!(data, 2 * MIB);
    assert!(end > inner.len() - 34 * SECTOR - 4096);
    match keeps {
        true => assert!(
            inner[data..end] == before[guestos][data..end],
            "the guest's data"
        ),
        // What the image has, and where a file system that is made there keeps its mark.
        false => {
            assert!(inner[data..4 * MIB].iter().all(|byte| *byte == 0));
            assert!(inner[end - 4096..end].iter().all(|byte| *byte == 0));
        }
    }
    // Another reader.
    let disk = io::Cursor::new(disk);
    let found = gpt::GptConfig::new()
        .logical_block_size(gpt::disk::LogicalBlockSize::Lb512)
        .open_from_device(disk)
        .unwrap();
    assert_eq!(found.partitions().len(), 4);
}

/// Whether firmware, kernel or anything else would find a table.
fn looks_whole(bytes: &[u8]) -> bool {
    inspect::table(&bytes.to_vec()).unwrap().is_some()
}

/// The drives that a cut leaves when `flushed` is on the drive and `later` was written since: nothing of that, all, or some sectors.
fn cuts(flushed: &[u8], later: &[Op]) -> Vec<Vec<u8>> {
    let mut random: u64 = 88_172_645_463_325_252;
    let mut next = move || {
        // xorshift64, Marsaglia 2003.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut drives = vec![flushed.to_vec()];
    if later.is_empty() {
        return drives;
    }
    let (mut all, mut some) = (flushed.to_vec(), flushed.to_vec());
    for op in later {
        apply(&mut all, op);
        let (at, len) = match op {
            Op::Write(at, data) => (*at, data.len()),
            Op::Zero(at, len) => (*at, *len),
            Op::Flush => continue,
        };
        for sector in (at..at + len).step_by(SECTOR) {
            if next() % 2 == 0 {
                some[sector..sector + SECTOR].copy_from_slice(&all[sector..sector + SECTOR]);
            }
        }
    }
    drives.extend([all, some]);
    drives
}

/// What a cut leaves that loses one of the operations `later`, or keeps one alone.
fn lost_or_alone(flushed: &[u8], later: &[Op]) -> Vec<Vec<u8>> {
    let mut drives = Vec::new();
    for one in 0..later.len() {
        for alone in [false, true] {
            let mut drive = flushed.to_vec();
            let kept = later.iter().enumerate();
            let kept = kept.filter(|(number, _)| (*number == one) == alone);
            kept.for_each(|(_, op)| apply(&mut drive, op));
            drives.push(drive);
        }
    }
    drives
}

#[test]
fn a_whole_installation() {
    let images = Images::new();
    for before in [vec![0; SIZE], noise(SIZE, 1)] {
        let drive = Drive::of(before.clone());
        images.install(&drive, ERASE).unwrap();
        check(&drive.bytes.into_inner().unwrap(), &images, &before, false);
    }
}

/// Installs on `before`, cuts it off after each operation, and starts again with what the settings say.
fn cut_everywhere(before: &[u8], allowed: Allowed, keeps: bool) {
    let images = Images::new();
    let drive = Drive::of(before.to_vec());
    let layout = images.install(&drive, allowed).unwrap();
    let want = drive.bytes.into_inner().unwrap();
    check(&want, &images, before, keeps);
    let ops = drive.log.into_inner().unwrap();
    assert!(ops.len() > 20, "{}", ops.len());
    let mut whole = 0;
    let mut flushed = before.to_vec();
    let mut later: Vec<Op> = Vec::new();
    for (number, op) in ops.into_iter().enumerate() {
        for cut in cuts(&flushed, &later) {
            if cut == before {
                continue;
            }
            let again = Drive::of(cut);
            let found = look(&again, &layout, &images.host_table, &images.guest_table);
            let cut = again.bytes.lock().unwrap().clone();
            if looks_whole(&cut) && !matches!(found, Ok(Found::UnderWay(_))) {
                // The old table's copy, as long as nothing else was touched, or all of the new one.
                if cut[2 * SECTOR..] != before[2 * SECTOR..] {
                    assert!(cut == want, "{number}: something half done looks whole");
                    whole += 1;
                }
                continue;
            }
            assert!(
                matches!(found, Ok(Found::UnderWay(_))),
                "{number}: {found:?}"
            );
            // What was begun may be ended without being asked again.
            let allowed = Allowed {
                erase: false,
                ..allowed
            };
            images.install(&again, allowed).unwrap();
            assert!(again.bytes.into_inner().unwrap() == want, "{number}");
        }
        match op {
            Op::Flush => {
                for cut in lost_or_alone(&flushed, &later) {
                    // Firmware would take the table's copy: then all between the tables is old or new.
                    let inner = MIB..SIZE - MIB;
                    let has_copy =
                        looks_whole(&cut) && Marker::parse(&cut[SECTOR..2 * SECTOR]).is_some();
                    let whole = [before, &want]
                        .iter()
                        .any(|whole| whole[inner.clone()] == cut[inner.clone()]);
                    assert!(
                        !has_copy || whole,
                        "{number}: a copy of a table beside half an installation"
                    );
                }
                later.drain(..).for_each(|op| apply(&mut flushed, &op));
            }
            op => later.push(op),
        }
    }
    assert!(flushed == want && later.is_empty());
    assert!(whole > 0, "no cut at the very end");
}

#[test]
fn cut_off_on_an_empty_drive() {
    cut_everywhere(&vec![0; SIZE], NEITHER, false);
}

#[test]
fn cut_off_on_a_drive_with_something_else() {
    cut_everywhere(&noise(SIZE, 3), ERASE, false);
}

/// A drive with an installation that was used: every partition is full of something.
fn used() -> Vec<u8> {
    let drive = Drive::of(vec![0; SIZE]);
    let images = Images::new();
    let layout = images.install(&drive, NEITHER).unwrap();
    let mut bytes = drive.bytes.into_inner().unwrap();
    for placed in &layout.host.layout.partitions[..3] {
        let place = as_usize(placed.start)..as_usize(placed.start + placed.partition.size);
        let noise = noise(place.len(), 5);
        bytes[place].copy_from_slice(&noise);
    }
    for placed in &layout.guest.layout.partitions {
        let start = as_usize(layout.guestos.start + placed.start);
        let place = start..start + as_usize(placed.partition.size);
        let noise = noise(place.len(), 9);
        bytes[place].copy_from_slice(&noise);
    }
    bytes
}

#[test]
fn cut_off_while_data_are_kept() {
    cut_everywhere(&used(), KEEP, true);
}

#[test]
fn data_that_were_to_be_kept_are_not_erased_by_the_way() {
    let images = Images::new();
    let before = used();
    let drive = Drive::of(before.clone());
    images.install(&drive, KEEP).unwrap();
    let ops = drive.log.into_inner().unwrap();
    let mut cut = before.clone();
    ops[..ops.len() / 2]
        .iter()
        .for_each(|op| apply(&mut cut, op));
    let error = images
        .install(&Drive::of(cut.clone()), NEITHER)
        .unwrap_err();
    assert!(
        error.contains("go on with keep_data=yes, or give up the data with erase=yes"),
        "{error}"
    );
    let drive = Drive::of(cut.clone());
    images.install(&drive, ERASE).unwrap();
    check(&drive.bytes.into_inner().unwrap(), &images, &before, false);
}

#[test]
fn what_is_there_decides() {
    let images = Images::new();
    let refused = |bytes: Vec<u8>, allowed| {
        let drive = Drive::of(bytes);
        let error = images.install(&drive, allowed).unwrap_err();
        assert!(
            drive.log.lock().unwrap().is_empty(),
            "something was written"
        );
        error
    };
    let error = refused(used(), NEITHER);
    assert!(
        error.starts_with("it has an installation of ours: keep its data with keep_data=yes"),
        "{error}"
    );
    let error = refused(noise(SIZE, 1), KEEP);
    assert!(
        error.starts_with("it holds data of an unknown kind, which is not ours: erase=yes"),
        "{error}"
    );
    let mut fat = vec![0; SIZE];
    fat[..512].copy_from_slice(&{
        let mut file = io::Cursor::new(vec![0; 4 * MIB]);
        let options = fatfs::FormatVolumeOptions::new().volume_id(1);
        fatfs::format_volume(&mut file, options).unwrap();
        let mut sector = [0; 512];
        sector.copy_from_slice(&file.into_inner()[..512]);
        sector
    });
    assert!(refused(fat, NEITHER).starts_with("it holds a FAT file system, which"));
    // Another system's table.
    let layout = images.host_table.on(as_u64(SIZE)).unwrap();
    let mut other = layout.clone();
    other.guid = uuid::Uuid::from_u128(99);
    for placed in &mut other.layout.partitions {
        placed.partition.uuid = uuid::Uuid::from_u128(1000 + u128::from(placed.number));
    }
    let with = |table: &Table| {
        let mut bytes = vec![0; SIZE];
        for (at, part) in table.parts().unwrap() {
            bytes[as_usize(at)..as_usize(at) + part.len()].copy_from_slice(&part);
        }
        bytes
    };
    assert!(refused(with(&other), NEITHER)
        .starts_with("it holds 4 partitions: esp, config, data, guestos, which"));
    // Ours with other places, and without the virtual machine's disk.
    let error = refused(with(&layout), KEEP);
    assert!(
        error.contains("can't be kept: the virtual machine's disk in guestos: no partition table"),
        "{error}"
    );
    let mut other = layout.clone();
    other.layout.partitions[1].partition.size -= 4096;
    let error = refused(with(&other), KEEP);
    assert!(
        error.contains(
            "can't be kept: its partition config is 1044480 bytes from byte 2097152, in this"
        ),
        "{error}"
    );
    // A header that is damaged.
    let mut bytes = used();
    bytes[520] ^= 1;
    let error = refused(bytes, KEEP);
    assert!(
        error.contains("can't be kept: its table is damaged: only one copy"),
        "{error}"
    );
}

#[test]
fn a_drive_that_is_too_small() {
    let images = Images::new();
    // Up to guestos 4 MiB, the guest's 4 and one more.
    for size in [0, 511, MIB, 9 * MIB - 512] {
        let error = images
            .install(&Drive::of(vec![0; size]), ERASE)
            .unwrap_err();
        assert_eq!(
            error,
            format!(
                "the drive has {size} bytes, HostOS and GuestOS take {}",
                9 * MIB
            )
        );
    }
    let drive = Drive::of(vec![0; 9 * MIB]);
    images.install(&drive, NEITHER).unwrap();
}

#[test]
fn a_drive_that_fails_is_noticed() {
    let images = Images::new();
    let good = Drive::of(noise(SIZE, 1));
    let layout = images.install(&good, ERASE).unwrap();
    let flushes = good
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|op| matches!(op, Op::Flush))
        .count();
    // (after that flush, the byte): each region after it was written, tables after theirs.
    let guestos = as_usize(layout.guestos.start);
    let table = flushes - 1;
    for (flush, at) in [
        (6, 0),
        (6, MIB + 300_000),
        (6, 2 * MIB - 1),
        (6, 2 * MIB + 5000),
        (6, 3 * MIB),
        (6, guestos + MIB + 400_000),
        (6, guestos + 3 * MIB),
        (6, SIZE - 1),
        (table, SIZE - 5),
        (table, 1024),
        (table - 1, guestos + 512),
        (flushes, 512),
    ] {
        let drive = Drive {
            bad: Some((flush, at)),
            ..Drive::of(noise(SIZE, 1))
        };
        let error = images.install(&drive, ERASE).unwrap_err();
        assert!(
            error.contains("reads back as something else than was written: the drive is failing"),
            "{flush} {at}: {error}"
        );
        if flush < flushes {
            // Whatever else is there, its owner is known.
            let bytes = drive.bytes.into_inner().unwrap();
            assert!(Marker::parse(&bytes[SECTOR..2 * SECTOR]).is_some(), "{at}");
        }
    }
}

#[test]
fn steps_reach_the_end() {
    let of = |range: std::ops::Range<u64>| steps(&range, 8).collect::<Vec<_>>();
    assert_eq!(of(3..17), [3..8, 8..16, 16..17]);
    assert!(of(5..5).is_empty());
    let last = u64::MAX;
    assert_eq!(of(last - 9..last), [last - 9..last - 7, last - 7..last]);
}
