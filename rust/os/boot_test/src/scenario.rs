//! The scenarios: how to get into the guest, and what differs between images.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use serde_json::Value;
use vm::{Accel, Drive, Shell, Vm, VmConfig};

use crate::checks::{self, BOOT};
use crate::http;
use crate::mounts;
use crate::report::{note, Report};
use crate::ssh::{self, Login, Proof};
use crate::verity;
use crate::Setting;

const SSH: u16 = 22;
const ORCHESTRATOR: u16 = 7070;
const REPLICA: u16 = 8080;
const UUID: &str = "0f6a1c5e-8f0b-4c53-9d55-5d0b7e0a4c11";

/// Which scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    Dev,
    Prod,
    Verity,
    Exact,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dev" => Ok(Self::Dev),
            "prod" => Ok(Self::Prod),
            "verity" => Ok(Self::Verity),
            "exact" => Ok(Self::Exact),
            _ => Err(format!(
                "scenario `{text}` is none of dev, prod, verity, exact"
            )),
        }
    }
}

/// Runs a scenario; on an error the console's last lines are told, too.
pub(crate) fn run(name: Name, setting: &Setting) -> Result<()> {
    let outcome = match name {
        Name::Dev => dev(setting),
        Name::Prod => prod(setting),
        Name::Verity => verity::run(&setting.flip, setting),
        Name::Exact => exact(setting),
    };
    if outcome.is_err() {
        note(&format!("console log: {}", setting.log.display()));
    }
    outcome
}

fn machine(setting: &Setting) -> VmConfig {
    machine_on(Drive::image(&setting.disk), setting)
}

/// The machine that all scenarios but one use, with this disk.
pub(crate) fn machine_on(disk: Drive, setting: &Setting) -> VmConfig {
    VmConfig::new(&setting.firmware, setting.accel)
        .drive(disk)
        .forward(0, SSH)
        .forward(0, ORCHESTRATOR)
        .forward(0, REPLICA)
        .uuid(UUID)
        .no_reboot(true)
        .console_log(&setting.log)
}

fn port(vm: &Vm, guest: u16) -> Result<u16> {
    vm.host_port(guest)
        .with_context(|| format!("port {guest} is not forwarded"))
}

fn dev(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let mut machine = machine(setting);
    for extra in &setting.extras {
        machine = machine.drive(extra.drive());
    }
    let vm = machine.start()?;
    let shell = console_login(&vm, setting, &report)?;
    checks::run(&shell, setting, &mut report);
    mounts::run(&setting.extras, &shell, setting, &mut report);
    outside(&vm, setting, &mut report)?;
    let login = Login {
        port: port(&vm, SSH)?,
        user: "root",
        proof: Proof::Password("root"),
    };
    report.check(
        "root logs in over ssh with the password",
        root_over_ssh(&login, setting),
    );
    let wrong = Login {
        proof: Proof::Password("wrong"),
        ..login
    };
    report.check("a wrong password is refused", wrong.is_refused());
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    report.finish()
}

/// From power-on to root's shell on the console, stage by stage.
fn console_login<'a>(vm: &'a Vm, setting: &Setting, report: &Report) -> Result<Shell<'a>> {
    let boot = setting.within(BOOT);
    vm.console().expect("booting slot A", boot)?;
    report.stage("GRUB chose slot A");
    vm.console().expect("Linux version", boot)?;
    report.stage("the kernel started");
    Shell::await_prompt(vm.console(), boot)?;
    report.stage("login prompt");
    let shell = Shell::login_at_prompt(vm.console(), "root", "root", setting.within(30))?;
    report.stage("root logged in");
    Ok(shell)
}

fn root_over_ssh(login: &Login, setting: &Setting) -> Result<()> {
    login.wait(setting.within(20))?;
    let output = login.run("id -un; hostname >/dev/null && echo done")?;
    ensure!(
        output.status == 0 && output.text == "root\ndone",
        "status {}: {}",
        output.status,
        output.text
    );
    Ok(())
}

/// What the guest's services say to the world.
fn outside(vm: &Vm, setting: &Setting, report: &mut Report) -> Result<()> {
    let replica = port(vm, REPLICA)?;
    let orchestrator = port(vm, ORCHESTRATOR)?;
    report.check(
        "the replica answers outside, with the image's version",
        replica_version(replica, setting),
    );
    report.check(
        "the orchestrator is healthy",
        http::get_ok(orchestrator, "/health", setting.within(20)).map(drop),
    );
    let metrics = http::get_ok(orchestrator, "/metrics", setting.within(10)).and_then(|text| {
        ensure!(text.contains("# TYPE "), "no metrics but `{text}`");
        Ok(())
    });
    report.check("the orchestrator has metrics", metrics);
    Ok(())
}

fn replica_version(port: u16, setting: &Setting) -> Result<()> {
    let body = http::get_ok(port, "/api/v2/status", setting.within(20))?;
    let status: Value = serde_json::from_str(&body).with_context(|| format!("answer `{body}`"))?;
    let version = status.get("version").and_then(Value::as_str);
    ensure!(
        version == Some(&setting.version),
        "the replica says version {version:?}, the build `{}`",
        setting.version
    );
    Ok(())
}

