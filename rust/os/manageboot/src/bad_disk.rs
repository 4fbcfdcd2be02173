//! A disk that keeps something else than was written: an installation must notice, whichever byte it is and whenever it happened.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use grubenv::{Block, BootState, Slot};

use crate::envfile::EnvFile;
use crate::mark::MARK;
use crate::testing::{bundle_of, install, no_spare, spoilt_bundle_of};
use crate::upgrade::SlotMedia;
use direct::Medium;

/// Bytes of which one is wrong after the flush with this number.
struct BadDisk {
    bytes: Mutex<Vec<u8>>,
    flushes: AtomicUsize,
    /// Number of the flush, from 1, and the byte.
    bad: Option<(usize, usize)>,
    /// What is written here on is written to the start again, and read from there.
    wraps: usize,
}

impl BadDisk {
    fn new(len: usize, bad: Option<(usize, usize)>) -> Self {
        Self {
            bytes: Mutex::new(vec![0; len]),
            flushes: AtomicUsize::new(0),
            bad,
            wraps: usize::MAX,
        }
    }

    /// The byte that is really meant, as a disk takes them: in blocks.
    fn real(&self, offset: u64) -> usize {
        usize::try_from(offset).unwrap() % self.wraps
    }
}

impl Medium for BadDisk {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len().try_into().unwrap())
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        for (byte, at) in buffer.iter_mut().zip(offset..) {
            *byte = bytes[self.real(at)];
        }
        Ok(())
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap();
        for (byte, at) in data.iter().zip(offset..) {
            bytes[self.real(at)] = *byte;
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        let flush = self.flushes.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((_, at)) = self.bad.filter(|(bad, _)| *bad == flush) {
            self.bytes.lock().unwrap()[at] ^= 1;
        }
        Ok(())
    }
}

const BOOT: usize = 5000;
const ROOT: usize = (1 << 20) + 77;

/// Installs to a disk that is bad there; the error, and what is on boot and root.
fn installed(
    boot_bad: Option<(usize, usize)>,
    root_bad: Option<(usize, usize)>,
) -> (Option<String>, Vec<u8>) {
    let mut boot_image = vec![7; BOOT];
    boot_image[1080..1082].copy_from_slice(&[0x53, 0xef]);
    let mut bundle = bundle_of(&boot_image, &vec![9; ROOT]);
    let mut env = env();
    let slot = SlotMedia {
        boot: BadDisk::new(BOOT + 100, boot_bad),
        root: BadDisk::new(ROOT + 100, root_bad),
    };
    let error = install(&mut env, &slot, Slot::A, &mut bundle)
        .err()
        .map(|error| error.to_string());
    assert_eq!(env.blocks().state(), BootState::confirmed(Slot::A));
    (error, slot.boot.bytes.into_inner().unwrap())
}

fn env() -> EnvFile<BadDisk> {
    let disk = BadDisk::new(0, None);
    *disk.bytes.lock().unwrap() = Block::new().to_bytes().unwrap().to_vec();
    EnvFile::load(disk, Path::new("grubenv"), no_spare()).unwrap()
}

#[test]
fn every_place_and_every_time() {
    // Boot is flushed when its mark is gone, when the image is written, and when the mark is back; root once.
    let (error, boot) = installed(None, None);
    assert_eq!(error, None);
    assert!(boot[MARK].iter().any(|byte| *byte != 0));
    for at in [0, 1, ROOT / 2, ROOT - 1] {
        let (error, boot) = installed(None, Some((1, at)));
        assert!(error.unwrap().starts_with("B_root reads back as SHA-256 "));
        assert!(boot[MARK].iter().all(|byte| *byte == 0));
    }
    for flush in [2, 3] {
        for at in [0, MARK.start - 1, MARK.end, BOOT - 1] {
            let (error, boot) = installed(Some((flush, at)), None);
            assert!(error.unwrap().starts_with("B_boot reads back as SHA-256 "));
            assert!(boot[MARK].iter().all(|byte| *byte == 0), "{flush} {at}");
        }
    }
    // The mark itself.
    let (error, boot) = installed(Some((3, MARK.start + 1)), None);
    assert!(error.unwrap().contains("the disk may be failing"));
    assert!(boot[MARK].iter().all(|byte| *byte == 0));
    // Beyond the images nobody looks.
    assert_eq!(installed(Some((3, BOOT)), Some((1, ROOT))).0, None);
}

