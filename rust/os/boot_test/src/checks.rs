//! What must hold in a running guest, whichever way one got in: commands for root's shell and what they should say.
//!
//! What only some systems have is beside them, in [`crate::os`].

use anyhow::{ensure, Result};
use vm::{Deadline, Output, Shell};

use crate::hardening;
use crate::report::Report;
use crate::Setting;

/// One command and its expected outcome.
pub(crate) struct Check {
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

/// The command succeeds and prints exactly `text`.
pub(crate) const fn prints(name: &'static str, command: &'static str, text: &'static str) -> Check {
    let want = Prints(text);
    Check {
        name,
        command,
        want,
    }
}

/// The command succeeds.
pub(crate) const fn succeeds(name: &'static str, command: &'static str) -> Check {
    let want = Succeeds;
    Check {
        name,
        command,
        want,
    }
}

/// The command fails and prints something with `text` in it.
pub(crate) const fn fails(name: &'static str, command: &'static str, text: &'static str) -> Check {
    let want = FailsWith(text);
    Check {
        name,
        command,
        want,
    }
}

const READ_ONLY: &str = "Read-only file system";

/// Every system.
const COMMON: &[Check] = &[
    prints(
        "no unit has failed",
        "systemctl --failed --no-legend --plain",
        "",
    ),
    prints(
        "the root file system is read-only ext4",
        "findmnt -no FSTYPE,OPTIONS / | grep -Eo '^ext4 +ro' | tr -s ' '",
        "ext4 ro",
    ),
    prints(
        "the root is behind dm-verity",
        "findmnt -nvo SOURCE / && veritysetup status root | sed -nE 's/^ *(type|status): *//p'",
        "/dev/mapper/root\nVERITY\nverified",
    ),
    prints(
        "device nodes that load a module are there",
        "cat /usr/lib/modules/*/modules.devname | while read -r module node _; do case $module in '#'*) ;; *) [ -e /dev/$node ] || echo $node ;; esac; done",
        "",
    ),
    fails("nothing can be written to /", "touch /probe", READ_ONLY),
    fails(
        "nothing can be written to /etc",
        "touch /etc/probe",
        READ_ONLY,
    ),
    fails(
        "nothing can be written to /opt/ic",
        "echo x >>/opt/ic/share/version.txt",
        READ_ONLY,
    ),
    succeeds(
        "/var can be written to",
        "touch /var/lib/probe && rm /var/lib/probe",
    ),
    succeeds(
        "the firewall drops what it does not know",
        "nft list chain inet filter input | grep -q 'policy drop'",
    ),
    prints(
        "what listens on the network requires the firewall",
        "for p in $(ss -Hlntp | grep -Ev ' (127[.]|\\[::1\\])' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u); do \
         u=$(grep -o '[^/]*[.]service' /proc/$p/cgroup | head -n 1); systemctl show -P Requires $u | grep -qw nftables.service || echo $p $u; done",
        "",
    ),
    succeeds(
        "one address may not take all connections",
        "nft list chain inet filter crowd | grep -q 'ct count over 128'",
    ),
    prints(
        "only root makes user namespaces",
        "cat /proc/sys/kernel/unprivileged_userns_clone",
        "0",
    ),
    fails(
        "no ssh host key came with the image",
        "ls /etc/ssh | grep ssh_host",
        "",
    ),
    succeeds(
        "the machine id is the machine's",
        "[ \"$(cat /etc/machine-id)\" = \"$(tr -d - </sys/class/dmi/id/product_uuid)\" ]",
    ),
];

/// Systems with two slots, upgraded in place.
pub(crate) const SLOTS: &[Check] = &[
    prints(
        "the root is on partition A_root",
        "lsblk -rnso PARTLABEL /dev/mapper/root | grep . | sort -u",
        "A_root",
    ),
    prints(
        "/var is on partition A_var",
        "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /var)\"",
        "A_var",
    ),
    prints(
        "/data is on partition data",
        "lsblk -rnso PARTLABEL \"$(findmnt -nvo SOURCE /data)\" | grep .",
        "data",
    ),
    prints(
        "what belongs to the machine is bound from there, without devices and rights of owners",
        "for p in chrony ssh systemd; do set -- /var/lib/$p; findmnt -rno FSROOT,OPTIONS $1 | grep nosuid,nodev | cut -d' ' -f1; done; \
         findmnt -rno FSROOT,OPTIONS /var/log/journal | grep nosuid,nodev | cut -d' ' -f1",
        "/var/lib/chrony\n/var/lib/ssh\n/var/lib/systemd\n/var/log/journal",
    ),
    prints(
        "it has the owners and modes that it should have",
        "stat -c '%a %U %G' /var/lib/chrony /var/lib/ssh /var/lib/systemd /var/log/journal /var/log/journal/*/system.journal",
        "750 _chrony _chrony\n700 root root\n755 root root\n2755 root systemd-journal\n640 root systemd-journal",
    ),
    prints(
        "/boot/config is on partition config",
        "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /boot/config)\"",
        "config",
    ),
    prints(
        "the build made its file system",
        "systemctl list-units --all --plain --no-legend 'systemd-makefs@*'",
        "",
    ),
    prints(
        "/boot/grub is on partition grub",
        "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /boot/grub)\"",
        "grub",
    ),
    prints(
        "the kernel was told the slot",
        "tr ' ' '\\n' </proc/cmdline | grep ^boot_alternative=",
        "boot_alternative=A",
    ),
    prints(
        "the first boot left the cycle stable",
        "grep -a ^boot_cycle= /boot/grub/grubenv",
        "boot_cycle=stable",
    ),
    prints(
        "manageboot knows the running slot",
        "/opt/ic/bin/manageboot current",
        "A",
    ),
    prints(
        "manageboot knows the slot to upgrade",
        "/opt/ic/bin/manageboot target",
        "B",
    ),
    prints(
        "manageboot knows the next slot",
        "/opt/ic/bin/manageboot next",
        "A",
    ),
];

/// Production images that somebody can log in to.
pub(crate) const PRODUCTION: &[Check] = &[
    prints("the name came from the medium", "hostname", "boot-test"),
    fails(
        "a medium that nobody signed does not change the owner",
        "d=$(mktemp -d) && echo hostname=evil >$d/config.ini && config_tool ingest --medium $d",
        "it is not signed",
    ),
    prints("root is locked", "passwd -S root | cut -d' ' -f2", "L"),
    prints(
        "no getty runs",
        "systemctl list-units --no-legend --plain 'getty@*' 'serial-getty@*' console-getty.service",
        "",
    ),
];

/// Enabled, but nothing asks for it.
const IDLE: &str = "systemd-networkd-wait-online.service";

/// `ConditionResult` of a unit whose condition does not hold, and `Result` of one whose `ExecCondition=` does not.
const UNMET: [&str; 2] = ["no", "exec-condition"];

/// Waits until the guest has started everything, then runs all checks of its system in root's `shell`.
pub(crate) fn run(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    report.check("the system is up", is_up(shell, setting));
    units(shell, setting, report);
    run_all(COMMON, shell, setting, report);
    for checks in setting.os.checks {
        run_all(checks, shell, setting, report);
    }
    report.check("the version file is right", version(shell, setting));
    (setting.os.inside)(shell, setting, report);
    hardening::run(shell, setting, report);
}

/// Runs these checks.
pub(crate) fn run_all(checks: &[Check], shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    for check in checks {
        let outcome = shell
            .run(check.command, setting.within(15))
            .map_err(Into::into)
            .and_then(|output| judge(check, &output));
        report.check(check.name, outcome);
    }
}

/// What `command` prints; it must succeed.
pub(crate) fn answer(shell: &Shell<'_>, command: &str, within: Deadline) -> Result<String> {
    let output = shell.run(command, within)?;
    ensure!(
        output.status == 0,
        "`{command}` gave status {}: {}",
        output.status,
        output.text
    );
    Ok(output.text)
}

/// `command` must succeed and print `want`.
pub(crate) fn says(shell: &Shell<'_>, command: &str, want: &str, within: Deadline) -> Result<()> {
    let output = shell.run(command, within)?;
    ensure!(
        output.status == 0 && output.text == want,
        "`{command}` gave status {} and `{}`, want `{want}`",
        output.status,
        output.text
    );
    Ok(())
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

pub(crate) fn is_up(shell: &Shell<'_>, setting: &Setting) -> Result<()> {
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

/// Every unit that is enabled runs, or has done its work.
fn units(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    let units = setting.units.iter().filter(|unit| *unit != IDLE);
    let units: Vec<&str> = units.map(String::as_str).collect();
    if units.is_empty() {
        return;
    }
    let command = format!("systemctl is-active {}", units.join(" "));
    let states = shell.run(&command, setting.within(30));
    let text = states.map_or_else(|error| error.to_string(), |output| output.text);
    let mut states = text.lines();
    for unit in units {
        let outcome = match states.next() {
            Some("active") => Ok(()),
            state => is_inactive(shell, setting, unit, state.unwrap_or("not told of")),
        };
        report.check(&format!("{unit} is active"), outcome);
    }
}

/// A unit that has a condition which does not hold here need not run: else an error with the last it said.
fn is_inactive(shell: &Shell<'_>, setting: &Setting, unit: &str, state: &str) -> Result<()> {
    let asked = format!("systemctl show -P ConditionResult -P Result {unit}");
    let asked = shell.run(&asked, setting.within(30))?;
    let unmet = asked.text.lines().any(|line| UNMET.contains(&line));
    if state == "inactive" && unmet {
        return Ok(());
    }
    let journal = format!("journalctl --no-pager -b -n 15 -u {unit}");
    let journal = shell.run(&journal, setting.within(30))?;
    anyhow::bail!("it is {state}:\n{}", journal.text)
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
