//! What a system's README lists (see [`crate::lists`]) is what the running system has, whichever way one got in.
//!
//! | list | an entry | what is compared |
//! |---|---|---|
//! | `setuid` | path | files of all mounted file systems that hand out rights |
//! | `sockets` | protocol, port, program, `local` if nobody else reaches it | what `ss` sees |
//! | `services` | unit | `systemd-analyze security` |
//! | `sysctl` | key, value | `/proc/sys` |
//! | `modules` | kernel module | loaded, or part of the kernel |
//! | `arguments` | kernel argument | `/proc/cmdline` |
//! | `absent` | program | not to be found |

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{ensure, Context, Result};
use vm::Shell;

use crate::checks::{fails, prints, run_all, Check};
use crate::lists::Lists;
use crate::report::Report;
use crate::Setting;

/// The highest exposure that a service of ours may have, by `systemd-analyze security`, in tenths.
const EXPOSURE: u32 = 30;

/// Every env.
const ALWAYS: &[Check] = &[
    prints(
        "what can be written to hands out no rights",
        "findmnt -rno TARGET,OPTIONS | awk '$2 ~ /(^|,)rw(,|$)/ && $2 !~ /(^|,)nosuid(,|$)/'",
        "",
    ),
    prints(
        "no service may leave a core file",
        "systemctl show -P DefaultLimitCORE",
        "0",
    ),
    prints(
        "a crash leaves none either, where it may",
        "d=$(mktemp -d /var/tmp/XXXXXX) && cd $d && { sh -c 'ulimit -c unlimited; kill -SEGV $$'; ls -A; } 2>&-; cd / && rm -r $d",
        "",
    ),
    fails(
        "the kernel's log is for root",
        "setpriv --reuid=65534 --regid=65534 --clear-groups dmesg",
        "Operation not permitted",
    ),
];

/// Production images.
const LOCKED: &[Check] = &[
    prints(
        "the kernel keeps its memory from root",
        "grep -o '\\[.*\\]' /sys/kernel/security/lockdown",
        "[confidentiality]",
    ),
    prints(
        "loading of modules is shut off",
        "cat /proc/sys/kernel/modules_disabled",
        "1",
    ),
    fails(
        "root can load no module",
        "insmod \"$(find /usr/lib/modules -name '*.ko*' | head -n 1)\"",
        "Operation not permitted",
    ),
    prints(
        "what shows the kernel's inside is not mounted",
        "findmnt -nt debugfs,tracefs || true",
        "",
    ),
];

/// Compares one kind of list with the running system.
type Comparison = fn(&Lists, &Asking<'_, '_>) -> Result<()>;

/// Compares all lists.
pub(crate) fn run(shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
    let Some(lists) = &setting.lists else {
        return;
    };
    run_all(ALWAYS, shell, setting, report);
    if setting.env == Some("prod") {
        run_all(LOCKED, shell, setting, report);
    }
    let compare: [(&str, Comparison); 7] = [
        ("files that hand out rights are those of the list", rights),
        ("sockets that listen are those of the list", sockets),
        ("services of ours are shut in", exposures),
        ("the kernel's settings are those of the list", settings),
        ("modules of the list are loaded", modules),
        ("the kernel has the arguments of the list", arguments),
        ("programs that debug are absent", absent),
    ];
    let asking = Asking { shell, setting };
    for (name, outcome) in compare {
        report.check(name, outcome(lists, &asking));
    }
}

/// Root's shell, and the patience for it.
struct Asking<'a, 'b> {
    shell: &'a Shell<'b>,
    setting: &'a Setting,
}

impl Asking<'_, '_> {
    /// What a command prints, which must succeed.
    fn ask(&self, command: &str) -> Result<String> {
        let output = self.shell.run(command, self.setting.within(90))?;
        ensure!(
            output.status == 0,
            "`{command}` gave status {} and `{}`",
            output.status,
            output.text
        );
        Ok(output.text)
    }
}

/// Entries as words of a shell's line.
fn words(list: &[String]) -> String {
    list.join(" ")
}

fn same(listed: &[String], there: &[String]) -> Result<()> {
    ensure!(
        listed == there,
        "the README lists {listed:?}, there are {there:?}"
    );
    Ok(())
}

fn rights(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let command =
        "find $(findmnt -rno TARGET -t ext4,vfat,tmpfs) -xdev -type f -perm /6000 | sort -u";
    let found: Vec<String> = asking.ask(command)?.lines().map(str::to_owned).collect();
    same(lists.of("setuid"), &found)
}

/// One line of `ss -Hlntup` as an entry of the list.
fn socket(line: &str) -> Option<String> {
    let mut fields = line.split_whitespace();
    let protocol = fields.next()?;
    let (address, port) = fields.nth(3)?.rsplit_once(':')?;
    let program = line.split('"').nth(1).unwrap_or("kernel");
    let local = ["127.", "[::1]", "[::ffff:127."];
    let scope = match local.iter().any(|start| address.starts_with(start)) {
        true => " local",
        false => "",
    };
    Some(format!("{protocol} {port} {program}{scope}"))
}

