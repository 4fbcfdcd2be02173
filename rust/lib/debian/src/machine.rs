//! What this machine's apt is set up with: archives, proxies. None of it reaches an output.

use std::process::Command;

use crate::error::Error;
use crate::lock::Root;

/// Settings that decide how files are reached, taken over into the private configuration.
///
/// Not among them: `Check-Valid-Until` and `Check-Date`. Whether an old index will do is said to us, not found here.
const SETTINGS: [&str; 5] = [
    "Acquire::http",
    "Acquire::https",
    "Acquire::Retries",
    "Acquire::ForceIPv4",
    "Acquire::ForceIPv6",
];

/// Roots of archives that have package indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirrors {
    /// Those that may be Debian's archive, the likely ones first.
    pub(crate) main: Vec<String>,
    /// Those that apt takes a suite of the security archive from, the likely ones first.
    pub(crate) security: Vec<String>,
}

/// What apt names; roots that it takes one of `suites` from come first.
pub(crate) fn mirrors(suites: &[String]) -> Result<Mirrors, Error> {
    let format = "$(RELEASE) $(REPO_URI)";
    let text = stdout(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]))?;
    Ok(order_mirrors(&text, suites))
}

fn order_mirrors(text: &str, suites: &[String]) -> Mirrors {
    let targets: Vec<(&str, &str)> = text.lines().filter_map(|l| l.split_once(' ')).collect();
    let ours = targets
        .iter()
        .filter(|(release, _)| suites.iter().any(|s| s == release));
    let mut found = Mirrors::default();
    for (release, uri) in ours.chain(&targets) {
        let uri = directory(uri.trim());
        let list = match Root::of(release) {
            Root::Main => &mut found.main,
            Root::Security => &mut found.security,
        };
        if uri != "/" && !list.contains(&uri) {
            list.push(uri);
        }
    }
    found
}

/// An address with one slash at its end.
pub(crate) fn directory(address: &str) -> String {
    format!("{}/", address.trim_end_matches('/'))
}

/// Where the security archive lies if it lies beside the main one, as it does at Debian: `…/debian-security/`.
pub(crate) fn beside(mirror: &str) -> String {
    format!("{}-security/", mirror.trim_end_matches('/'))
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
    fn archives_of_the_suites_come_first() {
        let text = "bookworm http://a/debian/\nbookworm-security http://a/security/\ntrixie http://b/debian\n\
                    trixie-security http://b/debian-security/\ntrixie http://b/debian/\n";
        let suites = ["trixie", "trixie-security"].map(str::to_owned);
        assert_eq!(
            order_mirrors(text, &suites),
            Mirrors {
                main: vec!["http://b/debian/".to_owned(), "http://a/debian/".to_owned()],
                security: vec![
                    "http://b/debian-security/".to_owned(),
                    "http://a/security/".to_owned()
                ],
            }
        );
        assert_eq!(beside("http://b/debian/"), "http://b/debian-security/");
    }

    #[test]
    fn only_reaching_is_taken_over() {
        let dump = "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://p\";\nAcquire::httpx \"1\";\n\
                    APT::Install-Recommends \"1\";\nAcquire::Check-Valid-Until \"false\";\nDPkg::Post-Invoke:: \"rm\";\n";
        assert_eq!(
            keep_settings(dump),
            "Acquire::http \"\";\nAcquire::http::Proxy \"http://p\";\n"
        );
    }
}
