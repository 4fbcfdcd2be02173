//! Locked packages to a tree of files: mmdebstrap, offline, in a sandbox.
//!
//! Maintainer scripts run as root of the new tree. They see no network, a fixed host name, only the environment set here, and
//! of the machine nothing but its programs, read-only ([`sandbox::Sandbox::system`]). apt is given nothing but the files of
//! the lock, listed in a fixed order.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::lines::Lines;
use sandbox::{Command, Finished, Sandbox};

use crate::error::Error;
use crate::lock::Lock;

/// No line of a program's progress is longer.
const LONGEST_LINE: usize = 4096;
/// Where commands see the work folder: always the same place, as some programs write down where they were called.
const WORK: &str = "/mnt";

/// What to install where.
#[derive(Clone, Copy, Debug)]
pub struct Install<'a> {
    /// The lock.
    pub lock: &'a Lock,
    /// The file of each of its packages, in its order, as [`crate::match_debs`] finds them.
    pub debs: &'a [PathBuf],
    /// An empty folder, best in memory.
    pub work: &'a Path,
    /// The time that stands for now (`SOURCE_DATE_EPOCH`).
    pub timestamp: i64,
}

/// Installs, and returns the tree's root below the work folder. `progress` gets a line at a time.
pub fn install(install: Install<'_>, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, Error> {
    let Install {
        lock,
        debs,
        work,
        timestamp,
    } = install;
    let repository = work.join("debs");
    let tmp = work.join("tmp");
    for dir in [&repository, &tmp] {
        fs::create_dir(dir).map_err(Error::io(format!("make {}", dir.display())))?;
    }
    let now = fs::metadata(&tmp)
        .map_err(Error::io("read the time of a new folder"))?
        .mtime();
    if timestamp > now {
        return Err(Error::Future { timestamp, now });
    }
    let (isolation, mounts) = isolation(work)?.tree(inside("root"));
    progress(&format!("copying {} packages", debs.len()));
    copy_debs(lock, debs, &repository)?;
    list_debs(&isolation, &repository)?;
    progress(&format!("installing {} packages", debs.len()));
    let command = mmdebstrap(lock, &mounts)
        .env("SOURCE_DATE_EPOCH", timestamp.to_string())
        .env("TMPDIR", inside("tmp").as_os_str());
    let mut lines = Lines::new(LONGEST_LINE);
    let finished = isolation.run(&command, |bytes| {
        lines.push(bytes, |line| {
            let line = String::from_utf8_lossy(line);
            if let Some(step) = line.strip_prefix("I: ").filter(|s| is_step(s)) {
                progress(step.trim_end_matches('.'));
            }
        });
        Ok(())
    })?;
    check("mmdebstrap", &finished, work)?;
    Ok(work.join("root"))
}

/// A place in the work folder, as commands see it.
fn inside(name: &str) -> PathBuf {
    Path::new(WORK).join(name)
}

/// The command that makes the tree of exactly the lock's packages. It may not mount; `mounts` has the tree's mounted
/// when the packages are unpacked, and before the first of their scripts.
fn mmdebstrap(lock: &Lock, mounts: &str) -> Command {
    let names: Vec<&str> = lock.packages.iter().map(|p| p.name.as_str()).collect();
    environment(Command::new("mmdebstrap"))
        .arg("--mode=root")
        .arg("--variant=custom")
        .arg(format!("--architectures={}", lock.architecture))
        .arg(format!("--include={}", names.join(",")))
        .arg(format!("--extract-hook={mounts}"))
        .arg(lock.release())
        .arg(inside("root").as_os_str())
        .arg(format!(
            "deb [trusted=yes] copy://{} ./",
            inside("debs").display()
        ))
        // Kernel packages would make an initrd that nobody uses.
        .env("INITRD", "No")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBCONF_NONINTERACTIVE_SEEN", "true")
}

/// The work folder beside the machine's programs, and of its identity only what every one may have: mmdebstrap copies these
/// two files.
fn isolation(work: &Path) -> Result<Sandbox, Error> {
    let mut isolation = Sandbox::system().bind(work, WORK, false);
    for (file, text) in [("/etc/hostname", "localhost\n"), ("/etc/resolv.conf", "")] {
        let ours = work.join(file.trim_start_matches("/etc/"));
        fs::write(&ours, text).map_err(Error::io(format!("write {}", ours.display())))?;
        if Path::new(file).is_file() {
            isolation = isolation.bind(ours, file, true);
        }
    }
    Ok(isolation)
}

fn environment(command: Command) -> Command {
    command
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
}

fn copy_debs(lock: &Lock, debs: &[PathBuf], to: &Path) -> Result<(), Error> {
    for (package, deb) in lock.packages.iter().zip(debs) {
        let file = base::path::join_name(to, package.file_name())
            .map_err(|error| Error::Lock(format!("package {}: {error}", package.name)))?;
        if file.exists() {
            return Err(Error::Lock(format!(
                "two packages have the file name {}",
                package.file_name()
            )));
        }
        let copy = |source: std::io::Error| Error::io(format!("copy {}", deb.display()))(source);
        fs::copy(deb, &file).map_err(copy)?;
        // What mode the file has where it comes from is nobody's promise, and apt asks whether its own user may read it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).map_err(copy)?;
    }
    Ok(())
}