/// The first bad chunk is named, with its image, by its place and number, however many threads look; and where it is read back, all of it was written.
#[test]
fn the_first_of_several_is_named() {
    let mut boot = vec![7; BOOT];
    boot[1080..1082].copy_from_slice(&[0x53, 0xef]);
    let chunk = 1 << 20;
    let root: Vec<u8> = (0..5 * chunk + 4097)
        .map(|at| u8::try_from(at / chunk).unwrap())
        .collect();
    for wraps in [2 * chunk, 3 * chunk, 5 * chunk] {
        let slot = SlotMedia {
            boot: BadDisk::new(BOOT, None),
            root: BadDisk {
                wraps,
                ..BadDisk::new(root.len(), None)
            },
        };
        let error = install(&mut env(), &slot, Slot::A, &mut bundle_of(&boot, &root)).unwrap_err();
        let error = error.to_string();
        // What was written first is what is lost.
        assert!(
            error.contains(" at byte 0 (chunk 0 of root.img), "),
            "{error}"
        );
        assert!(slot.boot.bytes.lock().unwrap()[MARK]
            .iter()
            .all(|byte| *byte == 0));
    }
    for (at, want) in [
        (3 * chunk + 9, " at byte 3145728 (chunk 3 of root.img), "),
        (5 * chunk + 4096, " at byte 5242880 (chunk 5 of root.img), "),
    ] {
        let slot = SlotMedia {
            boot: BadDisk::new(BOOT, None),
            root: BadDisk::new(root.len(), Some((1, at))),
        };
        let error = install(&mut env(), &slot, Slot::A, &mut bundle_of(&boot, &root)).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
}

/// A disk that fails to write, or to read, from a place on.
struct Failing {
    disk: BadDisk,
    writes: usize,
    reads: usize,
    /// Where something was written that far.
    written: AtomicUsize,
}

impl Medium for Failing {
    fn size(&self) -> io::Result<u64> {
        self.disk.size()
    }
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match usize::try_from(offset).unwrap() {
            at if at >= self.reads => Err(io::Error::other(format!("no reading at {at}"))),
            _ => self.disk.read_exact_at(buffer, offset),
        }
    }
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        match usize::try_from(offset).unwrap() {
            at if at >= self.writes => Err(io::Error::other(format!("no writing at {at}"))),
            at => {
                self.written.fetch_max(at + data.len(), Ordering::Relaxed);
                self.disk.write_all_at(data, offset)
            }
        }
    }
    fn flush(&self) -> io::Result<()> {
        self.disk.flush()
    }
}

/// A disk that takes not even that the slot is not complete any more.
#[test]
fn what_fails_at_once_is_told() {
    let failing = || Failing {
        disk: BadDisk::new(2 << 20, None),
        writes: 0,
        reads: usize::MAX,
        written: AtomicUsize::new(0),
    };
    let slot = SlotMedia {
        boot: failing(),
        root: failing(),
    };
    let mut boot = vec![7; BOOT];
    boot[1080..1082].copy_from_slice(&[0x53, 0xef]);
    let bundle = &mut bundle_of(&boot, &[9; 5000]);
    let error = install(&mut env(), &slot, Slot::A, bundle).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.starts_with("cannot write B_boot: no writing at "),
        "{error}"
    );
}

#[test]
fn what_fails_in_the_middle_ends_it() {
    let mut boot = vec![7; BOOT];
    boot[1080..1082].copy_from_slice(&[0x53, 0xef]);
    let chunk = 1 << 20;
    let root = vec![9; 9 * chunk + 4097];
    let failing = |len, writes, reads| Failing {
        disk: BadDisk::new(len, None),
        writes,
        reads,
        written: AtomicUsize::new(0),
    };
    let never = usize::MAX;
    for (writes, reads, bad, want, written) in [
        (
            3 * chunk,
            never,
            never,
            "cannot write B_root: no writing at 3145728",
            3 * chunk,
        ),
        (
            never,
            4 * chunk,
            never,
            "cannot read B_root back: no reading at 4194304",
            root.len(),
        ),
        // The bundle is bad from there on, and nothing behind it is written.
        (never, never, 5 * chunk + 1, "root.img", 5 * chunk),
        (5 * chunk, never, 5 * chunk + 1, "root.img", 5 * chunk),
        (
            4 * chunk,
            never,
            5 * chunk + 1,
            "cannot write B_root: no writing at 4194304",
            4 * chunk,
        ),
    ] {
        let slot = SlotMedia {
            boot: failing(BOOT, never, never),
            root: failing(root.len(), writes, reads),
        };
        let mut bundle = match bad {
            usize::MAX => bundle_of(&boot, &root),
            bad => spoilt_bundle_of(&boot, &root, bad),
        };
        let error = install(&mut env(), &slot, Slot::A, &mut bundle).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(want), "{error}");
        assert_eq!(slot.root.written.into_inner(), written, "{error}");
        assert!(slot.boot.disk.bytes.lock().unwrap()[MARK]
            .iter()
            .all(|byte| *byte == 0));
    }
}