/// Waits for the end of a guest that was told to power off.
fn shut_down(vm: &Vm, setting: &Setting) -> Result<()> {
    let event = vm.qmp()?.wait_event("SHUTDOWN", setting.within(30))?;
    let reason = event.data.get("reason").and_then(Value::as_str);
    ensure!(
        reason == Some("guest-shutdown"),
        "QEMU says it ended by {reason:?}"
    );
    exited(vm, setting)
}

fn exited(vm: &Vm, setting: &Setting) -> Result<()> {
    let status = vm.wait_exit(setting.within(30))?;
    ensure!(
        status.success(),
        "QEMU ended with {status}: {}",
        vm.errors()
    );
    Ok(())
}

fn prod(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let (key, public) = ssh::key_pair(setting.scratch.path())?;
    let medium = setting.scratch.path().join("config.img");
    config_medium(setting, &public, &medium)?;
    let vm = machine(setting).disk(&medium).start()?;
    let boot = setting.within(BOOT);
    vm.console().expect("Linux version", boot)?;
    report.stage("the kernel started");
    let admin = Login {
        port: port(&vm, SSH)?,
        user: "admin",
        proof: Proof::Key(key),
    };
    if let Err(error) = admin.wait(boot) {
        bail!("{error:#}; the console ends with:\n{}", vm.console().tail());
    }
    report.stage("admin logged in with the key of the CONFIG medium");
    let log = setting.log.with_file_name("session.log");
    let session = admin.session("sudo /bin/sh", &log)?;
    let shell = Shell::take_over(&session.console, setting.within(20))?;
    checks::run(&shell, setting, &mut report);
    prod_only(&shell, setting, &mut report);
    outside(&vm, setting, &mut report)?;
    for (name, login) in refused(&admin) {
        report.check(name, login.is_refused());
    }
    report.check("nobody can log in on the console", no_login(&vm));
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", shut_down(&vm, setting));
    report.finish()
}

/// A CONFIG medium that gives the guest a name and lets the holder of the key in as admin.
fn config_medium(setting: &Setting, public: &str, image: &Path) -> Result<()> {
    let folder = setting.scratch.path().join("config");
    let keys = folder.join("ssh_authorized_keys");
    std::fs::create_dir_all(&keys).context("cannot create a temporary folder")?;
    let write = |path, text| std::fs::write(path, text).context("cannot write a temporary file");
    write(folder.join("config.ini"), "hostname=boot-test\n")?;
    write(keys.join("admin"), public)?;
    vm::medium::from_folder(&folder, "CONFIG", image)?;
    Ok(())
}

fn prod_only(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    for (name, command, want) in [
        ("the name came from the medium", "hostname", "boot-test"),
        ("root is locked", "passwd -S root | cut -d' ' -f2", "L"),
        (
            "no getty runs",
            "systemctl list-units --no-legend --plain 'getty@*' 'serial-getty@*'",
            "",
        ),
    ] {
        let outcome = shell
            .run(command, setting.within(15))
            .map_err(anyhow::Error::from)
            .and_then(|output| {
                ensure!(
                    output.text == want,
                    "`{command}` gave `{}`, want `{want}`",
                    output.text
                );
                Ok(())
            });
        report.check(name, outcome);
    }
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
fn no_login(vm: &Vm) -> Result<()> {
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

/// The documented command, on a copy of the disk because it writes to it.
fn exact(setting: &Setting) -> Result<()> {
    let mut report = Report::new();
    let folder = setting.scratch.path();
    let is_list = plan::List::is_named(&setting.disk);
    ensure!(
        !is_list,
        "the documented command takes a disk, not a plan list: {}",
        setting.disk.display()
    );
    vm::copy_sparse(&setting.disk, &folder.join("disk.img"))?;
    vm::ports::check_free(2222, "the documented command, there is no other")?;
    let words = documented(setting);
    report.stage(&vm::quote(&words));
    let vm = Vm::start_command(&words, folder, Some(&setting.log), setting.accel)?;
    let shell = console_login(&vm, setting, &report)?;
    let login = Login {
        port: 2222,
        user: "root",
        proof: Proof::Password("root"),
    };
    report.check(
        "root logs in over ssh on port 2222",
        root_over_ssh(&login, setting),
    );
    shell.send("systemctl poweroff")?;
    report.check("it shuts down cleanly", exited(&vm, setting));
    report.finish()
}

/// The command of the documentation; only the accelerator and the vsock device depend on the host.
fn documented(setting: &Setting) -> Vec<String> {
    let accel = match setting.accel {
        Accel::Kvm => "-machine q35,accel=kvm -cpu host",
        Accel::Tcg => "-machine q35,accel=tcg",
    };
    let vsock = if Path::new("/dev/vhost-vsock").exists() {
        "-device vhost-vsock-pci,guest-cid=3"
    } else {
        ""
    };
    let mut words = vec![vm::QEMU.to_owned()];
    let fixed = "-nographic -m 4G -boot d -drive file=disk.img,format=raw,if=virtio \
                 -netdev user,id=user.0,hostfwd=tcp::2222-:22 -device virtio-net,netdev=user.0";
    for part in [accel, vsock, fixed] {
        words.extend(part.split_ascii_whitespace().map(str::to_owned));
    }
    words.push("-bios".to_owned());
    words.push(setting.firmware.display().to_string());
    words
}
