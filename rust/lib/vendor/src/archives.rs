//! Where Debian packages lie, and fetching them from there with apt's helper.
//!
//! The same order as in bzl/private/debian_archive.bzl, which builds follow.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use base::date::{Civil, DAY};

use crate::error::Error;
use crate::items::{Item, Place, Root};

/// The program that fetches by apt's settings.
const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Archives and a snapshot service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Archives {
    main: Vec<String>,
    security: Vec<String>,
    snapshot: Option<String>,
}

/// A package to be fetched.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    /// Which.
    pub(crate) item: &'a Item,
    /// From where.
    pub(crate) url: String,
    /// Under which name.
    pub(crate) to: PathBuf,
}

impl Archives {
    /// Those given, then, where one is not, those that this machine's apt is set up with; and the service's address (see [`Archives::given`]).
    pub fn of_machine(
        main: Option<&str>,
        security: Option<&str>,
        snapshot: Option<&str>,
    ) -> Result<Self, Error> {
        if main.is_some() && security.is_some() {
            return Self::given(main, security, snapshot);
        }
        let format = "$(RELEASE) $(REPO_URI)";
        let output = Command::new("apt-get")
            .args(["indextargets", "--format", format, "Created-By: Packages"])
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output();
        Self::of(main, security, &said(output)?).with_snapshot(snapshot)
    }

    /// Those given alone. The service's address has `{root}`, `{timestamp}` and `{path}` in it.
    pub fn given(
        main: Option<&str>,
        security: Option<&str>,
        snapshot: Option<&str>,
    ) -> Result<Self, Error> {
        Self::of(main, security, "").with_snapshot(snapshot)
    }

    fn with_snapshot(mut self, pattern: Option<&str>) -> Result<Self, Error> {
        if let Some(pattern) = pattern {
            let parts = ["{root}", "{timestamp}", "{path}"];
            if !parts.iter().all(|part| pattern.contains(part)) {
                return Err(Error::Snapshot(base::url::shown(pattern).into_owned()));
            }
            self.snapshot = Some(pattern.to_owned());
        }
        Ok(self)
    }

    /// Most wanted first. `apt` has lines of release and address.
    fn of(main: Option<&str>, security: Option<&str>, apt: &str) -> Self {
        let mut found = Self::default();
        let add = |list: &mut Vec<String>, address: &str| {
            let address = address.trim_end_matches('/');
            if !address.is_empty() && !list.iter().any(|known| known == address) {
                list.push(address.to_owned());
            }
        };
        add(&mut found.main, main.unwrap_or_default());
        add(&mut found.security, security.unwrap_or_default());
        for (release, address) in apt.lines().filter_map(|line| line.split_once(' ')) {
            let address = address.trim();
            let known = ["http://", "https://", "file:/"];
            if known.iter().any(|scheme| address.starts_with(scheme)) {
                match release.ends_with("-security") {
                    true => add(&mut found.security, address),
                    false => add(&mut found.main, address),
                }
            }
        }
        // On mirrors it lies beside the main one.
        for main in found.main.clone() {
            add(&mut found.security, &format!("{main}-security"));
        }
        found
    }

    /// Where `item` may lie, most wanted first: the archive's address, for people, and the file's.
    pub(crate) fn places(&self, item: &Item) -> Vec<(String, String)> {
        let Some(Place { root, path, date }) = &item.place else {
            return Vec::new();
        };
        let (archives, name) = match root {
            Root::Main => (&self.main, "debian"),
            Root::Security => (&self.security, "debian-security"),
        };
        let path = quoted(path);
        let mut places: Vec<(String, String)> = archives
            .iter()
            .map(|archive| (archive.clone(), format!("{archive}/{path}")))
            .collect();
        if let Some(pattern) = &self.snapshot {
            let times = date.as_deref().map(snapshot_times).unwrap_or_default();
            places.extend(times.into_iter().map(|time| {
                let url = pattern.replace("{root}", name);
                let url = url.replace("{timestamp}", &time);
                (format!("{pattern} at {time}"), url.replace("{path}", &path))
            }));
        }
        places
            .into_iter()
            .map(|(archive, url)| (base::url::shown(&archive).into_owned(), url))
            .collect()
    }
}

/// A path as part of an address.
fn quoted(path: &str) -> String {
    path.replace('%', "%25")
        .replace('+', "%2B")
        .replace('~', "%7E")
}

