//! SetupOS: a status screen, and no drive that is written to, also when an installation is asked for that can't be.

use anyhow::{ensure, Result};
use vm::Vm;

use super::{nothing, Os};
use crate::checks::{fails, prints, run_all, succeeds, Check};
use crate::report::Report;
use crate::{Setting, BOOT};

pub(super) const OS: Os = Os {
    name: "setupos",
    memory_mib: 2048,
    room_mib: 0,
    root: "root",
    loader: None,
    shows: &[],
    ports: &[],
    takes_keys: false,
    only_looks: true,
    checks: &[CHECKS],
    inside: super::nothing_inside,
    screen,
    outside: nothing,
    change: |shell, setting, report| {
        run_all(REFUSED, shell, setting, report);
        run_all(BROKEN, shell, setting, report);
    },
};

const CHECKS: &[Check] = &[
    prints(
        "the root is on partition root",
        "lsblk -rnso PARTLABEL /dev/mapper/root | grep . | sort -u",
        "root",
    ),
    prints(
        "/var is in memory",
        "findmnt -no FSTYPE /var",
        "tmpfs",
    ),
    prints(
        "the config partition is mounted read-only",
        "lsblk -ndo PARTLABEL,LABEL,FSVER \"$(findmnt -nvo SOURCE /boot/config)\" | tr -s ' '; findmnt -no FSTYPE,OPTIONS /boot/config | grep -Eo '^vfat +ro' | tr -s ' '",
        "config CONFIG FAT32\nvfat ro",
    ),
    prints(
        "the data partition is mounted read-only",
        "lsblk -ndo PARTLABEL \"$(findmnt -nvo SOURCE /data)\"; findmnt -no FSTYPE,OPTIONS /data | grep -Eo '^ext4 +ro' | tr -s ' '",
        "data\next4 ro",
    ),
    prints(
        "it holds the two images",
        "ls -1 -I lost+found /data",
        "deployment.json\nguest-os.img\nhost-os.img",
    ),
    succeeds(
        "the status and the login are on the screen, too",
        "fold -w 80 /dev/vcs1 >/run/screen; cat /run/screen; grep -q ' guest-os .* verified' /run/screen && grep -q 'login:' /run/screen",
    ),
    succeeds(
        "setupos_tool finds nothing wrong",
        "/opt/ic/bin/setupos_tool check --skip-digests",
    ),
];

/// An installation that is asked for, and to which something is in the way. Drive vdb is small, vdc has somebody's data.
const REFUSED: &[Check] = &[
    fails(
        "data that are not ours are no place for an installation",
        "setupos_tool install --asked --stay",
        "it holds data of an unknown kind, which is not ours: erase=yes erases all of it",
    ),
    fails(
        "nor is a drive that is too small",
        "blockdev --setro /dev/vdc; setupos_tool install --asked --stay; s=$?; blockdev --setrw /dev/vdc; (exit $s)",
        "it has 67108864 bytes, want at least",
    ),
    fails(
        "images of another env are not installed",
        "echo prod >/run/env && mount --bind /run/env /opt/ic/share/env.txt && setupos_tool install --asked --stay; s=$?; umount /opt/ic/share/env.txt; \
         (exit $s)",
        "built for env dev, this system is for prod",
    ),
    prints(
        "the medium says that nothing was written",
        "grep -Eo '\"(installed|written)\": *[a-z]+' /boot/config/setupos-result.json | tr -d ' '",
        "\"installed\":false\n\"written\":false",
    ),
];

/// The owner of the medium makes mistakes in config.ini: all are told at once.
const BROKEN: &[Check] = &[
    succeeds(
        "config.ini can be changed",
        "mount -o remount,rw /boot/config && printf '\\nmtuu=1500\\nmtu=12\\n' >>/boot/config/config.ini && mount -o remount,ro /boot/config",
    ),
    fails(
        "an unknown key is told",
        "/opt/ic/bin/setupos_tool check --skip-digests",
        "unknown key \"mtuu\", did you mean mtu?",
    ),
    succeeds(
        "so is a bad value, with file and line",
        "f=/boot/config/config.ini; n=$(sed -n /^mtu=12/= $f); \
         /opt/ic/bin/setupos_tool check --skip-digests 2>&1 | grep -F $f:$n:",
    ),
    fails(
        "nothing is installed by such a file",
        "setupos_tool install --asked --stay",
        "unknown key \"mtuu\", did you mean mtu?",
    ),
];

/// What stands on the screen of a stick on which nothing is wrong, rows joined.
fn wanted(setting: &Setting) -> Vec<String> {
    let env = setting
        .env
        .map_or_else(String::new, |env| format!(" ({env})"));
    let mut words = vec![format!("SetupOS {}{env}", setting.version)];
    for text in [
        "labelled CONFIG",
        "nothing set",
        "ssh keys: none",
        "guest-os",
        "host-os",
        "runs this system",
        "vdb 64.0 MiB",
        "Network",
        "UEFI",
        "Nothing wrong so far",
    ] {
        words.push(text.to_owned());
    }
    words
}

/// The screen comes, then word that the images are right.
fn screen(vm: &Vm, setting: &Setting, report: &mut Report) -> Result<()> {
    let boot = setting.within(BOOT);
    let before = vm.console().expect("setupos: status shown", boot)?;
    report.stage("the status screen");
    // From its title on; without one all of it is what a person wants to see.
    let title = before.rfind("SetupOS ");
    let rows = title.map_or(&*before, |title| before.split_at(title).1);
    let words: Vec<&str> = rows.split_whitespace().collect();
    let text = words.join(" ");
    for want in wanted(setting) {
        let outcome = match text.contains(&want) {
            true => Ok(()),
            false => Err(format!("the screen is\n{rows}")),
        };
        report.check(&format!("the screen says {want}"), outcome);
    }
    let problems = rows.lines().filter(|row| row.contains(" ! ")).count();
    let none = match problems {
        0 => Ok(()),
        _ => Err(format!("the screen is\n{rows}")),
    };
    report.check("the screen shows no problem", none);
    // Gigabytes are hashed meanwhile.
    let hashed = setting.within(2 * BOOT);
    let rest = vm.console().expect("setupos: images verified", hashed)?;
    report.stage("the images are verified");
    let quiet = match rest.contains("Job setupos-status") {
        false => Ok(()),
        true => Err(format!("the console says\n{rest}")),
    };
    report.check("systemd paints nothing below the status", quiet);
    for image in ["guest-os", "host-os"] {
        report.check(
            &format!("image {image} is verified"),
            is_verified(&rest, image),
        );
    }
    Ok(())
}

fn is_verified(text: &str, image: &str) -> Result<()> {
    let start = format!("setupos: images: {image} ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let line = text.split_once(&start).map(|(_, rest)| rest);
    let line = line.map(|rest| rest.split_once("setupos:").map_or(rest, |(line, _)| line));
    let verified = line.is_some_and(|line| line.contains("... verified"));
    ensure!(verified, "the console says {text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_images_are_understood() {
        let text = "setupos: images: host-os  1.0  2.4 GiB  0123456789abcdef...  verified\nsetupos: images: guest-os  1.0  1.9\n  GiB  \
                    0123456789abcdef...  verified\nsetupos: result: Nothing is wrong.\n";
        is_verified(text, "host-os").unwrap();
        is_verified(text, "guest-os").unwrap();
        assert!(is_verified(text, "other-os").is_err());
        let bad = text.replace("1.0  1.9", "1.0 unusable");
        assert!(is_verified(&bad.replace("...  verified", "... unusable"), "host-os").is_err());
    }
}
