//! Where a bundle comes from: a file, a web server, or standard input.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{bail, ensure, Context};
use base::{url, Hasher, Sha256Digest};

use crate::http::{Download, Manners};

/// What is said of a place: a URL without what opens doors.
pub(crate) fn shown(place: &str) -> String {
    url::shown(place).into_owned()
}

/// An open bundle, of which nothing was read.
pub(crate) enum Source {
    /// A file that can be read twice.
    File(File, u64),
    /// What comes once.
    Stream(Box<dyn Read + Send>, Option<u64>),
}

impl Source {
    /// Opens the file, the URL, or, for `-`, standard input.
    pub(crate) fn open(place: &str, manners: &Manners) -> anyhow::Result<Self> {
        if place == "-" {
            return Ok(Self::Stream(Box::new(io::stdin()), None));
        }
        match place.split_once("://") {
            Some(("http" | "https", _)) => {
                let download = Download::open(place, manners).with_context(|| shown(place))?;
                let len = download.len();
                Ok(Self::Stream(Box::new(download), len))
            }
            Some((scheme, _)) => bail!(
                "{}: scheme {scheme}, want http or https, or a file",
                shown(place)
            ),
            None => Self::file(Path::new(place)),
        }
    }

    fn file(path: &Path) -> anyhow::Result<Self> {
        let shown = || path.display().to_string();
        let mut file = File::open(path).with_context(shown)?;
        let metadata = file.metadata().with_context(shown)?;
        if metadata.is_file() || metadata.file_type().is_block_device() {
            // The metadata of a device say 0.
            let len = file.seek(SeekFrom::End(0)).with_context(shown)?;
            file.rewind().with_context(shown)?;
            return Ok(Self::File(file, len));
        }
        ensure!(!metadata.is_dir(), "{} is a folder", path.display());
        Ok(Self::Stream(Box::new(file), None))
    }

    /// How long it is, where that is known.
    pub(crate) fn len(&self) -> Option<u64> {
        match self {
            Self::File(_, len) => Some(*len),
            Self::Stream(_, len) => *len,
        }
    }

    /// Lets `read` have all of it, if it can be read again afterwards.
    pub(crate) fn first<T>(
        &mut self,
        read: impl FnOnce(&mut File) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        let Self::File(file, _) = self else {
            return Ok(None);
        };
        let value = read(file)?;
        file.rewind().context("cannot read the bundle again")?;
        Ok(Some(value))
    }

    /// The bytes.
    pub(crate) fn reader(&mut self) -> &mut (dyn Read + Send) {
        match self {
            Self::File(file, _) => file,
            Self::Stream(reader, _) => reader,
        }
    }
}

/// A reader that, if a digest is wanted, hashes what is read: the digest is that of the bytes that were used, and of no other reading.
pub(crate) struct Hashed<R> {
    reader: R,
    seen: Seen,
}

/// The digest of what a [`Hashed`] reads, and the one that it should be.
#[derive(Clone)]
pub(crate) struct Seen(Option<(Arc<Mutex<Hasher>>, Sha256Digest)>);

impl<R> Hashed<R> {
    pub(crate) fn new(reader: R, want: Option<Sha256Digest>) -> Self {
        let seen = Seen(want.map(|want| (Arc::default(), want)));
        Self { reader, seen }
    }

    /// What was read, once all of it is.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.clone()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        if let (Seen(Some((hasher, _))), Some(bytes)) = (&self.seen, buffer.get(..got)) {
            let mut hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner);
            hasher.update(bytes);
        }
        Ok(got)
    }
}

impl Seen {
    /// Refuses another digest than the one wanted, if there is one.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Some((hasher, want)) = &self.0 else {
            return Ok(());
        };
        let mut hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let got = std::mem::take(&mut *hasher).finish();
        ensure!(
            got == *want,
            "the bundle has SHA-256 {got}, want {want}: get it anew"
        );
        Ok(())
    }
}