/// Writes the index apt wants, sorted: its order is that of a folder otherwise, and apt's choices follow it.
fn list_debs(isolation: &Sandbox, repository: &Path) -> Result<(), Error> {
    let command = environment(Command::new("sh"))
        .args(["-c", "apt-ftparchive packages . >Packages"])
        .cwd(inside("debs"));
    let finished = isolation.run(&command, |_| Ok(()))?;
    check("apt-ftparchive", &finished, repository)?;
    let file = repository.join("Packages");
    let text = fs::read_to_string(&file).map_err(Error::io("read the package index"))?;
    let mut paragraphs: Vec<&str> = text
        .split("\n\n")
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    paragraphs.sort_unstable();
    let text = paragraphs.join("\n\n") + "\n";
    fs::write(&file, text).map_err(Error::io("write the package index"))
}

fn check(what: &'static str, finished: &Finished, work: &Path) -> Result<(), Error> {
    if finished.success() {
        return Ok(());
    }
    let output = finished.last_lines(usize::MAX);
    let telling = telling_lines(&output);
    Err(Error::Install {
        what,
        status: finished.code,
        hint: match sandbox::Room::of(work) {
            Ok(room) if sandbox::says_full(&output) => room.to_string(),
            _ => hint(finished.code, &output, &telling).to_owned(),
        },
        output: telling,
    })
}

/// Of mmdebstrap's talk, what takes time.
fn is_step(line: &str) -> bool {
    [
        "running apt",
        "downloading",
        "extracting",
        "installing",
        "cleaning",
    ]
    .iter()
    .any(|s| line.starts_with(s))
}

/// The lines around dpkg's first error, far above the end as dpkg goes on after it, and the last ones, none too long.
fn telling_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|l| !l.trim().is_empty()).collect();
    let error = lines.iter().position(|l| l.starts_with("dpkg: error"));
    let is_around = |i: usize| match error {
        Some(at) if i < at => at.abs_diff(i) <= 5,
        Some(at) => i.abs_diff(at) < 3,
        None => false,
    };
    let mut out = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let from_end = lines.len().abs_diff(i);
        if is_around(i) || from_end <= 10 {
            out.push(line.chars().take(200).collect::<String>());
        } else if from_end == 11 && error.is_some() {
            out.push("…".to_owned());
        }
    }
    out.join("\n")
}

/// What a script may lack the right to do, as the programs that it calls for it say it.
const REFUSALS: [(&[&str], &str); 3] = [
    (
        &["mknod"],
        "the script of the package named above makes a device node, which no build step may (docs/container.md): take it off the list",
    ),
    (
        &["mount:", "mount failed", "unshare"],
        "the script of the package named above mounts something, which no build step may (docs/container.md): take it off the list",
    ),
    (
        &["Read-only file system", "Operation not permitted", "operation not permitted"],
        "the script of the package named above reaches for the machine, which no build step may (docs/container.md): take it off the list",
    ),
];

/// Advice for the causes people meet.
fn hint(status: i32, output: &str, telling: &str) -> &'static str {
    let any = |words: &[&str]| words.iter().any(|w| output.contains(w));
    let script = any(&["error processing package", "post-installation script"]);
    let refused = |words: &&[&str]| words.iter().any(|w| telling.contains(w));
    if status == 127 || any(&["not found\nsh:", "apt-ftparchive: not found"]) {
        "install the packages mmdebstrap, apt and apt-utils, or build in the container"
    } else if any(&["Cannot allocate memory"]) {
        "there is too little memory: close other programs, use a larger machine, or make the tree on a disk (--work-dir)"
    } else if any(&["unmet dependencies", "Unable to locate package", "Depends:"]) {
        "the lock lacks a package that another needs: run the lock's target again"
    } else if let Some((_, hint)) = REFUSALS.iter().find(|(words, _)| script && refused(words)) {
        hint
    } else if script {
        "the maintainer script of the package named above failed: take it off the list, or a package it conflicts with"
    } else {
        "see the lines above; the same packages fail again in the same way, so they can be tried one by one"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_shown_though_dpkg_goes_on() {
        let mut text = "old\n".repeat(20);
        text += "Setting up broken\nnothing works\ndpkg: error processing package broken (--install):\n exit 3\n";
        text += &"Setting up x\n".repeat(50);
        text += &"y".repeat(1000);
        let shown = telling_lines(&text);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), 8 + 1 + 10);
        assert!(lines.contains(&"nothing works") && lines.contains(&" exit 3"));
        assert_eq!(lines.last().map(|l| l.len()), Some(200));
        assert!(hint(25, &text, &shown).starts_with("the maintainer script"));
    }

    #[test]
    fn advice() {
        let output = "dpkg: error processing package chrony (--configure):\n post-installation script failed";
        assert!(hint(1, output, output).starts_with("the maintainer script"));
        assert!(hint(1, "fork: Cannot allocate memory", "").contains("--work-dir"));
    }

    #[test]
    fn a_refusal_says_of_what() {
        let before = "W: mount: permission denied\n".repeat(9) + "E: mknod: skipped\n";
        for (said, want) in [
            (
                "mknod: /dev/x: Operation not permitted",
                "makes a device node",
            ),
            ("mount: /x: permission denied.", "mounts something"),
            (
                "sh: cannot create /proc/sys/x: Read-only file system",
                "reaches for the machine",
            ),
            ("no idea", "the maintainer script"),
        ] {
            let text = format!(
                "{before}{}{said}\ndpkg: error processing package x\n{}",
                "a\n".repeat(9),
                "b\n".repeat(20)
            );
            let hint = hint(1, &text, &telling_lines(&text));
            assert!(hint.contains(want), "{said}: {hint}");
        }
    }
}
