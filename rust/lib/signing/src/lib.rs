//! Signatures of EFI programs: Authenticode for the firmware, OpenPGP for GRUB, both by one RSA key, which never has to come near.
//!
//! Who signs gets 32 bytes and gives back a raw RSA signature: PKCS#1 v1.5 over SHA-256. Everything around it is made here from the
//! certificate alone, so that the same image and certificate are the same digests and the same signed bytes:
//!
//! | step                  | by                                                                 | needs                      |
//! |-----------------------|--------------------------------------------------------------------|----------------------------|
//! | what is to be signed  | [`Request::of`]                                                    | image, certificate         |
//! | signing               | [`sign`] with any function; [`PrivateKey`], [`Program`]            | request, certificate, key  |
//! | the signed image      | [`Signed::of`], after every signature was verified                 | image, request, signatures |
//!
//! | format                                                    | spec                                                             |
//! |-----------------------------------------------------------|------------------------------------------------------------------|
//! | Authenticode: PKCS#7 signed data over SpcIndirectData      | *Windows Authenticode Portable Executable Signature Format* 1.0; RFC 2315 |
//! | OpenPGP version 4: a public key, a detached signature      | RFC 4880, 4.2.1, 5.2.3, 5.5.2, 12.2                              |
//! | request and signatures                                     | `docs/formats/signing.md`                                        |
//!
//! There is no clock in it: Authenticode has no signing time; OpenPGP must have times, of the key and of the signature, and both
//! are the certificate's `notBefore`.
//!
//! The OpenPGP signature is over the signed image, so its digest is known only when the Authenticode signature is. The request
//! holds SHA-256's state before that ([`Prefix`]), so one visit to the key is enough for both.

mod authenticode;
mod certificate;
mod error;
mod key;
mod openpgp;
mod prefix;
mod program;
mod request;
mod signatures;
mod signed;

pub use certificate::Certificate;
pub use error::Error;
pub use key::PrivateKey;
pub use openpgp::{keyring, public_key};
pub use prefix::Prefix;
pub use program::Program;
pub use request::{Item, Request};
pub use signatures::{sign, Signature, Signatures};
pub use signed::Signed;
