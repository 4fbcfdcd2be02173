//! What follows an installation, on the machine that it made: either system is upgraded from the other's side.
//!
//! HostOS offers GuestOS an upgrade, which it takes up by itself. Then HostOS is upgraded: it is confirmed once GuestOS has come up in it again,
//! and stays. Last somebody goes back to the old one.

use std::path::Path;

use anyhow::{ensure, Result};
use grubenv::Slot;
use vm::{Deadline, Output, Shell, Vm};

use crate::checks;
use crate::feed::{Feed, Way};
use crate::install::{self, arrive, GUEST_BOOT};
use crate::report::Report;
use crate::upgrade::{becomes_stable, restart, CYCLE};
use crate::{Setting, BOOT};

/// The version of what is upgraded to, `//ic-os:next_version`.
const NEXT: &str = "9999.0.0";
/// A network that does not break.
const WHOLE: &[Way] = &[Way::Drops(u64::MAX)];
/// How long an upgrade takes to be installed, in seconds with KVM.
const INSTALL: u64 = 120;

/// HostOS offers `bundle`, and GuestOS comes up in its other slot.
pub(crate) fn guest(
    bundle: &Path,
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
    Ok(())
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

/// HostOS is upgraded to `bundle`, confirms that once GuestOS is up, and is taken back by hand.
pub(crate) fn host(
    bundle: &Path,
    vm: &Vm,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let feed = Feed::start(bundle, WHOLE)?;
    let install = format!(
        "manageboot upgrade-install {} && manageboot upgrade-commit",
        feed.url(0)
    );
    checks::answer(shell, &install, setting.within(INSTALL))?;
    report.stage("HostOS's upgrade is installed");
    restart(shell)?;
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
    arrive(vm, Slot::A, setting.within(2 * BOOT), setting, report)?;
    report.check::<String>("HostOS goes back when it is told to", Ok(()));
    Ok(())
}
