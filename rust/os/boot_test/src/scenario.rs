//! The scenarios: how to get into the guest, and what differs between images.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use vm::{Drive, Event, Shell, Tpm, Vm, VmConfig};

use crate::checks::{self, PRODUCTION};
use crate::cuts;
use crate::documented;
use crate::install;
use crate::measured;
use crate::mounts;
use crate::photo;
use crate::prod_install;
use crate::report::{note, Report};
use crate::room;
use crate::sealed::{self, Encryption};
use crate::secure_boot;
use crate::ssh::{self, Login, Proof};
use crate::untouched::Untouched;
use crate::upgrade;
use crate::verity;
use crate::{Setting, BOOT};

const SSH: u16 = 22;
/// By its own command line, or by Secure Boot.
pub(crate) const LOCKED_DOWN: &str = "Kernel is locked down from ";
pub(crate) const UUID: &str = "0f6a1c5e-8f0b-4c53-9d55-5d0b7e0a4c11";

/// Which scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Dev,
    Prod,
    Verity,
    Refusals,
    Upgrade,
    Fallback,
    Cuts,
    Exact,
    Install,
    ProdInstall,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dev" => Ok(Self::Dev),
            "prod" => Ok(Self::Prod),
            "verity" => Ok(Self::Verity),
            "refusals" => Ok(Self::Refusals),
            "upgrade" => Ok(Self::Upgrade),
            "fallback" => Ok(Self::Fallback),
            "cuts" => Ok(Self::Cuts),
            "exact" => Ok(Self::Exact),
            "install" => Ok(Self::Install),
            "prod-install" => Ok(Self::ProdInstall),
            _ => Err(format!(
                "scenario `{text}` is none of dev, prod, verity, refusals, upgrade, fallback, cuts, install, prod-install, exact"
            )),
        }
    }
}

impl Name {
    /// The env that an image must be of.
    pub(crate) fn env(self) -> Option<&'static str> {
        match self {
            Self::Dev
            | Self::Upgrade
            | Self::Fallback
            | Self::Cuts
            | Self::Install
            | Self::Exact => Some("dev"),
            Self::Prod | Self::ProdInstall => Some("prod"),
            Self::Verity | Self::Refusals => None,
        }
    }
}

/// Runs a scenario; on an error the console's last lines are told, too.
pub(crate) fn run(name: Name, setting: &Setting) -> Result<()> {
    let outcome = match name {
        Name::Dev => dev(setting),
        Name::Prod => prod(setting),
        Name::Verity => verity::run(&setting.flips, setting),
        Name::Refusals => secure_boot::refusals(setting),
        Name::Upgrade => upgrade::confirmed(setting),
        Name::Fallback => upgrade::fallback(setting),
        Name::Cuts => cuts::replay(setting),
        Name::Exact => documented::boot(setting),
        Name::Install => install::run(setting),
        Name::ProdInstall => prod_install::run(setting),
    };
    if outcome.is_err() {
        note(&format!("console log: {}", setting.log.display()));
    }
    outcome
}

/// The machine that all scenarios but one use, with this disk.
pub(crate) fn machine(disk: Drive, setting: &Setting) -> VmConfig {
    let ports = setting.os.ports.iter();
    let machine = VmConfig::new(&setting.firmware, setting.accel)
        .memory_mib(setting.os.memory_mib)
        .drive(disk)
        .forward(0, SSH)
        .uuid(UUID)
        .no_reboot(true)
        .console_log(&setting.log);
    let machine = ports.fold(machine, |machine, port| machine.forward(0, *port));
    match &setting.secure_boot {
        Some(firmware) => firmware.of(machine),
        None => machine,
    }
}

/// The image's disk as a drive, with as much room behind it as the system wants.
pub(crate) fn disk(setting: &Setting) -> Result<Drive> {
    Ok(Drive::image(disk_path(setting)?))
}

/// The image, or a plan list of it with room behind.
pub(crate) fn disk_path(setting: &Setting) -> Result<PathBuf> {
    match setting.os.room_mib {
        0 => Ok(setting.disk.clone()),
        room => room::behind(&setting.disk, room, setting.scratch.path()),
    }
}

pub(crate) fn port(vm: &Vm, guest: u16) -> Result<u16> {
    vm.host_port(guest)
        .with_context(|| format!("port {guest} is not forwarded"))
}

/// Starts a machine; returns when its kernel runs.
fn start(machine: VmConfig, setting: &Setting, report: &Report) -> Result<Vm> {
    let vm = machine.start()?;
    kernel_started(&vm, setting, report)?;
    Ok(vm)
}

pub(crate) fn kernel_started(vm: &Vm, setting: &Setting, report: &Report) -> Result<()> {
    let boot = setting.within(BOOT);
    if let Some(text) = setting.os.loader {
        vm.console().expect(text, boot)?;
        report.stage(&format!("the boot loader says `{text}`"));
    }
    if setting.secure_boot.is_some() {
        vm.console().expect("UEFI Secure Boot is enabled", boot)?;
        report.stage("the kernel's loader says that Secure Boot is on");
    }
    vm.console().expect("Linux version", boot)?;
    report.stage("the kernel started");
    Ok(())
}

