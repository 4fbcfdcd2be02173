//! What must hold in a running guest, whichever way one got in: commands for root's shell and what they should say.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use vm::{Output, Shell};

use crate::report::Report;
use crate::Setting;

/// One command and its expected outcome.
struct Check {
    name: &'static str,
    command: &'static str,
    want: Want,
}

/// What a command should do.
enum Want {
    /// Succeed and print exactly this.
    Prints(&'static str),
    /// Succeed, whatever it prints.
    Succeeds,
    /// Fail, with this in what it prints.
    FailsWith(&'static str),
}

use Want::{FailsWith, Prints, Succeeds};

/// Units that must be active once the guest is up.
const UNITS: [&str; 10] = [
    "chrony.service",
    "ingest-config.service",
    "nftables.service",
    "orchestrator.service",
    "setup-hostname.service",
    "setup-network.service",
    "setup-ssh-keys.service",
    "ssh.service",
    "systemd-networkd.service",
    "systemd-resolved.service",
];

const COMMON: [Check; 19] = [
    Check {
        name: "no unit has failed",
        command: "systemctl --failed --no-legend --plain",
        want: Prints(""),
    },
    Check {
        name: "the root file system is read-only ext4",
        command: "findmnt -no FSTYPE,OPTIONS / | grep -Eo '^ext4 +ro' | tr -s ' '",
        want: Prints("ext4 ro"),
    },
    Check {
        name: "nothing can be written to /",
        command: "touch /probe",
        want: FailsWith("Read-only file system"),
    },
    Check {
        name: "nothing can be written to /etc",
        command: "touch /etc/probe",
        want: FailsWith("Read-only file system"),
    },
    Check {
        name: "nothing can be written to /opt/ic",
        command: "echo x >>/opt/ic/share/version.txt",
        want: FailsWith("Read-only file system"),
    },
    Check {
        name: "the root is on partition A_root",
        command: "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /)\"",
        want: Prints("A_root"),
    },
    Check {
        name: "/var is on partition A_var",
        command: "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /var)\"",
        want: Prints("A_var"),
    },
    Check {
        name: "/var can be written to",
        command: "touch /var/lib/probe && rm /var/lib/probe",
        want: Prints(""),
    },
    Check {
        name: "/boot/config is on partition config",
        command: "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /boot/config)\"",
        want: Prints("config"),
    },
    Check {
        name: "/boot/grub is on partition grub",
        command: "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /boot/grub)\"",
        want: Prints("grub"),
    },
    Check {
        name: "the kernel was told the slot",
        command: "tr ' ' '\\n' </proc/cmdline | grep ^boot_alternative=",
        want: Prints("boot_alternative=A"),
    },
    Check {
        name: "the first boot left the cycle stable",
        command: "grep -a ^boot_cycle= /boot/grub/grubenv",
        want: Prints("boot_cycle=stable"),
    },
    Check {
        name: "manageboot knows the running slot",
        command: "/opt/ic/bin/manageboot current",
        want: Prints("A"),
    },
    Check {
        name: "manageboot knows the slot to upgrade",
        command: "/opt/ic/bin/manageboot target",
        want: Prints("B"),
    },
    Check {
        name: "manageboot knows the next slot",
        command: "/opt/ic/bin/manageboot next",
        want: Prints("A"),
    },
    Check {
        name: "the replica runs as its own user",
        command: "stat -c %U $(grep -lsx replica /proc/[0-9]*/comm)",
        want: Prints("ic-replica"),
    },
    Check {
        name: "the firewall drops what it does not know",
        command: "nft list chain inet filter input | grep -q 'policy drop'",
        want: Succeeds,
    },
    Check {
        name: "no ssh host key came with the image",
        command: "ls /etc/ssh | grep ssh_host",
        want: FailsWith(""),
    },
    Check {
        name: "the machine id is the machine's",
        command: "[ \"$(cat /etc/machine-id)\" = \"$(tr -d - </sys/class/dmi/id/product_uuid)\" ]",
        want: Succeeds,
    },
];

/// Waits until the guest has started everything, then runs all checks in root's `shell`.
pub(crate) fn run(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    report.check("the system is up", is_up(shell, setting));
    for unit in UNITS {
        report.check(
            &format!("{unit} is active"),
            is_active(shell, setting, unit),
        );
    }
    for check in &COMMON {
        let outcome = shell
            .run(check.command, setting.within(15))
            .map_err(Into::into)
            .and_then(|output| judge(check, &output));
        report.check(check.name, outcome);
    }
    report.check("the version file is right", version(shell, setting));
    report.check("the replica answers inside", replica_inside(shell, setting));
}

fn judge(check: &Check, output: &Output) -> Result<()> {
    let good = match &check.want {
        Prints(text) => output.status == 0 && output.text == *text,
        Succeeds => output.status == 0,
        FailsWith(text) => output.status != 0 && output.text.contains(text),
    };
    let wanted = match &check.want {
        Prints(text) => format!("status 0 and `{text}`"),
        Succeeds => "status 0".to_owned(),
        FailsWith(text) => format!("a failure with `{text}`"),
    };
    ensure!(
        good,
        "`{}` gave status {} and `{}`, want {wanted}",
        check.command,
        output.status,
        output.text
    );
    Ok(())
}

fn is_up(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let done = |output: &Output| !matches!(output.text.as_str(), "initializing" | "starting");
    let state = shell.poll("systemctl is-system-running", setting.within(60), done)?;
    if state.text == "running" {
        return Ok(());
    }
    let why = "systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend; \
               for u in $(systemctl --failed --no-legend --plain | cut -d' ' -f1); do journalctl --no-pager -b -n 15 -u $u; done";
    let why = shell.run(why, setting.within(30))?;
    anyhow::bail!("it is {}:\n{}", state.text, why.text)
}

fn is_active(shell: &Shell<'_>, setting: &Setting, unit: &str) -> Result<()> {
    let command = format!("systemctl is-active {unit}");
    let output = shell.run(&command, setting.within(15))?;
    if output.text == "active" {
        return Ok(());
    }
    let journal = format!("journalctl --no-pager -b -n 15 -u {unit}");
    let journal = shell.run(&journal, setting.within(30))?;
    anyhow::bail!("it is {}:\n{}", output.text, journal.text)
}

fn version(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let output = shell.run("cat /opt/ic/share/version.txt", setting.within(15))?;
    ensure!(
        output.text == setting.version,
        "the image says `{}`, the build `{}`",
        output.text,
        setting.version
    );
    Ok(())
}

/// Images need not have an HTTP client: bash can open connections.
fn replica_inside(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
    let command = "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080; printf \"GET /api/v2/status HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'";
    let output = shell.poll(command, setting.within(20), |o| o.text.contains("200 OK"))?;
    let body = output.text.lines().last().context("no answer")?;
    let status: serde_json::Value =
        serde_json::from_str(body).with_context(|| format!("answer `{}`", output.text))?;
    ensure!(
        status.get("replica_health_status").is_some(),
        "no replica_health_status in {status}"
    );
    Ok(())
}

/// How long a guest may take from power-on to a login prompt or ssh, on a machine with KVM.
pub(crate) const BOOT: u64 = 60;

/// How long one ssh login may take, whatever the machine.
pub(crate) const SSH_CONNECT: Duration = Duration::from_secs(120);
