//! Writing a bundle, for who has its members in memory. Builds lay it out as a plan (`mkbundle`), which gives the same bytes.

use std::io::Write;

use archive::{Alignment, Entry, Kind, Writer};
use base::as_u64;

/// Writes a tar of `members` in the order given, as builds do: their data begins at multiples of 4096 bytes.
pub fn write<W: Write>(members: &[(&str, &[u8])], mtime: i64, out: W) -> Result<W, archive::Error> {
    let mut writer = Writer::aligned(out, Alignment::Page);
    for (name, bytes) in members {
        let (offset, len) = (0, as_u64(bytes.len()));
        let mut entry = Entry::new(name.as_bytes(), Kind::File { offset, len }, 0o644);
        entry.mtime = mtime;
        writer.append(&entry, *bytes)?;
    }
    writer.finish()
}
