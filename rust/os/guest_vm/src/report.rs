//! What the guest reported of itself: `/run/ic/guest.json`, written by host_api.
//!
//! ```json
//! {"format": 1, "version": "1.2.3", "healthy": true, "boot_id": "…", "height": 7, "reported": 1}
//! ```
//!
//! The file says nothing of which run of the guest it is from, and is another service's. So what is there when a run begins is
//! remembered, and counts for nothing until it is another file: host_api puts a new one there for each report. By that it is known,
//! too, since when the guest is silent; `reported`, the same by the writer's word, is not needed for it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{ensure, Context};
use serde::{Deserialize, Serialize};

/// Larger files are no reports.
const MOST_BYTES: u64 = 64 << 10;
/// The format that is read.
const FORMAT: u64 = 1;

/// What the guest said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format: u64,
    /// Version of its image.
    pub(crate) version: String,
    /// Whether it does what it is there for.
    pub(crate) healthy: bool,
    /// Its kernel's boot id.
    pub(crate) boot_id: String,
    /// The replica's height, if it has one.
    #[serde(default)]
    pub(crate) height: Option<u64>,
}

/// A report, and when it was there first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) report: Report,
    /// To the second, as often as is looked.
    pub(crate) at: Instant,
}

/// Which file it was: device, number, and time of its last change.
type Identity = (u64, u64, i64, i64);

/// The reports of one run.
#[derive(Debug)]
pub(crate) struct Reports {
    path: PathBuf,
    /// The file of an earlier run.
    stale: Option<Identity>,
    /// The last file that was seen, and since when it is there.
    seen: Option<(Identity, Instant)>,
}

impl Reports {
    /// Those that come from now on.
    pub(crate) fn begin(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
            // What can't be opened is told when a report is asked for.
            stale: open(path).and_then(|file| identity(&file)).ok(),
            seen: None,
        }
    }

    /// The last one, if there is one yet.
    pub(crate) fn last(&mut self) -> anyhow::Result<Option<Heard>> {
        let path = self.path.clone();
        let place = || path.display().to_string();
        let file = match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.with_context(place)?,
        };
        let identity = identity(&file).with_context(place)?;
        if self.stale == Some(identity) {
            return Ok(None);
        }
        let at = match self.seen {
            Some((seen, at)) if seen == identity => at,
            _ => Instant::now(),
        };
        self.seen = Some((identity, at));
        let mut bytes = Vec::new();
        let mut limited = file.take(MOST_BYTES);
        limited.read_to_end(&mut bytes).with_context(place)?;
        let report = parse(&bytes).with_context(place)?;
        Ok(Some(Heard { report, at }))
    }
}

/// Opens the file. Its folder belongs to a service that reads what strangers send: what stands there may be a pipe that nobody writes to,
/// and this program, which looks every second, waits for nothing. The one link that is followed is root's, from the file's known place into
/// that folder.
fn open(path: &Path) -> io::Result<File> {
    let target = match (fs::read_link(path), path.parent()) {
        (Ok(link), Some(folder)) => folder.join(link),
        _ => path.to_path_buf(),
    };
    os_config::plain::open(&target)
}

fn identity(file: &File) -> io::Result<Identity> {
    let meta = file.metadata()?;
    Ok((meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Report> {
    let report: Report = serde_json::from_slice(bytes).context("not a report")?;
    let format = report.format;
    ensure!(format == FORMAT, "format: got {format}, want {FORMAT}");
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        r#"{"format":1,"version":"1.2.3","healthy":true,"boot_id":"b","height":7,"reported":3}"#;

    /// As host_api does it.
    fn write(path: &Path, text: &str) {
        os_config::atomic::write(path, text.as_bytes(), 0o644).unwrap();
    }

    #[test]
    fn only_what_comes_later_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guest.json");
        let file = dir.path().join("real.json");
        // Where it lies is another folder's business.
        std::os::unix::fs::symlink(&file, &path).unwrap();
        let mut reports = Reports::begin(&path);
        assert_eq!(reports.last().unwrap(), None);
        write(&file, TEXT);
        let heard = reports.last().unwrap().unwrap();
        let report = &heard.report;
        assert_eq!((report.version.as_str(), report.healthy), ("1.2.3", true));
        assert_eq!(report.height, Some(7));
        // The same file is no word more; the same words in another one are.
        assert_eq!(reports.last().unwrap().as_ref(), Some(&heard));
        write(&file, TEXT);
        assert!(reports.last().unwrap().unwrap().at > heard.at);
        // The next run: the same file is of the time before, the same words in a new one are not.
        let mut reports = Reports::begin(&path);
        assert_eq!(reports.last().unwrap(), None);
        write(&file, TEXT);
        assert!(reports.last().unwrap().is_some());
    }

    /// With a deadline of its own, for what this is about is a reader that never comes back.
    #[test]
    fn nothing_waits_for_what_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guest.json");
        let real = dir.path().join("real.json");
        std::os::unix::fs::symlink("real.json", &path).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let look = |want: &'static str| {
            let (path, tell) = (path.clone(), tell.clone());
            std::thread::spawn(move || {
                let error = Reports::begin(&path).last().unwrap_err();
                tell.send(format!("{error:#}")).unwrap();
            });
            let error = told.recv_timeout(std::time::Duration::from_secs(240));
            let error = error.unwrap();
            assert!(error.contains(want), "{error}");
        };
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &real,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        look("a folder or device, want a plain file");
        fs::remove_file(&real).unwrap();
        fs::create_dir(&real).unwrap();
        look("a folder or device, want a plain file");
        fs::remove_dir(&real).unwrap();
        // Root made the first link; of a second one nobody knows who did.
        let other = dir.path().join("other.json");
        write(&other, TEXT);
        std::os::unix::fs::symlink(&other, &real).unwrap();
        look("guest.json: a link, want a plain file");
    }

    #[test]
    fn rubbish_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("guest.json");
        let mut reports = Reports::begin(&path);
        for (text, want) in [
            ("", "not a report"),
            ("{}", "not a report"),
            (&TEXT.replace(":1,\"v", ":2,\"v"), "format: got 2, want 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", reports.last().unwrap_err());
            assert!(error.contains(want), "{error}");
        }
    }
}
