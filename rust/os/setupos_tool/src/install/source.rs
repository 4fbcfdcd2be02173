//! An image that is written to a disk: its bytes, and where it has only zeros.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ::inspect::Image;
use base::holes;
use os_config::plain;

/// Data begins and ends at multiples of this, so that it goes past the page cache.
const ALIGNMENT: u64 = 4096;

/// An image.
#[derive(Debug)]
pub(crate) struct Source {
    /// What to call it.
    pub(crate) name: String,
    file: File,
    pub(crate) len: u64,
    /// Where it has data, in order; all else is zero.
    data: Vec<Range<u64>>,
}

impl Source {
    /// Opens the plain file at `path`; an error names it.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let file = plain::open(path).map_err(|error| format!("{name}: {error}"))?;
        Self::new(&name, file).map_err(|error| format!("{name}: {error}"))
    }

    /// Of a file that is open.
    pub(crate) fn new(name: &str, file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        let mut data: Vec<Range<u64>> = Vec::new();
        let mut at = 0;
        while at < len {
            let found = holes::next_data(&file, at, len)?;
            at = found.end;
            if found.is_empty() {
                break;
            }
            let start = found.start & !(ALIGNMENT - 1);
            let end = found.end.checked_next_multiple_of(ALIGNMENT);
            let end = end.map_or(len, |end| end.min(len));
            match data.last_mut() {
                Some(last) if last.end >= start => last.end = end,
                _ => data.push(start..end),
            }
        }
        Ok(Self {
            name: name.to_owned(),
            file,
            len,
            data,
        })
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Fills `buffer` from `at` on.
    pub(crate) fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(&self.file, buffer, at)
    }

    /// The parts of `range` in order: each is data (true) or zero.
    pub(crate) fn parts(&self, range: Range<u64>) -> Vec<(Range<u64>, bool)> {
        let mut parts = Vec::new();
        let mut at = range.start;
        for data in &self.data {
            let start = data.start.clamp(range.start, range.end);
            let end = data.end.clamp(range.start, range.end);
            if start >= end {
                continue;
            }
            if at < start {
                parts.push((at..start, false));
            }
            parts.push((start..end, true));
            at = end;
        }
        if at < range.end {
            parts.push((at..range.end, false));
        }
        parts
    }
}

impl Image for Source {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), ::inspect::Error> {
        self.read(buffer, at)
            .map_err(|source| ::inspect::Error::Read {
                at,
                source: Box::new(plan::Error::Io {
                    what: self.name.clone(),
                    source,
                }),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_data_or_zero() {
        const MIB: u64 = 1 << 20;
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * MIB + 5).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.write_all_at(b"x", 2 * MIB + 7).unwrap();
        let source = Source::new("x", file).unwrap();
        let parts = source.parts(0..4 * MIB + 5);
        // Whatever the file system's blocks are: in order, without gaps, and with the data in those that are data.
        let mut at = 0;
        for (range, _) in &parts {
            assert_eq!(range.start, at);
            assert!(range.end > at);
            at = range.end;
        }
        assert_eq!(at, 4 * MIB + 5);
        for place in [0, 2 * MIB + 7] {
            assert!(parts
                .iter()
                .any(|(range, data)| *data && range.contains(&place)));
        }
        assert!(parts
            .iter()
            .any(|(range, data)| !data && range.contains(&MIB)));
        assert_eq!(source.parts(MIB..MIB), []);
        assert_eq!(source.parts(MIB..MIB + 9), [(MIB..MIB + 9, false)]);
    }
}
