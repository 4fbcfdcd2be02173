//! From a stick and an empty disk to a replica that answers.
//!
//! The stick installs by itself, and in the middle of it the power goes. It installs again, to the end, and says so on its own CONFIG
//! volume; what the disk was told on the way leaves no moment at which half of it looks whole ([`cuts::order`]), and if wanted, the power goes at
//! more moments of it ([`cuts::again`]). Then the machine starts from its disk alone: HostOS starts GuestOS, a machine inside the machine, whose replica answers to whoever
//! asks from outside. With upgrades of the two systems it goes on with these ([`chain`]).

use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use grubenv::Slot;
use vm::{Accel, Deadline, Shell, Vm};

use crate::chain;
use crate::checks;
use crate::cuts;
use crate::http;
use crate::os::guestos::{replica_version, ORCHESTRATOR, REPLICA};
use crate::photo;
use crate::report::{note, Report};
use crate::scenario;
use crate::stick::{self, guest_port, Machine, CONFIG, DISK};
use crate::{Setting, BOOT};

/// The power goes when so much of HostOS is written.
const WRITING: &str = "setupos: install: host: 40 %";
/// How long GuestOS takes to come up inside HostOS.
pub(crate) const GUEST_BOOT: u64 = 120;
/// How often a machine is started that the emulator breaks.
const STARTS: usize = 3;
/// From a panic or a hang to the reset: the board's watchdog counts its three minutes twice.
const LAST_WORDS: Duration = Duration::from_secs(420);
/// What QEMU calls that.
const RESET: &str = "guest-reset";
/// What the runner of virtual machines may take.
const RUNNER_KB: u64 = 20 << 10;

/// All of it.
pub(crate) fn run(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let machine = Machine::new(CONFIG, None, setting)?;
    power_cut(&machine, setting, &mut report)?;
    whole(&machine, setting, &mut report)?;
    report.finish()?;
    for start in 1..STARTS {
        let vm = machine.with_disk(start).start()?;
        let error = match comes_up(&vm, setting) {
            Ok(shell) => return used(&vm, &shell, setting),
            Err(error) => error,
        };
        note(&format!("start {start} of {STARTS}: {error:#}"));
        if !emulator_broke(&vm, setting) {
            return Err(error);
        }
        note("emulated processors do that to a machine with another one inside, now and then; it starts again, from the disk that the stick left");
    }
    let vm = machine.with_disk(STARTS).start()?;
    used(&vm, &comes_up(&vm, setting)?, setting)
}

/// The machine, which was started from its disk alone: HostOS, and GuestOS in it.
fn comes_up<'a>(vm: &'a Vm, setting: &Setting) -> Result<Shell<'a>> {
    let mut report = Report::new();
    let shell = host(vm, setting, &mut report)?;
    guest(vm, &shell, setting, &mut report)?;
    let resets = match vm.console().resets() {
        0 => Ok(()),
        resets => Err(format!("{resets} times")),
    };
    report.check("nothing reset it on the way", resets);
    report.finish()?;
    Ok(shell)
}

/// What is wanted of it then.
fn used(vm: &Vm, shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    if let Some(bundle) = &setting.delta {
        chain::guest(bundle, vm, shell, setting, &mut report)?;
    }
    if let Some(bundle) = &setting.update {
        chain::host(bundle, vm, shell, setting, &mut report)?;
    }
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", scenario::shut_down(vm, setting));
    report.finish()
}

/// A machine that failed to come up was reset, or QEMU died. QEMU's emulation of SVM (11.1) has spoilt HostOS's kernel while a machine ran inside: it
/// panics, or stands still until the watchdog of the board resets it. Where KVM works nothing is forgiven.
fn emulator_broke(vm: &Vm, setting: &Setting) -> bool {
    let reset = || vm.console().last_reset().as_deref() == Some(RESET);
    let last_words = Deadline::after(LAST_WORDS);
    while setting.accel == Accel::Tcg && !reset() && !last_words.expired() {
        if let Ok(status) = vm.wait_exit(Deadline::after(Duration::from_secs(1))) {
            return !status.success() || reset();
        }
    }
    setting.accel == Accel::Tcg && reset()
}

/// The power goes while HostOS is being written.
fn power_cut(machine: &Machine<'_>, setting: &Setting, report: &mut Report) -> Result<()> {
    let vm = machine.with_stick().start()?;
    stick::wait(&vm, WRITING, setting.within(4 * BOOT))?;
    let picture = machine.log("installer.png");
    report.check("the screen shows it", photo::take(&vm, &picture));
    report.stage("HostOS is being written, and the power goes");
    vm.kill();
    drop(vm);
    report.check(
        "half an installation does not look like a whole one",
        is_absent(machine.disk.partition("esp")),
    );
    Ok(())
}

/// Whether what was asked for is a partition of a disk without a table; half a table is none, and that the disk can't be read proves nothing.
fn is_absent<T>(partition: Result<T>) -> Result<()> {
    match partition {
        Ok(_) => bail!("there is a partition table already"),
        Err(error) => match error.downcast_ref() {
            Some(inspect::Error::NoTable { .. }) => Ok(()),
            _ => Err(error.context("nobody can tell what is on the disk")),
        },
    }
}

