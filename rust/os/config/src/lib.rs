//! The node's configuration: what a CONFIG medium may say, how it is checked, and how it is kept.
//!
//! A medium (and, after ingestion, `/boot/config`, without the last two) holds:
//!
//! ```text
//! config.ini                        key=value lines, see `Settings`; or, from another system,
//! config.json                       the same as typed values, see `Document`
//! ssh_authorized_keys/admin         OpenSSH public keys, one a line, see `AuthorizedKeys`
//! ssh_authorized_keys/readonly
//! ssh_authorized_keys/backup
//! data.key                          what the machine's data are encrypted with, see `DataKey`; what is kept of one that a TPM keeps is its sum, data.key.sha256
//! config.sha256                     sums of these files, if it is signed, see `Proof`
//! config.sha256.sig                 the signature
//! ```
//!
//! Everything is checked before anything is kept: each problem is reported as `file:line: text`, all of them at once,
//! because the person who reads the message has to walk to a machine with the medium in hand.
//!
//! What people wrote is taken apart into types ([`SetupConfig`], [`HostConfig`], [`GuestConfig`]), and each system hands to the next one
//! the part that is its own, as `config.json` ([`Config::hand_over`]).
//!
//! Beside that, the few things that the programs of `rust/os` share: whole-or-absent files ([`atomic`]), files that
//! somebody may have put something else in place of ([`plain`]), times on command lines ([`duration`]), the image's
//! version ([`version`]), log lines ([`logging`]), the way of a key to a program ([`cryptsetup`]), and folders that
//! stand for the system ([`root`]).

mod address;
pub mod atomic;
mod cards;
mod convert;
pub mod cryptsetup;
mod data_key;
mod document;
pub mod duration;
mod error;
mod hand_over;
mod ini;
pub mod logging;
mod mac;
mod medium;
mod part;
pub mod partition;
pub mod plain;
mod proof;
mod remarks;
pub mod root;
mod settings;
mod ssh_keys;
mod store;
mod typed;
mod values;
pub mod version;

pub use address::Address;
pub use cards::Card;
pub use data_key::{DataKey, KeptKey, DATA_KEY, DATA_KEY_SUM};
pub use document::{Document, Kind};
pub use error::{Error, Problem};
pub use mac::{DerivedIpv6, Ipv6Prefix, Mac};
pub use medium::Medium;
pub use proof::{Ownership, Proof, Refusal, NAMESPACE, OWNER, SIGNATURE, SUMS};
pub use settings::{GuestSettings, Settings, HOST_KEYS, INSTALLER_KEYS, KEYS};
pub use ssh_keys::AuthorizedKeys;
pub use store::{Config, Origin, Store, CONFIG_INI, CONFIG_JSON, SSH_KEYS_DIR, SSH_USERS};
pub use typed::{GuestConfig, HostConfig, InstallConfig, NetworkConfig, SetupConfig, VmSettings};
pub use values::{
    AfterInstall, Cpus, DataEncryption, DomainName, DriveChoice, DriveName, Format, HostName,
    Media, MemoryMib, Mtu, NodeType,
};
