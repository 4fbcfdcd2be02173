//! What survives a restart: one small JSON file, replaced whole, in a folder that one process holds at a time.
//!
//! | field | meaning |
//! |---|---|
//! | `format` | 1 |
//! | `boot_id` | the boot this was written in, from the kernel |
//! | `boots` | boots in which the program ran |
//! | `starts` | starts of the program |
//! | `height` | the counter |
//!
//! A file that does not read is kept as `replica-state.json.corrupt-N` and a new one is begun: a node that comes up
//! empty can be told apart and mended, one that never comes up cannot.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base::past;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use os_config::atomic;
use serde::{Deserialize, Serialize};

const STATE_FILE: &str = "replica-state.json";
const LOCK_FILE: &str = "replica.lock";
/// Whoever raises it raises `replica` in `data_formats` of `ic-os/guestos/defs.bzl`: a system that can't read the file puts it aside, and is
/// therefore not gone back to.
const FORMAT: u32 = 1;
/// Nobody counts that far, so a larger number was not counted; and no counter that is read comes to its end.
const MOST_COUNTED: u64 = 1 << 62;
/// Most corrupt files kept; the last one is overwritten.
const MOST_CORRUPT: u32 = 8;

/// The persistent state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    format: u32,
    pub(crate) boot_id: String,
    pub(crate) boots: u64,
    pub(crate) starts: u64,
    pub(crate) height: u64,
}

impl State {
    fn empty() -> Self {
        Self {
            format: FORMAT,
            boot_id: String::new(),
            boots: 0,
            starts: 0,
            height: 0,
        }
    }