/// What apt said; an apt that can't be asked is not one that knows no archive.
fn said(output: io::Result<Output>) -> Result<String, Error> {
    let output = match output {
        Ok(output) => output,
        // A machine without apt knows what it is told.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(source) => {
            return Err(Error::Program {
                program: "apt-get",
                package: "package apt",
                source,
            })
        }
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = base::text::last_lines(text.trim_end(), 3);
        let reason = format!("apt-get indextargets: {}: {last}", output.status);
        let what = "ask apt for the archives that it is set up with";
        return Err(Error::io(what)(io::Error::other(reason)));
    }
    // An address that is no text is none that can be asked.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The time of a release file, as snapshot services write it, and a day later: the state that the file belongs to is taken some hours after its own date.
fn snapshot_times(date: &str) -> Vec<String> {
    let Some(seconds) = seconds(date) else {
        return Vec::new();
    };
    [Some(seconds), seconds.checked_add(DAY)]
        .into_iter()
        .flatten()
        .map(|seconds| {
            let at = Civil::of(seconds);
            format!(
                "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
                at.year, at.month, at.day, at.hour, at.minute, at.second
            )
        })
        .collect()
}

/// Seconds since 1970 of `2026-11-21T09:14:08Z`.
fn seconds(date: &str) -> Option<i64> {
    let (day, time) = date.strip_suffix('Z')?.split_once('T')?;
    let [year, month, date] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    Civil {
        year: year.into(),
        month: u8::try_from(month).ok()?,
        day: u8::try_from(date).ok()?,
        hour: u8::try_from(hour).ok()?,
        minute: u8::try_from(minute).ok()?,
        second: u8::try_from(second).ok()?,
    }
    .seconds()
}

fn numbers(text: &str, between: char) -> Option<[u16; 3]> {
    let numbers: Option<Vec<u16>> = text.split(between).map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

/// Fetches each wish under its name, one after the other; what came is for the caller to look at. apt's words are thrown away: which server gave
/// what is said by whoever misses it.
pub(crate) fn download(wishes: &[Wish<'_>]) -> Result<(), Error> {
    let mut command = Command::new(HELPER);
    // A server that says nothing for so long is left. No user of apt's own: the folder is the caller's.
    command.args(["-o", "Acquire::http::Timeout=20"]);
    command.args(["-o", "Acquire::https::Timeout=20"]);
    command.args(["-o", "Acquire::Retries=0", "-o", "APT::Sandbox::User=root"]);
    command.arg("download-file");
    for wish in wishes {
        command
            .arg(&wish.url)
            .arg(&wish.to)
            .arg(format!("SHA256:{}", wish.item.sha256));
    }
    let quiet = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().map_err(|source| Error::Program {
        program: HELPER,
        package: "package apt",
        source,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apt_that_fails_is_not_one_that_is_not_there() {
        use std::os::unix::process::ExitStatusExt;
        let output = |code: i32| Output {
            status: std::process::ExitStatus::from_raw(code << 8),
            stdout: b"trixie http://a\n".to_vec(),
            stderr: b"E: Malformed entry 1\n".to_vec(),
        };
        assert_eq!(said(Ok(output(0))).unwrap(), "trixie http://a\n");
        assert_eq!(said(Err(io::ErrorKind::NotFound.into())).unwrap(), "");
        let error = said(Ok(output(100))).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            source.ends_with("exit status: 100: E: Malformed entry 1"),
            "{source}"
        );
        let error = said(Err(io::ErrorKind::PermissionDenied.into())).unwrap_err();
        assert!(matches!(error, Error::Program { .. }), "{error}");
    }

    #[test]
    fn the_order_of_archives() {
        let apt = "trixie http://b/debian/\ntrixie-updates http://b/debian/\ntrixie-security https://s/x/\nx cdrom:/y\n\n";
        let found = Archives::of(Some("http://a/debian/"), None, apt);
        assert_eq!(found.main, ["http://a/debian", "http://b/debian"]);
        let beside = ["http://a/debian-security", "http://b/debian-security"];
        assert_eq!(found.security, [&["https://s/x"], &beside[..]].concat());
        assert_eq!(Archives::of(None, None, ""), Archives::default());
        let found = Archives::of(None, Some("http://s"), "");
        assert_eq!(
            (found.main.len(), found.security),
            (0, vec!["http://s".to_owned()])
        );
    }

    #[test]
    fn times() {
        for (date, want) in [
            (
                "2024-02-28T00:00:00Z",
                &["20240228T000000Z", "20240229T000000Z"][..],
            ),
            (
                "2026-12-31T09:14:08Z",
                &["20261231T091408Z", "20270101T091408Z"],
            ),
            ("2026-02-30T09:14:08Z", &[]),
            ("2026-12-31", &[]),
            ("", &[]),
        ] {
            assert_eq!(snapshot_times(date), want, "{date}");
        }
    }
}
