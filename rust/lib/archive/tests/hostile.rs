//! Archives made to harm: each is refused with the reason, by the index and by unpacking, and nothing is written outside.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs;
use std::io::Cursor;

use archive::{index, unpack_with, Error, Reason, UnpackOptions};
use proptest::prelude::*;

use crate::common::{header, member, with_data};

/// Refused by both readers for the same reason; the folder beside the target stays as it was.
fn reason(archive: &[Vec<u8>]) -> Reason {
    let mut bytes = archive.concat();
    bytes.resize(bytes.len() + 1024, 0);
    let indexed = index(Cursor::new(&bytes)).unwrap_err();
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("a/b/target");
    fs::create_dir_all(&target).unwrap();
    let unpacked = unpack_with(
        bytes.as_slice(),
        &target,
        &UnpackOptions::default().owners(false),
    )
    .unwrap_err();
    assert_eq!(format!("{indexed}"), format!("{unpacked}"));
    let outside: Vec<_> = fs::read_dir(dir.path().join("a/b")).unwrap().collect();
    assert_eq!(outside.len(), 1);
    match indexed {
        Error::Refused { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn escaping_paths() {
    assert_eq!(reason(&[member(b"../x", b'0', b"")]), Reason::Climbs);
    assert_eq!(reason(&[member(b"a/../../x", b'5', b"")]), Reason::Climbs);
    assert_eq!(reason(&[member(b"/tmp/x", b'0', b"")]), Reason::Absolute);
    assert_eq!(reason(&[member(b"", b'0', b"")]), Reason::BadPath);
    assert_eq!(reason(&[member(b".", b'2', b"/")]), Reason::BadPath);
    let pax = with_data(b"p", b'x', b"16 path=../evil\n");
    assert_eq!(reason(&[pax, member(b"x", b'0', b"")]), Reason::Climbs);
    let gnu = with_data(b"././@LongLink", b'L', b"../evil\0");
    assert_eq!(reason(&[gnu, member(b"x", b'0', b"")]), Reason::Climbs);
    let nul = with_data(b"p", b'x', b"12 path=a\0b\n");
    assert_eq!(reason(&[nul, member(b"x", b'0', b"")]), Reason::BadPath);
}

#[test]
fn through_links() {
    let through = Reason::ThroughNonDir("l".to_owned());
    for target in [&b"/"[..], b"../..", b"."] {
        let archive = [member(b"l", b'2', target), member(b"l/x", b'0', b"")];
        assert_eq!(reason(&archive), through);
    }
    let archive = [member(b"l", b'2', b".."), member(b"l/d", b'5', b"")];
    assert_eq!(reason(&archive), through);
    // A link instead of the folder that was there.
    let archive = [member(b"l/x", b'0', b""), member(b"l", b'2', b"/")];
    assert_eq!(reason(&archive), Reason::CoversDir);
    let archive = [member(b"l", b'5', b""), member(b"l", b'2', b"/")];
    assert_eq!(reason(&archive), Reason::NoLongerDir);
    let archive = [member(b"l", b'2', b"/"), member(b"l", b'5', b"")];
    assert_eq!(reason(&archive), Reason::BecomesDir);
    // A file first, then a link in its place.
    let archive = [
        member(b"l", b'0', b""),
        member(b"l", b'2', b"/"),
        member(b"l/x", b'0', b""),
    ];
    assert_eq!(reason(&archive), through);
    // The same link again under another name is a link too.
    let archive = [
        member(b"l", b'2', b"/"),
        member(b"m", b'1', b"l"),
        member(b"m/x", b'0', b""),
    ];
    assert_eq!(reason(&archive), Reason::ThroughNonDir("m".to_owned()));
}

#[test]
fn hard_links() {
    for target in ["/etc/passwd", "../x", "later", "d", "", "self"] {
        let archive = [
            member(b"d", b'5', b""),
            member(b"self", b'1', target.as_bytes()),
            member(b"later", b'0', b""),
        ];
        assert_eq!(reason(&archive), Reason::HardLink(target.to_owned()));
    }
}

#[test]
fn kinds() {
    assert_eq!(
        reason(&[member(b"x", b'Q', b"")]),
        Reason::Type("Q".to_owned(), "")
    );
    for typeflag in *b"DMNAEI" {
        let Reason::Type(_, why) = reason(&[member(b"x", typeflag, b"")]) else {
            panic!("{typeflag}");
        };
        assert!(!why.is_empty());
    }
    assert_eq!(
        reason(&[with_data(b"x", b'2', b"data")]),
        Reason::BadTarget,
        "a link to nowhere"
    );
    let link = header(b"x", b'2', b"y", b"00000000004\0");
    assert_eq!(reason(&[link]), Reason::UnexpectedData(4));
    let global = with_data(b"g", b'g', b"16 path=dir/abc\n");
    assert!(matches!(reason(&[global]), Reason::Record { .. }));
}

#[test]
fn claimed_sizes() {
    // 8 GiB in octal and 2^63 in base-256: neither read nor allocated.
    let octal = header(b"big", b'0', b"", b"77777777777\0");
    let base256 = header(
        b"big",
        b'0',
        b"",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
    );
    for block in [octal.clone(), base256] {
        let bytes = [block, vec![0; 2048]].concat();
        let error = index(Cursor::new(&bytes)).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let options = UnpackOptions::default().owners(false);
        let error = unpack_with(bytes.as_slice(), dir.path(), &options).unwrap_err();
        assert!(matches!(error, Error::Truncated { .. }), "{error}");
    }
    let over = header(
        b"big",
        b'0',
        b"",
        b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    assert_eq!(reason(&[over]), Reason::Number { field: "size" });
    let negative = header(b"big", b'0', b"", &[0xff; 12]);
    assert_eq!(reason(&[negative]), Reason::Number { field: "size" });
    for typeflag in *b"xLKg" {
        let block = header(b"h", typeflag, b"", b"77777777777\0");
        assert_eq!(reason(&[block]), Reason::Extended("over 1 MiB long"));
    }
    let half = with_data(
        b"p",
        b'x',
        format!("600000 comment={}\n", "x".repeat(599_984)).as_bytes(),
    );
    let why = Reason::Extended("over 1 MiB long with those before it");
    assert_eq!(reason(&[half.clone(), half, member(b"x", b'0', b"")]), why);
}

#[test]
fn a_link_that_was_there_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("target");
    let outside = dir.path().join("outside");
    fs::create_dir(&target).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, target.join("etc")).unwrap();
    for name in [&b"etc/x"[..], b"etc"] {
        let bytes = [member(name, b'0', b""), vec![0; 1024]].concat();
        let options = UnpackOptions::default().owners(false);
        assert!(unpack_with(bytes.as_slice(), &target, &options).is_err());
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn damage_is_placed() {
    let mut bytes = [member(b"a", b'0', b""), member(b"b", b'0', b"")].concat();
    bytes[512] = b'c';
    let error = index(Cursor::new(&bytes)).unwrap_err().to_string();
    assert!(
        error.starts_with("member at byte 512 (``): header checksum is "),
        "{error}"
    );
    bytes.truncate(700);
    let error = index(Cursor::new(&bytes)).unwrap_err().to_string();
    assert_eq!(error, "archive ends at byte 700, inside a header");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any bytes, and bytes with a few changed: an answer, never a panic.
    #[test]
    fn noise(
        changes in prop::collection::vec((0_usize..4096, any::<u8>()), 0..8),
        fix_sums in any::<bool>(),
    ) {
        let mut bytes = [
            with_data(b"p", b'x', b"16 path=dir/abc\n"),
            with_data(b"x", b'0', b"data"),
            member(b"l", b'2', b"dir"),
            member(b"h", b'1', b"dir/abc"),
            vec![0; 1024],
        ].concat();
        let len = bytes.len();
        for (at, value) in changes {
            bytes[at % len] = value;
        }
        if fix_sums {
            for block in bytes.chunks_mut(512).filter(|b| b[257..262] == *b"ustar") {
                block[148..156].fill(b' ');
                let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let indexed = index(Cursor::new(&bytes)).is_ok();
        let dir = tempfile::tempdir().unwrap();
        let options = UnpackOptions::default().owners(false);
        let unpacked = unpack_with(bytes.as_slice(), dir.path(), &options);
        // Unpacking may also fail for what a file system does not take.
        if !indexed {
            prop_assert!(unpacked.is_err());
        }
    }
}
