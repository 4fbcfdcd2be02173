//! The node's configuration: what a CONFIG medium may say, how it is checked, and how it is kept.
//!
//! A medium (and, after ingestion, `/boot/config`, without the last two) holds:
//!
//! ```text
//! config.ini                        key=value lines, see `Settings`
//! ssh_authorized_keys/admin         OpenSSH public keys, one a line, see `AuthorizedKeys`
//! ssh_authorized_keys/readonly
//! ssh_authorized_keys/backup
//! config.sha256                     sums of these files, if it is signed, see `Proof`
//! config.sha256.sig                 the signature
//! ```
//!
//! Everything is checked before anything is kept: each problem is reported as `file:line: text`, all of them at once,
//! because the person who reads the message has to walk to a machine with the medium in hand.
//!
//! Beside that, the few things that the programs of `rust/os` share: whole-or-absent files ([`atomic`]), times on
//! command lines ([`duration`]), the image's version ([`version`]) and log lines ([`logging`]).

pub mod atomic;
pub mod duration;
mod error;
mod ini;
pub mod logging;
mod medium;
mod proof;
mod settings;
mod ssh_keys;
mod store;
pub mod version;

pub use error::{Error, Problem};
pub use medium::Medium;
pub use proof::{Ownership, Proof, Refusal, NAMESPACE, OWNER, SIGNATURE, SUMS};
pub use settings::{Address, Settings, KEYS};
pub use ssh_keys::AuthorizedKeys;
pub use store::{Config, Origin, Store, CONFIG_INI, SSH_KEYS_DIR, SSH_USERS};
