//! A disk that keeps something else than was written: an installation must notice, whichever byte it is and whenever it happened.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::io;
use std::path::Path;

use grubenv::{Block, BootState, Slot};

use crate::envfile::EnvFile;
use crate::mark::MARK;
use crate::medium::Medium;
use crate::testing::{bundle_of, install};
use crate::upgrade::SlotMedia;

/// Bytes of which one is wrong after the flush with this number.
struct BadDisk {
    bytes: Vec<u8>,
    flushes: usize,
    /// Number of the flush, from 1, and the byte.
    bad: Option<(usize, usize)>,
}

impl BadDisk {
    fn new(len: usize, bad: Option<(usize, usize)>) -> Self {
        Self {
            bytes: vec![0; len],
            flushes: 0,
            bad,
        }
    }
}

impl Medium for BadDisk {
    fn size(&mut self) -> io::Result<u64> {
        Ok(self.bytes.len().try_into().unwrap())
    }
    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.bytes[offset..offset + buffer.len()]);
        Ok(())
    }
    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.bytes[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.flushes += 1;
        if let Some((_, at)) = self.bad.filter(|(flush, _)| *flush == self.flushes) {
            self.bytes[at] ^= 1;
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
    let env_disk = BadDisk {
        bytes: Block::new().to_bytes().unwrap().to_vec(),
        flushes: 0,
        bad: None,
    };
    let mut env = EnvFile::load(env_disk, Path::new("grubenv")).unwrap();
    let mut slot = SlotMedia {
        boot: BadDisk::new(BOOT + 100, boot_bad),
        root: BadDisk::new(ROOT + 100, root_bad),
    };
    let error = install(&mut env, &mut slot, Slot::A, &mut bundle)
        .err()
        .map(|error| error.to_string());
    assert_eq!(env.content().state(), BootState::confirmed(Slot::A));
    (error, slot.boot.bytes)
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
