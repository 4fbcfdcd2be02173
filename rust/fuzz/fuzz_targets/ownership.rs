//! dpkg's files in the tree of an image: `status`, and a list of files for each package.
#![no_main]

use std::io::Cursor;

use archive::{Entry, Kind, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0xff);
    let mut writer = Writer::new(Vec::new());
    for path in ["var/lib/dpkg/status", "var/lib/dpkg/info/a.list"] {
        let bytes = parts.next().unwrap_or_default();
        let len = bytes.len() as u64;
        let entry = Entry::new(path, Kind::File { offset: 0, len }, 0o644);
        writer.append(&entry, bytes).expect("a plain file");
    }
    let tar = writer.finish().expect("in memory");
    let _ = debian::ownership(Cursor::new(tar));
});
