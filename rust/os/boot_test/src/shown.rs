//! A disk that stays over the starts of machines, shown to them by this process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use inspect::Image;
use nbd::{Log, Overlay, Recorder, Server};
use plan::{Builder, Reader};
use vm::Drive;

use crate::image::Window;

/// The disk. What machines write to it lies in a layer over what it was.
#[derive(Debug)]
pub(crate) struct Shown {
    disk: Arc<Overlay>,
    server: Server,
    recorder: Option<Arc<Recorder>>,
}

/// So many bytes, all zero.
pub(crate) fn zeros(len: u64) -> Result<Reader> {
    let mut builder = Builder::new(Vec::new());
    builder.zero(len)?;
    Ok(Reader::new(builder.finish()?, Vec::new())?)
}

impl Shown {
    /// The image at `path`, raw or a plan list. It is not written to. Machines find the disk at `socket`.
    pub(crate) fn image(path: &Path, socket: &Path) -> Result<Self> {
        Self::new(Reader::open_any(path)?, socket)
    }

    /// A disk of so many bytes, all zero; what is done to it is written down in the new file `log`.
    pub(crate) fn recorded(len: u64, socket: &Path, log: &Path) -> Result<Self> {
        let base = zeros(len)?;
        let recorder = Arc::new(Recorder::create(log, len, nbd::identity(&base))?);
        let disk = Overlay::throw_away(base)?.record(Arc::clone(&recorder));
        Self::share(disk, Some(recorder), socket)
    }

    fn new(base: Reader, socket: &Path) -> Result<Self> {
        Self::share(Overlay::throw_away(base)?, None, socket)
    }

    /// Shows a disk.
    pub(crate) fn share(
        disk: Overlay,
        recorder: Option<Arc<Recorder>>,
        socket: &Path,
    ) -> Result<Self> {
        let disk = Arc::new(disk);
        let server = Server::share(Arc::clone(&disk), false, socket)?;
        Ok(Self {
            disk,
            server,
            recorder,
        })
    }

    /// All of it, as it is at each moment.
    pub(crate) fn all(&self) -> Window {
        Window::of_disk(&self.disk)
    }

    /// How much was written down.
    pub(crate) fn moment(&self) -> Result<usize> {
        Ok(self.recorder()?.len())
    }

    /// What was written down. Nothing is from now on.
    pub(crate) fn written_down(&self) -> Result<Log> {
        let recorder = self.recorder()?;
        recorder.end();
        let len = self.disk.len();
        Ok(Log::open(
            recorder.path(),
            len,
            nbd::identity(&zeros(len)?),
        )?)
    }

    fn recorder(&self) -> Result<&Recorder> {
        let recorder = self.recorder.as_deref();
        recorder.context("nothing is written down of this disk")
    }

    /// For a machine.
    pub(crate) fn drive(&self) -> Drive {
        Drive::nbd(self.server.path())
    }

    /// A partition, as it is at each moment.
    pub(crate) fn partition(&self, name: &str) -> Result<Window> {
        let found = inspect::partition(&Seen(&self.disk), name)?;
        Window::of_disk(&self.disk).part(found.start(), found.size())
    }

    /// Puts `bytes` at the beginning of a partition.
    pub(crate) fn put(&self, partition: &str, bytes: &[u8]) -> Result<()> {
        let place = self.partition(partition)?;
        let at = place.locate(0, base::as_u64(bytes.len()));
        let at = at.with_context(|| format!("partition {partition} is too small"))?;
        Ok(self.disk.write_at(bytes, at)?)
    }
}

/// What `inspect` reads.
struct Seen<'a>(&'a Overlay);

impl Image for Seen<'_> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), inspect::Error> {
        self.0
            .read_at(buffer, at)
            .map_err(|error| inspect::Error::Read {
                at,
                source: Box::new(plan::Error::Io {
                    what: "the disk".to_owned(),
                    source: std::io::Error::other(error),
                }),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn an_empty_disk_has_no_partition() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let disk = Shown::recorded(1 << 20, &at("s"), &at("log")).unwrap();
        let error = disk.partition("config").unwrap_err().to_string();
        assert!(error.contains("no partition table"), "{error}");
        assert_eq!(disk.moment().unwrap(), 0);
        disk.disk.write_at(b"x", 5).unwrap();
        let log = disk.written_down().unwrap();
        // Not any more.
        disk.disk.write_at(b"y", 5).unwrap();
        assert_eq!((log.entries().len(), disk.moment().unwrap()), (1, 1));
    }

    #[test]
    fn what_is_put_is_there_and_the_image_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        crate::image::tests::disk(&at("disk"), &[7; 8192]);
        let before = std::fs::read(at("disk")).unwrap();
        let disk = Shown::image(&at("disk"), &at("s")).unwrap();
        disk.put("A_root", b"other").unwrap();
        let mut bytes = [0; 6];
        let mut place = disk.partition("A_root").unwrap();
        place.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"other\x07");
        assert!(std::fs::read(at("disk")).unwrap() == before);
        let long = vec![1; base::as_usize(place.len()) + 1];
        let error = disk.put("A_root", &long).unwrap_err().to_string();
        assert_eq!(error, "partition A_root is too small");
    }
}
