//! The file that changes are kept in: `docs/formats/changes.md`.
//!
//! All integers little-endian.
//!
//! | offset | size | what                                                                          |
//! |-------:|-----:|-------------------------------------------------------------------------------|
//! |      0 | 4096 | [`Header`]                                                                    |
//! |   4096 |    m | one bit for each block, set when it was written; the first is bit 0 of byte 0 |
//! | 4096+m |      | the image's bytes; only those of written blocks mean something                |
//!
//! m is the number of blocks / 8, rounded up to 4096.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use base::as_u64;
use plan::Reader;
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use zerocopy::byteorder::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Error;
use crate::overlay::{BLOCK, BLOCK_SIZE};
use crate::present::Present;

/// How the file begins.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: U32,
    block_size: U32,
    /// Length of the image.
    len: U64,
    identity: [u8; 32],
    zero: [u8; 4040],
}

const _: () = assert!(as_u64(size_of::<Header>()) == HEADER);

/// The first bytes of the file.
const MAGIC: [u8; 8] = *b"IMGCHNG\0";
/// The version written and read here.
const VERSION: u32 = 1;
/// Length of the header; the map follows.
pub(crate) const HEADER: u64 = 4096;
/// A page of the map.
const PAGE: usize = 4096;
/// The longest image whose changes are kept: its map is read at the start.
const MAX_LEN: u64 = 16 << 40;

/// An open file.
pub(crate) struct Kept {
    pub(crate) file: File,
    pub(crate) data_at: u64,
    pub(crate) present: Present,
}

/// What tells an image from others and from itself after a rebuild: its plan, and length and time of change of its inputs.
///
/// The times stand for what the inputs hold. Hashing that instead would read all of an image before the first byte of it is served: more
/// than a second for each GB, at each start. So an input that was built again is another one even if it holds the same bytes, and its changes
/// are refused; and whoever changes an input and sets its time back is not found out.
pub fn identity(image: &Reader) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(image.plan().encode());
    for (_, file) in image.inputs() {
        let stamp = file.stamp();
        hash.update(stamp.len.to_le_bytes());
        hash.update(stamp.mtime.to_le_bytes());
        hash.update(stamp.mtime_nanos.to_le_bytes());
    }
    hash.finalize().into()
}

/// Opens the file at `path` for an image, or makes it.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "an image has at most MAX_LEN bytes here, and its map is a 32768th of that"
)]
pub(crate) fn open(path: &Path, len: u64, identity: [u8; 32]) -> Result<Kept, Error> {
    if len > MAX_LEN {
        let max = MAX_LEN;
        return Err(Error::TooLong { len, max });
    }
    let io = |verb: &str| Error::io(format!("{verb} {}", path.display()));
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // What a guest writes is its user's alone, its keys among it.
        .mode(0o600)
        .open(path)
        .map_err(io("open"))?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let path = path.to_owned();
        return Err(Error::Busy { path });
    }
    let map_len = len.div_ceil(BLOCK).div_ceil(8);
    let data_at = HEADER + map_len.next_multiple_of(as_u64(PAGE));
    let want = Header::of(len, identity);
    if file.metadata().map_err(io("look at"))?.len() == 0 {
        // The header comes last: without it the file is refused.
        file.set_len(data_at + len).map_err(io("make"))?;
        file.write_all_at(want.as_bytes(), 0).map_err(io("write"))?;
        let present = Present::default();
        return Ok(Kept {
            file,
            data_at,
            present,
        });
    }
    check(&file, path, &want, data_at + len)?;
    let present = read_map(&file, data_at).map_err(io("read"))?;
    Ok(Kept {
        file,
        data_at,
        present,
    })
}

impl Header {
    fn of(len: u64, identity: [u8; 32]) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION.into(),
            block_size: BLOCK_SIZE.into(),
            len: len.into(),
            identity,
            zero: [0; 4040],
        }
    }
}

