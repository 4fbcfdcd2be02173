//! HostOS: a bridge, room for a virtual machine, and QEMU that starts one.

use anyhow::{ensure, Result};
use vm::Shell;

use super::{nothing, nothing_inside, Os};
use crate::checks::{prints, succeeds, Check, SLOTS};
use crate::report::Report;
use crate::Setting;

pub(super) const OS: Os = Os {
    name: "hostos",
    memory_mib: 3072,
    room_mib: 4096,
    root: "A_root",
    loader: Some("starting slot A"),
    shows: &[],
    ports: &[],
    takes_keys: true,
    only_looks: false,
    checks: &[SLOTS, CHECKS],
    inside: nested,
    screen: nothing,
    outside: nothing,
    change: nothing_inside,
};

const CHECKS: &[Check] = &[
    prints(
        "the card is part of the bond",
        "wc -w </sys/class/net/bond0/bonding/slaves",
        "1",
    ),
    prints(
        "the bond is part of the bridge",
        "basename \"$(readlink /sys/class/net/bond0/master)\"",
        "br0",
    ),
    succeeds(
        "the bridge has an address from the network",
        "for i in $(seq 30); do ip -4 -o addr show dev br0 | grep -q 'inet 10\\.0\\.2\\.' && exit; sleep 1; done; ip addr; exit 1",
    ),
    prints(
        "systemd-repart did its work",
        "systemctl show -P Result -P ExecMainStatus systemd-repart.service",
        "success\n0",
    ),
    succeeds(
        "partition guestos took the rest of the disk",
        "[ \"$(blockdev --getsize64 /dev/disk/by-partlabel/guestos)\" -gt 4294967296 ] || { lsblk -o NAME,SIZE,PARTLABEL; exit 1; }",
    ),
    prints(
        "systemd feeds the board's own watchdog",
        "cat /sys/class/watchdog/watchdog0/identity /sys/class/watchdog/watchdog0/state; systemctl show -P WatchdogDevice",
        "iTCO_wdt\nactive\n/dev/watchdog0",
    ),
    succeeds(
        "what a guest writes to its disk is no medium of the host",
        GUESTS_LABEL,
    ),
    succeeds(
        "QEMU is there",
        "qemu-system-x86_64 --version | grep '^QEMU emulator version'",
    ),
    succeeds(
        "so is its firmware",
        "cd /usr/share/OVMF && ls OVMF_CODE_4M.fd OVMF_CODE_4M.secboot.fd OVMF_VARS_4M.fd",
    ),
];

/// A file system called CONFIG on the guest's disk, and what udev then says of it. The disk has no table, so no guest is installed.
const GUESTS_LABEL: &str = "d=/dev/disk/by-partlabel/guestos; mkfs.ext4 -q -F -L CONFIG $d 8M && udevadm trigger --settle $(readlink -f $d); \
     blkid -p -o value -s LABEL $d | grep -qx CONFIG && [ \"$(readlink -f /dev/disk/by-label/CONFIG)\" != \"$(readlink -f $d)\" ] && ! udevadm info $d | grep ID_FS_ && \
     [ \"$(udevadm info -q symlink $d | tr ' ' '\\n' | sort | tr '\\n' ' ')\" = \
     'disk/by-partlabel/guestos disk/by-partuuid/08e0d98b-de03-4288-a0f7-3960dad555fa guestos ' ]; \
     status=$?; [ $status = 0 ] || { ls -l /dev/disk/by-label; udevadm info $d; }; \
     dd if=/dev/zero of=$d bs=1M count=8 conv=notrunc status=none; udevadm trigger --settle $(readlink -f $d); exit $status";

/// A machine without a disk, whose firmware says what it is and then looks for a disk for ever.
const MACHINE: &str = "qemu-system-x86_64 -nodefaults -display none -M q35 -m 64 -qmp stdio \
     -debugcon file:/run/firmware.log -global isa-debugcon.iobase=0x402";

/// Waits for that and asks QEMU's monitor how the machine is.
const QUESTIONS: &str = "(printf '{\"execute\":\"qmp_capabilities\"}'; \
     for i in $(seq 60); do grep -qs SeaBIOS /run/firmware.log && break; sleep 1; done; \
     printf '{\"execute\":\"%s\"}' query-kvm query-status quit)";

/// QEMU starts a machine, on this machine's KVM where there is one.
fn nested(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    let kvm = shell.run("[ -c /dev/kvm ]", setting.within(15));
    let (name, options, want) = match kvm {
        Ok(output) if output.status == 0 => (
            "QEMU starts a machine on KVM",
            "-accel kvm -cpu host",
            "\"enabled\": true",
        ),
        Ok(_) => {
            report.stage("this machine gives its guests no virtualisation: no /dev/kvm in it");
            (
                "QEMU starts a machine, emulated",
                "-accel tcg",
                "\"present\": true",
            )
        }
        Err(error) => {
            return report.check::<anyhow::Error>("QEMU starts a machine", Err(error.into()))
        }
    };
    report.check(name, starts(shell, setting, options, want));
}

fn starts(shell: &Shell<'_>, setting: &Setting, options: &str, want: &str) -> Result<()> {
    let command = format!(
        "{QUESTIONS} | timeout 120 {MACHINE} {options} && grep -m 1 SeaBIOS /run/firmware.log"
    );
    let output = shell.run(&command, setting.within(30))?;
    let running = output.text.contains("\"running\": true");
    ensure!(
        output.status == 0 && running && output.text.contains(want),
        "`{command}` gave status {} and `{}`, want status 0, {want} and \"running\": true",
        output.status,
        output.text
    );
    Ok(())
}
