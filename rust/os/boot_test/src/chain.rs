//! What follows an installation, on the machine that it made: either system is upgraded from the other's side.
//!
//! HostOS offers GuestOS an upgrade, which it takes up by itself. Then HostOS is upgraded: it is confirmed once GuestOS has come up in it again,
//! and stays, until somebody goes back to the old one. Last HostOS is upgraded once more, and GuestOS does not come up in it: it goes back by itself. One of these
//! starts hangs, which the watchdog ends.

use std::path::Path;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use grubenv::Slot;
use vm::{Deadline, Output, Shell, Vm};

use crate::checks;
use crate::feed::{Feed, Way};
use crate::http;
use crate::install::{self, arrive, GUEST_BOOT};
use crate::os::guestos::ORCHESTRATOR;
use crate::report::Report;
use crate::stick::guest_port;
use crate::upgrade::{becomes_stable, give_up_soon, restart, CYCLE, NOT_CONFIRMED};
use crate::{Setting, BOOT};

/// The version of what is upgraded to, `//ic-os:next_version`.
const NEXT: &str = "9999.0.0";
/// A network that does not break.
const WHOLE: &[Way] = &[Way::Drops(u64::MAX)];
/// How long an upgrade takes to be installed, in seconds with KVM.
const INSTALL: u64 = 120;
/// How long a healthy system takes to be confirmed: its checks hold for a minute.
const CONFIRMED: u64 = 120;
/// systemd stands still: it answers nobody, and nobody feeds the watchdog any more. Killed, it would restart the machine itself (`systemd.crash_action`).
const HANG: &str = "echo 1 >/sys/fs/cgroup/init.scope/cgroup.freeze; sleep 5; timeout 20 systemctl show -P Version";
/// The start of the other slot at which that happens, and how long the watchdog waits then, in seconds.
const HANGS: usize = 2;
const WATCHDOG: u64 = 180;
/// How long a guest may take to stop that hears no power button, in seconds: the runner's own grace, and some.
const STOP: u64 = 180;

/// More restarts than any system tries a slot.
const MANY: usize = 10;

/// GuestOS's disk loses 15 MiB behind its partition table, in which its boot loader is. Without the table no guest would be installed, and HostOS
/// confirmed without it.
const BREAK_GUEST: &str = "systemctl stop guest-vm && dd if=/dev/guestos of=/data/start bs=1M skip=1 count=15 && dd if=/dev/zero of=/dev/guestos bs=1M seek=1 count=15 conv=fsync";
/// It gets them back.
const MEND_GUEST: &str = "systemctl stop guest-vm && dd if=/data/start of=/dev/guestos bs=1M seek=1 conv=fsync && rm /data/start && systemctl start guest-vm";
/// Why HostOS does not confirm itself without GuestOS.
const NO_GUEST: &str = "the virtual machine came up, or none is installed";

/// HostOS offers `bundle`, and GuestOS comes up in its other slot and stays there.
pub(crate) fn guest(
    bundle: &Path,
    vm: &Vm,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let feed = Feed::start(bundle, WHOLE)?;
    let offer = format!(
        "host_api offer-guest-upgrade {} --version {NEXT}",
        feed.url(0)
    );
    checks::answer(shell, &offer, setting.within(30))?;
    report.stage("HostOS offers GuestOS an upgrade");
    let outcome = reported(shell, NEXT, setting.within(INSTALL + GUEST_BOOT));
    report.check("GuestOS takes it up, restarts, and is healthy", outcome);
    // HostOS restarts next, and each start of a guest that is not confirmed is one of its tries.
    let outcome = confirmed(vm, setting.within(CONFIRMED));
    report.check("then GuestOS is confirmed", outcome);
    Ok(())
}

