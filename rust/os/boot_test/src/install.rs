//! From a stick and an empty disk to a replica that answers.
//!
//! The stick installs by itself, and in the middle of it the power goes. It installs again, to the end, and says so on its own CONFIG
//! volume. Then the machine starts from its disk alone: HostOS starts GuestOS, a machine inside the machine, whose replica answers to whoever
//! asks from outside. With upgrades of the two systems it goes on with these ([`chain`]).

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use grubenv::Slot;
use serde_json::Value;
use vm::{Accel, Deadline, Shell, Vm, VmConfig};

use crate::chain;
use crate::esp;
use crate::http;
use crate::os::guestos::{replica_version, ORCHESTRATOR, REPLICA};
use crate::photo;
use crate::report::Report;
use crate::scenario;
use crate::shown::Shown;
use crate::{Setting, BOOT};

/// Room for both systems: HostOS's partitions and the guest's disk.
const DISK: u64 = 10 << 30;
/// Memory of the machine, which has another one inside.
const MEMORY_MIB: u32 = 4096;
/// Where GuestOS is: an address of QEMU's own network.
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 77);

/// What the owner of the stick wrote.
const CONFIG: &str = "unattended=yes
after_install=poweroff
hostname=chain-host
name_servers=10.0.2.3
vm_memory_mib=1280
vm_cpus=2
guest_hostname=chain-guest
guest_ipv4_address=10.0.2.77/24
guest_ipv4_gateway=10.0.2.2
";
/// The result, on the stick.
const RESULT: &str = "setupos-result.json";

/// What the installer says.
const BEGINS: &str = "setupos: install: wipe: ";
const WRITING: &str = "setupos: install: host: 40 %";
const INSTALLED: &str = "setupos: installed";
const FAILED: &str = "setupos: NOT INSTALLED";

/// A word for HostOS's kernel where processors are emulated: the timer of a machine inside, which its firmware has set to 10 ms, ticks no more than
/// five times a second. QEMU (up to 11.1) dies when such a machine writes CR8 while another tick is waiting, as that firmware does at the end of
/// each tick, unless there is time between two of them. Linux sets no such timer.
const SLOW_TICKS: &str =
    "type=11,value=io.systemd.stub.kernel-cmdline-extra=kvm.min_timer_period_us=200000";

/// How long an installation takes, in seconds with KVM: most of it is reading and writing.
const INSTALLATION: u64 = 180;
/// How long GuestOS takes to come up inside HostOS.
pub(crate) const GUEST_BOOT: u64 = 240;

/// The stick and the machine's disk.
struct Machine<'a> {
    stick: Shown,
    disk: Shown,
    setting: &'a Setting,
}

/// All of it.
pub(crate) fn run(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let machine = Machine::new(setting)?;
    machine.power_cut(&mut report)?;
    machine.install(&mut report)?;
    let vm = machine.start_disk()?;
    let shell = host(&vm, setting, &mut report)?;
    guest(&vm, &shell, setting, &mut report)?;
    if let Some(bundle) = &setting.delta {
        chain::guest(bundle, &vm, &shell, setting, &mut report)?;
    }
    if let Some(bundle) = &setting.update {
        chain::host(bundle, &vm, &shell, setting, &mut report)?;
    }
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", scenario::shut_down(&vm, setting));
    report.finish()
}

