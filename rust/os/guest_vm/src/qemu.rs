//! QEMU's command line, as a pure function of what the guest is to be.
//!
//! | what                | how                                                                                                   |
//! |---------------------|-------------------------------------------------------------------------------------------------------|
//! | shut in             | `-sandbox`: QEMU gains no rights, starts no program, changes no scheduling                             |
//! | firmware            | OVMF in two parts: its code read-only, its variables a file of this machine's                          |
//! | disk                | the partition, past the page cache, locked by QEMU, with `discard`; errors go to the guest             |
//! | configuration       | a second virtio disk, read-only: the CONFIG medium ([`crate::medium`])                                 |
//! | network             | the tap device that systemd-networkd made and put into the bridge; `vhost` where the kernel has it     |
//! | console, monitor    | sockets on descriptors 0 and 1: no name in any file system, no race                                    |
//! | vsock               | a fixed cid, where the kernel has vhost-vsock                                                          |
//! | hangs               | i6300esb, which GuestOS feeds; when nobody does, the guest is reset and QEMU goes on                   |
//! | panics              | pvpanic, counted; the guest restarts by itself (`panic=10` on its command line)                        |
//! | power off, restart  | power off ends QEMU, a restart does not                                                               |

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

/// What runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accel {
    /// The processor, through the kernel's KVM.
    Kvm,
    /// QEMU's translator: works everywhere, some ten times slower.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// MiB that the translator may fill with translated code; QEMU's own default is up to 1 GiB of a host that has it to spare.
const TRANSLATED_MIB: u32 = 256;

/// What the guest is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The emulator.
    pub(crate) qemu: PathBuf,
    pub(crate) accel: Accel,
    pub(crate) memory_mib: u64,
    pub(crate) cpus: u32,
    /// Memory is of huge pages of 2 MiB.
    pub(crate) hugepages: bool,
    /// The machine's UUID, from which the guest takes its machine id.
    pub(crate) uuid: String,
    /// Hardware address of its card.
    pub(crate) mac: String,
    /// The firmware's code.
    pub(crate) code: PathBuf,
    /// Its variables, written by the guest.
    pub(crate) vars: PathBuf,
    pub(crate) disk: PathBuf,
    /// The CONFIG medium.
    pub(crate) medium: PathBuf,
    /// The tap device.
    pub(crate) tap: String,
    /// Packets go through the kernel alone.
    pub(crate) vhost_net: bool,
    /// None: this host has no vhost-vsock.
    pub(crate) vsock_cid: Option<u32>,
}

impl Machine {
    /// The whole command, program first.
    pub(crate) fn command(&self) -> Vec<String> {
        let mut args = Args::default();
        args.push(self.qemu.display().to_string());
        args.add(&["-name", "guestos", "-nodefaults", "-no-user-config"]);
        args.add(&["-display", "none"]);
        args.add(&[
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]);
        self.processor(&mut args);
        self.memory(&mut args);
        args.add(&["-uuid", &self.uuid, "-boot", "strict=on"]);
        self.drives(&mut args);
        self.network(&mut args);
        if let Some(cid) = self.vsock_cid {
            args.add(&["-device", &format!("vhost-vsock-pci,guest-cid={cid}")]);
        }
        args.add(&["-device", "virtio-rng-pci"]);
        args.add(&["-device", "i6300esb", "-device", "pvpanic-pci"]);
        args.add(&[
            "-action",
            "reboot=reset,shutdown=poweroff,watchdog=reset,panic=none",
        ]);
        args.add(&["-chardev", "socket,id=console,fd=0"]);
        args.add(&["-serial", "chardev:console"]);
        args.add(&["-chardev", "socket,id=qmp,fd=1"]);
        args.add(&["-mon", "chardev=qmp,mode=control"]);
        args.words
    }

    fn processor(&self, args: &mut Args) {
        let machine = match self.hugepages {
            true => "q35,memory-backend=ram",
            false => "q35",
        };
        args.add(&["-machine", machine]);
        match self.accel {
            Accel::Kvm => args.add(&["-accel", "kvm", "-cpu", "host"]),
            Accel::Tcg => {
                let accel = format!("tcg,thread=multi,tb-size={TRANSLATED_MIB}");
                args.add(&["-accel", &accel, "-cpu", "max"]);
            }
        }
        args.add(&["-smp", &self.cpus.to_string()]);
    }

