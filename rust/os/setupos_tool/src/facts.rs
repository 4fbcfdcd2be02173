//! What was found, as data: the screen shows it, `--json` prints it.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Facts {
    /// Of this system.
    pub(crate) version: Option<String>,
    /// What this system was built for.
    pub(crate) env: Option<String>,
    pub(crate) config: Config,
    pub(crate) images: Vec<Image>,
    pub(crate) drives: Vec<Drive>,
    pub(crate) network: Vec<Interface>,
    pub(crate) machine: Machine,
}

/// The CONFIG medium.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Config {
    /// Block device it is mounted from.
    pub(crate) device: Option<String>,
    /// Its volume label.
    pub(crate) label: Option<String>,
    /// Whether all of it is right; the two below are empty if not.
    pub(crate) valid: bool,
    pub(crate) settings: BTreeMap<String, String>,
    /// Keys by user.
    pub(crate) ssh_keys: BTreeMap<String, usize>,
}

/// An image that this system carries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) version: String,
    pub(crate) env: Option<String>,
    pub(crate) size: u64,
    pub(crate) fsverity: String,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// How far it is known that an image is what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum State {
    /// Its file is there with the right length.
    Unverified,
    /// Its digest is being computed.
    Verifying { percent: u64 },
    /// Its digest is right.
    Verified,
    /// Something is wrong with it; the report says what.
    Bad,
}

/// A drive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Drive {
    pub(crate) name: String,
    pub(crate) bus: Option<&'static str>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    /// World Wide Name, as the kernel has it: `naa.…`, `eui.…`.
    pub(crate) wwn: Option<String>,
    /// Names in /dev/disk/by-id.
    pub(crate) ids: Vec<String>,
    /// In bytes. None: the kernel does not say.
    pub(crate) size: Option<u64>,
    /// Bytes of what it reads and writes at least. None: the kernel does not say.
    pub(crate) sector: Option<u64>,
    pub(crate) rotational: bool,
    pub(crate) removable: bool,
    pub(crate) read_only: bool,
    /// Whether this system runs from it.
    pub(crate) own: bool,
    /// What has it, or a part of it: where it is mounted, what is made of it.
    pub(crate) used_by: Vec<String>,
}

/// A network card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) mac: Option<String>,
    pub(crate) driver: Option<String>,
    pub(crate) link: bool,
    pub(crate) speed_mbps: Option<u64>,
    pub(crate) mtu: Option<u64>,
    /// With the lengths of their prefixes; IPv6 first.
    pub(crate) addresses: Vec<String>,
}

/// The rest of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) vendor: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) cpu: Option<String>,
    /// None: the kernel does not say.
    pub(crate) cpus: Option<u64>,
    /// Processors that are plugged in. None: the kernel does not say.
    pub(crate) sockets: Option<u64>,
    /// In bytes. None: the kernel does not say.
    pub(crate) memory: Option<u64>,
    /// `AMD-V` or `VT-x`.
    pub(crate) virtualization: Option<&'static str>,
    pub(crate) uefi: bool,
    /// None: the firmware does not say.
    pub(crate) secure_boot: Option<bool>,
}
