//! The kernel's list of mounts, `/proc/self/mountinfo`: proc_pid_mountinfo(5).
//!
//! `36 35 98:0 /sub /mnt/my\040stick rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=continue` is a line of it:
//!
//! | field              | here                | what                                                        |
//! |--------------------|---------------------|-------------------------------------------------------------|
//! | `36`, `35`         |                     | numbers of the mount, and of the one it is in               |
//! | `98:0`             | [`Mount::device`]   | of what is mounted, as in `/sys/dev/block`                  |
//! | `/sub`             |                     | the part of the file system that is mounted                 |
//! | `/mnt/my\040stick` | [`Mount::place`]    | where                                                       |
//! | `rw,noatime`       |                     | options of the mount                                        |
//! | `shared:1`         |                     | any number of such words, also none                         |
//! | `-`                |                     | their end                                                   |
//! | `ext4`             |                     | the kind of the file system                                 |
//! | `/dev/sda1`        | [`Mount::source`]   | what was mounted, as somebody named it                      |
//! | the rest           |                     | options of the file system                                  |
//!
//! A blank in a field, and what else would end it, is a backslash and three octal digits ([`unescaped`]). Any other byte may be in one:
//! nothing here wants UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Number of the device, `MAJOR:MINOR`; some file systems (btrfs) have one of their own.
    pub device: String,
    /// Where it is mounted.
    pub place: PathBuf,
    /// What was mounted: of a file system on a device its path, or a link to it.
    pub source: PathBuf,
}

impl Mount {
    /// The mount of one line of the list; none: it is no such line.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let device = std::str::from_utf8(fields.nth(2)?).ok()?.to_owned();
        let place = path(fields.nth(1)?);
        fields.find(|field| *field == b"-")?;
        let source = path(fields.nth(1)?);
        Some(Self {
            device,
            place,
            source,
        })
    }
}

/// The lines of such a list.
pub fn lines(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = list.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty())
}

/// A field of this list, or of `/proc/swaps`, as a path.
pub fn path(field: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(unescaped(field)))
}

/// A field with `\040` and kin as the bytes that they stand for.
pub fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.split_first_chunk().filter(|_| *byte == b'\\');
        let code = code.and_then(|(digits, after)| Some((octal(digits)?, after)));
        let (byte, after) = code.unwrap_or((*byte, after));
        out.push(byte);
        rest = after;
    }
    out
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    // A sign is no digit, which `from_str_radix` would take.
    let digits = std::str::from_utf8(digits).ok()?;
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'));
    u8::from_str_radix(digits?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn lines_of_a_kernel() {
        let list: &[u8] =
            b"22 1 0:20 / /proc rw - proc proc rw\n\
              36 35 98:0 /sub /mnt/my\\040stick rw,noatime master:1 shared:2 - ext4 /dev/a\\134b rw\n\
              37 35 0:9 / /x\xff rw -  none rw";
        let mounts: Option<Vec<Mount>> = lines(list).map(Mount::parse).collect();
        let [proc, stick, odd] = mounts.unwrap().try_into().unwrap();
        assert_eq!(
            (proc.device.as_str(), proc.place.as_path()),
            ("0:20", "/proc".as_ref())
        );
        assert_eq!(stick.device, "98:0");
        assert_eq!(stick.place, PathBuf::from("/mnt/my stick"));
        assert_eq!(stick.source, PathBuf::from("/dev/a\\b"));
        assert_eq!(odd.place.as_os_str().as_bytes(), b"/x\xff");
        assert_eq!(odd.source, PathBuf::from("none"));
    }

    #[test]
    fn what_is_no_line() {
        for line in [
            "",
            "rubbish",
            "22 1 0:20 /",
            "22 1 0:20 / /proc rw",
            "22 1 0:20 / /proc rw - proc",
        ] {
            assert_eq!(Mount::parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(lines(b"\n\n").count(), 0);
    }

    #[test]
    fn bytes_that_would_end_a_field() {
        for (field, want) in [
            ("a\\040b\\011\\012", "a b\t\n"),
            ("\\134040", "\\040"),
            ("\\", "\\"),
            ("\\04", "\\04"),
            ("\\089", "\\089"),
            ("\\+12", "\\+12"),
            ("\\777", "\\777"),
            ("\\\\040", "\\ "),
        ] {
            assert_eq!(unescaped(field.as_bytes()), want.as_bytes(), "{field}");
        }
        assert_eq!(unescaped(b"\\303\\244"), "\u{e4}".as_bytes());
    }
}
