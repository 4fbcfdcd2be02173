//! A CONFIG medium: every name on it means something, is known to be nobody's doing, or is an error.
//!
//! A file that is not read looks to its owner like one that is. `admin.txt`, which an editor makes of `admin`, would leave a
//! machine that nobody can log in to. So the medium is listed, not asked for the names that are wanted.
//!
//! Names count whatever their case: media are FAT, where `CONFIG.INI` and `config.ini` are one name.

use std::path::{Path, PathBuf};

use base::text::hint;
use walkdir::WalkDir;

use crate::data_key::{DataKey, DATA_KEY};
use crate::error::{Error, Problem};
use crate::proof::{Proof, SIGNATURE, SUMS};
use crate::ssh_keys::AuthorizedKeys;
use crate::store::{both, read_file, Config, CONFIG_INI, CONFIG_JSON, SSH_KEYS_DIR, SSH_USERS};
use crate::values::DataEncryption;

/// The names at the top.
const TOP: [&str; 6] = [
    CONFIG_INI,
    CONFIG_JSON,
    SSH_KEYS_DIR,
    DATA_KEY,
    SUMS,
    SIGNATURE,
];

/// What systems leave on a medium that is only plugged in, in lower case, and whose it is.
const LEFT_BEHIND: [(&str, &str); 18] = [
    ("$recycle.bin", "Windows: what was deleted"),
    ("desktop.ini", "Windows: how a folder looks"),
    ("found.000", "Windows: what a repair found"),
    (
        "system volume information",
        "Windows: index, restore points",
    ),
    ("thumbs.db", "Windows: previews"),
    (".apdisk", "macOS: network disks"),
    (".documentrevisions-v100", "macOS: older versions"),
    (".ds_store", "macOS: how a folder looks"),
    (".fseventsd", "macOS: journal of changes"),
    (".metadata_never_index", "macOS: no index, please"),
    (".spotlight-v100", "macOS: index"),
    (".temporaryitems", "macOS"),
    (".trashes", "macOS: what was deleted"),
    (".volumeicon.icns", "macOS: icon"),
    (".directory", "KDE: how a folder looks"),
    ("lost+found", "Linux: what a repair found"),
    ("setupos-log.txt", "SetupOS: what it did, for people"),
    ("setupos-result.json", "SetupOS: what came of it"),
];

/// A medium that was read and is right in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// What it says.
    pub config: Config,
    /// Who says so, if it is signed.
    pub proof: Option<Proof>,
}

impl Medium {
    /// Reads and checks the medium in `dir`; all problems of all files come in one error.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let mut reader = Reader::default();
        let top = reader.names(dir, &TOP, |name| {
            format!("not read, want {}", name_list(&TOP)) + &hint(name, &TOP)
        });
        let mains = [CONFIG_INI, CONFIG_JSON].map(|name| (name, find(&top, name)));
        for (name, path) in mains {
            if let Some(path) = path {
                reader.main(name, path);
            }
        }
        match mains {
            [(_, None), (_, None)] => reader.errors.push(Error::Missing {
                path: dir.join(CONFIG_INI),
            }),
            [(_, Some(_)), (_, Some(json))] => reader.errors.push(both(json.to_path_buf())),
            _ => {}
        }
        if let Some(folder) = find(&top, SSH_KEYS_DIR) {
            reader.keys(folder);
        }
        if let Some(path) = find(&top, DATA_KEY) {
            reader.data_key(path);
        }
        reader.encryption(dir);
        let proof = reader.proof(dir, find(&top, SUMS), find(&top, SIGNATURE));
        let config = reader.config;
        match reader.errors.len() {
            0 => Ok(Self { config, proof }),
            1 => Err(reader.errors.remove(0)),
            _ => Err(Error::Several(reader.errors)),
        }
    }
}

impl Medium {
    /// Reads one file alone, as a medium that has only that: `config.json` if its name ends so, else `config.ini`.
    pub fn read_file(path: &Path) -> Result<Self, Error> {
        let is_json = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let name = if is_json { CONFIG_JSON } else { CONFIG_INI };
        let mut reader = Reader::default();
        reader.main(name, path);
        match reader.errors.pop() {
            None => Ok(Self {
                config: reader.config,
                proof: None,
            }),
            Some(error) => Err(error),
        }
    }
}

/// A known name and where it is.
type Found = (&'static str, PathBuf);

fn find<'a>(found: &'a [Found], name: &str) -> Option<&'a Path> {
    let entry = found.iter().find(|(known, _)| *known == name);
    entry.map(|(_, path)| path.as_path())
}

/// What was read so far, and what was wrong with it.
#[derive(Default)]
struct Reader {
    config: Config,
    errors: Vec<Error>,
}

impl Reader {
    fn refuse(&mut self, path: &Path, text: String) {
        self.errors.push(Error::Invalid {
            path: path.to_path_buf(),
            problems: vec![Problem::new(0, text)],
        });
    }