/// GuestOS's own metrics say that its slot is confirmed.
fn confirmed(vm: &Vm, within: Deadline) -> Result<()> {
    let port = guest_port(vm, ORCHESTRATOR)?;
    loop {
        let metrics = http::get_ok(vm, port, "/metrics", within)?;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("node_slot_confirmed "));
        if line == Some("node_slot_confirmed 1") {
            return Ok(());
        }
        ensure!(!within.expired(), "its metrics say {line:?}");
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// GuestOS says that it is well, in this version.
fn reported(shell: &Shell<'_>, version: &str, within: Deadline) -> Result<()> {
    let version = format!("\"version\":\"{version}\"");
    let good = |output: &Output| {
        output.text.contains(&version) && output.text.contains("\"healthy\":true")
    };
    let output = shell.poll(
        "cat /run/ic/guest.json; host_api guest-status",
        within,
        good,
    )?;
    ensure!(good(&output), "{}", output.text);
    Ok(())
}

/// HostOS is upgraded to `bundle`, confirms that once GuestOS is up, and is taken back by hand; then it is upgraded without a GuestOS that starts.
pub(crate) fn host(
    bundle: &Path,
    vm: &Vm,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let feed = Feed::start(bundle, WHOLE)?;
    upgrade(&feed, shell, setting, report)?;
    let shell = arrive(vm, Slot::B, setting.within(2 * BOOT), setting, report)?;
    let trial = checks::says(
        &shell,
        CYCLE,
        "boot_cycle=failsafe_check",
        setting.within(30),
    );
    report.check("HostOS is on trial while GuestOS starts", trial);
    report.check(
        "GuestOS comes up in the new HostOS",
        install::ready(&shell, setting),
    );
    let outcome = becomes_stable(&shell, setting.within(GUEST_BOOT));
    report.check("then it is confirmed", outcome);
    checks::answer(&shell, "manageboot rollback", setting.within(30))?;
    restart(&shell)?;
    let shell = arrive(vm, Slot::A, setting.within(2 * BOOT), setting, report)?;
    report.check::<String>("HostOS goes back when it is told to", Ok(()));
    // The old one is on trial, too, and nothing is installed meanwhile.
    report.check(
        "GuestOS comes up in the old HostOS",
        install::ready(&shell, setting),
    );
    let outcome = becomes_stable(&shell, setting.within(GUEST_BOOT));
    report.check("which is confirmed again", outcome);
    without_guest(&feed, vm, &shell, setting, report)
}

/// Installs what `feed` has, and restarts into it.
fn upgrade(feed: &Feed, shell: &Shell<'_>, setting: &Setting, report: &mut Report) -> Result<()> {
    let install = format!(
        "manageboot upgrade-install {} && manageboot upgrade-commit",
        feed.url(0)
    );
    checks::answer(shell, &install, setting.within(INSTALL))?;
    report.stage("HostOS's upgrade is installed");
    restart(shell)
}

/// HostOS is upgraded, but GuestOS does not come up in it: HostOS falls back.
fn without_guest(
    feed: &Feed,
    vm: &Vm,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    checks::answer(shell, BREAK_GUEST, setting.within(STOP))?;
    report.stage("GuestOS's disk lost its boot loader");
    upgrade(feed, shell, setting, report)?;
    let mut tries = 0_usize;
    let slots = [Slot::A, Slot::B].map(|slot| format!("starting slot {slot}"));
    let slots = slots.each_ref().map(String::as_str);
    while vm
        .console()
        .expect_any(&slots, setting.within(2 * BOOT + WATCHDOG))?
        .0
        == 1
    {
        tries = tries
            .checked_add(1)
            .context("more tries than there are numbers")?;
        report.stage(&format!("HostOS starts in slot B, try {tries}"));
        ensure!(tries < MANY, "slot B is tried {tries} times");
        let shell = Shell::login(vm.console(), "root", "root", setting.within(2 * BOOT))?;
        if tries == HANGS {
            let outcome = match shell.run(HANG, setting.within(30))?.status {
                0 => Err("it still answers"),
                _ => Ok(()),
            };
            report.check("systemd hangs, for the watchdog to end it", outcome);
            continue;
        }
        give_up_soon(&shell, setting)?;
        vm.console().expect(NOT_CONFIRMED, setting.within(120))?;
        let why = vm.console().expect(NO_GUEST, setting.within(10));
        report.check("HostOS says that GuestOS did not come up", why.map(drop));
    }
    let outcome = match tries {
        0..=HANGS => Err(format!("slot B was tried {tries} times")),
        _ => Ok(()),
    };
    report.check("HostOS falls back without GuestOS", outcome);
    let shell = Shell::login(vm.console(), "root", "root", setting.within(2 * BOOT))?;
    checks::answer(&shell, MEND_GUEST, setting.within(STOP))?;
    let outcome = reported(&shell, NEXT, setting.within(GUEST_BOOT));
    report.check("GuestOS, mended, is healthy in the old HostOS", outcome);
    Ok(())
}
