//! Update bundles: what a node is upgraded by, who signed it, and whether the node takes it.
//!
//! A bundle is a tar, plain or compressed with zstd: `manifest.json`, `manifest.json.sig`, then the members that the manifest lists with
//! their digests. `docs/formats/update.md` has it to the byte. Formats only: nothing here opens a file.
//!
//! | to …                                              | use                                                |
//! |---------------------------------------------------|----------------------------------------------------|
//! | read a bundle, and be handed nothing unchecked     | [`Bundle`], with the [`Policy`] of the node         |
//! | check one and write nothing                       | [`verify`]                                         |
//! | say what a bundle holds                           | [`Manifest`]                                       |
//! | sign, or take signatures from outside             | [`SigningKey`], [`Signatures::add`]                |
//! | say whose signatures count                        | [`TrustedKeys`]                                    |
//! | know which version is newer                       | [`Version::age`]                                   |
//! | send only what an image has not of an older one   | [`delta::make`]                                    |
//!
//! What comes in is hostile until its signatures are checked, and they are checked before anything else is looked at. Then a member is
//! hostile until its chunk is checked: a reader gets whole chunks of right bytes, or a [`Refusal`]. Memory is bounded: the manifest (4 MiB), a
//! chunk (16 MiB), zstd's window (8 MiB, twice for a compressed bundle of differences).

mod bundle;
pub mod delta;
mod documents;
mod error;
mod expiry;
mod input;
mod keys;
mod manifest;
mod policy;
mod signatures;
mod version;
mod write;

pub use bundle::{
    order, verify, Bundle, Chunk, Item, Place, BOOT_DELTA, MANIFEST, ROOT_DELTA, SIGNATURES,
};
pub use documents::{Error as DocumentError, Fault};
pub use error::Error;
pub use expiry::{Expiry, NoExpiry};
pub use keys::{KeyError, PublicKey, SigningKey, TrustedKey, TrustedKeys, MAX_KEYS};
pub use manifest::{Manifest, Member, BOOT, CHUNK, FORMAT, LOADER, MEMBERS, ROOT, VERSION_TXT};
pub use plan::ReadAt;
pub use policy::{older_formats, FormatChange, Identity, Policy, Refusal};
pub use signatures::{NobodysSignature, Signature, Signatures};
pub use version::{NoVersion, Version, MAX_VERSION};
pub use write::write;
