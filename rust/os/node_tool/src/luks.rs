//! A partition that is encrypted as a whole: LUKS2, by cryptsetup, with the key of the configuration (`data.key`).
//!
//! What is done follows from what is on the partition and from whether there is a key. Nothing that holds something is ever made anew for a key's sake:
//!
//! | found                         | no key                     | a key                                        |
//! |-------------------------------|----------------------------|----------------------------------------------|
//! | nothing, or what was half made | a plain file system is made | a LUKS2 volume is made, and the file system in it |
//! | LUKS                          | refused                    | opened; refused if the key is another one    |
//! | a plain file system           | looked after as it is      | refused                                      |
//! | something else                | broken                     | refused                                      |
//!
//! The volume's passphrase are the 64 digits of the key. They are random, so they are not stretched: PBKDF2 with the fewest rounds, the same work on each
//! machine and hardly any memory. cryptsetup gets them on its standard input; they are in no file but the configuration's, on no command line.
//!
//! The header takes the partition's first 16 MiB, and the volume ends where the partition does: one that became larger is larger when it is opened again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{bail, ensure, Context};
use os_config::partition::Found;
use os_config::{DataKey, Store};

use crate::volume::told;
use crate::System;

/// What both headers take.
pub(crate) const HEADER: u64 = 16 << 20;

/// Exit status of cryptsetup: no key slot opens with this passphrase.
const NO_SUCH_KEY: i32 = 2;

/// Locks would lie in /run, where a service may not write; nobody else opens the partition. For each action, closing included.
const NO_LOCKS: &str = "--disable-locks";

/// What is known of the key of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nothing is encrypted here.
    None,
    /// Where the configuration is kept is not mounted.
    Unknown(PathBuf),
    /// The configuration has one.
    Given(DataKey),
}

impl Key {
    /// The one that is kept in `config`.
    pub(crate) fn stored(config: &Path, system: &System) -> anyhow::Result<Self> {
        let folder = system.path(config);
        let key = Store::new(&folder).data_key()?;
        Ok(match key {
            Some(key) => Self::Given(key),
            None if system.is_running() && !is_mounted(&folder) => Self::Unknown(folder),
            None => Self::None,
        })
    }
}

/// Whether a file system of its own is mounted at `folder`.
fn is_mounted(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
    let above = folder.parent().and_then(device);
    // What is not there is not mounted.
    device(folder).is_some_and(|device| Some(device) != above)
}

/// How to go on with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// It is not encrypted.
    Plain,
    /// A volume is made first.
    Make(&'a DataKey),
    /// There is one.
    Open(&'a DataKey),
}

/// Why a partition stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("whether it is to be encrypted is not known, for {} is not mounted: it is not made", .0.display())]
    Unknown(PathBuf),
    #[error("it is encrypted (LUKS), and the configuration has no data.key: put the key on the CONFIG medium, or into the store")]
    NoKey,
    #[error("it holds a file system that is not encrypted, and the configuration has a data.key: take that out of the store, or save what the file system holds and zero its first 160 MiB")]
    NotEncrypted,
    #[error("it holds something that is neither empty nor LUKS, and the configuration has a data.key: zero all of it if that can be given up")]
    Foreign,
    #[error("it is encrypted (LUKS) with another key than the data.key of the configuration: put the right one into the store")]
    OtherKey,
}

/// What is to be done with what was found.
pub(crate) fn step<'a>(found: &Found, is_luks: bool, key: &'a Key) -> Result<Step<'a>, Refusal> {
    match (found, key) {
        // A mark stays where it is until there is something to lose.
        (Found::HalfMade | Found::Nothing, Key::None) => Ok(Step::Plain),
        (Found::HalfMade | Found::Nothing, Key::Unknown(folder)) => {
            Err(Refusal::Unknown(folder.clone()))
        }
        (Found::HalfMade | Found::Nothing, Key::Given(key)) => Ok(Step::Make(key)),
        (_, Key::Given(key)) if is_luks => Ok(Step::Open(key)),
        (_, _) if is_luks => Err(Refusal::NoKey),
        (_, Key::None | Key::Unknown(_)) => Ok(Step::Plain),
        (Found::Ext4, Key::Given(_)) => Err(Refusal::NotEncrypted),
        (Found::Other, Key::Given(_)) => Err(Refusal::Foreign),
    }
}

/// Makes a volume; what the partition held is gone.
pub(crate) fn format(partition: &Path, label: &str, key: &DataKey) -> anyhow::Result<()> {
    let fewest = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
    let output = cryptsetup("luksFormat", key, |command| {
        command
            .args(["--type", "luks2", "--label", label])
            .args(["--cipher", "aes-xts-plain64", "--key-size", "512"])
            .args(fewest)
            .arg(partition);
    })?;
    ensure!(
        output.status.success(),
        "cryptsetup luksFormat: {}",
        told(&output)
    );
    Ok(())
}