/// The whole of it, and what the disk was told meanwhile: at every moment of it the power could have gone.
fn whole(machine: &Machine<'_>, setting: &Setting, report: &mut Report) -> Result<()> {
    let vm = machine.with_stick().start()?;
    scenario::kernel_started(&vm, setting, report)?;
    // What the machine whose power went had still asked for has been done by now.
    let from = machine.disk.moment()?;
    machine.installs(&vm, report)?;
    drop(vm);
    report.check("the last partition ends with the disk", grown(machine));
    let log = machine.disk.written_down()?;
    match cuts::order::check(&log, from) {
        Ok(order) => {
            report.check::<String>(&format!("no half of it looks whole: {order}"), Ok(()));
            cuts::again::run(&log, &order, machine, setting, report)
        }
        Err(error) => {
            report.check("no half of it looks whole", Err(error));
            Ok(())
        }
    }
}

/// HostOS's partition for the guest takes what the disk has, but for the backup of the table.
fn grown(machine: &Machine<'_>) -> Result<()> {
    let len = machine.disk.partition("guestos")?.len();
    // HostOS's own partitions take less than 3 GiB.
    let least = DISK - (3 << 30);
    ensure!(
        len > least,
        "guestos has {len} bytes, want more than {least}"
    );
    Ok(())
}

/// HostOS's boot loader starts this slot before the deadline, and it comes up.
pub(crate) fn arrive<'a>(
    vm: &'a Vm,
    slot: Slot,
    loader: Deadline,
    setting: &Setting,
    report: &Report,
) -> Result<Shell<'a>> {
    vm.console()
        .expect(&format!("starting slot {slot}"), loader)?;
    report.stage(&format!("HostOS starts in slot {slot}"));
    Ok(Shell::login(
        vm.console(),
        "root",
        "root",
        setting.within(2 * BOOT),
    )?)
}

/// HostOS comes up, with the name that the stick's owner gave it.
fn host<'a>(vm: &'a Vm, setting: &Setting, report: &mut Report) -> Result<Shell<'a>> {
    let shell = arrive(vm, Slot::A, setting.within(BOOT), setting, report)?;
    report.stage("root logged in");
    let name = shell.run("hostname", setting.within(20))?;
    let outcome = match name.text.as_str() {
        "chain-host" => Ok(()),
        other => Err(format!("it is {other}")),
    };
    report.check("HostOS has the name of the stick's configuration", outcome);
    Ok(shell)
}

/// GuestOS comes up in HostOS, and its replica answers to whoever asks from outside.
pub(crate) fn answers(
    vm: &Vm,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) -> Result<()> {
    let orchestrator = guest_port(vm, ORCHESTRATOR)?;
    let replica = guest_port(vm, REPLICA)?;
    let status = shell.run("guest_vm status", setting.within(30))?;
    report.stage(&format!("the runner says {}", status.text));
    let answer = replica_version(vm, replica, setting, setting.within(GUEST_BOOT));
    if answer.is_err() {
        let why = "guest_vm status; journalctl --no-pager -b -n 30 -u guest-vm; tail -n 30 /var/log/guest-vm/serial.log";
        let why = shell.run(why, setting.within(30))?;
        report.stage(&format!("GuestOS does not answer:\n{}", why.text));
    }
    report.check("GuestOS's replica answers through HostOS", answer);
    report.check(
        "GuestOS's orchestrator is healthy",
        http::get_ok(vm, orchestrator, "/health", setting.within(60)).map(drop),
    );
    report.check("HostOS knows that GuestOS came up", ready(shell, setting));
    Ok(())
}

/// GuestOS comes up in it, as it should and for little.
fn guest(vm: &Vm, shell: &Shell<'_>, setting: &Setting, report: &mut Report) -> Result<()> {
    answers(vm, shell, setting, report)?;
    report.check("the runner is small", is_small(shell, setting, report));
    Ok(())
}

/// The most memory that the runner has ever had.
fn is_small(shell: &Shell<'_>, setting: &Setting, report: &Report) -> Result<()> {
    let command = "grep -hE '^Vm(HWM|RSS)' /proc/$(systemctl show -P MainPID guest-vm)/status";
    let text = checks::answer(shell, command, setting.within(30))?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    report.stage(&format!("the runner's memory: {}", words.join(" ")));
    let number = match words[..] {
        ["VmHWM:", most, "kB", ..] => most.parse::<u64>(),
        _ => bail!("`{command}` says {text}"),
    };
    let most = number.with_context(|| text.clone())?;
    ensure!(
        most <= RUNNER_KB,
        "it has had {most} kB, want {RUNNER_KB} at most"
    );
    Ok(())
}

/// GuestOS told HostOS over vsock that it is healthy.
pub(crate) fn ready(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let command = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9180; printf \"GET /ready HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'; cat /run/ic/guest.json";
    let good = |text: &str| text.contains("200 OK") && text.contains("\"healthy\":true");
    let output = shell.poll(command, setting.within(120), |o| good(&o.text))?;
    ensure!(good(&output.text), "{}", output.text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cant_be_read_is_not_one_without_partitions() {
        let name = || "esp".to_owned();
        is_absent::<()>(Err(inspect::Error::NoTable { name: name() }.into())).unwrap();
        for have in [
            "a",
            "a partition table (GPT), and neither of its two copies is good",
        ] {
            let (name, have) = (name(), have.to_owned());
            is_absent::<()>(Err(inspect::Error::NoPartition { name, have }.into())).unwrap_err();
        }
        is_absent(Ok(())).unwrap_err();
        let error = is_absent::<()>(Err(anyhow::anyhow!("the server is gone"))).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "nobody can tell what is on the disk: the server is gone"
        );
    }
}
