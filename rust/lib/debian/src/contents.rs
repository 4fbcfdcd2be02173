//! What the files of packages bring that a person should know of before it is in an image.
//!
//! Looked at are the names, kinds and modes of all files, systemd's units, and the script that configures the package. Not seen: what a
//! program does when it runs (a service that opens a port by itself shows as a unit that starts, not as one that listens), and what
//! other scripts change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use ::archive::{Entry, Kind, Stream};
use base::as_u64;

use crate::error::Error;
use crate::package_file::{damaged, open};

/// More of a unit is not read, and that it has more is said.
const LONGEST_TEXT: u64 = 1 << 20;

/// Something about a package's files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fact {
    /// A file whose user or group comes with it.
    Rights {
        /// The file.
        path: String,
        /// Its mode and owners as `4755 0:0`; or that the package's script gives it capabilities.
        how: String,
    },
    /// A socket that systemd listens on for a service.
    Listens {
        /// The unit.
        unit: String,
        /// Port, address or path.
        address: String,
    },
    /// A unit that starts unless the image says otherwise.
    Starts {
        /// The unit.
        unit: String,
        /// Which unit wants it, or that the package's script enables it.
        by: String,
    },
    /// A kernel module.
    Module {
        /// Its name as the kernel has it.
        name: String,
    },
}

/// Facts about packages, each with the package that it is about.
pub type Facts = BTreeMap<Fact, String>;

/// Facts of `new` that `old` does not have.
pub(crate) fn only_in<'a>(
    new: &'a Facts,
    old: &'a Facts,
) -> impl Iterator<Item = (&'a Fact, &'a String)> {
    new.iter().filter(|(fact, _)| !old.contains_key(fact))
}

/// Reads the facts about the file of a package.
pub fn facts(package: &str, file: &Path) -> Result<Facts, Error> {
    let mut deb = open(package, file)?;
    let mut found = BTreeSet::new();
    let control = deb.control().map_err(damaged(package, file))?;
    if let Some(script) = control.get("postinst") {
        script_facts(&String::from_utf8_lossy(&script.bytes), package, &mut found);
    }
    let mut data = deb.data().map_err(damaged(package, file))?;
    let mut members = Stream::new(&mut data);
    while let Some(entry) = members.next_entry()? {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        file_facts(&path, &entry, &mut members, &mut found)?;
    }
    data.finish().map_err(damaged(package, file))?;
    let of_package = |fact| (fact, package.to_owned());
    Ok(found.into_iter().map(of_package).collect())
}

/// The text of a file for people, and whether it is all of it.
fn text(data: &mut dyn Read) -> Result<(String, bool), Error> {
    let mut bytes = Vec::new();
    let read = data.take(LONGEST_TEXT).read_to_end(&mut bytes);
    read.map_err(Error::io("read a file of a package"))?;
    let whole = as_u64(bytes.len()) < LONGEST_TEXT;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), whole))
}

