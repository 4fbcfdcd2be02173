//! Variables of UEFI firmware: those of Secure Boot, as Linux shows them, and the lists of certificates in them.
//!
//! Spec: UEFI 2.10. A variable has a name and the GUID of a namespace (8.2); Linux has a file `NAME-GUID` for each, in [`FOLDER`]: four bytes of
//! attributes, then the value. [`signatures`] reads and writes the values of `db`, `dbx`, `KEK` and `PK`.

pub mod signatures;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Where Linux has them.
pub const FOLDER: &str = "/sys/firmware/efi/efivars";

/// `EFI_GLOBAL_VARIABLE` (3.3).
const GLOBAL: Uuid = Uuid::from_u128(0x8be4df61_93ca_11d2_aa0d_00e098032b8c);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID` (32.6.1).
const SECURITY_DATABASE: Uuid = Uuid::from_u128(0xd719b2cb_3d3a_4596_a3bc_dad00e67656f);

/// Attributes in front of the value.
const ATTRIBUTES: usize = 4;

/// Which variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What the name is in.
    namespace: Uuid,
}

/// Whether the firmware checks what it starts: one byte, 1 if it does.
pub const SECURE_BOOT: Variable = Variable::new("SecureBoot", GLOBAL);
/// The platform's key.
pub const PK: Variable = Variable::new("PK", GLOBAL);
/// Whose signature changes `db` and `dbx`.
pub const KEK: Variable = Variable::new("KEK", GLOBAL);
/// Whose signature programs must have.
pub const DB: Variable = Variable::new("db", SECURITY_DATABASE);
/// What is revoked.
pub const DBX: Variable = Variable::new("dbx", SECURITY_DATABASE);

impl Variable {
    const fn new(name: &'static str, namespace: Uuid) -> Self {
        Self { name, namespace }
    }

    /// The namespace as it is in memory: its first three numbers are little-endian.
    pub const fn namespace(&self) -> [u8; 16] {
        self.namespace.to_bytes_le()
    }

    /// Its file in `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}", self.name, self.namespace))
    }

    /// Its value in `folder`; nothing, if the firmware has no such variable, or Linux has none at all.
    pub fn read(&self, folder: &Path) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(folder);
        match std::fs::read(&path) {
            Ok(bytes) => match bytes.split_at_checked(ATTRIBUTES) {
                Some((_, value)) => Ok(Some(value.to_vec())),
                None => Err(Error::Short {
                    path,
                    len: bytes.len(),
                }),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

/// Whether the firmware whose variables are in `folder` checks what it starts; nothing, if it does not say: it does not know of Secure Boot, or is none
/// of UEFI's.
pub fn secure_boot(folder: &Path) -> Result<Option<bool>, Error> {
    match SECURE_BOOT.read(folder)?.as_deref() {
        None => Ok(None),
        Some([on]) => Ok(Some(*on == 1)),
        Some(value) => Err(Error::SecureBoot {
            path: SECURE_BOOT.path(folder),
            len: value.len(),
        }),
    }
}

/// Why a variable can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It can't be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not even attributes.
    #[error("{}: {len} bytes, want at least {ATTRIBUTES}", path.display())]
    Short {
        /// Its file.
        path: PathBuf,
        /// How many bytes that has.
        len: usize,
    },
    /// `SecureBoot` is not one byte.
    #[error("{}: a value of {len} bytes, want 1", path.display())]
    SecureBoot {
        /// Its file.
        path: PathBuf,
        /// How many bytes the value has.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

    #[test]
    fn names_and_namespaces() {
        let namespace = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
        let database = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
        for (variable, want) in [
            (SECURE_BOOT, format!("SecureBoot-{namespace}")),
            (PK, format!("PK-{namespace}")),
            (KEK, format!("KEK-{namespace}")),
            (DB, format!("db-{database}")),
            (DBX, format!("dbx-{database}")),
        ] {
            assert_eq!(variable.path(Path::new("/v")), Path::new("/v").join(want));
        }
        let global = b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c";
        assert_eq!(&PK.namespace(), global);
        let database = b"\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f";
        assert_eq!(&DB.namespace(), database);
    }

    #[test]
    fn secure_boot_is_on_or_off_or_not_known() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(secure_boot(&dir.path().join("none")).unwrap(), None);
        assert_eq!(secure_boot(dir.path()).unwrap(), None);
        for (value, want) in [(0, false), (1, true), (2, false)] {
            std::fs::write(dir.path().join(FILE), [6, 0, 0, 0, value]).unwrap();
            assert_eq!(secure_boot(dir.path()).unwrap(), Some(want), "{value}");
        }
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        for (bytes, want) in [
            (&[6, 0, 0][..], "3 bytes, want at least 4"),
            (&[6, 0, 0, 0], "a value of 0 bytes, want 1"),
            (&[6, 0, 0, 0, 1, 0], "a value of 2 bytes, want 1"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = secure_boot(dir.path()).unwrap_err().to_string();
            assert_eq!(error, format!("{}: {want}", path.display()));
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let error = secure_boot(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
    }
}
