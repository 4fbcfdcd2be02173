//! Images in which something is not what it looks like, or cannot be read: the rest is compared, and what was not is said.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod support;

use imgdiff::{Content, Difference, Report};
use support::{report, tar};

/// The difference of the file or package of that place.
fn at<'a>(report: &'a Report, place: &str) -> &'a Difference {
    let found = report.differences.iter().find(|one| one.place == place);
    found.unwrap_or_else(|| panic!("{place}: {report:?}"))
}

/// Bytes that begin as an archive does, and are none.
fn no_archive(last: u8) -> Vec<u8> {
    let mut bytes = vec![b'x'; 1024];
    bytes[257..262].copy_from_slice(b"ustar");
    bytes[1023] = last;
    bytes
}

#[test]
fn what_only_looks_like_an_archive() {
    let old = tar(&[("a", &no_archive(1)), ("b", b"1\n")]);
    let new = tar(&[("a", &no_archive(2)), ("b", b"2\n")]);
    let report = report(&old, &new);
    let Some(Content::Text { lines, .. }) = &at(&report, "/b").content else {
        panic!("{report:?}");
    };
    assert_eq!(lines[1..], ["-1", "+2"]);
    let Some(Content::Bytes(bytes)) = &at(&report, "/a").content else {
        panic!("{report:?}");
    };
    assert_eq!((bytes.first, bytes.count), (Some(1023), 1));
    let [note] = &report.not_read[..] else {
        panic!("{report:?}");
    };
    assert!(
        note.starts_with("/a: as an image: an archive (tar): "),
        "{note}"
    );
    // Deeper, with the places of all that it is in; what was told of the one before it stays.
    let (old, new) = (tar(&[("in.tar", &old)]), tar(&[("in.tar", &new)]));
    let report = support::report(&old, &new);
    assert_eq!(at(&report, "/in.tar").content, Some(Content::Image));
    at(&report, "/in.tar /b");
    let note = &report.not_read[0];
    assert!(note.starts_with("/in.tar /a: as an image: "), "{note}");
}