/// Makes sure that a file that was there before is one of this image.
fn check(file: &File, path: &Path, want: &Header, want_len: u64) -> Result<(), Error> {
    let refused = |reason: &str| Error::Format {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let mut have = Header::new_zeroed();
    file.read_exact_at(have.as_mut_bytes(), 0)
        .map_err(|_| refused("it is too short"))?;
    if have.magic != want.magic {
        return Err(refused("it does not start as such a file does"));
    }
    if (have.version, have.block_size) != (want.version, want.block_size) {
        return Err(refused("it is of another version"));
    }
    if have.as_bytes() != want.as_bytes() {
        let path = path.to_owned();
        return Err(Error::OtherImage { path });
    }
    let len = file
        .metadata()
        .map_err(Error::io(format!("look at {}", path.display())))?
        .len();
    if len != want_len {
        return Err(refused(&format!("it has {len} bytes, not {want_len}")));
    }
    Ok(())
}

/// The map, which ends where the data begin.
fn read_map(file: &File, data_at: u64) -> std::io::Result<Present> {
    let mut words = BTreeMap::new();
    let mut page = [U64::ZERO; PAGE / 8];
    let pages = (HEADER..data_at).step_by(PAGE);
    for (at, first) in pages.zip((0u64..).step_by(page.len())) {
        file.read_exact_at(page.as_mut_bytes(), at)?;
        let numbered = (first..).zip(page.map(U64::get));
        words.extend(numbered.filter(|(_, word)| *word != 0));
    }
    Ok(Present::from_words(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overlay;
    use plan::Builder;

    fn image(text: &[u8]) -> Reader {
        let mut builder = Builder::new(vec![]);
        builder.inline(text).unwrap();
        Reader::open::<&Path>(builder.finish().unwrap(), &[]).unwrap()
    }

    fn keep(text: &[u8], path: &Path) -> Result<Overlay, Error> {
        let identity = identity(&image(text));
        Overlay::keep(image(text), path, identity)
    }

    #[test]
    fn changes_belong_to_one_image() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes");
        keep(b"one", &path).unwrap().write_at(b"ON", 0).unwrap();
        let again = keep(b"one", &path).unwrap();
        let mut text = [0; 3];
        again.read_at(&mut text, 0).unwrap();
        assert_eq!(&text, b"ONe");
        let busy = keep(b"one", &path).unwrap_err();
        assert!(matches!(busy, Error::Busy { .. }), "{busy}");
        drop(again);
        for other in [b"two".as_slice(), b"four"] {
            let error = keep(other, &path).unwrap_err();
            assert!(error.to_string().contains("rebuilt since"), "{error}");
        }
        keep(b"one", &path).unwrap();
    }

    #[test]
    fn nobody_else_may_read_what_was_kept() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes");
        let before = rustix::process::umask(rustix::fs::Mode::empty());
        keep(b"one", &path).unwrap();
        rustix::process::umask(before);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn other_files_are_refused_and_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes");
        keep(b"one", &path).unwrap();
        let good = std::fs::read(&path).unwrap();
        let mut version = good.clone();
        version[8] = 2;
        let long = [good.as_slice(), b"x"].concat();
        for (bytes, want) in [
            (&b"#!/bin/sh"[..], "too short"),
            (&[7; 9000], "does not start"),
            (&good[..4200], "it has 4200 bytes"),
            (&version, "another version"),
            (&long, "it has 8196 bytes, not 8195"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = keep(b"one", &path).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn an_input_that_was_written_again_is_another_image() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("input");
        let open = || {
            let mut builder = Builder::new(vec![plan::Input::of_len(4)]);
            builder.source(0, 0, 4).unwrap();
            identity(&Reader::open(builder.finish().unwrap(), &[&input]).unwrap())
        };
        std::fs::write(&input, b"1234").unwrap();
        let file = File::options().write(true).open(&input).unwrap();
        let time = |secs| std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
        file.set_modified(time(1000)).unwrap();
        let first = open();
        assert_eq!(first, open());
        file.set_modified(time(1001)).unwrap();
        assert_ne!(first, open());
    }
}
