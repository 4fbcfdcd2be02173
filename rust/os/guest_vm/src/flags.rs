//! Flags that several commands share: where things are, and what the guest is started with.

use std::path::PathBuf;

use crate::host::Host;
use crate::qemu::Accel;

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// KVM where it works, else emulation.
    Auto,
    /// This and nothing else.
    Only(Accel),
}

impl Choice {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Only(Accel::Kvm)),
            "tcg" => Ok(Self::Only(Accel::Tcg)),
            _ => Err("want auto, kvm or tcg".to_owned()),
        }
    }
}

/// Where the configuration is kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Configuration {
    /// Where the configuration is kept.
    #[arg(long, value_name = "DIR", default_value = "/boot/config")]
    pub(crate) config: PathBuf,
    /// Take /proc, /dev and /sys of the host below this folder (for tests).
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

impl Configuration {
    pub(crate) fn host(&self) -> Host {
        Host {
            root: self.root.clone(),
        }
    }
}

/// What the guest is started with.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Guest {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// The emulator.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/bin/qemu-system-x86_64"
    )]
    pub(crate) qemu: PathBuf,
    /// auto: KVM where it works, else emulation; kvm, tcg: that and nothing else.
    #[arg(long, value_name = "WHAT", default_value = "auto", value_parser = Choice::parse)]
    pub(crate) accel: Choice,
    /// The guest's disk.
    #[arg(long, value_name = "DEVICE", default_value = "/dev/guestos")]
    pub(crate) disk: PathBuf,
    /// The firmware's code.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    )]
    pub(crate) firmware: PathBuf,
    /// The firmware's fresh variables.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/share/OVMF/OVMF_VARS_4M.fd"
    )]
    pub(crate) firmware_vars: PathBuf,
    /// Folder for what outlives upgrades of the host: the firmware's variables.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/guest-vm")]
    pub(crate) state_dir: PathBuf,
    /// Folder for the guest's CONFIG medium.
    #[arg(long, value_name = "DIR", default_value = "/run/guest-vm")]
    pub(crate) runtime_dir: PathBuf,
    /// The network device that the guest's card is connected to.
    #[arg(long, value_name = "NAME", default_value = "guest0")]
    pub(crate) tap: String,
    /// The guest's vsock address.
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u32).range(3..=0xffff_fffe))]
    pub(crate) vsock_cid: u32,
}
