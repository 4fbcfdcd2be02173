//! Packages put together by hand.

#![allow(dead_code, reason = "each test uses some of it")]

use archive::{Entry, Kind, Writer};

/// An archive of `ar`.
pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, data) in members {
        out.extend(header(name, &data.len().to_string()));
        out.extend_from_slice(data);
        if data.len() % 2 == 1 {
            out.push(b'\n');
        }
    }
    out
}

/// A member's header.
pub(crate) fn header(name: &str, size: &str) -> Vec<u8> {
    format!(
        "{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n",
        0, 0, 0, 100_644
    )
    .into_bytes()
}

/// A plain archive of files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, content) in files {
        let len = content.len().try_into().unwrap();
        let entry = Entry::new(*path, Kind::File { offset: 0, len }, 0o644);
        writer.append(&entry, *content).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) const CONTROL: &[u8] =
    b"Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n";

/// A package of these archives.
pub(crate) fn deb(control: &[u8], data: &[u8]) -> Vec<u8> {
    ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar", control),
        ("data.tar", data),
    ])
}
