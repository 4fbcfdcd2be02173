//! Why scripts failed, for people: the lines that tell, and what to do.

use std::path::Path;

use sandbox::Finished;

use crate::error::Error;

/// Refuses what did not end well. `script` is the script that ran, if dpkg does not name it; `root` lies where there may be no room.
pub(super) fn check(
    what: &str,
    script: Option<&str>,
    finished: &Finished,
    root: &Path,
) -> Result<(), Error> {
    if finished.success() {
        return Ok(());
    }
    let mut output = finished.last_lines(usize::MAX);
    if let Some(package) = script {
        // As dpkg says it of the scripts that it runs.
        output = format!("{output}\ndpkg: error processing package {package} (preinst)");
    }
    let telling = telling_lines(&output);
    Err(Error::Install {
        what: what.to_owned(),
        status: finished.code,
        hint: match sandbox::Room::of(root) {
            Ok(room) if sandbox::says_full(&output) => room.to_string(),
            _ => hint(&output, &telling).to_owned(),
        },
        output: telling,
    })
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
fn hint(output: &str, telling: &str) -> &'static str {
    let any = |words: &[&str]| words.iter().any(|w| output.contains(w));
    let script = any(&["error processing package", "post-installation script"]);
    let refused = |words: &&[&str]| words.iter().any(|w| telling.contains(w));
    if any(&["Cannot allocate memory"]) {
        "there is too little memory: close other programs, use a larger machine, or make the tree on a disk (--work-dir)"
    } else if any(&["dependency problems prevent"]) {
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
        assert!(hint(&text, &shown).starts_with("the maintainer script"));
    }

    #[test]
    fn advice() {
        let output = "dpkg: error processing package chrony (--configure):\n post-installation script failed";
        assert!(hint(output, output).starts_with("the maintainer script"));
        assert!(hint("fork: Cannot allocate memory", "").contains("--work-dir"));
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
            let hint = hint(&text, &telling_lines(&text));
            assert!(hint.contains(want), "{said}: {hint}");
        }
    }
}