    /// Which of `known` are in `dir`. What is not known, `unknown` says; a known name that is there twice is refused.
    fn names(
        &mut self,
        dir: &Path,
        known: &[&'static str],
        unknown: impl Fn(&str) -> String,
    ) -> Vec<Found> {
        let entries = WalkDir::new(dir)
            .min_depth(1)
            .max_depth(1)
            .sort_by_file_name();
        let mut found: Vec<Found> = Vec::new();
        let mut others = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.errors.push(Error::io("read", dir)(error.into()));
                    continue;
                }
            };
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.into_path();
            match known.iter().find(|known| known.eq_ignore_ascii_case(&name)) {
                Some(known) => match find(&found, known).map(Path::to_path_buf) {
                    Some(first) => {
                        let text =
                            format!("the same name as {}, want one of them", first.display());
                        self.refuse(&path, text);
                    }
                    None => found.push((known, path)),
                },
                None => others.push((name, path)),
            }
        }
        for (name, path) in others {
            if !is_left_behind(&name, &found) {
                self.refuse(&path, unknown(&name));
            }
        }
        found
    }

    fn main(&mut self, name: &str, path: &Path) {
        let read = read_file(path).and_then(|found| {
            let bytes = found.ok_or_else(|| Error::Missing {
                path: path.to_path_buf(),
            })?;
            self.config.put_main(name, path, bytes)
        });
        self.errors.extend(read.err());
    }

    fn keys(&mut self, folder: &Path) {
        if !folder.is_dir() {
            let text = format!(
                "not a folder, want one with files {}",
                name_list(&SSH_USERS)
            );
            return self.refuse(folder, text);
        }
        let files = self.names(folder, &SSH_USERS, |name| {
            format!("not the name of a user, want {}", name_list(&SSH_USERS))
                + &hint(name, &SSH_USERS)
        });
        for user in SSH_USERS {
            let Some(path) = find(&files, user) else {
                continue;
            };
            let read = read_file(path).and_then(|found| match found {
                Some(bytes) => Ok(Some((AuthorizedKeys::parse(path, &bytes)?, bytes))),
                None => Ok(None),
            });
            match read {
                Ok(Some((keys, bytes))) => self.config.put_keys(user, keys, bytes),
                Ok(None) => {}
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn data_key(&mut self, path: &Path) {
        let read = read_file(path).and_then(|found| match found {
            Some(bytes) => Ok(Some((DataKey::parse(path, &bytes)?, bytes))),
            None => Ok(None),
        });
        match read {
            Ok(Some((key, bytes))) => self.config.put_data_key(key, bytes),
            Ok(None) => {}
            Err(error) => self.errors.push(error),
        }
    }

    /// What the settings say of the key of the data, and whether there is one.
    fn encryption(&mut self, dir: &Path) {
        // What could not be read is said already.
        if !self.errors.is_empty() {
            return;
        }
        let has_key = self.config.data_key.is_some();
        let text = match self.config.settings.data_encryption {
            Some(DataEncryption::None) if has_key => {
                "there is one, and data_encryption is none: take one of them away"
            }
            Some(DataEncryption::Key) if !has_key => {
                "no such file, and data_encryption is key: put one there (`openssl rand -hex 32 >data.key`), and keep a copy"
            }
            _ => return,
        };
        self.refuse(&dir.join(DATA_KEY), text.to_owned());
    }

    /// The signature and what is signed, which must be what is on the medium.
    fn proof(
        &mut self,
        dir: &Path,
        sums: Option<&Path>,
        signature: Option<&Path>,
    ) -> Option<Proof> {
        let (sums, signature) = match (sums, signature) {
            (None, None) => return None,
            (Some(sums), Some(signature)) => (sums, signature),
            (Some(_), None) => {
                let text = format!("no such file, although there is {SUMS}");
                self.refuse(&dir.join(SIGNATURE), text);
                return None;
            }
            (None, Some(_)) => {
                let text = format!("no such file, although there is {SIGNATURE}");
                self.refuse(&dir.join(SUMS), text);
                return None;
            }
        };
        // Files that could not be read have no sum to compare.
        let whole = self.errors.is_empty();
        let read = |path: &Path| {
            read_file(path)?.ok_or_else(|| Error::Missing {
                path: path.to_path_buf(),
            })
        };
        let both = read(sums).and_then(|bytes| Ok((bytes, read(signature)?)));
        match both {
            Ok((bytes, signature)) => {
                let files = if whole { self.config.files() } else { &[] };
                let problems = Proof::problems(&bytes, files);
                if whole && !problems.is_empty() {
                    let path = sums.to_path_buf();
                    self.errors.push(Error::Invalid { path, problems });
                }
                Some(Proof {
                    sums: bytes,
                    signature,
                })
            }
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }
}

/// Whether nobody meant anything by a file of this name beside those `found`.
fn is_left_behind(name: &str, found: &[Found]) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_found = |of: Option<&str>| {
        of.is_some_and(|of| {
            found
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(of))
        })
    };
    LEFT_BEHIND.iter().any(|(known, _)| *known == lower)
        // macOS: attributes of the file that is named behind it.
        || lower.starts_with("._")
        // Linux desktops: what was deleted, by user.
        || lower.starts_with(".trash-")
        // People, and the media that we make.
        || lower.starts_with("readme")
        // Editors: what a file was before, and that it is being edited. Only beside the file itself.
        || is_found(lower.strip_suffix('~'))
        || is_found(lower.strip_prefix('.').and_then(|rest| rest.strip_suffix(".swp")))
}

fn name_list(names: &[&str]) -> String {
    names.join(", ")
}

#[cfg(test)]
#[path = "medium_tests.rs"]
mod tests;
