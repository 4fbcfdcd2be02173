//! `/boot/config`: the configuration that the machine keeps.
//!
//! A medium replaces the whole configuration or nothing. The new files are written to `.incoming.new/`, synced, and
//! that folder is renamed to `.incoming/`: from this instant the new configuration counts. Then the files are copied
//! to their names and `.incoming/` is removed. Whoever finds `.incoming/` reads from there; the next
//! [`Store::ingest`] finishes the copying first. Other files in the folder are left alone.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base::Sha256Digest;

use crate::atomic;
use crate::data_key::{self, DataKey, KeptKey, DATA_KEY, DATA_KEY_SUM};
use crate::document::Document;
use crate::error::{Error, Problem};
use crate::plain::{self, NotPlain};
use crate::proof::{Ownership, OWNER};
use crate::settings::Settings;
use crate::ssh_keys::AuthorizedKeys;
use crate::values::DataEncryption;

/// Name of the settings file.
pub const CONFIG_INI: &str = "config.ini";
/// Name of the file that one system hands to the next, in place of [`CONFIG_INI`].
pub const CONFIG_JSON: &str = "config.json";
/// Name of the folder with one file of keys a user.
pub const SSH_KEYS_DIR: &str = "ssh_authorized_keys";
/// The users who may have keys.
pub const SSH_USERS: [&str; 3] = ["admin", "readonly", "backup"];

const INCOMING: &str = ".incoming";
const INCOMING_NEW: &str = ".incoming.new";
const INCOMING_DONE: &str = ".incoming.done";

/// Larger files are refused: nobody types that much.
const MOST_BYTES: u64 = 256 * 1024;

