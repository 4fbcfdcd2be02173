//! Contents compared as members of archives, and what a person is told of them.
#![allow(dead_code, reason = "no test wants all of it")]

use archive::{Entry, Kind};
use imgdiff::{compare, Options, Report};

/// An archive of these files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = archive::Writer::new(Vec::new());
    for (path, bytes) in files {
        let len = u64::try_from(bytes.len()).unwrap();
        let entry = Entry::new(*path, Kind::File { offset: 0, len }, 0o644);
        writer.append(&entry, *bytes).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn report(old: &Vec<u8>, new: &Vec<u8>) -> Report {
    compare(("old", old), ("new", new), &Options::default()).unwrap()
}

/// What is told of the only file that differs, without its name and its size.
pub(crate) fn told_of(report: &Report, path: &str) -> String {
    let text = told(report);
    let head = format!("file {path} changed\n");
    let (_, text) = text.split_once(&head).unwrap();
    let size = text.starts_with("  size: ").then(|| text.split_once('\n'));
    size.flatten().map_or(text, |(_, rest)| rest).to_owned()
}

/// What the text has between its first two lines, of lengths, and the last ones, of bytes and the count of all.
pub(crate) fn told(report: &Report) -> String {
    let mut out = Vec::new();
    imgdiff::text::write(report, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().skip(2);
    let lines = lines.take_while(|line| !line.starts_with("bytes: "));
    lines.map(|line| format!("{line}\n")).collect()
}
