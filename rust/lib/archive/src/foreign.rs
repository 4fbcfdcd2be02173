//! What a file is that somebody took for a tar archive.

/// How a format begins, what it is called, and what to do with it.
const FORMATS: [(&[u8], &str); 22] = [
    (
        b"\x1f\x8b",
        "compressed by gzip: decompress it first (gunzip)",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed by zstd: decompress it first (unzstd)",
    ),
    (
        b"\xfd7zXZ\0",
        "compressed by xz: decompress it first (unxz)",
    ),
    (b"BZh", "compressed by bzip2: decompress it first (bunzip2)"),
    (
        b"\x04\x22\x4d\x18",
        "compressed by lz4: decompress it first (unlz4)",
    ),
    (b"LZIP", "compressed by lzip: decompress it first (lzip -d)"),
    (
        b"\x1f\x9d",
        "compressed by compress: decompress it first (uncompress)",
    ),
    (
        b"\x5d\0\0",
        "compressed by lzma: decompress it first (unlzma)",
    ),
    (b"PK\x03\x04", "a zip archive: make a tar of its files"),
    (b"PK\x05\x06", "an empty zip archive: make a tar"),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive: make a tar of its files",
    ),
    (b"Rar!", "a rar archive: make a tar of its files"),
    (b"070701", "a cpio archive: make a tar of its files"),
    (b"070702", "a cpio archive: make a tar of its files"),
    (b"070707", "a cpio archive: make a tar of its files"),
    (b"\xc7\x71", "a cpio archive: make a tar of its files"),
    (
        b"!<arch>\n",
        "an ar archive, such as a .deb: the tar is in it",
    ),
    (
        b"\xed\xab\xee\xdb",
        "an rpm package: make a tar of its files",
    ),
    (b"hsqs", "a squashfs image: make a tar of its files"),
    (b"QFI\xfb", "a qcow2 disk image: make a tar of its files"),
    (b"\x7fELF", "a program"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS: fetch the file itself (git lfs pull)",
    ),
];

/// What a folder is.
pub(crate) const FOLDER: &str = "a folder: make a tar of it";

/// What a file is that begins with `start` and has no tar header there.
pub(crate) fn what(start: &[u8]) -> Option<&'static str> {
    if start.is_empty() {
        return Some("empty: even an archive without members has 1024 zeros");
    }
    let mut formats = FORMATS.iter();
    if let Some((_, what)) = formats.find(|(magic, _)| start.starts_with(magic)) {
        return Some(what);
    }
    // Frames that zstd passes over: sixteen magic numbers, little-endian.
    if matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return Some("compressed by zstd: decompress it first (unzstd)");
    }
    let is_text = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..);
    start.iter().all(is_text).then_some("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for (start, want) in [
            (&b""[..], Some("empty")),
            (b"\x1f\x8b\x08\0rest", Some("gzip")),
            (b"\x5e\x2a\x4d\x18", Some("zstd")),
            (b"{\"schemaVersion\": 2}\n", Some("text")),
            ("ümläut\n".as_bytes(), Some("text")),
            (b"usr/bin/\0\0", None),
            (&[0; 512], None),
        ] {
            let got = what(start);
            let fits = want.map_or(got.is_none(), |want| got.unwrap().contains(want));
            assert!(fits, "{} is {got:?}", start.escape_ascii());
        }
    }
}
