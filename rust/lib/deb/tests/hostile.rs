//! Packages made to harm, and damaged ones: each is refused with the reason, and nothing is written outside.

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
use std::io::{Cursor, Read, Write};

use archive::{unpack_with, Entry, Kind, UnpackOptions, Writer};
use deb::{Deb, Error, Part};
use proptest::prelude::*;

use crate::common::{ar, deb, header, tar, CONTROL};

fn open(bytes: &[u8]) -> Result<Deb<Cursor<&[u8]>>, Error> {
    Deb::open(Cursor::new(bytes))
}

/// All of a package.
fn read(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut deb = open(bytes)?;
    deb.control()?;
    let mut out = Vec::new();
    let mut data = deb.data()?;
    data.read_to_end(&mut out).map_err(|source| Error::Unpack {
        part: Part::Data,
        source,
    })?;
    data.finish()?;
    Ok(out)
}

fn said(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn good() -> Vec<u8> {
    deb(&tar(&[("control", CONTROL)]), &tar(&[("usr/a", b"a")]))
}

#[test]
fn no_package() {
    assert_eq!(
        said(b""),
        "this is no Debian package: got an empty file, want an ar archive that begins with the member debian-binary"
    );
    assert!(
        said(b"\x7fELF").contains("begins with \"\\\\x7fELF\""),
        "{}",
        said(b"\x7fELF")
    );
    assert!(said(b"!<arch>\n").contains("an archive without members"));
    assert!(said(&ar(&[("x.o", b"")])).contains("begins with the member x.o"));
}

#[test]
fn versions() {
    let of = |version: &[u8]| {
        ar(&[
            ("debian-binary", version),
            ("control.tar", &tar(&[("control", CONTROL)])),
            ("data.tar", &tar(&[])),
        ])
    };
    for good in [&b"2.0\n"[..], b"2.1\nmore\n", b"2.99\n"] {
        read(&of(good)).unwrap();
    }
    for bad in [&b""[..], b"2.\n", b"3.0\n", b"2.x\n", b"0.939000\n"] {
        let said = said(&of(bad));
        assert!(said.starts_with("debian-binary says version"), "{said}");
    }
}

#[test]
fn members() {
    let (control, data) = (tar(&[("control", CONTROL)]), tar(&[]));
    let version = ("debian-binary", &b"2.0\n"[..]);
    let (c, d) = (("control.tar", &*control), ("data.tar", &*data));
    let extra = ("_gpg", &b"x"[..]);
    // As deb(5) has it.
    read(&ar(&[version, extra, c, extra, d, ("later", b"x")])).unwrap();
    read(&ar(&[
        version,
        ("control.tar/", &control),
        ("data.tar/", &data),
    ]))
    .unwrap();
    for (members, want) in [
        (vec![version], "the file ends without a member control.tar"),
        (vec![version, c], "the file ends without a member data.tar"),
        (
            vec![version, d, c],
            "member at byte 72 is `data.tar`, want control.tar, packed with gzip, xz, zstd or not at all",
        ),
        (
            vec![version, ("new", b""), c, d],
            "member at byte 72 is `new`, want control.tar, packed with gzip, xz, zstd or not at all",
        ),
        (
            vec![version, ("control.tar.bz2", b"")],
            "member at byte 72 is `control.tar.bz2`, want control.tar, packed with gzip, xz, zstd or not at all",
        ),
        (vec![version; 1].into_iter().chain(vec![extra; 70]).collect(), "more than 64 members before data.tar"),
    ] {
        assert_eq!(said(&ar(&members)), want);
    }
}

#[test]
fn sizes() {
    let begin = ar(&[("debian-binary", b"2.0\n")]);
    let with = |header: Vec<u8>| [begin.clone(), header].concat();
    for size in ["", "-1", "1x", "0x10", "99999999999"] {
        let said = said(&with(header("control.tar", size)));
        assert!(
            said.contains("its size") || said.contains("its end"),
            "{size}: {said}"
        );
    }
    assert_eq!(
        said(&with(header("control.tar", "9999999999"))),
        "the file ends at byte 132, but its member control.tar reaches to byte 10000000131"
    );
    let mut bad = header("control.tar", "0");
    bad[58] = b'x';
    assert!(said(&with(bad)).contains("its end is \"x\\\\n\""));
    assert!(said(&with(header("a/b", "0"))).contains("its name"));
    assert!(said(&with(header("", "0"))).contains("its name"));
}

#[test]
fn cut_anywhere() {
    let whole = good();
    for packed in [false, true] {
        let whole = match packed {
            false => whole.clone(),
            true => ar(&[
                ("debian-binary", b"2.0\n"),
                ("control.tar.zst", &zstd(&tar(&[("control", CONTROL)]))),
                ("data.tar.gz", &gzip(&tar(&[("a", b"a")]))),
            ]),
        };
        // What pads the last member may be missing.
        let last = whole.len() - whole.len() % 2 - 1;
        for len in 0..last {
            assert!(read(&whole[..len]).is_err(), "{len} of {}", whole.len());
        }
        read(&whole).unwrap();
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn damaged_packing() {
    for (suffix, packed) in [("gz", gzip(&tar(&[("a", b"a")]))), ("zst", zstd(&tar(&[])))] {
        let name = format!("data.tar.{suffix}");
        let with = |data: &[u8]| {
            ar(&[
                ("debian-binary", b"2.0\n"),
                ("control.tar", &tar(&[("control", CONTROL)])),
                (&*name, data),
            ])
        };
        read(&with(&packed)).unwrap();
        let (short, _) = packed.split_at(packed.len() - 5);
        for bad in [
            short,
            b"nothing of the kind",
            &[&packed[..], b"more"].concat(),
        ] {
            let said = said(&with(bad));
            assert!(
                said.starts_with("cannot unpack data.tar: "),
                "{suffix}: {said}"
            );
        }
    }
    // A dictionary of 1.5 GiB, as a header may ask for.
    let xz = [
        &b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36"[..],
        b"\x02\x00\x21\x01\x25\x00\x00\x00",
    ]
    .concat();
    let crc = crc32(&xz[12..]).to_le_bytes();
    let bomb = [&xz[..], &crc, &[0; 64]].concat();
    let bytes = ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", &tar(&[("control", CONTROL)])),
        ("data.tar.xz", &bomb),
    ]);
    assert!(said(&bytes).contains("memory"), "{}", said(&bytes));
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn control_files() {
    let of = |files: &[(&str, &[u8])]| deb(&tar(files), &tar(&[]));
    assert_eq!(
        said(&of(&[("postinst", b"")])),
        "control.tar has no file `control`"
    );
    assert_eq!(
        said(&of(&[("control", CONTROL), ("a/b", b"")])),
        "control.tar has \"a/b\", which is a file in a folder; want plain files and no folders"
    );
    assert_eq!(
        said(&of(&[("control", CONTROL), ("control", CONTROL)])),
        "control.tar has the file \"control\" twice"
    );
    let large = vec![0; 9 << 20];
    let said_of_large = said(&of(&[("control", CONTROL), ("a", &large), ("b", &large)]));
    assert!(
        said_of_large.starts_with("control.tar has more than"),
        "{said_of_large}"
    );
    let mut writer = Writer::new(Vec::new());
    let link = Kind::Symlink {
        target: b"/etc/passwd".to_vec(),
    };
    writer
        .append(&Entry::new("control", link, 0o777), std::io::empty())
        .unwrap();
    assert_eq!(
        said(&deb(&writer.finish().unwrap(), &tar(&[]))),
        "control.tar has \"control\", which is a link; want plain files and no folders"
    );
}

#[test]
fn files_that_would_lie_elsewhere() {
    let link = |path: &str, target: &str| {
        let target = target.as_bytes().to_vec();
        Entry::new(path, Kind::Symlink { target }, 0o777)
    };
    let file = |path: &str| Entry::new(path, Kind::File { offset: 0, len: 0 }, 0o644);
    let hard = |path: &str, target: &str| {
        let target = target.as_bytes().to_vec();
        Entry::new(path, Kind::HardLink { target }, 0o644)
    };
    for (entries, want) in [
        (
            vec![link("out", "../.."), file("out/x")],
            "leads through `out`",
        ),
        (
            vec![link("out", "/"), hard("x", "out/etc/passwd")],
            "hard link to",
        ),
        (vec![hard("x", "etc/passwd")], "hard link to"),
    ] {
        let mut bytes = Vec::new();
        for entry in &entries {
            bytes.extend(
                archive::head(
                    entry,
                    bytes.len().try_into().unwrap(),
                    archive::Alignment::Block,
                )
                .unwrap(),
            );
        }
        bytes.extend([0; 1024]);
        refused(&bytes, want);
    }
    // A path that our own writer would not write.
    for (name, want) in [
        ("../x", "climbs"),
        ("/etc/x", "absolute"),
        ("a/../../x", "climbs"),
    ] {
        refused(&raw(name), want);
    }
}

/// An archive of one empty file.
fn raw(name: &str) -> Vec<u8> {
    let mut block = tar(&[("xxxxxxxxx", b"")]);
    block[..9].fill(0);
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[148..156].fill(b' ');
    let sum: u64 = block[..512].iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn refused(data: &[u8], want: &str) {
    let bytes = deb(&tar(&[("control", CONTROL)]), data);
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("a/target");
    fs::create_dir_all(&target).unwrap();
    let mut package = open(&bytes).unwrap();
    let options = UnpackOptions::default().owners(false);
    let error = unpack_with(package.data().unwrap(), &target, &options).unwrap_err();
    assert!(error.to_string().contains(want), "{error}");
    assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(at in 0usize..1000, byte: u8, cut in 0usize..4000) {
        let mut bytes = good();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes);
        bytes.truncate(cut);
        let _ = read(&bytes);
    }

    #[test]
    fn nor_do_any(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[&b"!<arch>\n"[..], &bytes].concat());
        for name in ["data.tar.xz", "data.tar.gz", "data.tar.zst", "data.tar"] {
            let control = tar(&[("control", CONTROL)]);
            let _ = read(&ar(&[("debian-binary", b"2.0\n"), ("control.tar", &control), (name, &bytes)]));
        }
    }
}
