//! What belongs to the machine and to a slot is there when the slot is started again; a broken `/var` does not keep it from starting, and a broken
//! `/data` is kept.

use anyhow::{ensure, Result};
use vm::{Shell, Vm};

use crate::checks::{self, fails, prints, run_all, succeeds, Check};
use crate::report::Report;
use crate::scenario::{console_login, kernel_started};
use crate::Setting;

/// The host key, of which a machine has one.
const KEY: &str = "cat /var/lib/ssh/ssh_host_ed25519_key.pub";

/// Leaves something of the slot and something of the machine, when all that is looked for later has been written.
const LEAVE: &str = "for i in $(seq 60); do [ -s /var/lib/ic/data/replica-state.json ] && break; sleep 1; done; \
     touch /var/lib/slots && touch /var/lib/ic/machines && [ -s /var/lib/ic/data/replica-state.json ]";

const AFTER_RESTART: &[Check] = &[
    succeeds(
        "the journal of the boots before is there",
        "[ \"$(journalctl --list-boots | grep -Ec '^ *(-[0-9]+|0) ')\" -ge 2 ]",
    ),
    succeeds(
        "so was what the slot had, and what the machine had",
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
    // A prompt comes before it has.
    prints(
        "the start has come to its end, without what needs the data",
        "systemctl is-system-running --wait || true",
        "degraded",
    ),
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

/// What was left on a machine.
#[derive(Debug)]
pub(crate) struct Left {
    /// Its host key.
    key: String,
}

impl Left {
    /// Leaves it.
    pub(crate) fn leave(shell: &Shell<'_>, setting: &Setting) -> Result<Self> {
        checks::answer(shell, LEAVE, setting.within(60))?;
        let key = key(shell, setting)?;
        Ok(Self { key })
    }

    /// It is there in a later start of the slot.
    pub(crate) fn is_there(&self, shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
        run_all(AFTER_RESTART, shell, setting, report);
        report.check(
            "the host key is the same",
            self.key_is(shell, setting, true),
        );
    }

    /// Breaks both file systems, and looks at the next start.
    pub(crate) fn break_all<'a>(
        &self,
        vm: &'a Vm,
        shell: &Shell<'_>,
        setting: &Setting,
        report: &mut Report,
    ) -> Result<Shell<'a>> {
        shell.send(BREAK)?;
        kernel_started(vm, setting, report)?;
        let shell = console_login(vm, setting, report)?;
        run_all(AFTER_BREAK, &shell, setting, report);
        report.check(
            "the host key is another one",
            self.key_is(&shell, setting, false),
        );
        for text in [
            "IS BROKEN AND WAS MADE ANEW: what it held is lost",
            "IS BROKEN AND STAYS AS IT IS",
        ] {
            report.check(&format!("the console said `{text}`"), said(text, setting));
        }
        Ok(shell)
    }

    /// Whether the host key is the one that was left is as it should be.
    fn key_is(&self, shell: &Shell<'_>, setting: &Setting, same: bool) -> Result<()> {
        let (before, now) = (&self.key, key(shell, setting)?);
        ensure!((now == *before) == same, "it was {before} and is {now}");
        Ok(())
    }
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

fn said(text: &str, setting: &Setting) -> Result<()> {
    let log = std::fs::read(&setting.log)?;
    ensure!(
        String::from_utf8_lossy(&log).contains(text),
        "not in {}",
        setting.log.display()
    );
    Ok(())
}
