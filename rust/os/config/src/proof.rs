//! Who vouches for a medium, and whether a machine listens.
//!
//! The first medium makes a machine somebody's: those whose keys it has for `admin`. From then on a medium counts if one of
//! these keys signed it, and its `serial` is larger than the stored one: an older medium, signed by the same key, does not
//! bring back what was taken away since. Two machines listen to any medium: one without a key for `admin`, which is nobody's,
//! and one whose stored `config.ini` says `media=any`.
//!
//! Signed is a list of the files' SHA-256, as `sha256sum` writes it, by `ssh-keygen` (file format PROTOCOL.sshsig of OpenSSH):
//!
//! ```text
//! sha256sum config.ini ssh_authorized_keys/* >config.sha256
//! ssh-keygen -Y sign -n config-medium -f ~/.ssh/id_ed25519 config.sha256
//! ```

use std::path::PathBuf;

use base::Sha256Digest;

use crate::error::Problem;
use crate::ini;
use crate::store::{Config, SSH_USERS};

/// Name of the list of sums.
pub const SUMS: &str = "config.sha256";
/// Name of its signature.
pub const SIGNATURE: &str = "config.sha256.sig";
/// What is signed, for `ssh-keygen -n`: a signature for anything else does not count here.
pub const NAMESPACE: &str = "config-medium";
/// The user whose keys vouch for a medium.
pub const OWNER: &str = SSH_USERS[0];

/// A signed list of what is on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The list: what is signed.
    pub sums: Vec<u8>,
    /// The signature, in PEM.
    pub signature: Vec<u8>,
}

impl Proof {
    /// What is wrong with `sums` as a list of `files`: each must be there once, with its sum, and no other.
    pub(crate) fn problems(sums: &[u8], files: &[(PathBuf, Vec<u8>)]) -> Vec<Problem> {
        let (lines, mut problems) = ini::lines(sums);
        let mut left: Vec<_> = files.iter().collect();
        for (number, text) in lines {
            if text.is_empty() {
                continue;
            }
            let Some((sum, name)) = text.split_once([' ', '\t']) else {
                problems.push(Problem::new(
                    number,
                    format!("got {text:?}, want a sum and a file name"),
                ));
                continue;
            };
            // `*` is sha256sum's mark of a file read as it is.
            let name = name.trim_start().trim_start_matches('*');
            let path = name.trim_start_matches("./").to_lowercase();
            let position = left
                .iter()
                .position(|(file, _)| file.as_os_str() == path.as_str());
            match position.map(|at| left.remove(at)) {
                Some((_, bytes)) => {
                    let is = Sha256Digest::of(bytes).to_string();
                    if is != sum.to_lowercase() {
                        let text = format!("{name}: the file's sum is {is}");
                        problems.push(Problem::new(number, text));
                    }
                }
                None => problems.push(Problem::new(
                    number,
                    format!("{name}: no such file on the medium, or listed twice"),
                )),
            }
        }
        for (path, _) in left {
            problems.push(Problem::new(0, format!("{} is not listed", path.display())));
        }
        problems
    }
}

/// Whose a machine is, by its stored configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// Public keys, as `TYPE BASE64`; none: nobody's.
    pub keys: Vec<String>,
    /// The stored `serial`.
    pub serial: u64,
    /// Whether the owner lets in any medium.
    pub open: bool,
}

/// Why a machine does not listen to a medium.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not signed.
    #[error("it is not signed, and this machine listens to holders of the stored keys of {OWNER} only: sign it (ssh-keygen -Y sign -n {NAMESPACE}), or store media=any")]
    NotSigned,
    /// The signature is not that of a stored key.
    #[error("its signature is not one of a stored key of {OWNER}: {reason}")]
    BadSignature {
        /// What the verifier said.
        reason: String,
    },
    /// It is signed, and older than what is stored.
    #[error(
        "its serial is {got}, want more than the stored {stored}: an older medium does not count"
    )]
    Old {
        /// Of the medium.
        got: u64,
        /// Of the stored configuration.
        stored: u64,
    },
}

