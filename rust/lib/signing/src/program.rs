//! A program that signs.
//!
//! It gets the digest, 32 bytes, on its standard input, and writes the raw RSA signature (PKCS#1 v1.5, SHA-256; as long as the key) to its
//! standard output, and nothing else. Any exit status but 0 is a refusal. What it says on standard error is shown. `openssl
//! pkeyutl -sign -pkeyopt digest:sha256 …` is such a program as it is.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base::{as_u64, Sha256Digest};

use crate::error::Error;

/// The longest answer that is read: any signature, and one byte more.
const MAX_ANSWER: usize = 513;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path, or a name to be looked up in `PATH`.
    pub path: PathBuf,
    /// The arguments.
    pub args: Vec<OsString>,
}

impl Program {
    /// Asks it for the signature of a digest. Whether that is one, the caller checks.
    pub fn sign(&self, digest: &Sha256Digest) -> Result<Vec<u8>, Error> {
        let program = || self.path.display().to_string();
        let run = |source| Error::Run {
            program: program(),
            source,
        };
        let mut command = Command::new(&self.path);
        command.args(&self.args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(run)?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not want it ends, and its status says so.
            let _ = input.write_all(digest.as_bytes());
        }
        let mut answer = Vec::new();
        if let Some(output) = child.stdout.take() {
            let mut output = output.take(as_u64(MAX_ANSWER));
            output.read_to_end(&mut answer).map_err(run)?;
        }
        let status = child.wait().map_err(run)?;
        if !status.success() {
            return Err(Error::Program {
                program: program(),
                reason: format!("it refused digest {digest} ({status})"),
            });
        }
        Ok(answer)
    }
}
