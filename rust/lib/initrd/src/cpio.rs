//! Archives as the kernel unpacks them: cpio in its "newc" form.
//!
//! Spec: *initramfs buffer format*. A header is 110 bytes of text, a magic and thirteen numbers of eight hexadecimal digits; then the
//! name with a NUL, then the content, each from a multiple of four on.
//!
//! | field                | we write                                                            |
//! |----------------------|---------------------------------------------------------------------|
//! | `c_magic`            | `070701`                                                            |
//! | `c_ino`              | 1, 2, 3, …; 0 for the trailer                                       |
//! | `c_mode`             | kind and permissions                                                |
//! | `c_uid`, `c_gid`     | 0                                                                   |
//! | `c_nlink`            | 2 for a folder, else 1: there are no hard links                     |
//! | `c_mtime`            | 0                                                                   |
//! | `c_filesize`         | length of a file, else 0                                            |
//! | `c_maj`, `c_min`     | 0                                                                   |
//! | `c_rmaj`, `c_rmin`   | number of a device, else 0                                          |
//! | `c_namesize`         | length of the name with its NUL                                     |
//! | `c_chksum`           | 0                                                                   |

use std::collections::BTreeMap;

use base::as_u64;

use crate::error::Error;

const HEADER: usize = 110;
const END: &str = "TRAILER!!!";
/// Where an archive ends: cpio(1) writes blocks of so many bytes.
const BLOCK: usize = 512;
/// The longest name that the kernel takes, which is PATH_MAX without its NUL.
const LONGEST_NAME: usize = 4095;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const DEVICE: u32 = 0o020_000;

/// What an archive is to hold.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// By path. In byte order a folder comes before what lies in it.
    entries: BTreeMap<String, Node>,
}

#[derive(Clone, Debug)]
enum Node {
    Folder,
    File {
        mode: u32,
        bytes: Vec<u8>,
        align: usize,
    },
    Device {
        mode: u32,
        major: u32,
        minor: u32,
    },
}

/// A header's numbers that differ from entry to entry.
struct Header {
    inode: u32,
    mode: u32,
    links: u32,
    device: (u32, u32),
}

impl Archive {
    /// Adds a folder, 0755; one that is there stays.
    pub fn folder(&mut self, path: &str) -> Result<(), Error> {
        check(path)?;
        self.parents(path)?;
        match self.entries.insert(path.to_owned(), Node::Folder) {
            None | Some(Node::Folder) => Ok(()),
            Some(_) => Err(Error::Twice(path.to_owned())),
        }
    }

    /// Adds a file with these permissions.
    pub fn file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) -> Result<(), Error> {
        let align = 4;
        self.insert(path, Node::File { mode, bytes, align })
    }

    /// Adds a file, 0644, whose content begins at a multiple of 16 bytes of the archive. The name gets more NULs for it, which end it as one does.
    pub fn aligned_file(&mut self, path: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let (mode, align) = (0o644, 16);
        self.insert(path, Node::File { mode, bytes, align })
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) -> Result<(), Error> {
        self.insert(path, Node::Device { mode, major, minor })
    }

    fn insert(&mut self, path: &str, node: Node) -> Result<(), Error> {
        check(path)?;
        self.parents(path)?;
        match self.entries.insert(path.to_owned(), node) {
            None => Ok(()),
            Some(_) => Err(Error::Twice(path.to_owned())),
        }
    }

    /// Adds the folders that lead to `path`.
    fn parents(&mut self, path: &str) -> Result<(), Error> {
        for (at, _) in path.match_indices('/') {
            let folder = path.get(..at).unwrap_or_default();
            let node = self.entries.entry(folder.to_owned());
            if !matches!(node.or_insert(Node::Folder), Node::Folder) {
                return Err(Error::EntryName {
                    name: path.to_owned(),
                    reason: format!("lies under {folder:?}, which is no folder"),
                });
            }
        }
        Ok(())
    }

    /// The archive's bytes, with its end and zeros up to a whole block.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        for (number, (path, node)) in (1_u64..).zip(&self.entries) {
            let inode = fits("the number", path, number)?;
            let header = |mode: u32, links: u32, device: (u32, u32)| Header {
                inode,
                mode,
                links,
                device,
            };
            match node {
                Node::Folder => record(&mut out, path, &header(FOLDER | 0o755, 2, (0, 0)), &[], 4)?,
                Node::File { mode, bytes, align } => {
                    let header = header(FILE | mode, 1, (0, 0));
                    record(&mut out, path, &header, bytes, *align)?;
                }
                Node::Device { mode, major, minor } => {
                    let header = header(DEVICE | mode, 1, (*major, *minor));
                    record(&mut out, path, &header, &[], 4)?;
                }
            }
        }
        let end = Header {
            inode: 0,
            mode: 0,
            links: 1,
            device: (0, 0),
        };
        record(&mut out, END, &end, &[], 4)?;
        pad(&mut out, END, BLOCK)?;
        Ok(out)
    }
}

/// Whether `path` may be in an archive.
fn check(path: &str) -> Result<(), Error> {
    let bad = |reason: String| {
        let name = path.to_owned();
        Err(Error::EntryName { name, reason })
    };
    if let Err(wrong) = base::path::check(path.as_ref()) {
        return bad(format!("{}; wanted {}", wrong.problem, wrong.wanted));
    }
    if path == END {
        return bad("ends the archive".to_owned());
    }
    if path.len() > LONGEST_NAME {
        let len = path.len();
        return bad(format!("has {len} bytes, want {LONGEST_NAME} at most"));
    }
    Ok(())
}

