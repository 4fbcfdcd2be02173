//! Whether HostOS will be able to read the data that stay.
//!
//! HostOS keeps the key of its partition `data` in its partition `config`, which an installation writes anew. So what stays and the
//! `data.key` beside `config.ini` must fit each other before anything is written:
//!
//! | `data` holds            | no key on the medium | a key                                                  |
//! |-------------------------|----------------------|--------------------------------------------------------|
//! | nothing: zeros          | good                 | good                                                   |
//! | a LUKS header           | refused              | good if `cryptsetup` opens it with that key            |
//! | anything else           | good                 | refused: HostOS would not take what is not encrypted   |
//!
//! A volume of LUKS2 has two headers, and one is enough (LUKS2 On-Disk Format, "Binary Header"). `cryptsetup` tries the key on a copy of
//! them in memory, which needs neither a device of the partition nor any right to make one: after an installation that was cut off the
//! kernel knows no partitions of the drive.

use std::io::Write as _;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::process::Command;

use direct::Medium;
use os_config::cryptsetup::{self, HEADER, NO_SUCH_KEY};
use os_config::{partition, DataKey};
use rustix::fs::MemfdFlags;

use super::{layout, program};
use crate::system::System;

const CRYPTSETUP: &str = "/usr/sbin/cryptsetup";

/// Looks at HostOS's partition `data`, the bytes `data` of `drive`, which stays; `key` is the medium's. Gives a remark for people; an
/// error says what to do.
pub(crate) fn check(
    system: &System,
    drive: &impl Medium,
    data: &Range<u64>,
    key: Option<&DataKey>,
) -> Result<Option<String>, String> {
    let len = layout::length(data).min(HEADER);
    let mut head = vec![0; base::as_usize(len)];
    drive
        .read_exact_at(&mut head, data.start)
        .map_err(|error| format!("cannot read its partition data: {error}"))?;
    match (partition::is_luks_in(&head), key) {
        (true, Some(key)) => opens(system, &head, key),
        (true, None) => Err(
            "its partition data is encrypted (LUKS), and this medium has no data.key; the machine's own copy lies in partition config, which is written anew: put the data.key of that machine beside config.ini, or give the data up with erase=yes and keep_data=no"
                .to_owned(),
        ),
        (false, Some(_)) if head.iter().any(|byte| *byte != 0) => Err(
            "its partition data is not encrypted, and this medium has a data.key, with which HostOS would not take it: take data.key off the medium, or give the data up with erase=yes and keep_data=no"
                .to_owned(),
        ),
        (false, _) => Ok(None),
    }
}

/// Tries the key.
fn opens(system: &System, head: &[u8], key: &DataKey) -> Result<Option<String>, String> {
    let path = system.path(CRYPTSETUP);
    if !path.exists() {
        return Ok(Some(format!(
            "whether data.key opens partition data was not tried: there is no {}",
            path.display()
        )));
    }
    let cannot = |error: std::io::Error| format!("cannot try data.key on partition data: {error}");
    // Without CLOEXEC: the program reads it by the same number.
    let copy = rustix::fs::memfd_create("luks-header", MemfdFlags::empty())
        .map_err(|error| cannot(error.into()))?;
    let mut copy = std::fs::File::from(copy);
    copy.write_all(head).map_err(cannot)?;
    let how = ["open", "--test-passphrase", "--batch-mode"];
    let mut command = Command::new(&path);
    command
        .args(how)
        .args(["--type", "luks2", "--disable-locks"])
        .args(["--key-file", "-", "--keyfile-size"])
        .arg(key.digits().len().to_string())
        .arg(format!("/proc/self/fd/{}", copy.as_raw_fd()))
        .env("LC_ALL", "C");
    let output = cryptsetup::with_key(&mut command, Some(key)).map_err(cannot)?;
    match output.status.code() {
        Some(0) => Ok(Some("data.key opens partition data".to_owned())),
        Some(NO_SUCH_KEY) => Err(
            "its partition data is encrypted (LUKS) with another key than the data.key of this medium: put the data.key of that machine beside config.ini, or give the data up with erase=yes and keep_data=no"
                .to_owned(),
        ),
        _ => Err(format!(
            "cannot try data.key on partition data: cryptsetup: {}",
            program::said(&output)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const START: u64 = 4096;
    /// What the first header of LUKS begins with, and the second one.
    const FIRST: &[u8] = b"LUKS\xba\xbe";
    const SECOND: &[u8] = b"SKUL\xba\xbe";

    fn key() -> DataKey {
        DataKey::parse(std::path::Path::new("data.key"), DIGITS.as_bytes()).unwrap()
    }

    /// `status` is that of the cryptsetup of a machine on which partition `data` has `bytes` at each place.
    fn checked(
        status: Option<i32>,
        bytes: &[(u64, &[u8])],
        key: Option<&DataKey>,
    ) -> Result<Option<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        if let Some(status) = status {
            // The key comes on stdin, and the header is there to be read.
            let script = format!(
                "#!/bin/sh\nfor last; do :; done\n[ \"$(cat)\" = {DIGITS} ] || exit 8\n[ \"$(wc -c <\"$last\")\" = 8388608 ] || exit 9\necho no good >&2\nexit {status}\n"
            );
            stand_in::program(dir.path().join("usr/sbin/cryptsetup"), &script);
        }
        let drive = tempfile::tempfile().unwrap();
        let len = 8 << 20;
        drive.set_len(START + len).unwrap();
        for (at, bytes) in bytes {
            let at = START.checked_add(*at).unwrap();
            drive.write_all_at(bytes, at).unwrap();
        }
        let system = System::new(Some(dir.path().to_owned()));
        check(&system, &drive, &(START..START + len), key)
    }

    #[test]
    fn what_stays_and_the_key_must_fit() {
        let key = key();
        assert_eq!(checked(None, &[], None), Ok(None));
        assert_eq!(checked(None, &[], Some(&key)), Ok(None));
        let ext4: &[(u64, &[u8])] = &[(0x438, b"\x53\xef")];
        assert_eq!(checked(None, ext4, None), Ok(None));
        let error = checked(Some(0), ext4, Some(&key)).unwrap_err();
        assert!(error.contains("take data.key off the medium"), "{error}");
        // Either header.
        for luks in [(0, FIRST), (0x4000, SECOND), (0x40_0000, SECOND)] {
            let error = checked(Some(0), &[luks], None).unwrap_err();
            assert!(error.contains("this medium has no data.key"), "{error}");
            let good = checked(Some(0), &[luks], Some(&key)).unwrap();
            assert_eq!(good.as_deref(), Some("data.key opens partition data"));
        }
        // What is neither.
        assert_eq!(checked(None, &[(0x4000, FIRST)], None), Ok(None));
    }

    #[test]
    fn the_key_is_tried() {
        let key = key();
        let luks: &[(u64, &[u8])] = &[(0, FIRST)];
        let error = checked(Some(2), luks, Some(&key)).unwrap_err();
        assert!(
            error.contains("with another key than the data.key"),
            "{error}"
        );
        let error = checked(Some(1), luks, Some(&key)).unwrap_err();
        assert!(
            error.starts_with(
                "cannot try data.key on partition data: cryptsetup: status 1: no good"
            ),
            "{error}"
        );
        let note = checked(None, luks, Some(&key)).unwrap().unwrap();
        assert!(note.contains("was not tried"), "{note}");
    }
}