/// Opens a volume as /dev/mapper/NAME, and says where that is.
pub(crate) fn open(
    partition: &Path,
    name: &str,
    key: &DataKey,
    system: &System,
) -> anyhow::Result<PathBuf> {
    let tried = cryptsetup("open", key, |command| {
        command
            .args(["--type", "luks2", "--test-passphrase"])
            .arg(partition);
    })?;
    match tried.status.code() {
        Some(0) => {}
        Some(NO_SUCH_KEY) => return Err(Refusal::OtherKey.into()),
        _ => bail!("cryptsetup open: {}", told(&tried)),
    }
    let mapped = system.path("/dev/mapper").join(name);
    if mapped.exists() {
        // Of a run before, whose partition may have been smaller. One that is in use stays, and is told.
        let output = Command::new("cryptsetup")
            .args(["close", NO_LOCKS, name])
            .output();
        let output = output.context("cannot start cryptsetup")?;
        ensure!(
            output.status.success(),
            "{} is there already, and cryptsetup does not close it: {}",
            mapped.display(),
            told(&output)
        );
    }
    let output = cryptsetup("open", key, |command| {
        command.args(["--type", "luks2"]).arg(partition).arg(name);
    })?;
    ensure!(
        output.status.success(),
        "cryptsetup open: {}",
        told(&output)
    );
    ensure!(
        mapped.exists(),
        "cryptsetup opened {}, and {} is not there",
        partition.display(),
        mapped.display()
    );
    Ok(mapped)
}

/// Runs cryptsetup with the key on its standard input.
fn cryptsetup(
    action: &str,
    key: &DataKey,
    arguments: impl FnOnce(&mut Command),
) -> anyhow::Result<Output> {
    let size = key.digits().len().to_string();
    let mut command = Command::new("cryptsetup");
    command
        .args([action, "--batch-mode", "--key-file", "-"])
        .args(["--keyfile-size", &size])
        .arg(NO_LOCKS);
    arguments(&mut command);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.context("cannot start cryptsetup")?;
    if let Some(mut stdin) = child.stdin.take() {
        // Less than a pipe takes; one that ends before it reads says why by itself.
        let _ = stdin.write_all(key.digits().as_bytes());
    }
    child.wait_with_output().context("cannot run cryptsetup")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn what_is_done_with_what_is_found() {
        let key = DataKey::parse(Path::new("k"), DIGITS.as_bytes()).unwrap();
        let given = Key::Given(key.clone());
        let unknown = Key::Unknown("/boot/config".into());
        let not_known = || Err(Refusal::Unknown("/boot/config".into()));
        let none = Key::None;
        for (found, is_luks, want) in [
            (
                Found::Nothing,
                false,
                [Ok(Step::Plain), not_known(), Ok(Step::Make(&key))],
            ),
            // Cut off before the header, or behind it: nothing was ever kept there.
            (
                Found::HalfMade,
                false,
                [Ok(Step::Plain), not_known(), Ok(Step::Make(&key))],
            ),
            (
                Found::HalfMade,
                true,
                [Ok(Step::Plain), not_known(), Ok(Step::Make(&key))],
            ),
            (
                Found::Ext4,
                false,
                [Ok(Step::Plain), Ok(Step::Plain), Err(Refusal::NotEncrypted)],
            ),
            (
                Found::Other,
                false,
                [Ok(Step::Plain), Ok(Step::Plain), Err(Refusal::Foreign)],
            ),
            (
                Found::Other,
                true,
                [
                    Err(Refusal::NoKey),
                    Err(Refusal::NoKey),
                    Ok(Step::Open(&key)),
                ],
            ),
            // The remains of a file system in front of it don't hide it.
            (
                Found::Ext4,
                true,
                [
                    Err(Refusal::NoKey),
                    Err(Refusal::NoKey),
                    Ok(Step::Open(&key)),
                ],
            ),
        ] {
            for (key, want) in [&none, &unknown, &given].into_iter().zip(want) {
                assert_eq!(
                    step(&found, is_luks, key),
                    want,
                    "{found:?} {is_luks} {key:?}"
                );
            }
        }
    }

    #[test]
    fn a_store_that_is_not_mounted_is_known() {
        assert!(is_mounted(Path::new("/proc")));
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("config")).unwrap();
        assert!(!is_mounted(&dir.path().join("config")));
        assert!(!is_mounted(&dir.path().join("none")));
        let system = System { root: None };
        let key = |folder: &Path| Key::stored(folder, &system).unwrap();
        let folder = dir.path().join("config");
        assert_eq!(key(&folder), Key::Unknown(folder.clone()));
        assert_eq!(key(Path::new("/proc")), Key::None);
        std::fs::write(folder.join("data.key"), DIGITS).unwrap();
        assert!(matches!(key(&folder), Key::Given(_)));
        // With another root nothing is mounted, and nothing need be.
        let system = System {
            root: Some(dir.path().to_path_buf()),
        };
        assert!(matches!(
            Key::stored(Path::new("/config"), &system).unwrap(),
            Key::Given(_)
        ));
        assert_eq!(Key::stored(Path::new("/x"), &system).unwrap(), Key::None);
        std::fs::write(folder.join("data.key"), "rubbish").unwrap();
        let error = Key::stored(Path::new("/config"), &system).unwrap_err();
        assert!(error.to_string().contains("want 64 digits"), "{error}");
    }
}