fn fits(what: &'static str, name: &str, got: u64) -> Result<u32, Error> {
    u32::try_from(got).map_err(|_| Error::Number {
        what,
        name: name.to_owned(),
        got,
    })
}

/// Appends an entry whose content begins at a multiple of `align`.
fn record(
    out: &mut Vec<u8>,
    path: &str,
    header: &Header,
    bytes: &[u8],
    align: usize,
) -> Result<(), Error> {
    let name = path.len().checked_add(1);
    let name = match align {
        4 => name,
        _ => name_to(out.len(), path.len(), align),
    };
    let too_long = || Error::Number {
        what: "the place",
        name: path.to_owned(),
        got: as_u64(out.len()),
    };
    let name = name.ok_or_else(too_long)?;
    let size = fits("the length", path, as_u64(bytes.len()))?;
    let name_size = fits("the length of the name", path, as_u64(name))?;
    let (major, minor) = header.device;
    let numbers = [
        header.inode,
        header.mode,
        0,
        0,
        header.links,
        0,
        size,
        0,
        0,
        major,
        minor,
        name_size,
        0,
    ];
    out.extend_from_slice(b"070701");
    for number in numbers {
        out.extend_from_slice(format!("{number:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    let nuls = name.abs_diff(path.len());
    out.extend(std::iter::repeat_n(0, nuls));
    pad(out, path, 4)?;
    out.extend_from_slice(bytes);
    pad(out, path, 4)
}

/// How long a name becomes by NULs that bring what follows to a multiple of `align`, in an archive of `at` bytes so far.
fn name_to(at: usize, len: usize, align: usize) -> Option<usize> {
    let start = at.checked_add(HEADER)?;
    let end = start.checked_add(len)?.checked_add(1)?;
    end.checked_next_multiple_of(align)?.checked_sub(start)
}

/// Appends zeros up to a multiple of `to`.
fn pad(out: &mut Vec<u8>, path: &str, to: usize) -> Result<(), Error> {
    let end = out.len().checked_next_multiple_of(to);
    let end = end.ok_or_else(|| Error::Number {
        what: "the place",
        name: path.to_owned(),
        got: as_u64(out.len()),
    })?;
    out.resize(end, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_by_the_document() {
        let mut archive = Archive::default();
        archive.device("dev/console", 0o600, 5, 1).unwrap();
        let bytes = archive.write().unwrap();
        let folder = "070701\
            00000001000041ED0000000000000000000000020000000000000000\
            00000000000000000000000000000000000000040000000\
            0dev\0\0\0";
        assert_eq!(folder.len(), 116);
        assert_eq!(std::str::from_utf8(&bytes[..116]).unwrap(), folder);
        let device = "070701\
            00000002000021800000000000000000000000010000000000000000\
            000000000000000000000005000000010000000C00000000dev/console\0";
        assert_eq!(std::str::from_utf8(&bytes[116..116 + 122]).unwrap(), device);
        // 122 bytes, zeros up to 124; then the end.
        let end = &bytes[116 + 124..];
        assert!(end.starts_with(b"07070100000000000000000000000000000000000000010000"));
        assert_eq!(&end[94..121], b"0000000B00000000TRAILER!!!\0");
        assert!(bytes[116 + 124 + 121..].iter().all(|byte| *byte == 0));
        assert_eq!(bytes.len(), 512);
    }

    #[test]
    fn content_can_begin_at_sixteen() {
        for len in 1..40 {
            let mut archive = Archive::default();
            let name = "n".repeat(len);
            archive.aligned_file(&name, b"CONTENT".to_vec()).unwrap();
            let bytes = archive.write().unwrap();
            let at = bytes.windows(7).position(|part| part == b"CONTENT");
            assert_eq!(at.unwrap() % 16, 0, "{len}");
        }
    }

    #[test]
    fn refused() {
        let mut archive = Archive::default();
        archive.file("a", 0o644, Vec::new()).unwrap();
        let says = |error: Result<(), Error>| error.unwrap_err().to_string();
        assert_eq!(
            says(archive.file("a", 0o644, Vec::new())),
            "an archive gets \"a\" twice: every path may be there once"
        );
        assert_eq!(
            says(archive.file("a/b", 0o644, Vec::new())),
            "an archive cannot have \"a/b\": it lies under \"a\", which is no folder"
        );
        assert_eq!(
            says(archive.folder("TRAILER!!!")),
            "an archive cannot have \"TRAILER!!!\": it ends the archive"
        );
        assert_eq!(
            says(archive.folder("/x")),
            "an archive cannot have \"/x\": it begins with /; wanted a path below a folder, such as a/b"
        );
        assert!(says(archive.folder(&"x".repeat(4096)))
            .ends_with("it has 4096 bytes, want 4095 at most"));
        assert_eq!(
            fits("the length", "x", 1 << 32).unwrap_err().to_string(),
            "the length of \"x\" is 4294967296, want 4294967295 at most"
        );
        archive.folder("x").unwrap();
        archive.folder("x").unwrap();
    }
}
