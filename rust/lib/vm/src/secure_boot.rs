//! Firmware that starts only what a known key signed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{firmware, process, Result, VmError};

const VIRT_FW_VARS: &str = "virt-fw-vars";
/// Whom the firmware's lists name as the one who enrolled the keys. It means nothing to it.
const OWNER: &str = "a1b2c3d4-5e6f-4a70-8b91-0c2d3e4f5a6b";

/// Certificates (PEM) for a machine's firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// PK: the machine's owner. With one enrolled Secure Boot is on.
    pub platform: PathBuf,
    /// KEK: who may change the lists.
    pub exchange: PathBuf,
    /// db: whose programs are started.
    pub signer: PathBuf,
    /// dbx: digests (SHA-256, hex) of programs that are not started, whoever signed them.
    pub revoked: Vec<String>,
}

impl Keys {
    /// Writes `output`, the variables of a firmware that has these keys and no others, for [`crate::VmConfig::secure_boot`].
    pub fn enroll(&self, output: &Path) -> Result<()> {
        process::require(VIRT_FW_VARS, "python3-virt-firmware")?;
        let (_, empty) = firmware::find_secure()?;
        let revoked = self.revoked.iter();
        let revoked = revoked.flat_map(|digest| ["--add-dbx-hash", OWNER, digest]);
        let ended = Command::new(VIRT_FW_VARS)
            .arg("--input")
            .arg(empty)
            .args(["--set-pk", OWNER])
            .arg(&self.platform)
            .args(["--add-kek", OWNER])
            .arg(&self.exchange)
            .args(["--add-db", OWNER])
            .arg(&self.signer)
            .args(revoked)
            .arg("--secure-boot")
            .arg("--output")
            .arg(output)
            .output()
            .map_err(VmError::io(format!("start {VIRT_FW_VARS}")))?;
        if ended.status.success() {
            return Ok(());
        }
        Err(VmError::Failed {
            program: VIRT_FW_VARS.to_owned(),
            status: ended.status.to_string(),
            detail: String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_none_is_told() {
        if !process::installed(VIRT_FW_VARS) || firmware::find_secure().is_err() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.crt");
        let keys = Keys {
            platform: path.clone(),
            exchange: path.clone(),
            signer: path,
            revoked: Vec::new(),
        };
        let error = keys.enroll(&dir.path().join("vars.fd")).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("virt-fw-vars failed"), "{error}");
        assert!(error.contains("none.crt"), "{error}");
    }
}