fn dev(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let mut machine = machine(disk(setting)?, setting);
    let mut untouched = Untouched::new(setting)?;
    if setting.os.only_looks {
        machine = untouched.beside(machine);
    }
    for extra in &setting.extras {
        machine = machine.drive(extra.drive());
    }
    let vm = start(machine, setting, &report)?;
    untouched.forgive(&vm)?;
    let shell = console_login(&vm, setting, &mut report)?;
    checks::run(&shell, setting, &mut report);
    mounts::run(&setting.extras, &shell, setting, &mut report);
    (setting.os.outside)(&vm, setting, &mut report)?;
    let login = Login {
        port: port(&vm, SSH)?,
        user: "root",
        proof: Proof::Password("root"),
    };
    report.check(
        "root logs in over ssh with the password",
        root_over_ssh(&vm, &login, setting),
    );
    let wrong = Login {
        proof: Proof::Password("wrong"),
        ..login
    };
    report.check("a wrong password is refused", wrong.is_refused());
    if setting.os.only_looks {
        report.check("nothing was written to any drive", untouched.check(&vm));
    }
    (setting.os.change)(&shell, setting, &mut report);
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    if setting.os.only_looks {
        report.check(
            "nothing was written to the drives beside it",
            untouched.are_same(),
        );
    }
    report.finish()
}

/// What the console has to show before anybody can log in.
fn screen(vm: &Vm, setting: &Setting, report: &mut Report) -> Result<()> {
    for text in setting.os.shows {
        vm.console().expect(text, setting.within(BOOT))?;
        report.stage(&format!("the console says `{text}`"));
    }
    (setting.os.screen)(vm, setting, report)
}

/// From a kernel that runs to root's shell on the console, stage by stage.
pub(crate) fn console_login<'a>(
    vm: &'a Vm,
    setting: &Setting,
    report: &mut Report,
) -> Result<Shell<'a>> {
    screen(vm, setting, report)?;
    Shell::await_prompt(vm.console(), setting.within(BOOT))?;
    report.stage("login prompt");
    let shell = Shell::login_at_prompt(vm.console(), "root", "root", setting.within(30))?;
    report.stage("root logged in");
    Ok(shell)
}

pub(crate) fn root_over_ssh(vm: &Vm, login: &Login, setting: &Setting) -> Result<()> {
    login.wait(vm, setting.within(20))?;
    let output = login.run("id -un; hostname >/dev/null && echo done")?;
    ensure!(
        output.status == 0 && output.text == "root\ndone",
        "status {}: {}",
        output.status,
        output.text
    );
    Ok(())
}

/// In a shell that is no login shell, with sudo and without.
fn finds_programs(login: &Login) -> Result<()> {
    let output = login.run("command -v manageboot && sudo -n manageboot current")?;
    ensure!(
        output.status == 0 && output.text == "/opt/ic/bin/manageboot\nA",
        "status {}: {}",
        output.status,
        output.text
    );
    Ok(())
}

/// Waits for the end of a guest that was told to power off.
pub(crate) fn shut_down(vm: &Vm, setting: &Setting) -> Result<()> {
    let event = vm
        .qmp()?
        .wait_event("SHUTDOWN", setting.within(30).remaining())?;
    by_itself(&event)?;
    exited(vm, setting)
}

/// Presses the power button, and again while nothing happens: a guest that still looks for its devices does not hear it.
fn power_button(vm: &Vm, setting: &Setting) -> Result<()> {
    let deadline = setting.within(60);
    let event = loop {
        let pressed = vm.qmp()?.powerdown();
        match vm
            .qmp()?
            .wait_event("SHUTDOWN", deadline.remaining().min(BETWEEN))
        {
            Ok(event) => break event,
            Err(error) if pressed.is_err() || deadline.expired() => return Err(error.into()),
            Err(_) => {}
        }
    };
    by_itself(&event)?;
    exited(vm, setting)
}

/// How long a pressed button may go unanswered.
const BETWEEN: Duration = Duration::from_secs(15);

fn by_itself(event: &Event) -> Result<()> {
    let reason = event.data.get("reason").and_then(Value::as_str);
    ensure!(
        reason == Some("guest-shutdown"),
        "QEMU says it ended by {reason:?}"
    );
    Ok(())
}

pub(crate) fn exited(vm: &Vm, setting: &Setting) -> Result<()> {
    let status = vm.wait_exit(setting.within(30))?;
    ensure!(
        status.success(),
        "QEMU ended with {status}: {}",
        vm.errors()
    );
    Ok(())
}

fn prod(setting: &Setting) -> Result<()> {
    match setting.os.takes_keys {
        true => prod_with_keys(setting),
        false => prod_without_login(setting),
    }
}

