//! A log of everything that changed a disk, in the order in which it was obeyed: `docs/formats/writes.md`.
//!
//! All integers little-endian. After the [`Header`] (64 bytes) come entries, each a [`Head`] (24 bytes) and its data:
//!
//! | kind | what              | `at`        | `len`              | data      |
//! |-----:|-------------------|-------------|--------------------|-----------|
//! |    1 | bytes written     | first byte  | how many           | the bytes |
//! |    2 | zeros written     | first byte  | how many           | none      |
//! |    3 | a flush           | 0           | 0                  | none      |
//! |    4 | a mark of ours    | 0           | length of its text | the text  |
//!
//! What was obeyed before a flush is on the disk after it; of what came behind the last flush any part may be lost when the power goes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base::bounded::sum;
use base::{as_u64, as_usize, past};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;

/// How the file begins.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U32,
    zero: U32,
    /// Length of the image.
    len: U64,
    identity: [u8; 32],
    zeros: U64,
}

const _: () = assert!(size_of::<Header>() == 64);

/// How an entry begins.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    kind: U32,
    zero: U32,
    at: U64,
    len: U64,
}

const _: () = assert!(size_of::<Head>() == 24);

const MAGIC: [u8; 8] = *b"IMGWRTS\0";
const VERSION: u32 = 1;

const WRITE: u32 = 1;
const ZERO: u32 = 2;
const FLUSH: u32 = 3;
const MARK: u32 = 4;

/// A mark is a line, not a book.
const MARK_MAX: u64 = 4096;

/// Something that happened to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Bytes were written.
    Write {
        /// Where.
        at: u64,
        /// Which.
        data: &'a [u8],
    },
    /// Zeros were written.
    Zero {
        /// Where.
        at: u64,
        /// How many.
        len: u64,
    },
    /// All before this is on the disk.
    Flush,
    /// Whoever watches says how far things are.
    Mark(&'a str),
}

/// Writes a log.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Where the next entry begins.
    end: u64,
    entries: usize,
    ended: bool,
}

impl Recorder {
    /// Makes the file at `path`, which must not be there, for the disk of an image (see [`crate::identity`]).
    pub fn create(path: &Path, image_len: u64, identity: [u8; 32]) -> Result<Self, Error> {
        let file = File::options()
            .write(true)
            .create_new(true)
            // What a guest writes is its user's alone.
            .mode(0o600)
            .open(path)
            .map_err(Error::io(format!("create {}", path.display())))?;
        let header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            zero: U32::ZERO,
            len: image_len.into(),
            identity,
            zeros: U64::ZERO,
        };
        file.write_all_at(header.as_bytes(), 0)
            .map_err(Error::io(format!("write {}", path.display())))?;
        let state = State {
            file,
            end: as_u64(size_of::<Header>()),
            entries: 0,
            ended: false,
        };
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.lock().entries
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing is written down from now on: who reads the log reads all of it, whatever still happens to the disk.
    pub fn end(&self) {
        self.lock().ended = true;
    }

    /// Adds an entry.
    pub fn add(&self, event: Event<'_>) -> Result<(), Error> {
        let none: &[u8] = &[];
        let (kind, at, len, data) = match event {
            Event::Write { at, data } => (WRITE, at, as_u64(data.len()), data),
            Event::Zero { at, len } => (ZERO, at, len, none),
            Event::Flush => (FLUSH, 0, 0, none),
            Event::Mark(text) => (MARK, 0, as_u64(text.len()), text.as_bytes()),
        };
        if kind == MARK && len > MARK_MAX {
            return Err(self.refuse(&format!("a mark of {len} bytes, {MARK_MAX} are the most")));
        }
        let head = Head {
            kind: kind.into(),
            zero: U32::ZERO,
            at: at.into(),
            len: len.into(),
        };
        let mut state = self.lock();
        if state.ended {
            return Ok(());
        }
        let data_at = past(state.end, size_of::<Head>());
        let write = |bytes: &[u8], at| state.file.write_all_at(bytes, at);
        // The head comes last: one that is there has its data.
        write(data, data_at)
            .and_then(|()| write(head.as_bytes(), state.end))
            .map_err(Error::io(format!("write {}", self.path.display())))?;
        state.end = past(data_at, data.len());
        state.entries = as_usize(past(as_u64(state.entries), 1));
        Ok(())
    }