/// All that listen are listed; what is listed for TCP does listen. UDP's come and go with what the network has.
fn sockets(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let text = asking.ask("ss -Hlntup")?;
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        seen.insert(socket(line).with_context(|| format!("ss says `{line}`"))?);
    }
    let listed: BTreeSet<String> = lists.of("sockets").iter().cloned().collect();
    let unknown: Vec<&String> = seen.difference(&listed).collect();
    let gone = listed.difference(&seen);
    let gone: Vec<&String> = gone.filter(|entry| entry.starts_with("tcp ")).collect();
    ensure!(
        unknown.is_empty() && gone.is_empty(),
        "not in the README's list: {unknown:?}; listed and not there: {gone:?}"
    );
    Ok(())
}

/// `→ Overall exposure level for x.service: 2.5 OK` as the unit and tenths.
fn exposure(line: &str) -> Option<(&str, u32)> {
    let (_, rest) = line.split_once("exposure level for ")?;
    let (unit, rest) = rest.split_once(": ")?;
    let (whole, rest) = rest.split_once('.')?;
    let tenth = rest.split(' ').next()?;
    let tenths = whole.parse::<u32>().ok()?.checked_mul(10)?;
    Some((unit, tenths.checked_add(tenth.parse().ok()?)?))
}

fn exposures(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let services = lists.of("services");
    ensure!(!services.is_empty(), "the README lists no services");
    let command = format!(
        "systemd-analyze security --no-pager {} | grep 'exposure level'",
        words(services)
    );
    let text = asking.ask(&command)?;
    let told: Vec<(&str, u32)> = text.lines().filter_map(exposure).collect();
    let units: BTreeSet<&str> = told.iter().map(|(unit, _)| *unit).collect();
    let listed: BTreeSet<&str> = services.iter().map(String::as_str).collect();
    ensure!(units == listed, "of {listed:?} it tells of {units:?}");
    let mut open = String::new();
    for (unit, tenths) in told.iter().filter(|(_, tenths)| *tenths > EXPOSURE) {
        write!(open, " {unit} {tenths}")?;
    }
    ensure!(open.is_empty(), "more than {EXPOSURE} tenths:{open}");
    Ok(())
}

fn settings(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let listed = lists.of("sysctl");
    let keys = listed.iter().filter_map(|entry| entry.split(' ').next());
    let paths: Vec<String> = keys.map(|key| key.replace('.', "/")).collect();
    let command = format!(
        "cd /proc/sys && for k in {}; do echo \"$k $(cat $k)\"; done",
        words(&paths)
    );
    let text = asking.ask(&command)?;
    let are: Vec<String> = text.lines().map(|line| line.replace('/', ".")).collect();
    // A value may have a slash, too: it is told the same way.
    let listed: Vec<String> = listed.iter().map(|line| line.replace('/', ".")).collect();
    same(&listed, &are)
}

fn modules(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let names = lists.of("modules").iter();
    let names: Vec<String> = names.map(|name| name.replace('-', "_")).collect();
    let command = format!(
        "for m in {}; do [ -d /sys/module/$m ] || tr - _ </usr/lib/modules/$(uname -r)/modules.builtin | grep -q /$m[.]ko || echo $m; done",
        words(&names)
    );
    let missing = asking.ask(&command)?;
    ensure!(missing.is_empty(), "not there: {missing}");
    Ok(())
}

fn arguments(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let line = asking.ask("cat /proc/cmdline")?;
    let there: BTreeSet<&str> = line.split_whitespace().collect();
    let listed = lists.of("arguments").iter().map(String::as_str);
    let missing: Vec<&str> = listed.filter(|word| !there.contains(word)).collect();
    ensure!(missing.is_empty(), "no {missing:?} in `{line}`");
    Ok(())
}

fn absent(lists: &Lists, asking: &Asking<'_, '_>) -> Result<()> {
    let command = format!(
        "for p in {}; do command -v $p || true; done",
        words(lists.of("absent"))
    );
    let found = asking.ask(&command)?;
    ensure!(found.is_empty(), "there are {found}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_ss() {
        let cases = [
            (
                "tcp   LISTEN 0      128          0.0.0.0:22        0.0.0.0:*    users:((\"sshd\",pid=411,fd=6))",
                "tcp 22 sshd",
            ),
            (
                "tcp   LISTEN 0      1024               *:7070            *:*    users:((\"orchestrator\",pid=5,fd=9))",
                "tcp 7070 orchestrator",
            ),
            (
                "udp   UNCONN 0      0      127.0.0.53%lo:53        0.0.0.0:*    users:((\"systemd-resolve\",pid=2,fd=1))",
                "udp 53 systemd-resolve local",
            ),
            ("udp UNCONN 0 0 [::1]:323 [::]:* users:((\"chronyd\",pid=2,fd=1))", "udp 323 chronyd local"),
            ("udp UNCONN 0 0 [fe80::1]%ens2:546 [::]:*", "udp 546 kernel"),
        ];
        for (line, want) in cases {
            assert_eq!(socket(line).as_deref(), Some(want));
        }
        assert_eq!(socket("Cannot open netlink socket"), None);
    }

    #[test]
    fn exposures_of_systemd_analyze() {
        let line = "→ Overall exposure level for ssh-host-keys.service: 1.3 OK 🙂";
        assert_eq!(exposure(line), Some(("ssh-host-keys.service", 13)));
        let line = "→ Overall exposure level for a.service: 10.0 DANGEROUS";
        assert_eq!(exposure(line), Some(("a.service", 100)));
        assert_eq!(exposure("Unit a.service not found."), None);
    }
}