fn prod_with_keys(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let (key, public) = ssh::key_pair(setting.scratch.path())?;
    let medium = setting.scratch.path().join("config.img");
    config_medium(setting, Some(&public), &medium)?;
    let mut machine = machine(disk(setting)?, setting).disk(&medium);
    // It outlives the machine.
    let wanted = setting.measured.is_some() || setting.data_encryption == Some(Encryption::Tpm2);
    let tpm = wanted.then(Tpm::start).transpose()?;
    if let Some(tpm) = &tpm {
        machine = machine.tpm(tpm);
    }
    let vm = start(machine, setting, &report)?;
    let admin = Login {
        port: port(&vm, SSH)?,
        user: "admin",
        proof: Proof::Key(key),
    };
    if let Err(error) = admin.wait(&vm, setting.within(BOOT)) {
        bail!("{error:#}; the console ends with:\n{}", vm.console().tail());
    }
    report.stage("admin logged in with the key of the CONFIG medium");
    report.check(
        "a command over ssh finds the node's programs",
        finds_programs(&admin),
    );
    let log = setting.log.with_file_name("session.log");
    let session = admin.session("sudo /bin/sh", &log)?;
    let shell = Shell::take_over(&session.console, setting.within(20))?;
    checks::run(&shell, setting, &mut report);
    checks::run_all(PRODUCTION, &shell, setting, &mut report);
    if let Some(encryption) = setting.data_encryption {
        sealed::run(encryption, &shell, setting, &mut report);
    }
    measured::run(&shell, setting, &mut report);
    (setting.os.outside)(&vm, setting, &mut report)?;
    for (name, login) in refused(&admin) {
        report.check(name, login.is_refused());
    }
    report.check("nobody can log in on the console", no_login(&vm));
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    report.finish()
}

/// Nobody gets in, so it is looked at from outside.
fn prod_without_login(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let mut untouched = Untouched::new(setting)?;
    let machine = untouched.beside(machine(disk(setting)?, setting));
    let vm = start(photo::with_screen(machine), setting, &report)?;
    untouched.forgive(&vm)?;
    let locked = vm.console().expect(LOCKED_DOWN, setting.within(BOOT));
    report.check("the kernel says that it is locked down", locked.map(drop));
    screen(&vm, setting, &mut report)?;
    if setting.os.only_looks {
        // What it has to say is for people, who look at the screen.
        let picture = setting.log.with_file_name("status.png");
        report.check("the screen shows it", photo::take(&vm, &picture));
    }
    let ssh = port(&vm, SSH)?;
    // Both wait for what must not come.
    let silent = std::thread::spawn(move || ssh::nobody_answers(ssh));
    report.check("nobody can log in on the console", no_login(&vm));
    let silent = silent.join().unwrap_or_else(|_| bail!("the test broke"));
    report.check("nobody can log in over the network", silent);
    if setting.os.only_looks {
        report.check("nothing was written to any drive", untouched.check(&vm));
    }
    report.check("the power button shuts it down", power_button(&vm, setting));
    report.finish()
}

/// A CONFIG medium that has a key of the data, if that is wanted; and with somebody's key for logging in gives the guest a name and lets him in as admin.
pub(crate) fn config_medium(setting: &Setting, public: Option<&str>, image: &Path) -> Result<()> {
    let folder = setting.scratch.path().join("config");
    let keys = folder.join("ssh_authorized_keys");
    std::fs::create_dir_all(&keys).context("cannot create a temporary folder")?;
    let write =
        |path, text: &str| std::fs::write(path, text).context("cannot write a temporary file");
    let mut settings = String::new();
    if let Some(public) = public {
        settings.push_str("hostname=boot-test\n");
        write(keys.join("admin"), public)?;
    }
    if let Some(encryption) = setting.data_encryption {
        settings.push_str(&format!("data_encryption={encryption}\n"));
        let key = format!("{}\n", "0123456789abcdef".repeat(4));
        write(folder.join("data.key"), &key)?;
    }
    write(folder.join("config.ini"), &settings)?;
    vm::medium::from_folder(&folder, "CONFIG", image)?;
    Ok(())
}

/// Logins that a production image turns down.
fn refused(admin: &Login) -> [(&'static str, Login); 3] {
    let password = |user| Login {
        user,
        proof: Proof::Password("root"),
        ..admin.clone()
    };
    [
        ("root's password is refused over ssh", password("root")),
        (
            "a password for admin is refused over ssh",
            password("admin"),
        ),
        (
            "admin's key is refused for root",
            Login {
                user: "root",
                ..admin.clone()
            },
        ),
    ]
}

/// Enter on the console brings no prompt, and none has been there since the kernel started.
pub(crate) fn no_login(vm: &Vm) -> Result<()> {
    vm.console().send_line("")?;
    std::thread::sleep(Duration::from_secs(10));
    let text = vm.console().take_unread();
    ensure!(!text.contains("login:"), "there is a login prompt");
    for prompt in ["# ", "$ ", "Press Enter"] {
        let end = text.trim_end_matches('\n');
        ensure!(!end.ends_with(prompt), "there is a prompt: {end}");
    }
    Ok(())
}
