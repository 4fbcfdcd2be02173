//! What belongs to the machine is there after a restart; a broken `/var` does not keep it from starting, and a broken `/data` is kept.

use anyhow::{ensure, Result};
use vm::{Shell, Vm};

use crate::checks::{fails, prints, run_all, succeeds, Check};
use crate::report::Report;
use crate::scenario::{console_login, disk, kernel_started, machine, shut_down};
use crate::Setting;

/// The host key, of which a machine has one.
const KEY: &str = "cat /var/lib/ssh/ssh_host_ed25519_key.pub";

/// Leaves something of the slot and something of the machine, when all that is looked for later has been written.
const LEAVE: &str = "for i in $(seq 60); do [ -s /var/lib/ic/data/replica-state.json ] && break; sleep 1; done; \
     touch /var/lib/slots && touch /var/lib/ic/machines && [ -s /var/lib/ic/data/replica-state.json ]";

const AFTER_RESTART: &[Check] = &[
    prints(
        "the journal of the boot before is there",
        "journalctl --list-boots | grep -Ec '^ *(-1|0) '",
        "2",
    ),
    prints(
        "the replica knows that it is its second boot",
        "for i in $(seq 60); do grep -Eq '\"boots\": *2' /var/lib/ic/data/replica-state.json && echo 2 && break; sleep 1; done",
        "2",
    ),
    succeeds("the random seed was kept", "[ -s /var/lib/systemd/random-seed ]"),
    succeeds(
        "so was what the slot had",
        "[ -e /var/lib/slots ] && [ -e /var/lib/ic/machines ]",
    ),
];

/// Takes the superblock of both file systems and its first copy away, and the power. No mending without loss finds another one. They are
/// read-only by then, and the kernel says when it is done with that: it would write some fields of a superblock that it has in memory.
const BREAK: &str = "sync; echo u >/proc/sysrq-trigger; \
     for i in $(seq 60); do dmesg | grep -q 'Emergency Remount complete' && break; sleep 1; done; for p in A_var data; do for b in 0 32768; do \
     dd if=/dev/zero of=/dev/disk/by-partlabel/$p bs=4096 count=1 seek=$b oflag=direct conv=notrunc status=none; done; done; \
     echo b >/proc/sysrq-trigger";

const AFTER_BREAK: &[Check] = &[
    fails(
        "what the slot had is lost",
        "ls /var/lib/slots",
        "No such file",
    ),
    succeeds("/var can be written to", "touch /var/lib/probe"),
    prints(
        "/data is not mounted",
        "mountpoint -q /data || mountpoint -q /var/lib/ic || echo neither",
        "neither",
    ),
    prints(
        "nothing was written to it",
        "head -c 4096 /dev/disk/by-partlabel/data | tr -d '\\0' | wc -c",
        "0",
    ),
    fails(
        "the orchestrator does not start without its state",
        "systemctl is-active orchestrator.service",
        "inactive",
    ),
    prints("sshd runs", "systemctl is-active ssh.service", "active"),
];

/// Boots, restarts, breaks both file systems, boots again.
pub(crate) fn run(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let vm = machine(disk(setting)?, setting).no_reboot(false).start()?;
    kernel_started(&vm, setting, &report)?;
    let shell = console_login(&vm, setting, &mut report)?;
    let key = key(&shell, setting)?;
    let left = shell.run(LEAVE, setting.within(60))?;
    ensure!(left.status == 0, "`{LEAVE}`: {}", left.text);

    shell.send("systemctl reboot")?;
    let shell = again(&vm, setting, &mut report)?;
    run_all(AFTER_RESTART, &shell, setting, &mut report);
    report.check(
        "the host key is the same",
        same(&shell, setting, &key, true),
    );

    shell.send(BREAK)?;
    let shell = again(&vm, setting, &mut report)?;
    run_all(AFTER_BREAK, &shell, setting, &mut report);
    report.check(
        "the host key is another one",
        same(&shell, setting, &key, false),
    );
    for text in [
        "IS BROKEN AND WAS MADE ANEW: what it held is lost",
        "IS BROKEN AND STAYS AS IT IS",
    ] {
        report.check(&format!("the console said `{text}`"), said(text, setting));
    }
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    report.finish()
}

/// The next boot of a machine that restarts.
fn again<'a>(vm: &'a Vm, setting: &Setting, report: &mut Report) -> Result<Shell<'a>> {
    kernel_started(vm, setting, report)?;
    console_login(vm, setting, report)
}

fn key(shell: &Shell<'_>, setting: &Setting) -> Result<String> {
    let wait = format!("for i in $(seq 60); do [ -s /var/lib/ssh/ssh_host_ed25519_key.pub ] && break; sleep 1; done; {KEY}");
    let output = shell.run(&wait, setting.within(60))?;
    ensure!(
        output.status == 0 && output.text.starts_with("ssh-ed25519 "),
        "`{KEY}`: {}",
        output.text
    );
    Ok(output.text)
}

fn same(shell: &Shell<'_>, setting: &Setting, before: &str, want: bool) -> Result<()> {
    let now = key(shell, setting)?;
    ensure!((now == before) == want, "it was {before} and is {now}");
    Ok(())
}

fn said(text: &str, setting: &Setting) -> Result<()> {
    let log = std::fs::read(&setting.log)?;
    ensure!(
        String::from_utf8_lossy(&log).contains(text),
        "not in {}",
        setting.log.display()
    );
    Ok(())
}
