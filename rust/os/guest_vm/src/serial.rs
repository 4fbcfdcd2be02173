//! What the guest prints on its serial line, kept in files of bounded size.
//!
//! `serial.log` is written to; when it is full it becomes `serial.log.1`, that `.2`, that `.3`, and the oldest goes. A guest
//! that prints without end costs [`MOST_BYTES`] four times, and nothing else. What can't be written is counted and dropped: the guest
//! goes on.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base::{as_u64, past};

/// Bytes of one file.
pub(crate) const MOST_BYTES: u64 = 4 << 20;
/// Files kept besides the one that is written to.
pub(crate) const KEPT: u32 = 3;

/// The log.
#[derive(Debug)]
pub(crate) struct SerialLog {
    path: PathBuf,
    most_bytes: u64,
    file: Option<(File, u64)>,
    /// Bytes that could not be written.
    dropped: u64,
    failing: bool,
}

impl SerialLog {
    pub(crate) fn new(path: &Path, most_bytes: u64) -> Self {
        Self {
            path: path.to_path_buf(),
            most_bytes,
            file: None,
            dropped: 0,
            failing: false,
        }
    }

    /// Writes what the guest printed.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        match self.try_write(bytes) {
            Ok(()) => self.failing = false,
            Err(error) => {
                // Opened anew the next time: the disk may have room by then.
                self.file = None;
                self.dropped = past(self.dropped, bytes.len());
                if !self.failing {
                    let path = self.path.display();
                    tracing::error!(%error, %path, "what the guest prints is not kept");
                }
                self.failing = true;
            }
        }
    }

    /// Bytes that could not be written so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (mut file, mut len) = match self.file.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let after = len.checked_add(as_u64(bytes.len()));
        if len > 0 && after.is_none_or(|after| after > self.most_bytes) {
            drop(file);
            self.rotate()?;
            (file, len) = self.open()?;
        }
        file.write_all(bytes)?;
        self.file = Some((file, past(len, bytes.len())));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let file = File::options().append(true).create(true).open(&self.path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }

    fn rotate(&self) -> io::Result<()> {
        for number in (1..=KEPT).rev() {
            let to = numbered(&self.path, number);
            let from = match number.checked_sub(1) {
                None | Some(0) => self.path.clone(),
                Some(before) => numbered(&self.path, before),
            };
            match std::fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The name of an older file.
pub(crate) fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("serial.log");
        let mut log = SerialLog::new(&path, 4);
        for text in ["ab", "cd", "ef", "ghi", "jklm", "nopqrs", "t"] {
            log.write(text.as_bytes());
        }
        assert_eq!(read(&path).as_deref(), Some("t"));
        let kept = (1..=4).map(|number| read(&numbered(&path, number)));
        let want = [Some("nopqrs"), Some("jklm"), Some("ghi"), None];
        assert_eq!(
            kept.collect::<Vec<_>>(),
            want.map(|text| text.map(str::to_owned))
        );
        // A later process goes on where this one ended.
        SerialLog::new(&path, 4).write(b"uv");
        assert_eq!(read(&path).as_deref(), Some("tuv"));
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/serial.log");
        let mut log = SerialLog::new(&path, 4);
        log.write(b"abc");
        log.write(b"d");
        assert_eq!(log.dropped(), 4);
        std::fs::create_dir(dir.path().join("none")).unwrap();
        log.write(b"e");
        assert_eq!((log.dropped(), read(&path).as_deref()), (4, Some("e")));
    }
}
