//! A machine that is installed from a stick: the stick with what its owner wrote, the machine's disk, and QEMU with either.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use vm::{Accel, Deadline, Vm, VmConfig};

use crate::esp;
use crate::os::guestos::{ORCHESTRATOR, REPLICA};
use crate::photo;
use crate::report::Report;
use crate::scenario;
use crate::shown::Shown;
use crate::{Setting, BOOT};

/// Room for both systems: HostOS's partitions and the guest's disk.
pub(crate) const DISK: u64 = 10 << 30;
/// Memory of the machine, which has another one inside.
const MEMORY_MIB: u32 = 4096;
/// Where GuestOS is: an address of QEMU's own network.
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 77);

/// What the owner of the stick wrote.
pub(crate) const CONFIG: &str = "unattended=yes
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
const INSTALLED: &str = "setupos: installed";
const FAILED: &str = "setupos: NOT INSTALLED";

/// A word for HostOS's kernel where processors are emulated: the timer of a machine inside, which its firmware has set to 10 ms, ticks no more than
/// once a second. QEMU (up to 11.1) dies when such a machine writes CR8 while another tick is waiting, as that firmware does at the end of
/// each tick, unless there is time between two of them: on a busy machine more than a fifth of a second. Linux sets no such timer.
const SLOW_TICKS: &str =
    "type=11,value=io.systemd.stub.kernel-cmdline-extra=kvm.min_timer_period_us=1000000";

/// Processors of a machine with another one inside, where they are emulated. Each is a thread of QEMU; with two of them that really run at a time its
/// emulation of SVM (11.1) spoils HostOS's kernel now and then.
const EMULATED_CPUS: u32 = 1;

/// How long an installation takes, in seconds with KVM: most of it is reading and writing.
const INSTALLATION: u64 = 180;
/// How long it may take on any machine, from the first write on.
const MOST: Duration = Duration::from_secs(6 * 60);

/// The stick and the machine's disk.
pub(crate) struct Machine<'a> {
    pub(crate) stick: Shown,
    pub(crate) disk: Shown,
    setting: &'a Setting,
}

impl<'a> Machine<'a> {
    /// With `config` as config.ini of the stick, and `key` to log in as admin. What is written to the disk is written down.
    pub(crate) fn new(config: &str, key: Option<&str>, setting: &'a Setting) -> Result<Self> {
        let place = |name: &str| setting.scratch.path().join(name);
        let stick = Shown::image(&setting.disk, &place("stick.sock"))?;
        let folder = place("stick");
        let keys = folder.join("ssh_authorized_keys");
        let write_key = |key: &str| {
            std::fs::create_dir(&keys).and_then(|()| std::fs::write(keys.join("admin"), key))
        };
        let written = std::fs::create_dir(&folder)
            .and_then(|()| std::fs::write(folder.join("config.ini"), config))
            .and_then(|()| key.map_or(Ok(()), write_key));
        written.context("cannot write a temporary file")?;
        let medium = place("stick.img");
        vm::medium::from_folder(&folder, "CONFIG", &medium)?;
        let medium = std::fs::read(&medium).context("cannot read a temporary file")?;
        stick.put("config", &medium)?;
        let log = place("installation.log");
        Ok(Self {
            stick,
            disk: Shown::recorded(DISK, &place("disk.sock"), &log)?,
            setting,
        })
    }

    /// With the stick.
    pub(crate) fn with_stick(&self) -> VmConfig {
        self.with_stick_on(&self.disk)
    }

    /// With the stick, and another disk.
    pub(crate) fn with_stick_on(&self, disk: &Shown) -> VmConfig {
        let machine = scenario::machine(self.stick.drive(), self.setting);
        photo::with_screen(machine).drive(disk.drive())
    }

    /// Without, for the `start`-th time. Each is a first one: what it writes goes with it.
    pub(crate) fn with_disk(&self, start: usize) -> VmConfig {
        let machine = VmConfig::new(&self.setting.firmware, self.setting.accel)
            .memory_mib(MEMORY_MIB)
            .drive(self.disk.drive().throw_away(true))
            .forward_to(0, GUEST, ORCHESTRATOR)
            .forward_to(0, GUEST, REPLICA)
            .uuid(scenario::UUID)
            .no_reboot(self.setting.update.is_none())
            .console_log(self.log(&format!("host-{start}.log")));
        let machine = match &self.setting.secure_boot {
            Some(firmware) => firmware.of(machine),
            None => machine,
        };
        match self.setting.accel {
            Accel::Kvm => machine,
            Accel::Tcg => machine.cpus(EMULATED_CPUS).arg("-smbios").arg(SLOW_TICKS),
        }
    }

    /// A file beside the console's log.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.setting.log.with_file_name(name)
    }

    /// The stick, which was started, installs to the end and switches off.
    pub(crate) fn installs(&self, vm: &Vm, report: &mut Report) -> Result<()> {
        wait(vm, BEGINS, self.setting.within(4 * BOOT))?;
        report.stage("the installation begins");
        let begun = std::time::Instant::now();
        wait(vm, INSTALLED, self.setting.within(INSTALLATION))?;
        let took = begun.elapsed();
        report.stage(&format!(
            "it is installed: {:.1} s from the first write",
            took.as_secs_f64()
        ));
        let quick = match took <= MOST {
            true => Ok(()),
            false => Err(format!("want {} s at most", MOST.as_secs())),
        };
        report.check("it did not take too long", quick);
        report.check(
            "the stick switches off",
            scenario::shut_down(vm, self.setting),
        );
        report.check("the stick says so, too", self.result());
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
}

/// Waits for a line of the installer; that it has failed is an answer, too.
pub(crate) fn wait(vm: &Vm, line: &str, within: Deadline) -> Result<()> {
    let (which, _) = vm.console().expect_any(&[line, FAILED], within)?;
    if which == 0 {
        return Ok(());
    }
    // What comes then says why.
    std::thread::sleep(Duration::from_secs(5));
    bail!("{FAILED}{}", vm.console().take_unread())
}

/// Where this machine finds a port of GuestOS.
pub(crate) fn guest_port(vm: &Vm, port: u16) -> Result<u16> {
    vm.host_port_to(GUEST, port)
        .with_context(|| format!("port {port} of the guest is not forwarded"))
}