    fn refuse(&self, reason: &str) -> Error {
        Error::Writes {
            path: self.path.clone(),
            reason: reason.to_owned(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an entry of a log says; its data stay in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes were written: those at `data_at` of the log.
    Write {
        /// Where on the disk.
        at: u64,
        /// How many.
        len: u64,
        /// Where in the log they are.
        data_at: u64,
    },
    /// Zeros were written.
    Zero {
        /// Where.
        at: u64,
        /// How many.
        len: u64,
    },
    /// All before this is on the disk.
    Flush,
    /// How far things were.
    Mark(String),
}

/// A log that is read.
#[derive(Debug)]
pub struct Log {
    file: File,
    entries: Vec<Entry>,
}

impl Log {
    /// Opens the log at `path`, which must be one of this image.
    pub fn open(path: &Path, image_len: u64, identity: [u8; 32]) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Writes {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let io = |verb: &str| Error::io(format!("{verb} {}", path.display()));
        let mut file = File::open(path).map_err(io("open"))?;
        let mut header = Header::new_zeroed();
        file.read_exact(header.as_mut_bytes())
            .map_err(|_| refused("it is too short"))?;
        if header.magic != MAGIC {
            return Err(refused("it does not start as a log of writes does"));
        }
        if header.version.get() != VERSION {
            return Err(refused("it is of another version"));
        }
        if header.len.get() != image_len || header.identity != identity {
            return Err(refused(
                "it was made of another image, or of an older state of this one",
            ));
        }
        let len = file.metadata().map_err(io("look at"))?.len();
        let mut entries = Vec::new();
        let mut at = as_u64(size_of::<Header>());
        while at < len {
            let (entry, next) = entry(&mut file, at, len, image_len)
                .map_err(io("read"))?
                .map_err(|reason| refused(&format!("at byte {at}: {reason}")))?;
            entries.push(entry);
            at = next;
        }
        Ok(Self { file, entries })
    }

    /// What happened, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Fills `buffer` with bytes of the log from `at` on: data of an [`Entry::Write`].
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        self.file
            .read_exact_at(buffer, at)
            .map_err(Error::io("read a log of writes"))
    }
}

/// The entry at `at` of a log of `len` bytes, and where the next one begins; or what is wrong with it.
fn entry(
    file: &mut File,
    at: u64,
    len: u64,
    image_len: u64,
) -> io::Result<Result<(Entry, u64), String>> {
    let data_at = past(at, size_of::<Head>());
    if data_at > len {
        return Ok(Err("the log ends within an entry".to_owned()));
    }
    let mut head = Head::new_zeroed();
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(head.as_mut_bytes())?;
    let (on_disk, count) = (head.at.get(), head.len.get());
    let fits = on_disk
        .checked_add(count)
        .is_some_and(|end| end <= image_len);
    let has_data = matches!(head.kind.get(), WRITE | MARK);
    if has_data && count > len.abs_diff(data_at) {
        return Ok(Err(format!(
            "{count} bytes of data, and the log ends before"
        )));
    }
    let next = if has_data {
        sum(data_at, count)
    } else {
        data_at
    };
    let entry = match head.kind.get() {
        WRITE | ZERO if !fits => {
            return Ok(Err(format!(
                "{count} bytes at {on_disk} lie outside the image"
            )))
        }
        WRITE => Entry::Write {
            at: on_disk,
            len: count,
            data_at,
        },
        ZERO => Entry::Zero {
            at: on_disk,
            len: count,
        },
        FLUSH => Entry::Flush,
        MARK if count <= MARK_MAX => {
            let mut text = vec![0; as_usize(count)];
            file.read_exact(&mut text)?;
            match String::from_utf8(text) {
                Ok(text) => Entry::Mark(text),
                Err(_) => return Ok(Err(format!("the mark of {count} bytes is no UTF-8"))),
            }
        }
        kind => {
            return Ok(Err(format!(
                "kind {kind} with {count} bytes is none of ours"
            )))
        }
    };
    Ok(Ok((entry, next)))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use crate::Overlay;
    use plan::{Builder, Reader};
    use std::sync::Arc;

    const LEN: u64 = 20_000;

    fn disk(recorder: &Arc<Recorder>) -> Overlay {
        let mut builder = Builder::new(vec![]);
        builder.zero(LEN).unwrap();
        let reader = Reader::open::<&Path>(builder.finish().unwrap(), &[]).unwrap();
        Overlay::throw_away(reader)
            .unwrap()
            .record(Arc::clone(recorder))
    }

    #[test]
    fn what_happens_to_a_disk_is_in_its_log_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let recorder = Arc::new(Recorder::create(&path, LEN, [1; 32]).unwrap());
        assert!(recorder.is_empty());
        let disk = disk(&recorder);
        disk.write_at(b"one", 7).unwrap();
        disk.flush().unwrap();
        recorder.add(Event::Mark("half")).unwrap();
        disk.zero_at(4096, 9000).unwrap();
        disk.write_at(b"", 5).unwrap();
        // What is refused did not happen.
        disk.write_at(b"beyond", LEN - 1).unwrap_err();
        assert_eq!(recorder.len(), 4);
        let log = Log::open(&path, LEN, [1; 32]).unwrap();
        let [Entry::Write {
            at: 7,
            len: 3,
            data_at,
        }, Entry::Flush, Entry::Mark(text), Entry::Zero {
            at: 4096,
            len: 9000,
        }] = log.entries()
        else {
            panic!("{:?}", log.entries());
        };
        assert_eq!(text, "half");
        let mut data = [0; 3];
        log.read_at(&mut data, *data_at).unwrap();
        assert_eq!(&data, b"one");
    }

    #[test]
    fn a_log_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let recorder = Recorder::create(&path, LEN, [1; 32]).unwrap();
        Recorder::create(&path, LEN, [1; 32]).unwrap_err();
        let event = Event::Write {
            at: LEN - 4,
            data: b"last",
        };
        recorder.add(event).unwrap();
        recorder.add(Event::Mark(&"x".repeat(4097))).unwrap_err();
        let good = std::fs::read(&path).unwrap();
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let mut no_text = changed(64, 4);
        no_text[88] = 0xff;
        for (bytes, want) in [
            (good[..50].to_vec(), "too short"),
            (changed(0, 0), "does not start"),
            (changed(8, 2), "another version"),
            (changed(30, 2), "another image"),
            (changed(64, 9), "at byte 64: kind 9"),
            (changed(64, 4), "last"),
            (no_text, "the mark of 4 bytes is no UTF-8"),
            (changed(72, 255), "outside the image"),
            (changed(80, 200), "the log ends before"),
            (good[..70].to_vec(), "ends within an entry"),
        ] {
            std::fs::write(&path, &bytes).unwrap();
            match Log::open(&path, LEN, [1; 32]) {
                Ok(log) => assert_eq!(log.entries(), [Entry::Mark(want.to_owned())]),
                Err(error) => assert!(error.to_string().contains(want), "{error}"),
            }
        }
        let other = Log::open(&path, LEN + 1, [1; 32]).unwrap_err();
        assert!(other.to_string().contains("another image"), "{other}");
    }
}
