//! The flags by which tools are told who signs EFI programs: a certificate, and its key or a program that has it. Errors are for people.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::Sha256Digest;
use signing::{Certificate, PrivateKey, Program};

/// Whose key signs.
#[derive(Debug, clap::Args)]
pub struct CertificateFlag {
    /// The certificate of the key that signs, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
}

impl CertificateFlag {
    /// The certificate.
    ///
    /// # Errors
    ///
    /// A file that can't be read, or is none.
    pub fn read(&self) -> Result<Certificate> {
        let certificate = Certificate::parse(&read(&self.certificate)?);
        certificate.with_context(|| self.certificate.display().to_string())
    }
}

/// What makes signatures.
#[derive(Debug, clap::Args)]
pub struct Signer {
    /// The key, PEM, not encrypted.
    #[arg(long, value_name = "FILE", conflicts_with = "program")]
    key: Option<PathBuf>,
    /// A program that signs: gets a digest, 32 bytes, on its standard input and writes the raw RSA signature (PKCS#1 v1.5, SHA-256) to its
    /// standard output.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// An argument of that program.
    #[arg(
        long,
        value_name = "ARG",
        requires = "program",
        allow_hyphen_values = true
    )]
    program_arg: Vec<OsString>,
}

/// What gives the signature of a digest.
pub type Sign = Box<dyn Fn(&Sha256Digest) -> Result<Vec<u8>, signing::Error>>;

impl Signer {
    /// What signs for `certificate`; `None` if no flag names any.
    ///
    /// # Errors
    ///
    /// A key that can't be read, is none, or is not the certificate's.
    pub fn for_certificate(&self, certificate: &Certificate) -> Result<Option<Sign>> {
        if let Some(path) = &self.key {
            let place = || path.display().to_string();
            let text = String::from_utf8(read(path)?).with_context(place)?;
            let key = PrivateKey::parse(&text).with_context(place)?;
            key.check(certificate).with_context(place)?;
            return Ok(Some(Box::new(move |digest| key.sign(digest))));
        }
        let Some(path) = self.program.clone() else {
            return Ok(None);
        };
        let args = self.program_arg.clone();
        let program = Program { path, args };
        Ok(Some(Box::new(move |digest| program.sign(digest))))
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