    fn memory(&self, args: &mut Args) {
        let size = format!("{}M", self.memory_mib);
        args.add(&["-m", &size]);
        if self.hugepages {
            args.add(&["-object"]);
            args.push(format!(
                "memory-backend-memfd,id=ram,size={size},hugetlb=on,hugetlbsize=2M,prealloc=on"
            ));
        }
    }

    fn drives(&self, args: &mut Args) {
        let [code, vars, disk, medium] =
            [&self.code, &self.vars, &self.disk, &self.medium].map(|path| escape(path));
        for drive in [
            format!("if=pflash,unit=0,format=raw,readonly=on,file={code}"),
            format!("if=pflash,unit=1,format=raw,file={vars}"),
            format!(
                "if=none,id=disk,format=raw,cache=none,aio=native,discard=unmap,file.locking=on,\
                 werror=report,rerror=report,file={disk}"
            ),
            format!("if=none,id=config,format=raw,readonly=on,file={medium}"),
        ] {
            args.add(&["-drive", &drive]);
        }
        args.add(&["-device", "virtio-blk-pci,drive=disk,bootindex=1"]);
        args.add(&["-device", "virtio-blk-pci,drive=config"]);
    }

    fn network(&self, args: &mut Args) {
        let vhost = if self.vhost_net { "on" } else { "off" };
        let tap = escape(self.tap.as_ref());
        args.add(&["-netdev"]);
        args.push(format!(
            "tap,id=net,ifname={tap},script=no,downscript=no,vhost={vhost}"
        ));
        // No boot ROM: nothing boots from the network.
        let mac = &self.mac;
        let card = format!("virtio-net-pci,netdev=net,mac={mac},romfile=");
        args.add(&["-device", &card]);
    }
}

/// A path as the value of a QEMU option: a comma ends one unless it is doubled.
fn escape(path: &Path) -> String {
    let text: &OsStr = path.as_ref();
    text.to_string_lossy().replace(',', ",,")
}

/// A list of words that is easy to add to.
#[derive(Debug, Default)]
struct Args {
    words: Vec<String>,
}

impl Args {
    fn add(&mut self, words: &[&str]) {
        self.words
            .extend(words.iter().map(|word| (*word).to_owned()));
    }

    fn push(&mut self, word: String) {
        self.words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            qemu: "qemu-system-x86_64".into(),
            accel: Accel::Kvm,
            memory_mib: 4096,
            cpus: 4,
            hugepages: false,
            uuid: "5ac5ba42-d2e1-8f5f-b2a8-4ad1ad6be8ae".to_owned(),
            mac: "6a:01:02:03:04:05".to_owned(),
            code: "/usr/share/OVMF/OVMF_CODE_4M.fd".into(),
            vars: "/var/lib/guest-vm/OVMF_VARS.fd".into(),
            disk: "/dev/guestos".into(),
            medium: "/run/guest-vm/config.img".into(),
            tap: "guest0".to_owned(),
            vhost_net: true,
            vsock_cid: Some(3),
        }
    }

    /// One golden file a case: options as QEMU takes them, a line for each option with its value.
    fn golden(name: &str, machine: &Machine) {
        let words = machine.command();
        let text = words.iter().fold(String::new(), |text, word| {
            let separator = match text.is_empty() {
                true => "",
                false if word.starts_with('-') => "\n",
                false => " ",
            };
            text + separator + word
        }) + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name);
        #[allow(
            clippy::disallowed_methods,
            reason = "the switch that writes golden files anew"
        )]
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let want = match name {
            "kvm.txt" => include_str!("../tests/data/kvm.txt"),
            "tcg.txt" => include_str!("../tests/data/tcg.txt"),
            _ => include_str!("../tests/data/hugepages.txt"),
        };
        assert_eq!(
            text, want,
            "UPDATE_GOLDEN=1 cargo test -p guest_vm writes {name}"
        );
    }

    #[test]
    fn the_usual_machine() {
        golden("kvm.txt", &machine());
    }

    #[test]
    fn a_host_that_has_nothing_but_a_processor() {
        golden(
            "tcg.txt",
            &Machine {
                accel: Accel::Tcg,
                vhost_net: false,
                vsock_cid: None,
                ..machine()
            },
        );
    }

    #[test]
    fn huge_pages_and_paths_with_commas() {
        golden(
            "hugepages.txt",
            &Machine {
                hugepages: true,
                disk: "/dev/a,file=b".into(),
                ..machine()
            },
        );
    }
}
