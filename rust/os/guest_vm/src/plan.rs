//! From configuration and host to a machine: everything that is decided before QEMU starts. Nothing here changes anything, until
//! [`Planned::write`] does.

use std::path::PathBuf;

use anyhow::{ensure, Context};
use base::Sha256Digest;

use crate::config::Wanted;
use crate::firmware::{self, Vars};
use crate::flags::{Choice, Guest};
use crate::host::{huge_pages, Host, HUGE_PAGE_MIB};
use crate::medium;
use crate::qemu::{Accel, Machine};

/// The devices that make a guest fast, or that it needs.
const KVM: &str = "/dev/kvm";
const VHOST_NET: &str = "/dev/vhost-net";
const VHOST_VSOCK: &str = "/dev/vhost-vsock";
/// What the digest of the machine's UUID begins with.
const UUID: &str = "icos guest uuid 1 ";

/// A machine to be, and its CONFIG medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) machine: Machine,
    pub(crate) medium: Vec<u8>,
    /// What the host lacks, each a sentence.
    pub(crate) remarks: Vec<String>,
}

/// Plans; `kvm_broken` says why KVM is no use although it is there.
pub(crate) fn plan(flags: &Guest, kvm_broken: Option<&str>) -> anyhow::Result<Planned> {
    let host = flags.configuration.host();
    let wanted = Wanted::read(&flags.configuration.config, &host)?;
    let mut remarks = Vec::new();
    let accel = accel(flags.accel, &host, kvm_broken, &mut remarks)?;
    let memory = host.memory()?;
    let memory_mib = memory.for_guest(wanted.memory_mib)?;
    if wanted.hugepages {
        let pages = huge_pages(memory_mib)?;
        ensure!(
            memory.huge_page_mib == HUGE_PAGE_MIB,
            "vm_hugepages: this machine's huge pages have {} MiB, want {HUGE_PAGE_MIB}",
            memory.huge_page_mib
        );
        ensure!(
            memory.huge_free >= pages,
            "vm_hugepages: {memory_mib} MiB are {pages} huge pages, and {} are free; a restart of the service reserves them, \
             right after the machine started they are there most surely",
            memory.huge_free
        );
    }
    let present = Host::cpus()?;
    let cpus = wanted.cpus.unwrap_or(present);
    if cpus > present {
        remarks.push(format!(
            "vm_cpus is {cpus}, and this machine has {present}: they take turns"
        ));
    }
    host.check_tap(&flags.tap)?;
    let vhost_net = host.opens(VHOST_NET);
    if let Err(reason) = &vhost_net {
        remarks.push(format!("packets take a way through QEMU: {reason}"));
    }
    let vsock = host.has(VHOST_VSOCK);
    if !vsock {
        remarks.push(format!(
            "no {VHOST_VSOCK} (module vhost_vsock): the guest can't report"
        ));
    }
    Ok(Planned {
        medium: medium::image(&wanted.files)?,
        machine: Machine {
            qemu: flags.qemu.clone(),
            accel,
            memory_mib,
            cpus,
            hugepages: wanted.hugepages,
            uuid: uuid(&wanted.mac),
            mac: wanted.mac,
            code: flags.firmware.clone(),
            vars: flags.state_dir.join("OVMF_VARS.fd"),
            disk: flags.disk.clone(),
            medium: medium_path(flags),
            tap: flags.tap.clone(),
            vhost_net: vhost_net.is_ok(),
            vsock_cid: vsock.then_some(flags.vsock_cid),
        },
        remarks,
    })
}

fn medium_path(flags: &Guest) -> PathBuf {
    flags.runtime_dir.join("config.img")
}

fn accel(
    choice: Choice,
    host: &Host,
    broken: Option<&str>,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Accel> {
    let usable = match broken {
        Some(reason) => Err(reason.to_owned()),
        None => host.opens(KVM),
    };
    match (choice, usable) {
        (Choice::Only(Accel::Tcg), _) => Ok(Accel::Tcg),
        (_, Ok(())) => Ok(Accel::Kvm),
        (Choice::Only(Accel::Kvm), Err(reason)) => {
            anyhow::bail!("KVM does not work on this machine: {reason}; --accel tcg emulates")
        }
        (Choice::Auto, Err(reason)) => {
            remarks.push(format!(
                "no working KVM ({reason}): the guest's processor is emulated, which is some ten times slower"
            ));
            Ok(Accel::Tcg)
        }
    }
}

/// The machine's UUID, the same for the same card: SHA-256 in the form of RFC 9562's version 8.
fn uuid(mac: &str) -> String {
    let digest = Sha256Digest::of(format!("{UUID}{mac}\n"));
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x80;
    *variant = (*variant & 0x3f) | 0x80;
    let hex = base::hex::encode(&bytes);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    let parts = parts.map(|(from, to)| hex.get(from..to).unwrap_or_default());
    parts.join("-")
}

impl Planned {
    /// Writes what QEMU opens: the medium, and the firmware's variables if they are not there.
    pub(crate) fn write(&self, flags: &Guest) -> anyhow::Result<Vars> {
        // A medium is made anew each time: a reader of the old one keeps that.
        os_config::atomic::write(&self.machine.medium, &self.medium, 0o600).with_context(|| {
            let path = self.machine.medium.display();
            format!("cannot write the guest's CONFIG medium {path}")
        })?;
        let code = &self.machine.code;
        std::fs::metadata(code).with_context(|| format!("the firmware {}", code.display()))?;
        firmware::prepare(&flags.firmware_vars, &self.machine.vars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_of_version_8_and_always_the_same() {
        // printf 'icos guest uuid 1 6a:01:02:03:04:05\n' | sha256sum
        let uuid = uuid("6a:01:02:03:04:05");
        let mut parts = uuid.split('-');
        let lens: Vec<_> = parts.clone().map(str::len).collect();
        assert_eq!(lens, [8, 4, 4, 4, 12]);
        assert!(parts.nth(2).unwrap().starts_with('8'), "{uuid}");
        assert!("89ab".contains(&parts.next().unwrap()[..1]), "{uuid}");
    }

    #[test]
    fn kvm_is_taken_where_it_opens() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host {
            root: Some(dir.path().to_path_buf()),
        };
        let mut said = Vec::new();
        let mut choose = |choice, broken| {
            said.clear();
            let accel = accel(choice, &host, broken, &mut said).map_err(|e| e.to_string());
            (accel, said.len())
        };
        let absent = choose(Choice::Only(Accel::Kvm), None).0.unwrap_err();
        assert!(absent.contains("/dev/kvm: No such file"), "{absent}");
        assert_eq!(choose(Choice::Auto, None), (Ok(Accel::Tcg), 1));
        std::fs::create_dir(dir.path().join("dev")).unwrap();
        std::fs::write(dir.path().join("dev/kvm"), "").unwrap();
        assert_eq!(choose(Choice::Auto, None), (Ok(Accel::Kvm), 0));
        assert_eq!(choose(Choice::Only(Accel::Tcg), None), (Ok(Accel::Tcg), 0));
        assert_eq!(choose(Choice::Auto, Some("broken")), (Ok(Accel::Tcg), 1));
    }
}
