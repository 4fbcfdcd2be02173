//! What cannot be read is said, and the rest compared.

use super::*;

/// FAT12 with the files A and B, each of five bytes in one cluster. A begins at cluster `first`, which is 2 if it is right.
fn fat(first: u16, a: &[u8; 5], b: &[u8; 5]) -> Vec<u8> {
    let mut image = vec![0; 64 * 512];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\xeb\x3c\x90by hand ");
    // Bytes of a sector, sectors of a cluster, sectors before the table, tables, entries of the root, sectors, medium, sectors of the table.
    put(11, &[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xf8, 1, 0]);
    put(38, b"\x29\x01\x02\x03\x04NO NAME    FAT12   ");
    put(510, b"\x55\xaa");
    // Clusters 2 and 3 are ends.
    put(512, b"\xf8\xff\xff\xff\xff\xff");
    for (at, name, cluster) in [(1024, b"A", first), (1056, b"B", 3)] {
        put(at, b"           \x20");
        put(at, name);
        put(at + 26, &cluster.to_le_bytes());
        put(at + 28, &5u32.to_le_bytes());
    }
    put(1536, a);
    put(2048, b);
    image
}

fn compared(old: &Vec<u8>, new: &Vec<u8>) -> (Vec<String>, Vec<String>) {
    let report = compare(("old", old), ("new", new), &Options::default()).unwrap();
    let files = report.differences.into_iter();
    let files = files.filter(|one| one.area == Area::File);
    (files.map(|one| one.place).collect(), report.not_read)
}

#[test]
fn a_file_that_cannot_be_read() {
    let right = fat(2, b"aaaaa", b"bbbbb");
    let (files, not_read) = compared(&right, &fat(2, b"aaaac", b"bbbbb"));
    assert_eq!((files, not_read), (vec!["/A".to_owned()], Vec::new()));
    let note = "/A: its content: the chain of cluster 1000 leads to 1000";
    // On both sides, on one.
    let (old, new) = (fat(1000, b"aaaaa", b"bbbbb"), fat(1000, b"aaaac", b"bbbbc"));
    assert_eq!(
        compared(&old, &new),
        (vec!["/B".to_owned()], vec![note.to_owned()])
    );
    let (_, not_read) = compared(&right, &new);
    assert_eq!(not_read, [note]);
}

#[test]
fn files_that_cannot_be_opened() {
    let (old, new) = (fat(2, b"aaaaa", b"bbbbb"), fat(2, b"aaaac", b"bbbbb"));
    let content = |image: &Vec<u8>| {
        let dump = inspect::dump(image, inspect::Options::default(), None);
        dump.unwrap().content.unwrap()
    };
    let (a, b) = (content(&old), content(&new));
    let mut report = compare(("old", &old), ("new", &old), &Options::default()).unwrap();
    let mut comparison = Comparison {
        options: &Options::default(),
        report: &mut report,
        outer: "outer ".to_owned(),
        depth: 1,
    };
    // No longer there when they are to be opened.
    let gone: &dyn Image = &vec![0; 4096];
    let (old, new) = ((gone, None, &a), (gone, None, &b));
    comparison.contents("", old, new).unwrap();
    let [note] = &report.not_read[..] else {
        panic!("{report:?}");
    };
    assert!(note.starts_with("outer: contents of its files: "), "{note}");
}
