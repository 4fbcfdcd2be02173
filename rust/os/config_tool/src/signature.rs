//! Whether a stored key signed a medium, by OpenSSH's own `ssh-keygen`.
//!
//! It comes with sshd, which lets people in by these very keys: a second reader of keys and signatures would be one more that
//! can be wrong, and it knows every kind of key there is, also those on security tokens.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::Context;
use os_config::{Proof, NAMESPACE, OWNER};

const SSH_KEYGEN: &str = "/usr/bin/ssh-keygen";
/// How much of what it says is told.
const LAST_LINES: usize = 8;

/// Whether one of `keys` (`TYPE BASE64`) made the proof's signature, or why not.
pub(crate) fn verify(keys: &[String], proof: &Proof) -> anyhow::Result<Result<(), String>> {
    let dir = tempfile::tempdir().context("cannot create a temporary folder")?;
    let (signers, signature) = (dir.path().join("signers"), dir.path().join("signature"));
    let mut text = String::new();
    for key in keys {
        text.push_str(&format!("{OWNER} namespaces=\"{NAMESPACE}\" {key}\n"));
    }
    let signed = dir.path().join("signed");
    for (path, bytes) in [
        (&signers, text.as_bytes()),
        (&signature, proof.signature.as_slice()),
        (&signed, proof.sums.as_slice()),
    ] {
        let written = File::create(path).and_then(|mut file| file.write_all(bytes));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let signed = File::open(&signed).context("cannot read a temporary file")?;
    let output = Command::new(SSH_KEYGEN)
        .args(["-Y", "verify", "-I", OWNER, "-n", NAMESPACE, "-f"])
        .arg(&signers)
        .arg("-s")
        .arg(&signature)
        .stdin(Stdio::from(signed))
        .output()
        .with_context(|| format!("cannot start {SSH_KEYGEN}"))?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    Ok(Err(format!(
        "ssh-keygen says {:?}",
        program::said(&output, LAST_LINES)
    )))
}
