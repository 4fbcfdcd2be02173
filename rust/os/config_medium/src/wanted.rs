//! What a person wants on the medium.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use os_config::{AuthorizedKeys, Medium, OWNER, SIGNATURE, SSH_KEYS_DIR, SSH_USERS, SUMS};

use crate::error::Error;

/// A file of public keys, `[USER=]FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// One of [`SSH_USERS`].
    pub user: &'static str,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for KeyFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((user, path)) = text.split_once('=') else {
            return Ok(Self {
                user: OWNER,
                path: PathBuf::from(text),
            });
        };
        let known = SSH_USERS.into_iter().find(|known| *known == user);
        match known {
            Some(user) => Ok(Self {
                user,
                path: PathBuf::from(path),
            }),
            // A file's name with `=` in it can be said with its folder: `./a=b` has no user before it.
            None if user.contains('/') => Ok(Self {
                user: OWNER,
                path: PathBuf::from(text),
            }),
            None => Err(format!(
                "no user {user:?}, want FILE or USER=FILE with one of {}",
                SSH_USERS.join(", ")
            )),
        }
    }
}

/// Checked files for the medium: path there, content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    files: BTreeMap<String, Vec<u8>>,
}

impl Wanted {
    /// The folder `config`, laid out as a medium, and keys besides: behind those that the folder has for the user.
    ///
    /// All problems of all of it come in one error, as `config_tool check` says them.
    pub fn read(config: Option<&Path>, keys: &[KeyFile]) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        let mut errors = Vec::new();
        if let Some(dir) = config {
            match Medium::read(dir) {
                Ok(medium) => {
                    for (path, bytes) in medium.config.files() {
                        files.insert(path.to_string_lossy().into_owned(), bytes.clone());
                    }
                    if let Some(proof) = medium.proof {
                        if !keys.is_empty() {
                            return Err(Error::Signed { sums: SUMS });
                        }
                        files.insert(SUMS.to_owned(), proof.sums);
                        files.insert(SIGNATURE.to_owned(), proof.signature);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        for KeyFile { user, path } in keys {
            let read = std::fs::read(path).map_err(|source| os_config::Error::Io {
                action: "read",
                path: path.clone(),
                source,
            });
            let checked = read.and_then(|bytes| AuthorizedKeys::parse(path, &bytes).map(|_| bytes));
            match checked {
                Ok(bytes) => {
                    let have: &mut Vec<u8> =
                        files.entry(format!("{SSH_KEYS_DIR}/{user}")).or_default();
                    if !have.is_empty() && !have.ends_with(b"\n") {
                        have.push(b'\n');
                    }
                    have.extend(bytes);
                }
                Err(error) => errors.push(error),
            }
        }
        match errors.len() {
            0 if files.is_empty() => Err(Error::Nothing),
            0 => Ok(Self { files }),
            1 => Err(errors.remove(0).into()),
            _ => Err(os_config::Error::Several(errors).into()),
        }
    }

    /// The files, by path.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Whether it brings settings, and not keys alone.
    pub(crate) fn has_settings(&self) -> bool {
        self.files.keys().any(|path| MAINS.contains(&path.as_str()))
    }
}

/// The two forms of the settings, of which a medium has one: as people write them, and as one system hands them to the next.
pub(crate) const MAINS: [&str; 2] = [os_config::CONFIG_INI, os_config::CONFIG_JSON];

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a\n";

    #[test]
    fn key_files() {
        let parsed = |text: &str| {
            text.parse::<KeyFile>()
                .map(|file| (file.user, file.path.display().to_string()))
        };
        assert_eq!(parsed("id.pub"), Ok(("admin", "id.pub".to_owned())));
        assert_eq!(parsed("backup=id.pub"), Ok(("backup", "id.pub".to_owned())));
        assert_eq!(parsed("./a=b"), Ok(("admin", "./a=b".to_owned())));
        assert_eq!(
            parsed("root=id.pub").unwrap_err(),
            "no user \"root\", want FILE or USER=FILE with one of admin, readonly, backup"
        );
    }

    #[test]
    fn folder_and_keys() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("config/ssh_authorized_keys")).unwrap();
        std::fs::write(at("config/config.ini"), "hostname=node-1\n").unwrap();
        std::fs::write(at("config/README.txt"), "not read\n").unwrap();
        std::fs::write(at("config/ssh_authorized_keys/admin"), KEY.trim_end()).unwrap();
        std::fs::write(at("id.pub"), KEY).unwrap();
        let keys = ["id.pub", "backup=id.pub"].map(|text| {
            let mut file: KeyFile = text.parse().unwrap();
            file.path = dir.path().join(file.path);
            file
        });
        let wanted = Wanted::read(Some(&at("config")), &keys).unwrap();
        let want = [
            ("config.ini", "hostname=node-1\n".to_owned()),
            ("ssh_authorized_keys/admin", format!("{KEY}{KEY}")),
            ("ssh_authorized_keys/backup", KEY.to_owned()),
        ];
        let want = want.map(|(path, text)| (path.to_owned(), text.into_bytes()));
        assert_eq!(wanted.files(), &BTreeMap::from(want));

        // All problems of both.
        std::fs::write(at("config/config.ini"), "hostnam=x\nmtu=1\n").unwrap();
        std::fs::write(at("id.pub"), "key\n").unwrap();
        let said = Wanted::read(Some(&at("config")), &keys[..1])
            .unwrap_err()
            .to_string();
        let check = Medium::read(&at("config")).unwrap_err().to_string();
        assert!(said.starts_with(&check), "{said}");
        assert!(
            said.contains("config.ini:1: ") && said.contains("config.ini:2: "),
            "{said}"
        );
        assert!(said.contains("id.pub:1: got \"key\""), "{said}");
        assert!(matches!(Wanted::read(None, &[]), Err(Error::Nothing)));
    }
}
