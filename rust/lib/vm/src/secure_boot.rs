//! Firmware that starts only what a known key signed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{firmware, process, Result, VmError};

const VIRT_FW_VARS: &str = "virt-fw-vars";
/// What stands before signature lists in an update of a variable, `EFI_VARIABLE_AUTHENTICATION_2`: no time (16 bytes), and a `WIN_CERTIFICATE` of
/// 24 bytes, revision 2.0, `WIN_CERT_TYPE_EFI_GUID`, `EFI_CERT_TYPE_PKCS7_GUID`, without any signature. virt-fw-vars looks at no more.
const UPDATE: [u8; 40] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0x00, 0x02, 0xf1, 0x0e, 0x9d,
    0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7,
];

/// Certificates (PEM) for a machine's firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// PK: the machine's owner. With one enrolled Secure Boot is on.
    pub platform: PathBuf,
    /// KEK: who may change the lists.
    pub exchange: PathBuf,
    /// db: whose programs are started.
    pub signer: PathBuf,
    /// db, too: whose programs are started beside those.
    pub others: Vec<PathBuf>,
    /// dbx: EFI signature lists of what is revoked; without, virt-fw-vars revokes the digest of nothing.
    pub dbx: Option<PathBuf>,
    /// dbx, too: digests (SHA-256, hex) of programs that are not started, whoever signed them.
    pub revoked: Vec<String>,
    /// Whom the firmware's variables name as the owner of the certificates, a GUID. It means nothing to firmware, but a TPM measures it.
    pub owner: String,
}

impl Keys {
    /// Writes `output`, the variables of a firmware that has these keys and no others, for [`crate::VmConfig::secure_boot`].
    pub fn enroll(&self, output: &Path) -> Result<()> {
        process::require(VIRT_FW_VARS, "python3-virt-firmware")?;
        let (_, empty) = firmware::find_secure()?;
        let revoked = self.revoked.iter();
        let revoked = revoked.flat_map(|digest| ["--add-dbx-hash", self.owner.as_str(), digest]);
        let mut command = Command::new(VIRT_FW_VARS);
        command
            .arg("--input")
            .arg(empty)
            .args(["--set-pk", &self.owner])
            .arg(&self.platform)
            .args(["--add-kek", &self.owner])
            .arg(&self.exchange)
            .args(["--add-db", &self.owner])
            .arg(&self.signer)
            .args(revoked);
        for other in &self.others {
            command.args(["--add-db", &self.owner]).arg(other);
        }
        let update = output.with_extension("dbx");
        if let Some(lists) = &self.dbx {
            write_update(lists, &update)?;
            command.arg("--set-dbx").arg(&update);
        }
        let ended = command
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

/// Makes an update of a variable, in the file `update`, from its content.
fn write_update(content: &Path, update: &Path) -> Result<()> {
    let lists = fs::read(content).map_err(VmError::io(format!("read {}", content.display())))?;
    fs::write(update, [&UPDATE[..], &lists].concat())
        .map_err(VmError::io(format!("write {}", update.display())))
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
            others: Vec::new(),
            dbx: None,
            revoked: Vec::new(),
            owner: "11111111-2222-3333-4444-555555555555".to_owned(),
        };
        let error = keys.enroll(&dir.path().join("vars.fd")).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("virt-fw-vars failed"), "{error}");
        assert!(error.contains("none.crt"), "{error}");
    }
}