fn file_facts(
    path: &str,
    entry: &Entry,
    data: &mut dyn Read,
    found: &mut BTreeSet<Fact>,
) -> Result<(), Error> {
    if entry.kind.is_file() && entry.mode & 0o6000 != 0 {
        found.insert(Fact::Rights {
            path: format!("/{path}"),
            how: format!("{:04o} {}:{}", entry.mode, entry.uid, entry.gid),
        });
    }
    if let Some(name) = module_name(path) {
        found.insert(Fact::Module { name });
    }
    let inside = path.strip_prefix("usr/").unwrap_or(path);
    let units = ["lib/systemd/system/", "etc/systemd/system/"];
    let Some(unit) = units.iter().find_map(|folder| inside.strip_prefix(folder)) else {
        return Ok(());
    };
    match unit.split_once('/') {
        Some((folder, unit)) if matches!(entry.kind, Kind::Symlink { .. }) => {
            let wanted = [".wants", ".requires"]
                .iter()
                .find_map(|end| folder.strip_suffix(end));
            if let Some(by) = wanted {
                found.insert(Fact::Starts {
                    unit: unit.to_owned(),
                    by: by.to_owned(),
                });
            }
        }
        None if unit.ends_with(".socket") && entry.kind.is_file() => {
            let (text, whole) = text(data)?;
            let rest = format!("maybe more: of {LONGEST_TEXT} bytes and more the rest is not read");
            for address in listens(&text).into_iter().chain((!whole).then_some(rest)) {
                found.insert(Fact::Listens {
                    unit: unit.to_owned(),
                    address,
                });
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a socket unit listens on (systemd.socket(5)).
fn listens(unit: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        (key.starts_with("Listen") && !value.is_empty()).then(|| value.to_owned())
    };
    unit.lines()
        .filter_map(|line| of_line(line.trim()))
        .collect()
}

/// What debhelper writes into scripts, and capabilities.
fn script_facts(script: &str, package: &str, found: &mut BTreeSet<Fact>) {
    for line in script
        .lines()
        .map(str::trim)
        .filter(|l| !l.starts_with('#'))
    {
        let enabled = line.split("deb-systemd-helper enable ").nth(1);
        if let Some(unit) = enabled.and_then(|rest| rest.split_whitespace().next()) {
            found.insert(Fact::Starts {
                unit: unit.trim_matches(['\'', '"']).to_owned(),
                by: "the package's script".to_owned(),
            });
        }
        if line.split_whitespace().any(|word| word == "setcap") {
            found.insert(Fact::Rights {
                path: format!("files of {package}"),
                how: "setcap in the package's script".to_owned(),
            });
        }
    }
}

/// The kernel's name of a module: that of the file, with `_` for `-`.
fn module_name(path: &str) -> Option<String> {
    let path = path.strip_prefix("usr/").unwrap_or(path);
    let file = path.strip_prefix("lib/modules/")?.rsplit('/').next()?;
    let file = [".xz", ".zst", ".gz"]
        .iter()
        .find_map(|end| file.strip_suffix(end))
        .unwrap_or(file);
    Some(file.strip_suffix(".ko")?.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{symlink, PermissionsExt};
    use std::process::Command;

    use super::*;

    fn put(root: &Path, path: &str, text: &str, mode: u32) {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The package is dpkg-deb's own.
    #[test]
    fn of_a_package() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        put(
            &tree,
            "DEBIAN/control",
            "Package: tool\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody\nDescription: test\n",
            0o644,
        );
        put(
            &tree,
            "DEBIAN/postinst",
            "#!/bin/sh\n# deb-systemd-helper enable 'no.service'\n\
             if true; then\n\tdeb-systemd-helper enable 'tool.service' >/dev/null || true\nfi\nsetcap cap_net_raw+ep /usr/bin/tool\n",
            0o755,
        );
        put(&tree, "usr/bin/tool", "x", 0o4755);
        put(&tree, "usr/bin/plain", "x", 0o755);
        put(&tree, "usr/lib/modules/6.1/kernel/a/nf-x.ko.xz", "x", 0o644);
        put(&tree, "usr/lib/modules/6.1/modules.order", "x", 0o644);
        put(
            &tree,
            "usr/lib/systemd/system/tool.socket",
            "[Socket]\nListenStream=/run/tool\n ListenDatagram = 53\nListenStream=\n",
            0o644,
        );
        put(
            &tree,
            "usr/lib/systemd/system/tool.service",
            "[Service]\n",
            0o644,
        );
        let wants = tree.join("usr/lib/systemd/system/sockets.target.wants");
        fs::create_dir(&wants).unwrap();
        symlink("../tool.socket", wants.join("tool.socket")).unwrap();
        let made = Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build", "tree", "tool.deb"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let found = facts("tool", &dir.path().join("tool.deb")).unwrap();
        let shown: Vec<String> = found
            .iter()
            .map(|(fact, package)| {
                assert_eq!(package, "tool");
                match fact {
                    Fact::Rights { path, how } => format!("{path}: {how}"),
                    Fact::Listens { unit, address } => format!("{unit} on {address}"),
                    Fact::Starts { unit, by } => format!("{unit} by {by}"),
                    Fact::Module { name } => name.clone(),
                }
            })
            .collect();
        assert_eq!(
            shown,
            [
                "/usr/bin/tool: 4755 0:0",
                "files of tool: setcap in the package's script",
                "tool.socket on /run/tool",
                "tool.socket on 53",
                "tool.service by the package's script",
                "tool.socket by sockets.target",
                "nf_x",
            ]
        );
        assert_eq!(only_in(&found, &found).count(), 0);
        assert_eq!(only_in(&found, &Facts::new()).count(), 7);
    }

    #[test]
    fn a_unit_that_is_not_read_to_its_end_says_so() {
        let entry = Entry::new(
            "usr/lib/systemd/system/x.socket",
            Kind::File { offset: 0, len: 0 },
            0o644,
        );
        let of = |text: &str| {
            let mut found = BTreeSet::new();
            let path = "usr/lib/systemd/system/x.socket";
            file_facts(path, &entry, &mut text.as_bytes(), &mut found).unwrap();
            found.len()
        };
        let line = "ListenStream=1\n";
        assert_eq!(of(line), 1);
        let behind = format!("{line}{}{line}", "#".repeat(1 << 20));
        assert_eq!(of(&behind), 2);
    }

    #[test]
    fn what_is_no_package() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.deb");
        fs::write(&file, "no package\n".repeat(50)).unwrap();
        let error = facts("x", &file).unwrap_err();
        assert!(
            matches!(&error, Error::Deb { package, .. } if package == "x"),
            "{error}"
        );
        let why = std::error::Error::source(&error).unwrap().to_string();
        assert!(why.starts_with("this is no Debian package: "), "{why}");
    }
}