impl Ownership {
    /// Whether `config` with `proof` counts here. `verify` says whether one of the keys signed the proof, or why not.
    pub fn admit<E>(
        &self,
        config: &Config,
        proof: Option<&Proof>,
        verify: impl FnOnce(&[String], &Proof) -> Result<Result<(), String>, E>,
    ) -> Result<Result<(), Refusal>, E> {
        if self.keys.is_empty() || self.open {
            return Ok(Ok(()));
        }
        let Some(proof) = proof else {
            return Ok(Err(Refusal::NotSigned));
        };
        if let Err(reason) = verify(&self.keys, proof)? {
            return Ok(Err(Refusal::BadSignature { reason }));
        }
        let (got, stored) = (config.settings.serial, self.serial);
        Ok(match got > stored {
            true => Ok(()),
            false => Err(Refusal::Old { got, stored }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(PathBuf, Vec<u8>)> {
        vec![
            (PathBuf::from("config.ini"), b"a".to_vec()),
            (PathBuf::from("ssh_authorized_keys/admin"), b"b".to_vec()),
        ]
    }

    #[test]
    fn lists_say_all_and_nothing_else() {
        let (a, b) = (Sha256Digest::of(b"a"), Sha256Digest::of(b"b"));
        for good in [
            format!("{a}  config.ini\n{b}  ssh_authorized_keys/admin\n"),
            format!(
                "{b} *./SSH_authorized_keys/Admin\r\n\r\n{}  config.ini",
                a.to_string().to_uppercase()
            ),
        ] {
            assert_eq!(Proof::problems(good.as_bytes(), &files()), [], "{good}");
        }
        let table = [
            (String::new(), vec!["0 config.ini is not listed", "0 ssh_authorized_keys/admin is not listed"]),
            (
                format!("{b}  config.ini\n{b}  ssh_authorized_keys/admin\n"),
                vec!["1 config.ini: the file's sum is ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"],
            ),
            (
                format!("{a}  config.ini\n{b}  ssh_authorized_keys/admin\n{a}  config.ini\n{a}  ../x\nx\n"),
                vec![
                    "3 config.ini: no such file on the medium, or listed twice",
                    "4 ../x: no such file on the medium, or listed twice",
                    "5 got \"x\", want a sum and a file name",
                ],
            ),
        ];
        for (text, want) in table {
            let got = Proof::problems(text.as_bytes(), &files());
            let got: Vec<_> = got
                .iter()
                .map(|p| format!("{} {}", p.line, p.text))
                .collect();
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn who_is_listened_to() {
        let key = vec!["ssh-ed25519 AAAA".to_owned()];
        let proof = Proof {
            sums: Vec::new(),
            signature: Vec::new(),
        };
        let mut config = Config::default();
        config.settings.serial = 7;
        let with = |serial, open, keys: &[String]| Ownership {
            keys: keys.to_vec(),
            serial,
            open,
        };
        let admit = |of: Ownership, proof: Option<&Proof>, good: Result<(), String>| {
            let verify = |_: &[String], _: &Proof| Ok::<_, ()>(good);
            let result = of.admit(&config, proof, verify).unwrap();
            result.map_err(|refusal| refusal.to_string())
        };
        let bad = || Err("no principal matched".to_owned());
        assert_eq!(admit(with(9, false, &[]), None, bad()), Ok(()));
        assert_eq!(admit(with(9, true, &key), None, bad()), Ok(()));
        assert_eq!(admit(with(6, false, &key), Some(&proof), Ok(())), Ok(()));
        assert!(admit(with(6, false, &key), None, Ok(()))
            .unwrap_err()
            .starts_with("it is not signed, and "));
        assert_eq!(
            admit(with(6, false, &key), Some(&proof), bad()).unwrap_err(),
            "its signature is not one of a stored key of admin: no principal matched"
        );
        for stored in [7, 8] {
            assert_eq!(
                admit(with(stored, false, &key), Some(&proof), Ok(())).unwrap_err(),
                format!("its serial is 7, want more than the stored {stored}: an older medium does not count")
            );
        }
    }
}
