//! A made-up root file system: a kernel with a few modules, and firmware.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::elf::module;
use plan::ImageSet;
use tree::{Entry, Input, Kind, Source, Stamp, Tree};

/// A file by `xz --check=crc32`, made here of one LZMA2 chunk that is not compressed.
pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    crc >> 1 ^ 0xedb8_8320
                } else {
                    crc >> 1
                };
            }
        }
        (!crc).to_le_bytes()
    };
    let number = |mut number: usize| {
        let mut out = Vec::new();
        while number > 0x7f {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
        out
    };
    let flags = [0, 1];
    let mut out = b"\xfd7zXZ\0".to_vec();
    out.extend(flags);
    out.extend(crc(&flags));
    let head = [2, 0, 0x21, 1, 0x16, 0, 0, 0];
    out.extend(head);
    out.extend(crc(&head));
    let mut block = vec![1];
    block.extend((bytes.len() as u16 - 1).to_be_bytes());
    block.extend(bytes);
    block.push(0);
    // Header, content, check.
    let size = 12 + block.len() + 4;
    block.resize(block.len().next_multiple_of(4), 0);
    out.extend(block);
    out.extend(crc(bytes));
    let mut index = vec![0, 1];
    index.extend(number(size));
    index.extend(number(bytes.len()));
    index.resize(index.len().next_multiple_of(4), 0);
    out.extend(&index);
    out.extend(crc(&index));
    let mut footer = ((index.len() as u32 + 4) / 4 - 1).to_le_bytes().to_vec();
    footer.extend(flags);
    out.extend(crc(&footer));
    out.extend(footer);
    out.extend(b"YZ");
    out
}

/// Files and links by path.
#[derive(Clone, Default)]
pub struct Files {
    pub files: BTreeMap<String, Vec<u8>>,
    pub links: BTreeMap<String, String>,
}

pub const R: &str = "usr/lib/modules/6.1-x";

impl Files {
    /// A kernel with modules, firmware and microcode.
    pub fn new() -> Self {
        let mut new = Self::default();
        for (path, bytes) in [
            ("kernel/a/disk-a.ko.xz", xz(&module("disk_a", &["fw/one.bin", "fw/gone", "../../shadow", "/abs"]))),
            ("kernel/b/bus.ko.zst", zstd::encode_all(&module("bus", &["fw/dir*/b*.bin", "linked"])[..], 3).unwrap()),
            ("kernel/c/core.ko", module("core", &[])),
            ("kernel/c/soft.ko", module("soft", &[])),
            ("kernel/z/other.ko", module("other", &["fw/other"])),
            ("modules.builtin", b"kernel/fs/ext4.ko\n".to_vec()),
            (
                "modules.dep",
                b"kernel/z/other.ko:\nkernel/a/disk-a.ko.xz: kernel/b/bus.ko.zst kernel/c/core.ko\n\
                  kernel/b/bus.ko.zst: kernel/c/core.ko\nkernel/c/core.ko:\nkernel/c/soft.ko:\n"
                    .to_vec(),
            ),
            (
                "modules.alias",
                b"# made by depmod\nalias pci:v2* other\nalias pci:v1* disk_a\nalias acpi* disk_a\nalias bus-0 bus\nalias crypto-soft soft\n"
                    .to_vec(),
            ),
            (
                "modules.softdep",
                b"# made by depmod\nsoftdep other pre: core\nsoftdep bus pre: crypto-soft gone post: ext4\n".to_vec(),
            ),
        ] {
            new.add(&format!("{R}/{path}"), bytes);
        }
        for (path, bytes) in [
            ("fw/one.bin", b"one".to_vec()),
            ("fw/other", b"other".to_vec()),
            ("fw/dir1/b1.bin.xz", xz(b"b1")),
            (
                "fw/dir2/b2.bin.zst",
                zstd::encode_all(&b"b2"[..], 3).unwrap(),
            ),
            ("fw/dir2/c.bin", b"c".to_vec()),
            ("shadow", b"not firmware".to_vec()),
            ("amd-ucode/microcode_2.bin", b"amd2".to_vec()),
            ("amd-ucode/microcode_1.bin", b"amd1".to_vec()),
            ("amd-ucode/microcode_1.bin.asc", b"signature".to_vec()),
            ("intel-ucode/06-02-03", b"intel2".to_vec()),
            ("intel-ucode/06-01-03", b"intel1".to_vec()),
        ] {
            new.add(&format!("usr/lib/firmware/{path}"), bytes);
        }
        let link = "usr/lib/firmware/linked".to_owned();
        new.links
            .insert(link, "/usr/lib/firmware/fw/one.bin".to_owned());
        new
    }

    pub fn add(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.files.insert(path.to_owned(), bytes.into());
    }

    /// Its tree; the bytes lie in one file of `dir`, backwards if they are to lie in another order.
    pub fn tree(&self, dir: &tempfile::TempDir, backwards: bool) -> (Tree, ImageSet, PathBuf) {
        let stamp = Stamp {
            mode: 0o640,
            uid: 7,
            gid: 8,
            mtime: if backwards { 9 } else { 99 },
            mtime_nanos: 1,
        };
        let mut files: Vec<_> = self.files.iter().collect();
        if backwards {
            files.reverse();
        }
        let all: Vec<u8> = files
            .iter()
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect();
        let path = dir.path().join("input");
        fs::write(&path, &all).unwrap();
        let mut tree = Tree::new(Stamp {
            mode: 0o755,
            ..stamp
        });
        let input = tree.add_input(Input {
            len: all.len() as u64,
        });
        let mut offset = 0;
        for (path, bytes) in files {
            let len = bytes.len() as u64;
            let kind = Kind::File(Source { input, offset, len });
            offset += len;
            tree.insert(path.as_bytes(), Entry::injected(kind, stamp), "test")
                .unwrap();
        }
        for (path, target) in &self.links {
            let target = target.as_bytes().to_vec();
            let entry = Entry::injected(Kind::Symlink { target }, stamp);
            tree.insert(path.as_bytes(), entry, "test").unwrap();
        }
        let bodies = ImageSet::open(&[&path]).unwrap();
        (tree, bodies, path)
    }
}