/// Everything a configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `config.ini`, or what `config.json` says in its keys.
    pub settings: Settings,
    /// `config.json`, if that is what there is.
    pub document: Option<Document>,
    /// Keys by user, in the order of [`SSH_USERS`]; a user without a file is absent.
    pub keys: Vec<(&'static str, AuthorizedKeys)>,
    /// `data.key`: what the machine's data are encrypted with, if they are.
    pub data_key: Option<DataKey>,
    /// Of a key that the machine's TPM keeps: its sum. A store has it, a medium never.
    pub data_key_sum: Option<Sha256Digest>,
    /// The checked files: path under the folder, content.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Config {
    /// Reads and checks the files of a store; all problems of all of them come in one error. Media are read by [`Medium`],
    /// which also looks at what else is there.
    ///
    /// [`Medium`]: crate::Medium
    fn read(dir: &Path) -> Result<Self, Error> {
        let mut config = Self::default();
        let mut errors = Vec::new();
        let mains = [CONFIG_INI, CONFIG_JSON].map(|name| (name, dir.join(name)));
        let found = mains.map(|(name, path)| Some((name, read_file(&path).transpose()?, path)));
        match &found {
            [None, None] => errors.push(Error::Missing {
                path: dir.join(CONFIG_INI),
            }),
            [Some(_), Some((.., json))] => errors.push(both(json.clone())),
            _ => {}
        }
        for (name, read, path) in found.into_iter().flatten() {
            let kept = read.and_then(|bytes| config.put_main(name, &path, bytes));
            errors.extend(kept.err());
        }
        for user in SSH_USERS {
            let name = Path::new(SSH_KEYS_DIR).join(user);
            let path = dir.join(&name);
            let keys = read_file(&path).and_then(|found| match found {
                Some(bytes) => Ok(Some((AuthorizedKeys::parse(&path, &bytes)?, bytes))),
                None => Ok(None),
            });
            match keys {
                Ok(Some((keys, bytes))) => config.put_keys(user, keys, bytes),
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        match read_kept_key(dir) {
            Ok(Some((KeptKey::Whole(key), bytes))) => config.put_data_key(key, bytes),
            Ok(Some((KeptKey::Sum(sum), bytes))) => config.put_sum(sum, bytes),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match errors.len() {
            0 => Ok(config),
            1 => Err(errors.pop().unwrap_or(Error::Several(Vec::new()))),
            _ => Err(Error::Several(errors)),
        }
    }

    /// Takes the file `name`, [`CONFIG_INI`] or [`CONFIG_JSON`], that was read from `path`.
    pub(crate) fn put_main(
        &mut self,
        name: &str,
        path: &Path,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        if name == CONFIG_JSON {
            let document = Document::parse(path, &bytes)?;
            self.settings = document.settings(path)?;
            self.document = Some(document);
        } else {
            self.settings = Settings::parse(path, &bytes)?;
        }
        self.files.push((PathBuf::from(name), bytes));
        Ok(())
    }

    pub(crate) fn put_keys(&mut self, user: &'static str, keys: AuthorizedKeys, bytes: Vec<u8>) {
        self.keys.push((user, keys));
        let path = Path::new(SSH_KEYS_DIR).join(user);
        self.files.push((path, bytes));
    }

    pub(crate) fn put_data_key(&mut self, key: DataKey, bytes: Vec<u8>) {
        self.data_key = Some(key);
        self.files.push((PathBuf::from(DATA_KEY), bytes));
    }

    fn put_sum(&mut self, sum: Sha256Digest, bytes: Vec<u8>) {
        self.data_key_sum = Some(sum);
        self.files.push((PathBuf::from(DATA_KEY_SUM), bytes));
    }

    /// The sum of its key of the data, whether it has the key or the sum alone.
    fn sum(&self) -> Option<Sha256Digest> {
        let whole = self.data_key.as_ref().map(DataKey::sum);
        whole.or(self.data_key_sum)
    }

    /// This configuration as a store keeps it that has `kept` so far: of a key that a TPM keeps there is the sum alone. Refused is one that would
    /// take the kept key away: who forgets it on a later medium would lose all that is encrypted with it.
    fn beside(&self, kept: Option<&KeptKey>) -> Result<Self, Error> {
        let path = || PathBuf::from(DATA_KEY);
        let sealed = self.settings.data_encryption == Some(DataEncryption::Tpm2);
        let sum = match (kept, self.sum()) {
            (Some(kept), Some(sum)) if kept.sum() == sum => sum,
            (None, Some(sum)) => sum,
            (Some(KeptKey::Sum(sum)), None) if sealed => *sum,
            (Some(_), _) => return Err(Error::OtherKey { path: path() }),
            (None, None) if sealed => return Err(Error::NoKey { path: path() }),
            (None, None) => return Ok(self.clone()),
        };
        let mut next = self.clone();
        if sealed {
            next.data_key = None;
            let keys = [DATA_KEY, DATA_KEY_SUM].map(Path::new);
            next.files
                .retain(|(name, _)| !keys.contains(&name.as_path()));
            next.put_sum(sum, format!("{sum}\n").into_bytes());
        }
        Ok(next)
    }

    /// The checked files, in the order in which they are read.
    pub fn files(&self) -> &[(PathBuf, Vec<u8>)] {
        &self.files
    }

    /// The files beside `config.ini` or `config.json`.
    pub(crate) fn others(&self) -> impl Iterator<Item = &(PathBuf, Vec<u8>)> {
        let mains = [CONFIG_INI, CONFIG_JSON].map(Path::new);
        let others = move |(path, _): &&(PathBuf, _)| !mains.contains(&path.as_path());
        self.files.iter().filter(others)
    }

    /// Takes files that were read before and their keys, as they are.
    pub(crate) fn put_others<'a>(
        &mut self,
        files: impl Iterator<Item = &'a (PathBuf, Vec<u8>)>,
        keys: &[(&'static str, AuthorizedKeys)],
    ) {
        self.files.extend(files.cloned());
        self.keys = keys.to_vec();
    }

    /// Whether somebody could log in, and vouch for a later medium, with a key of this configuration.
    pub fn has_owner(&self) -> bool {
        self.keys_of(OWNER)
            .is_some_and(|keys| !keys.keys.is_empty())
    }

    /// The keys of `user`; none when there is no such file.
    pub fn keys_of(&self, user: &str) -> Option<&AuthorizedKeys> {
        self.keys
            .iter()
            .find(|(name, _)| *name == user)
            .map(|(_, keys)| keys)
    }

    /// Everything as JSON, for scripts: the keys that are set, and the keys for logging in; of the key of the data only whether there is one.
    /// [`Document::of`] has the typed form.
    pub fn to_json(&self) -> serde_json::Value {
        let settings: serde_json::Map<String, serde_json::Value> = self
            .settings
            .pairs
            .iter()
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect();
        let keys: serde_json::Map<String, serde_json::Value> = self
            .keys
            .iter()
            .map(|(user, keys)| ((*user).to_owned(), keys.keys.clone().into()))
            .collect();
        serde_json::json!({
            "data_key": self.sum().is_some(),
            "settings": settings,
            "ssh_authorized_keys": keys,
        })
    }
}

/// Where a loaded configuration came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the store.
    Stored,
    /// The store is empty: defaults.
    Defaults,
}

/// The folder that holds the configuration.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in `dir`, which need not exist to be read.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where the files are read from now.
    pub fn current(&self) -> PathBuf {
        let incoming = self.dir.join(INCOMING);
        if incoming.is_dir() {
            incoming
        } else {
            self.dir.clone()
        }
    }

    /// The kept configuration, or the defaults when none was ever kept.
    pub fn load(&self) -> Result<(Config, Origin), Error> {
        let dir = self.current();
        let names = [CONFIG_INI, CONFIG_JSON, SSH_KEYS_DIR];
        if !names.iter().any(|name| dir.join(name).exists()) {
            return Ok((Config::default(), Origin::Defaults));
        }
        Ok((Config::read(&dir)?, Origin::Stored))
    }

    /// What is kept of the key of the machine's data, whatever else is kept.
    pub fn kept_key(&self) -> Result<Option<KeptKey>, Error> {
        Ok(read_kept_key(&self.current())?.map(|(key, _)| key))
    }

    /// The same of a store in which it may have gone bad: then it is lost already.
    pub fn key_to_keep(&self) -> Result<Option<KeptKey>, Error> {
        match self.kept_key() {
            Err(Error::Invalid { .. }) => Ok(None),
            kept => kept,
        }
    }

    /// Whether `config` is what is kept already.
    pub fn holds(&self, config: &Config) -> bool {
        let kept = self
            .key_to_keep()
            .and_then(|key| config.beside(key.as_ref()));
        kept.is_ok_and(|config| {
            self.load()
                .is_ok_and(|(kept, _)| kept.files == config.files)
        })
    }

    /// Whose this machine is. A file that went bad still speaks for itself as far as it reads: damage is no way in.
    pub fn ownership(&self) -> Result<Ownership, Error> {
        let dir = self.current();
        let settings = match read_file(&dir.join(CONFIG_INI))? {
            Some(bytes) => Settings::parse(Path::new(CONFIG_INI), &bytes).ok(),
            None => read_file(&dir.join(CONFIG_JSON))?.and_then(|bytes| {
                let path = Path::new(CONFIG_JSON);
                Document::parse(path, &bytes).ok()?.settings(path).ok()
            }),
        };
        let keys = read_file(&dir.join(SSH_KEYS_DIR).join(OWNER))?;
        Ok(Ownership {
            keys: keys.map_or_else(Vec::new, |bytes| AuthorizedKeys::salvage(&bytes)),
            serial: settings.as_ref().map_or(0, |settings| settings.serial),
            open: settings.is_some_and(|settings| settings.any_medium),
        })
    }

    /// Replaces the kept configuration by `config`; says whether anything changed. A key of the data that is kept stays. One that is for the TPM to keep
    /// is not written here: whoever has it must hand it over ([`KeptKey::is`] says whether it is the one).
    pub fn ingest(&self, config: &Config) -> Result<bool, Error> {
        self.finish()?;
        if self.holds(config) {
            return Ok(false);
        }
        let config = config.beside(self.key_to_keep()?.as_ref())?;
        let staging = self.dir.join(INCOMING_NEW);
        remove_tree(&staging)?;
        make_dir(&staging)?;
        make_dir(&staging.join(SSH_KEYS_DIR))?;
        for (name, bytes) in &config.files {
            let path = staging.join(name);
            atomic::write(&path, bytes, mode(name)).map_err(Error::io("write", path))?;
        }
        // Names inside first, then the one that counts.
        atomic::sync_parent(&staging.join(CONFIG_INI)).map_err(Error::io("sync", &staging))?;
        let incoming = self.dir.join(INCOMING);
        fs::rename(&staging, &incoming).map_err(Error::io("rename", &staging))?;
        atomic::sync_parent(&incoming).map_err(Error::io("sync", &self.dir))?;
        self.finish()?;
        Ok(true)
    }

    /// Copies a configuration that counts already to its final names.
    fn finish(&self) -> Result<(), Error> {
        let incoming = self.dir.join(INCOMING);
        let done = self.dir.join(INCOMING_DONE);
        if incoming.is_dir() {
            make_dir(&self.dir.join(SSH_KEYS_DIR))?;
            let users = SSH_USERS.map(|user| Path::new(SSH_KEYS_DIR).join(user));
            let others = [DATA_KEY, DATA_KEY_SUM, CONFIG_INI, CONFIG_JSON].map(PathBuf::from);
            for name in users.into_iter().chain(others) {
                let path = self.dir.join(&name);
                match read_file(&incoming.join(&name))? {
                    Some(bytes) => {
                        atomic::write_if_changed(&path, &bytes, mode(&name))
                            .map_err(Error::io("write", path))?;
                    }
                    None if name == Path::new(DATA_KEY) => erase(&path)?,
                    None => remove_file(&path)?,
                }
            }
            atomic::sync_parent(&self.dir.join(SSH_KEYS_DIR).join("x"))
                .map_err(Error::io("sync", &self.dir))?;
            remove_tree(&done)?;
            // One rename takes it out of force; a half removed `.incoming` would delete what it lacks.
            fs::rename(&incoming, &done).map_err(Error::io("rename", &incoming))?;
            atomic::sync_parent(&done).map_err(Error::io("sync", &self.dir))?;
        }
        remove_tree(&done)
    }
}

/// Of `config.ini` and `config.json` there is one, or it is not known which one counts.
pub(crate) fn both(path: PathBuf) -> Error {
    let text = format!("there is {CONFIG_INI} too, want one of them: remove this file if {CONFIG_INI} is what you wrote, else the other");
    Error::Invalid {
        path,
        problems: vec![Problem::new(0, text)],
    }
}

/// Key of the data, or its sum, and the file's bytes.
fn read_kept_key(dir: &Path) -> Result<Option<(KeptKey, Vec<u8>)>, Error> {
    let [key, sum] = [DATA_KEY, DATA_KEY_SUM].map(|name| dir.join(name));
    match (read_file(&key)?, read_file(&sum)?) {
        (None, None) => Ok(None),
        (Some(bytes), None) => Ok(Some((KeptKey::Whole(DataKey::parse(&key, &bytes)?), bytes))),
        (None, Some(bytes)) => Ok(Some((
            KeptKey::Sum(data_key::parse_sum(&sum, &bytes)?),
            bytes,
        ))),
        (Some(_), Some(_)) => Err(Error::BothKeys { path: sum }),
    }
}

/// Permission bits of a kept file.
fn mode(name: &Path) -> u32 {
    match name == Path::new(DATA_KEY) {
        true => 0o600,
        false => 0o644,
    }
}

fn make_dir(path: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    match builder.mode(0o755).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(Error::io("create", path)),
    }
}

fn remove_file(path: &Path) -> Result<(), Error> {
    atomic::remove(path).map_err(Error::io("remove", path))?;
    Ok(())
}

/// Removes a key: what it was is overwritten where it lies, as far as the drive lets anybody do that.
fn erase(path: &Path) -> Result<(), Error> {
    match fs::OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("erase", path)(error)),
        Ok(mut file) => {
            let len = file.metadata().map(|meta| meta.len());
            let zeros = len.and_then(|len| io::copy(&mut io::repeat(0).take(len), &mut file));
            zeros
                .and_then(|_| file.sync_all())
                .map_err(Error::io("erase", path))?;
        }
    }
    remove_file(path)
}

fn remove_tree(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(Error::io("remove", path)),
    }
}

/// The whole of a plain file of sensible size; `None` when absent.
pub(crate) fn read_file(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match plain::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if NotPlain::of(&error).is_some() => {
            return Err(Error::NotAFile {
                path: path.to_path_buf(),
            })
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    if base::as_u64(bytes.len()) > MOST_BYTES {
        return Err(Error::TooLarge {
            path: path.to_path_buf(),
            limit: MOST_BYTES,
        });
    }
    Ok(Some(bytes))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
