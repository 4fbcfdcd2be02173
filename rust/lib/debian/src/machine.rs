//! What this machine's apt is set up with: archives, proxies, dates. None of it reaches an output.

use std::process::Command;

use crate::error::Error;

/// Settings that decide how files are reached, taken over into the private configuration.
const SETTINGS: [&str; 8] = [
    "Acquire::http",
    "Acquire::https",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Max-FutureTime",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
];

/// Roots of archives that have package indexes, those of `suite` first.
pub(crate) fn mirrors(suite: &str) -> Result<Vec<String>, Error> {
    let format = "$(RELEASE) $(REPO_URI)";
    let text = stdout(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    Ok(order_mirrors(&text, suite))
}

fn order_mirrors(text: &str, suite: &str) -> Vec<String> {
    let targets: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let ours = targets.iter().filter(|(release, _)| *release == suite);
    let mut found: Vec<String> = Vec::new();
    for (_, uri) in ours.chain(&targets) {
        let uri = uri.trim();
        if !uri.is_empty() && !found.iter().any(|f| f == uri) {
            found.push(uri.to_owned());
        }
    }
    found
}

/// Configuration lines of this machine that bear on reaching archives.
pub(crate) fn settings() -> Result<String, Error> {
    let dump = stdout(Command::new("apt-config").arg("dump"))?;
    let mut kept = keep_settings(&dump);
    // Passwords of archives stay where they are.
    let paths = stdout(Command::new("apt-config").args([
        "shell",
        "A",
        "Dir::Etc::netrc/f",
        "B",
        "Dir::Etc::netrcparts/d",
    ]))?;
    for (key, variable) in [("Dir::Etc::netrc", "A="), ("Dir::Etc::netrcparts", "B=")] {
        let value = paths.lines().find_map(|l| l.strip_prefix(variable));
        if let Some(path) = value
            .map(|v| v.trim_matches('\''))
            .filter(|p| p.starts_with('/'))
        {
            kept.push_str(&format!("{key} \"{path}\";\n"));
        }
    }
    Ok(kept)
}

fn keep_settings(dump: &str) -> String {
    let wanted = |line: &&str| {
        let key = line.split([' ', '"']).next().unwrap_or(line);
        SETTINGS.iter().any(|s| {
            key.strip_prefix(s)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        })
    };
    dump.lines()
        .filter(wanted)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Runs a program of apt for its output.
pub(crate) fn stdout(command: &mut Command) -> Result<String, Error> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("LC_ALL", "C")
        .output()
        .map_err(Error::io(format!("start {what} (package apt)")))?;
    if !output.status.success() {
        return Err(Error::Apt {
            what,
            status: output.status.to_string(),
            output: last_lines(&output.stdout, &output.stderr),
        });
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Error::Answer(format!("{what}'s output in no UTF-8")))
}

/// The end of what a program said, errors last.
pub(crate) fn last_lines(stdout: &[u8], stderr: &[u8]) -> String {
    let text = [stdout, b"\n", stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    base::text::last_lines(&lines.join("\n"), 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_of_the_suite_come_first() {
        let text = "bookworm http://a/debian/\nbookworm-security http://a/security/\ntrixie http://b/debian/\n\
                    trixie http://b/debian/\n";
        assert_eq!(
            order_mirrors(text, "trixie"),
            ["http://b/debian/", "http://a/debian/", "http://a/security/"]
        );
    }

    #[test]
    fn only_reaching_is_taken_over() {
        let dump = "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://p\";\nAcquire::httpx \"1\";\n\
                    APT::Install-Recommends \"1\";\nAcquire::Check-Valid-Until \"false\";\nDPkg::Post-Invoke:: \"rm\";\n";
        assert_eq!(
            keep_settings(dump),
            "Acquire::http \"\";\nAcquire::http::Proxy \"http://p\";\nAcquire::Check-Valid-Until \"false\";\n"
        );
    }
}
