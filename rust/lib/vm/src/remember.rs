//! What a trial of KVM said, remembered until the machine boots again.
//!
//! A trial starts a real guest, which takes a part of a second to some seconds. Its outcome depends on the kernel that runs, on QEMU and
//! on the firmware, so a note names all three; one that names others is worth nothing. It lies in the user's folder for caches;
//! where there is none that can be written to, nothing is remembered.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use files::NewFile;

use crate::{process, QEMU};

/// A note longer than this is none of ours.
const LONGEST: u64 = 4096;

/// Where the outcome of a trial is noted, and what the trial was made with.
#[derive(Debug)]
pub(crate) struct Memory {
    file: PathBuf,
    subject: String,
}

impl Memory {
    /// For a trial with the installed QEMU and this firmware; None where nothing can be remembered.
    pub(crate) fn of(firmware: &Path) -> Option<Self> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let qemu = fingerprint(&process::find(QEMU)?)?;
        let firmware = fingerprint(firmware)?;
        Some(Self {
            file: cache_folder()?.join("kvm"),
            subject: format!("{} {qemu} {firmware}", boot.trim()),
        })
    }

    #[cfg(test)]
    pub(crate) fn at(file: PathBuf, subject: &str) -> Self {
        let subject = subject.to_owned();
        Self { file, subject }
    }

    /// The outcome of an earlier trial: None if there was none.
    pub(crate) fn recall(&self) -> Option<Result<(), String>> {
        if std::fs::metadata(&self.file).ok()?.len() > LONGEST {
            return None;
        }
        let note = std::fs::read_to_string(&self.file).ok()?;
        let (subject, outcome) = note.strip_suffix('\n')?.split_once('\n')?;
        if subject != self.subject {
            return None;
        }
        match outcome.split_once(' ') {
            None if outcome == "works" => Some(Ok(())),
            Some(("fails:", reason)) => Some(Err(reason.to_owned())),
            _ => None,
        }
    }

    /// Notes an outcome. It is no error when that cannot be done: the next run tries again.
    pub(crate) fn keep(&self, outcome: &Result<(), String>) {
        let outcome = match outcome {
            Ok(()) => "works".to_owned(),
            Err(reason) => format!("fails: {}", reason.replace('\n', " ")),
        };
        let note = format!("{}\n{outcome}\n", self.subject);
        let Some(folder) = self.file.parent() else {
            return;
        };
        // Whole or absent, for others may read it now.
        let _ = std::fs::create_dir_all(folder)
            .and_then(|()| NewFile::create(&self.file, 0o600))
            .and_then(|new| new.file().write_all(note.as_bytes()).map(|()| new))
            .and_then(NewFile::commit);
    }
}

/// What changes when another program or firmware is installed.
fn fingerprint(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let metadata = path.metadata().ok()?;
    Some(format!(
        "{:?}:{}:{}.{}",
        path,
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

/// The user's folder for caches, by the XDG base directory specification.
#[allow(
    clippy::disallowed_methods,
    reason = "the folder is told in no other way, and what lies there decides no byte of an image"
)]
fn cache_folder() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder = given.filter(absolute).or_else(home).filter(absolute)?;
    Some(folder.join("image-build"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_trial_is_recalled() {
        let dir = tempfile::tempdir().unwrap();
        let memory = |subject: &str| Memory::at(dir.path().join("a/b/kvm"), subject);
        assert_eq!(memory("boot 1").recall(), None);
        memory("boot 1").keep(&Ok(()));
        assert_eq!(memory("boot 1").recall(), Some(Ok(())));
        assert_eq!(memory("boot 2").recall(), None);
        let reason = Err("KVM internal error. Suberror: 1".to_owned());
        memory("boot 2").keep(&reason);
        assert_eq!(memory("boot 2").recall(), Some(reason));
        for junk in ["", "boot 2\n", "boot 2\nmaybe\n", "boot 2\nworks", "\n\n"] {
            std::fs::write(dir.path().join("a/b/kvm"), junk).unwrap();
            assert_eq!(memory("boot 2").recall(), None, "{junk:?}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_forgotten() {
        let memory = Memory::at(PathBuf::from("/proc/no/kvm"), "boot");
        memory.keep(&Ok(()));
        assert_eq!(memory.recall(), None);
    }
}
