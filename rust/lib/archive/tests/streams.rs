//! Archives read member by member: [`list`] for what can seek, [`Stream`] for what cannot.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::io::{Cursor, Read};

use archive::{index, list, Error, Kind, Stream};

use crate::common::{member, pax, with_data};

fn text(stream: &mut Stream<&[u8]>) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_stream_hands_out_members_with_their_data() {
    let end = vec![0; 1024];
    let bytes = [
        with_data(b"a", b'0', b"first"),
        member(b"d", b'5', b""),
        with_data(b"b", b'0', b"second"),
        with_data(b"c", b'0', b"third"),
        end,
    ]
    .concat();
    let mut stream = Stream::new(&bytes[..]);
    let path = |stream: &mut Stream<&[u8]>| stream.next_entry().unwrap().unwrap().path;
    assert_eq!((stream.position(), path(&mut stream)), (0, b"a".to_vec()));
    assert_eq!(stream.position(), 512);
    assert_eq!(text(&mut stream), "first");
    assert_eq!(
        (path(&mut stream), text(&mut stream)),
        (b"d".to_vec(), String::new())
    );
    // Of this one nothing is read, of the next one a part.
    assert_eq!(path(&mut stream), b"b");
    assert_eq!(path(&mut stream), b"c");
    let mut part = [0; 2];
    stream.read_exact(&mut part).unwrap();
    assert_eq!((&part, stream.position()), (b"th", 6 * 512 + 2));
    assert_eq!(text(&mut stream), "ird");
    assert!(stream.next_entry().unwrap().is_none());
}

/// The end of an archive is a block of zeros, and whoever hands a stream on may have lost it.
#[test]
fn a_stream_without_end_is_cut_off() {
    let file = with_data(b"a", b'0', b"data");
    let mut stream = Stream::new(&file[..]);
    stream.next_entry().unwrap().unwrap();
    let error = stream.next_entry().unwrap_err();
    let what = "its last blocks";
    assert!(
        matches!(error, Error::Truncated { at: 1024, what: got } if got == what),
        "{error}"
    );
    let bytes = [file, vec![0; 512]].concat();
    let mut stream = Stream::new(&bytes[..]);
    stream.next_entry().unwrap().unwrap();
    assert!(stream.next_entry().unwrap().is_none());
}

struct Fails;

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::TimedOut.into())
    }
}

#[test]
fn a_stream_that_fails() {
    let error = Stream::new(Fails).next_entry().unwrap_err();
    assert!(matches!(error, Error::Read { offset: 0, .. }), "{error}");
}

#[test]
fn a_list_ends_at_the_first_error() {
    let file = with_data(b"a", b'0', b"data");
    let bytes = [file.clone(), file.clone(), vec![0; 1024]].concat();
    let paths = list(Cursor::new(&bytes))
        .unwrap()
        .map(|entry| entry.unwrap().path);
    assert_eq!(paths.collect::<Vec<_>>(), [b"a", b"a"]);
    let bad = [file.clone(), vec![b'x'; 512], file].concat();
    let mut all = list(Cursor::new(&bad)).unwrap();
    assert!(all.next().unwrap().is_ok());
    // That begins like text, but text has no member before it.
    let error = all.next().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("member at byte 1024 (``): "), "{error}");
    assert!(all.next().is_none());
}

/// Files of which data is missing are not handed out.
#[test]
fn the_data_of_each_file_lies_within_the_archive() {
    let plain = with_data(b"f", b'0', b"data");
    let records = pax(&[("GNU.sparse.size", b"9"), ("GNU.sparse.map", b"2,4")]);
    for before in [Vec::new(), records] {
        let bytes = [before.clone(), plain.clone()].concat();
        let whole = before.len() + 512 + 4;
        let first = list(Cursor::new(&bytes[..whole])).unwrap().next();
        let entry = first.unwrap().unwrap();
        assert!(entry.kind.is_file());
        let first = list(Cursor::new(&bytes[..whole - 1])).unwrap().next();
        let error = first.unwrap().unwrap_err();
        let what = "a member's data";
        assert!(
            matches!(error, Error::Truncated { what: got, .. } if got == what),
            "{error}"
        );
    }
}

#[test]
fn an_extended_header_that_is_cut_off() {
    let bytes = pax(&[("path", b"abc")]);
    let error = index(Cursor::new(&bytes[..520])).unwrap_err().to_string();
    assert_eq!(error, "archive ends at byte 520, inside an extended header");
}

/// The size in an extended header counts, whatever the header itself says.
#[test]
fn sizes_in_records() {
    let bytes = [
        pax(&[("size", b"4")]),
        member(b"f", b'0', b""),
        b"data".to_vec(),
        vec![0; 508],
        member(b"g", b'0', b""),
    ]
    .concat();
    let entries = index(Cursor::new(&bytes)).unwrap();
    let file = |offset, len| Kind::File { offset, len };
    assert_eq!(entries[0].kind, file(1536, 4));
    assert_eq!(entries[1].kind, file(2560, 0));
}