    fn counters(&self) -> [(&'static str, u64); 3] {
        [
            ("boots", self.boots),
            ("starts", self.starts),
            ("height", self.height),
        ]
    }

    /// One height further.
    pub(crate) fn next(&self) -> Self {
        Self {
            height: past(self.height, 1),
            ..self.clone()
        }
    }
}

/// The locked state folder.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl StateDir {
    /// Makes the folder when absent and takes its lock, which the kernel drops when the process ends, however it does.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        let lock_path = path.join(LOCK_FILE);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .with_context(|| format!("cannot open {}", lock_path.display()))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            let error = anyhow::Error::new(io::Error::from(errno));
            if errno == Errno::EWOULDBLOCK {
                error.context(format!("another replica uses {}", path.display()))
            } else {
                error.context(format!("cannot lock {}", lock_path.display()))
            }
        })?;
        Ok(Self {
            path: path.to_path_buf(),
            _lock: lock,
        })
    }

    /// Reads the state, counts this start (and boot, if it is a new one) and writes that down.
    pub(crate) fn start(&self, boot_id: &str) -> anyhow::Result<State> {
        let mut state = match self.read()? {
            Ok(state) => state,
            Err(None) => State::empty(),
            Err(Some(reason)) => {
                let kept = self.keep_aside()?;
                tracing::error!(
                    file = %self.path.join(STATE_FILE).display(),
                    kept_as = %kept.display(),
                    reason,
                    "state file is corrupt: kept aside, starting with an empty state"
                );
                State::empty()
            }
        };
        state.starts = past(state.starts, 1);
        if state.boot_id != boot_id {
            state.boots = past(state.boots, 1);
            boot_id.clone_into(&mut state.boot_id);
        }
        self.save(&state)
            .with_context(|| format!("cannot write {}", self.path.join(STATE_FILE).display()))?;
        Ok(state)
    }

    /// Writes `state` so that it survives a power cut.
    pub(crate) fn save(&self, state: &State) -> io::Result<()> {
        let mut text = serde_json::to_vec(state)?;
        text.push(b'\n');
        atomic::write(&self.path.join(STATE_FILE), &text, 0o640)
    }

    /// The state, or why there is none (`None`: no file). Failing to read at all is another matter: the file may be fine.
    fn read(&self) -> anyhow::Result<Result<State, Option<String>>> {
        let path = self.path.join(STATE_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err(None)),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()))
            }
        };
        Ok(match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.format != FORMAT => {
                Err(Some(format!("format {}, want {FORMAT}", state.format)))
            }
            Ok(state) => match state
                .counters()
                .into_iter()
                .find(|(_, n)| *n > MOST_COUNTED)
            {
                Some((name, n)) => Err(Some(format!("{name} {n}, want at most {MOST_COUNTED}"))),
                None => Ok(state),
            },
            Err(error) => Err(Some(error.to_string())),
        })
    }

    fn keep_aside(&self) -> anyhow::Result<PathBuf> {
        let name = |n| self.path.join(format!("{STATE_FILE}.corrupt-{n}"));
        let free = (1..MOST_CORRUPT).find(|n| !name(*n).exists());
        let kept = name(free.unwrap_or(MOST_CORRUPT));
        fs::rename(self.path.join(STATE_FILE), &kept)
            .with_context(|| format!("cannot keep the corrupt state as {}", kept.display()))?;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(state: &State) -> (u64, u64, u64) {
        (state.boots, state.starts, state.height)
    }

    fn reopen(path: &Path, boot: &str) -> State {
        StateDir::open(path).unwrap().start(boot).unwrap()
    }

    #[test]
    fn counts_boots_and_starts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ic/data");
        assert_eq!(counts(&reopen(&path, "one")), (1, 1, 0));
        assert_eq!(counts(&reopen(&path, "one")), (1, 2, 0));
        {
            let held = StateDir::open(&path).unwrap();
            let state = held.start("two").unwrap().next().next();
            held.save(&state).unwrap();
        }
        assert_eq!(counts(&reopen(&path, "two")), (2, 4, 2));
    }

    #[test]
    fn corrupt_files_are_kept_aside() {
        let good = r#"{"format":1,"boot_id":"b","boots":1,"starts":1,"height":7}"#;
        let table = [
            "",
            "{",
            "\0\0\0\0",
            r#"{"format":1}"#,
            r#"{"format":1,"boot_id":"b","boots":-1,"starts":1,"height":7}"#,
            &good.replace("\"format\":1", "\"format\":2"),
            // Nobody counted that far.
            &good.replace("\"height\":7", "\"height\":18446744073709551615"),
        ];
        for bad in table {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(STATE_FILE), bad).unwrap();
            assert_eq!(counts(&reopen(dir.path(), "b")), (1, 1, 0), "{bad:?}");
            let kept = dir.path().join("replica-state.json.corrupt-1");
            assert_eq!(fs::read(kept).unwrap(), bad.as_bytes());
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(STATE_FILE), good).unwrap();
        assert_eq!(counts(&reopen(dir.path(), "b")), (1, 2, 7));
    }

    #[test]
    fn at_most_eight_corrupt_files() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..12 {
            fs::write(dir.path().join(STATE_FILE), format!("bad {n}")).unwrap();
            reopen(dir.path(), "b");
        }
        let kept = |n| fs::read_to_string(dir.path().join(format!("{STATE_FILE}.corrupt-{n}")));
        assert_eq!(kept(1).unwrap(), "bad 0");
        assert_eq!(kept(8).unwrap(), "bad 11");
        assert!(kept(9).is_err());
    }

    #[test]
    fn one_process_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = StateDir::open(dir.path()).unwrap();
        let error = StateDir::open(dir.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("another replica uses {}", dir.path().display())
        );
        drop(held);
        StateDir::open(dir.path()).unwrap();
    }

    #[test]
    fn unreadable_is_not_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(STATE_FILE)).unwrap();
        let error = StateDir::open(dir.path()).unwrap().start("b").unwrap_err();
        assert!(error.to_string().starts_with("cannot read "), "{error}");
        assert!(dir.path().join(STATE_FILE).is_dir());
    }
}
