//! A reader of archives by the kernel's document, which shares nothing with the writer.

/// An entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub mode: u32,
    pub device: (u32, u32),
    /// Where the content begins.
    pub at: usize,
    pub bytes: Vec<u8>,
}

/// The entries of the archive that `all` begins with, and what follows it, zeros left out. Whatever is not as the document says panics.
pub fn read(all: &[u8]) -> (Vec<Entry>, &[u8]) {
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = 0;
    loop {
        assert_eq!(at % 4, 0, "headers begin at multiples of 4");
        let header = &all[at..at + 110];
        assert_eq!(&header[..6], b"070701");
        let number = |field: usize| {
            let digits = &header[6 + 8 * field..][..8];
            assert!(digits.iter().all(u8::is_ascii_hexdigit));
            u32::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
        };
        let (size, name_size) = (number(6) as usize, number(11) as usize);
        let name = &all[at + 110..][..name_size];
        assert_eq!(name.last(), Some(&0));
        let name = name.split(|byte| *byte == 0).next().unwrap();
        let name = std::str::from_utf8(name).unwrap().to_owned();
        let start = (at + 110 + name_size).next_multiple_of(4);
        let bytes = all[start..start + size].to_vec();
        let zeros = &all[start + size..(start + size).next_multiple_of(4)];
        assert!(zeros.iter().all(|byte| *byte == 0));
        at = (start + size).next_multiple_of(4);
        // Owner, time, device that the file is on, checksum.
        for zero in [2, 3, 5, 7, 8, 12] {
            assert_eq!(number(zero), 0, "{name}");
        }
        if name == "TRAILER!!!" {
            assert_eq!((number(0), number(1), number(4), size), (0, 0, 1, 0));
            let rest = &all[at..];
            let zeros = rest.iter().take_while(|byte| **byte == 0).count();
            assert_eq!((at + zeros) % 512, 0, "whole blocks");
            return (entries, &rest[zeros..]);
        }
        let mode = number(1);
        let folder = mode & 0o170000 == 0o040000;
        assert_eq!(number(4), if folder { 2 } else { 1 }, "links of {name}");
        assert_eq!(number(0) as usize, entries.len() + 1, "inode of {name}");
        if let Some((parent, _)) = name.rsplit_once('/') {
            let parent = entries.iter().find(|entry| entry.name == parent);
            assert_eq!(parent.expect("parents first").mode & 0o170000, 0o040000);
        }
        entries.push(Entry {
            name,
            mode,
            device: (number(9), number(10)),
            at: start,
            bytes,
        });
    }
}
