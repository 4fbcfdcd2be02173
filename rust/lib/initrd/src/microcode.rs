//! Microcode of processors, for the kernel to load before anything else.
//!
//! Spec: *The Linux Microcode Loader*. It lies in an archive of its own that is not packed, before all others.

use crate::cpio::Archive;
use crate::error::Error;
use crate::root::Root;
use crate::unpack::{plain, unpack, MOST};

const AMD: &str = "usr/lib/firmware/amd-ucode";
const INTEL: &str = "usr/lib/firmware/intel-ucode";
const FOLDER: &str = "kernel/x86/microcode";

/// The archive with all microcode that the tree has; an error if that is none.
pub(crate) fn archive(root: &Root<'_>) -> Result<Vec<u8>, Error> {
    let mut archive = Archive::default();
    let mut found = false;
    for (folder, end, name) in [
        (AMD, ".bin", "AuthenticAMD.bin"),
        (INTEL, "", "GenuineIntel.bin"),
    ] {
        let bytes = together(root, folder, end)?;
        if !bytes.is_empty() {
            found = true;
            // The kernel gives it to the processor where it lies, and Intel's wants a multiple of 16 there (SDM, "Microcode Update Loader").
            archive.aligned_file(&format!("{FOLDER}/{name}"), bytes)?;
        }
    }
    if !found {
        let (amd, intel) = (AMD, INTEL);
        return Err(Error::NoMicrocode { amd, intel });
    }
    archive.write()
}

/// The files of a folder whose names end in `end`, one after another in the order of their names.
fn together(root: &Root<'_>, folder: &str, end: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for (name, is_folder) in root.names(folder)? {
        if is_folder || !plain(&name).ends_with(end) {
            continue;
        }
        let path = format!("{folder}/{name}");
        if let Some(content) = root.content(&path, MOST)? {
            bytes.extend(unpack(&path, content)?);
        }
    }
    Ok(bytes)
}
