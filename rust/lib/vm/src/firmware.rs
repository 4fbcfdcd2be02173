//! Where the UEFI firmware lies.

use std::path::{Path, PathBuf};

use crate::{Result, VmError};

/// Combined code-and-variables builds of OVMF for `-bios`, Debian's place first.
const PLACES: [&str; 4] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
];

/// The build with Secure Boot: code and variables are two files, as the guest must not write the one and does write the other.
const SECURE: [&str; 2] = [
    "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
    "/usr/share/OVMF/OVMF_VARS_4M.fd",
];

/// The installed OVMF with Secure Boot: its code, and its variables without any key.
pub fn find_secure() -> Result<(PathBuf, PathBuf)> {
    let [code, vars] = SECURE.map(|place| find_in(&[place]));
    Ok((code?, vars?))
}

/// The installed OVMF.
pub fn find() -> Result<PathBuf> {
    find_in(&PLACES)
}

/// `given` when it is there, else the installed OVMF.
pub fn given_or_find(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        None => find(),
        Some(path) if path.is_file() => Ok(path.to_path_buf()),
        Some(path) => Err(VmError::MissingFirmware {
            wanted: path.to_path_buf(),
        }),
    }
}

fn find_in(places: &[&str]) -> Result<PathBuf> {
    places
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or_else(|| VmError::MissingFirmware {
            wanted: PathBuf::from(places.first().copied().unwrap_or("(nowhere)")),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_has_to_be_there() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = given_or_find(Some(file.path())).unwrap();
        assert_eq!(found, file.path());
        // No other one is taken in its place, and a folder is none.
        for path in [Path::new("/nonexistent/OVMF.fd"), Path::new("/")] {
            let error = given_or_find(Some(path)).unwrap_err().to_string();
            let want = format!("no OVMF firmware at {}: ", path.display());
            assert!(error.starts_with(&want), "{error}");
        }
    }

    #[test]
    fn absent_firmware_says_what_to_install() {
        let error = find_in(&["/nonexistent/OVMF.fd"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no OVMF firmware at /nonexistent/OVMF.fd: it comes with the package ovmf (apt-get install ovmf), or name one with --firmware"
        );
    }
}
