//! A production stick installs production systems with Secure Boot on, and nobody attends it.
//!
//! The firmware knows the signer's certificate and nothing else, and keeps its variables: so what the installer did to its list of what to start is
//! seen when the machine starts again, with the stick still plugged in.

use anyhow::{bail, ensure, Result};
use vm::Shell;

use crate::checks::{self, prints, Check};
use crate::install;
use crate::report::Report;
use crate::scenario;
use crate::ssh::{self, Login, Proof};
use crate::stick::{Machine, CONFIG};
use crate::{Setting, BOOT};

/// A machine of a test has less than a node.
const NODE_TYPE: &str = "node_type=minimal\n";
const SSH: u16 = 22;

/// HostOS, as it came from the stick.
const HOST: &[Check] = &[
    prints("the name came from the stick", "hostname", "chain-host"),
    prints(
        "Secure Boot is on",
        "od -An -tu1 -j4 -N1 /sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c | tr -d ' '",
        "1",
    ),
    prints(
        "the firmware started it by the installer's entry",
        "cd /sys/firmware/efi/efivars; g=8be4df61-93ca-11d2-aa0d-00e098032b8c; n=$(od -An -tx2 -j4 -N2 BootCurrent-$g | tr -d ' ' | tr a-f A-F); \
         tr -d '\\0' <Boot$n-$g | grep -ao 'IC-OS HostOS'",
        "IC-OS HostOS",
    ),
    prints("root is locked", "passwd -S root | cut -d' ' -f2", "L"),
    prints("it is of env prod", "grep -o '\"env\": *\"[a-z]*\"' /opt/ic/share/os.json", "\"env\": \"prod\""),
];

/// All of it.
pub(crate) fn run(setting: &Setting) -> Result<()> {
    ensure!(
        setting.secure_boot.is_some(),
        "--secure-boot names the keys to enrol"
    );
    let mut report = Report::new();
    let (key, public) = ssh::key_pair(setting.scratch.path())?;
    let config = format!("{CONFIG}{NODE_TYPE}");
    let machine = Machine::new(&config, Some(&public), setting)?;
    let vm = machine.with_stick().keep_variables().start()?;
    scenario::kernel_started(&vm, setting, &report)?;
    machine.installs(&vm, &mut report)?;
    drop(vm);
    let vm = machine
        .with_disk(1)
        .drive(machine.stick.drive())
        .forward(0, SSH)
        .keep_variables()
        .start()?;
    for (text, stage) in [
        ("starting slot A", "HostOS's boot loader starts slot A"),
        (
            "UEFI Secure Boot is enabled",
            "its kernel's loader says that Secure Boot is on",
        ),
    ] {
        vm.console().expect(text, setting.within(BOOT))?;
        report.stage(stage);
    }
    let locked = vm
        .console()
        .expect(scenario::LOCKED_DOWN, setting.within(BOOT));
    report.check("the kernel says that it is locked down", locked.map(drop));
    let admin = Login {
        port: scenario::port(&vm, SSH)?,
        user: "admin",
        proof: Proof::Key(key),
    };
    if let Err(error) = admin.wait(&vm, setting.within(2 * BOOT)) {
        bail!("{error:#}; the console ends with:\n{}", vm.console().tail());
    }
    report.stage("admin logged in with the key of the stick");
    let session = admin.session("sudo /bin/sh", &machine.log("session.log"))?;
    let shell = Shell::take_over(&session.console, setting.within(20))?;
    checks::run_all(HOST, &shell, setting, &mut report);
    install::answers(&vm, &shell, setting, &mut report)?;
    report.check("nobody can log in on the console", scenario::no_login(&vm));
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", scenario::shut_down(&vm, setting));
    report.finish()
}