impl<'a> Machine<'a> {
    fn new(setting: &'a Setting) -> Result<Self> {
        let socket = |name: &str| setting.scratch.path().join(name);
        let stick = Shown::image(&setting.disk, &socket("stick.sock"))?;
        let folder = setting.scratch.path().join("stick");
        std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(folder.join("config.ini"), CONFIG))
            .context("cannot write a temporary file")?;
        let medium = setting.scratch.path().join("stick.img");
        vm::medium::from_folder(&folder, "CONFIG", &medium)?;
        let medium = std::fs::read(&medium).context("cannot read a temporary file")?;
        stick.put("config", &medium)?;
        Ok(Self {
            stick,
            disk: Shown::empty(DISK, &socket("disk.sock"))?,
            setting,
        })
    }

    /// Starts it with the stick.
    fn start_stick(&self) -> Result<Vm> {
        let machine = scenario::machine(self.stick.drive(), self.setting);
        let machine = photo::with_screen(machine);
        Ok(machine.drive(self.disk.drive()).start()?)
    }

    /// Starts it without.
    fn start_disk(&self) -> Result<Vm> {
        let log = self.setting.log.with_file_name("host.log");
        let machine = VmConfig::new(&self.setting.firmware, self.setting.accel)
            .memory_mib(MEMORY_MIB)
            .drive(self.disk.drive())
            .forward_to(0, GUEST, ORCHESTRATOR)
            .forward_to(0, GUEST, REPLICA)
            .uuid(scenario::UUID)
            .no_reboot(self.setting.update.is_none())
            .console_log(log);
        let machine = match self.setting.accel {
            Accel::Kvm => machine,
            Accel::Tcg => machine.arg("-smbios").arg(SLOW_TICKS),
        };
        Ok(machine.start()?)
    }

    /// The power goes while HostOS is being written.
    fn power_cut(&self, report: &mut Report) -> Result<()> {
        let vm = self.start_stick()?;
        wait(&vm, WRITING, self.setting.within(4 * BOOT))?;
        let picture = self.setting.log.with_file_name("installer.png");
        report.check("the screen shows it", photo::take(&vm, &picture));
        report.stage("HostOS is being written, and the power goes");
        vm.kill();
        drop(vm);
        let table = self.disk.partition("esp");
        let outcome = match table {
            Err(_) => Ok(()),
            Ok(_) => Err("there is a partition table already"),
        };
        report.check(
            "half an installation does not look like a whole one",
            outcome,
        );
        Ok(())
    }

    /// The whole of it.
    fn install(&self, report: &mut Report) -> Result<()> {
        let vm = self.start_stick()?;
        wait(&vm, BEGINS, self.setting.within(3 * BOOT))?;
        report.stage("the installation begins");
        wait(&vm, INSTALLED, self.setting.within(INSTALLATION))?;
        report.stage("it is installed");
        report.check(
            "the stick switches off",
            scenario::shut_down(&vm, self.setting),
        );
        drop(vm);
        report.check("the stick says so, too", self.result());
        report.check("the last partition ends with the disk", self.grown());
        Ok(())
    }

    /// What the installer left on the stick.
    fn result(&self) -> Result<()> {
        let text = esp::read(self.stick.partition("config")?, RESULT)?;
        let result: Value = serde_json::from_slice(&text).context(RESULT)?;
        let installed = result.get("installed").and_then(Value::as_bool);
        ensure!(installed == Some(true), "{RESULT} says {result}");
        Ok(())
    }

    /// HostOS's partition for the guest takes what the disk has, but for the backup of the table.
    fn grown(&self) -> Result<()> {
        let len = self.disk.partition("guestos")?.len();
        // HostOS's own partitions take less than 3 GiB.
        let least = DISK - (3 << 30);
        ensure!(
            len > least,
            "guestos has {len} bytes, want more than {least}"
        );
        Ok(())
    }
}

/// Waits for a line; that it has failed is an answer, too.
fn wait(vm: &Vm, line: &str, within: Deadline) -> Result<()> {
    let (which, _) = vm.console().expect_any(&[line, FAILED], within)?;
    if which == 0 {
        return Ok(());
    }
    // What comes then says why.
    std::thread::sleep(Duration::from_secs(5));
    bail!("{FAILED}{}", vm.console().take_unread())
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

/// GuestOS comes up in it, and its replica answers.
fn guest(vm: &Vm, shell: &Shell<'_>, setting: &Setting, report: &mut Report) -> Result<()> {
    let orchestrator = guest_port(vm, ORCHESTRATOR)?;
    let replica = guest_port(vm, REPLICA)?;
    let status = shell.run("guest_vm status", setting.within(30))?;
    report.stage(&format!("the runner says {}", status.text));
    let answer = replica_version(replica, setting, setting.within(GUEST_BOOT));
    if answer.is_err() {
        let why = "guest_vm status; journalctl --no-pager -b -n 30 -u guest-vm; tail -n 30 /var/log/guest-vm/serial.log";
        let why = shell.run(why, setting.within(30))?;
        report.stage(&format!("GuestOS does not answer:\n{}", why.text));
    }
    report.check("GuestOS's replica answers through HostOS", answer);
    report.check(
        "GuestOS's orchestrator is healthy",
        http::get_ok(orchestrator, "/health", setting.within(60)).map(drop),
    );
    report.check("HostOS knows that GuestOS came up", ready(shell, setting));
    Ok(())
}

/// Where this machine finds a port of GuestOS.
pub(crate) fn guest_port(vm: &Vm, port: u16) -> Result<u16> {
    vm.host_port_to(GUEST, port)
        .with_context(|| format!("port {port} of the guest is not forwarded"))
}

/// GuestOS told HostOS over vsock that it is healthy.
pub(crate) fn ready(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let command = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9180; printf \"GET /ready HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'; cat /run/ic/guest.json";
    let good = |text: &str| text.contains("200 OK") && text.contains("\"healthy\":true");
    let output = shell.poll(command, setting.within(120), |o| good(&o.text))?;
    ensure!(good(&output.text), "{}", output.text);
    Ok(())
}
