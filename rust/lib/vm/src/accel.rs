//! KVM or emulation, found out by trying.
//!
//! A `/dev/kvm` that opens proves little: nested or restricted hypervisors offer one on which real firmware stops with
//! `KVM internal error`. So a guest without disks is started on it and must print its firmware's greeting.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::remember::Memory;
use crate::{process, Deadline, Result, Vm, VmConfig, VmError, QEMU};

/// What runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accel {
    /// The processor, through the kernel's KVM.
    Kvm,
    /// QEMU's translator: works everywhere, some ten times slower.
    Tcg,
}

impl Accel {
    pub(crate) fn args(self) -> [&'static str; 4] {
        match self {
            Self::Kvm => ["-accel", "kvm", "-cpu", "host"],
            Self::Tcg => ["-accel", "tcg,thread=multi", "-cpu", "max"],
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// What a person asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccelChoice {
    /// KVM where it works, else emulation.
    #[default]
    Auto,
    /// KVM or nothing.
    Kvm,
    /// Emulation.
    Tcg,
}

impl FromStr for AccelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            _ => Err(format!("accelerator `{text}` is none of auto, kvm, tcg")),
        }
    }
}

impl fmt::Display for AccelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// The accelerator to use, and why it is not KVM although that would have been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What to start the guest with.
    pub accel: Accel,
    /// One sentence for the user when [`AccelChoice::Auto`] fell back to emulation.
    pub note: Option<String>,
}

impl AccelChoice {
    /// Decides; tries KVM with `firmware` unless emulation is asked for. Takes up to a few seconds; nothing is remembered.
    pub fn resolve(self, firmware: &Path) -> Result<Choice> {
        self.resolve_by(|| probe_kvm(firmware))
    }

    /// [`AccelChoice::resolve`] for people, who start guests often: what the trial said is remembered until the machine boots again, or
    /// QEMU or the firmware changes. Who asks for KVM by name gets a new trial.
    pub fn resolve_remembered(self, firmware: &Path) -> Result<Choice> {
        match Memory::of(firmware) {
            Some(memory) if self == Self::Auto => self.resolve_by(|| {
                open_kvm()?;
                remembered(&memory, || probe_kvm(firmware))
            }),
            _ => self.resolve(firmware),
        }
    }

    fn resolve_by(self, probe: impl FnOnce() -> Result<(), Unusable>) -> Result<Choice> {
        process::require(QEMU, "qemu-system-x86")?;
        let plain = |accel| Choice { accel, note: None };
        if self == Self::Tcg {
            return Ok(plain(Accel::Tcg));
        }
        match (probe(), self) {
            (Ok(()), _) => Ok(plain(Accel::Kvm)),
            (Err(Unusable { reason, .. }), Self::Kvm) => Err(VmError::KvmUnusable { reason }),
            (Err(Unusable { reason, .. }), _) => Ok(Choice {
                accel: Accel::Tcg,
                note: Some(format!(
                    "no working KVM on this machine ({reason}); the processor is emulated, which is some ten times slower"
                )),
            }),
        }
    }
}

/// Why KVM is no use.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unusable {
    reason: String,
    /// Whether another trial would say the same: a guest ran and broke. One that was slow, or did not start, may do better next time.
    lasting: bool,
}

impl Unusable {
    fn now(reason: String) -> Self {
        Self {
            reason,
            lasting: false,
        }
    }
}

/// What `memory` knows, else what `probe` says.
fn remembered(
    memory: &Memory,
    probe: impl FnOnce() -> Result<(), Unusable>,
) -> Result<(), Unusable> {
    if let Some(outcome) = memory.recall() {
        return outcome.map_err(|reason| Unusable {
            reason,
            lasting: true,
        });
    }
    let outcome = probe();
    match &outcome {
        Ok(()) => memory.keep(&Ok(())),
        Err(unusable) if unusable.lasting => memory.keep(&Err(unusable.reason.clone())),
        Err(_) => {}
    }
    outcome
}

/// Makes sure that this user may use KVM at all.
fn open_kvm() -> Result<(), Unusable> {
    std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .map(drop)
        .map_err(|error| Unusable::now(format!("/dev/kvm: {error}")))
}

/// Starts a small guest on KVM and waits for its firmware to print something; an error is the reason why KVM is no use.
fn probe_kvm(firmware: &Path) -> Result<(), Unusable> {
    open_kvm()?;
    let config = VmConfig::new(firmware, Accel::Kvm)
        .memory_mib(128)
        .cpus(1)
        .without_network()
        .vsock_cid(None);
    let guest = Vm::start(config).map_err(failed)?;
    probe_guest(&guest, Deadline::after(Duration::from_secs(15)))
}

/// The evidence: text on the console. `guest` has no disk, so its firmware soon says that there is nothing to boot; any text will do.
fn probe_guest(guest: &Vm, deadline: Deadline) -> Result<(), Unusable> {
    loop {
        if guest.console().unread_len() > 0 {
            return Ok(());
        }
        match guest.qmp().and_then(|qmp| Ok(qmp.status()?)) {
            Ok(status) if status == "running" || status == "prelaunch" => {}
            Ok(status) => {
                let reason = first_line(&guest.errors());
                return Err(Unusable {
                    reason: reason
                        .unwrap_or_else(|| format!("a test guest went into state {status}")),
                    lasting: true,
                });
            }
            Err(error) => return Err(failed(error)),
        }
        if deadline.expired() {
            return Err(Unusable::now(format!(
                "a test guest printed nothing within {} s",
                deadline.seconds()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn failed(error: VmError) -> Unusable {
    let text = error.to_string();
    Unusable::now(first_line(&text).unwrap_or(text))
}

/// The first line that is more than a warning.
fn first_line(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let line = lines.find(|line| !line.is_empty() && !line.contains("warning:"))?;
    Some(line.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lasting_trials_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::at(dir.path().join("kvm"), "boot");
        let slow = Unusable::now("slow".to_owned());
        let broken = Unusable {
            reason: "broken".to_owned(),
            lasting: true,
        };
        assert_eq!(remembered(&memory, || Err(slow.clone())), Err(slow));
        assert_eq!(
            remembered(&memory, || Err(broken.clone())),
            Err(broken.clone())
        );
        assert_eq!(remembered(&memory, || unreachable!()), Err(broken));
        let memory = Memory::at(dir.path().join("kvm"), "next boot");
        assert_eq!(remembered(&memory, || Ok(())), Ok(()));
        assert_eq!(remembered(&memory, || unreachable!()), Ok(()));
    }

    #[test]
    fn choices_are_spelt_as_printed() {
        for text in ["auto", "kvm", "tcg"] {
            assert_eq!(text.parse::<AccelChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "xen".parse::<AccelChoice>().unwrap_err(),
            "accelerator `xen` is none of auto, kvm, tcg"
        );
        assert_eq!(Accel::Kvm.to_string(), "kvm");
        assert_eq!(
            first_line("qemu: warning: old\nKVM internal error. Suberror: 1\nextra").as_deref(),
            Some("KVM internal error. Suberror: 1")
        );
        assert_eq!(first_line("qemu: warning: old\n"), None);
    }
}
