//! A folder that apt takes for its whole machine: neither this machine's packages play a part, nor its dpkg.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::machine::{last_lines, settings, stdout};

/// One suite at one address.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) suite: String,
    /// With a slash at its end.
    pub(crate) root: String,
}

/// What apt has fetched of one index.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) suite: String,
    pub(crate) root: String,
    /// The package index.
    pub(crate) packages: PathBuf,
    /// The release file that vouches for it.
    pub(crate) release: PathBuf,
}

/// What holds for all of the folder's sources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) architecture: &'a str,
    pub(crate) components: &'a [String],
    /// Keys that must have signed the suites.
    pub(crate) keyring: &'a Path,
    /// Take an index whose `Valid-Until` has passed.
    pub(crate) accept_expired: bool,
}

/// The folder. It vanishes with this.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    /// What stands before address and suite in each line of sources.
    options: String,
    components: String,
}

impl Folder {
    /// Lays a folder out as apt wants its `Dir`.
    pub(crate) fn new(settings: Settings<'_>) -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix("lock-")
            .tempdir()
            .map_err(Error::io("make a temporary folder"))?;
        let arch = settings.architecture;
        let folder = Self {
            dir,
            options: format!("[arch={arch} signed-by={}]", absolute(settings.keyring)?),
            components: settings.components.join(" "),
        };
        for dir in [
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg.d",
            "var/cache/apt/archives/partial",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg",
        ] {
            fs::create_dir_all(folder.path(dir)).map_err(Error::io(format!("make {dir}")))?;
        }
        folder.write("apt.conf", &folder.config(settings)?)?;
        folder.write("var/lib/dpkg/status", "")?;
        Ok(folder)
    }

    fn config(&self, settings: Settings<'_>) -> Result<String, Error> {
        let root = absolute(self.dir.path())?;
        let arch = settings.architecture;
        let valid = !settings.accept_expired;
        Ok(format!(
            "{}Dir \"{root}\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
             APT::Architecture \"{arch}\";\n#clear APT::Architectures;\nAPT::Architectures {{ \"{arch}\"; }};\n\
             APT::Install-Recommends \"false\";\nAPT::Install-Suggests \"false\";\nAPT::Sandbox::User \"root\";\n\
             #clear Acquire::Languages;\nAcquire::Languages {{ \"none\"; }};\nAcquire::GzipIndexes \"false\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::Check-Date \"true\";\nAcquire::Check-Valid-Until \"{valid}\";\n",
            self::settings()?
        ))
    }

    /// A path in the folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        fs::write(self.path(file), text).map_err(Error::io(format!("write {file}")))
    }

    /// Fetches and verifies the indexes of `sources`, and of no others. What is there already is asked for, not fetched again.
    pub(crate) fn update(&self, sources: &[Source]) -> Result<(), Error> {
        let lines: Vec<String> = sources
            .iter()
            .map(|source| {
                format!(
                    "deb {} {} {} {}\n",
                    self.options, source.root, source.suite, self.components
                )
            })
            .collect();
        self.write("etc/apt/sources.list", &lines.concat())?;
        let names: Vec<&str> = sources.iter().map(|s| s.suite.as_str()).collect();
        let done = self.run(
            "apt-get",
            &["-q", "update", "--error-on=any"],
            &format!("fetching the indexes of {}", names.join(", ")),
        );
        match done {
            // apt has no other word for it: its messages are in English here.
            Err(Error::Apt { output, .. }) if output.contains(" is expired (invalid since ") => {
                Err(Error::Expired { output })
            }
            done => done.map(drop),
        }
    }

    /// Holds packages at versions, name and version each, wherever the suites still have these.
    pub(crate) fn hold(&self, versions: &[(&str, &str)]) -> Result<(), Error> {
        // Above 1000 goes even what makes a package older.
        let pins: Vec<String> = versions
            .iter()
            .map(|(name, version)| {
                format!("Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n")
            })
            .collect();
        self.write("etc/apt/preferences.d/locked.pref", &pins.concat())
    }

    /// A program of apt over this folder.
    pub(crate) fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.path("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    /// Runs a program of apt for its output; `what` is what it is for.
    pub(crate) fn run(&self, program: &str, args: &[&str], what: &str) -> Result<String, Error> {
        let output = self
            .apt(program)
            .args(args)
            .output()
            .map_err(Error::io(format!("start {program} (package apt)")))?;
        if !output.status.success() {
            return Err(Error::Apt {
                what: what.to_owned(),
                status: output.status.to_string(),
                output: last_lines(&output.stdout, &output.stderr),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What [`Folder::update`] has fetched.
    pub(crate) fn fetched(&self) -> Result<Vec<Fetched>, Error> {
        let format = [
            "indextargets",
            "--format",
            "$(RELEASE)\t$(REPO_URI)\t$(METAKEY)\t$(FILENAME)",
            "Created-By: Packages",
        ];
        let text = stdout(self.apt("apt-get").args(format))?;
        let odd =
            |line: &str| Error::Answer(format!("an index in a form that is not known: {line}"));
        text.lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                let [suite, root, key, file] = fields[..] else {
                    return Err(odd(line));
                };
                // Both files have the same beginning: that of the suite.
                let begin = file.strip_suffix(&key.replace('/', "_"));
                let begin = begin.ok_or_else(|| odd(line))?;
                let releases = ["InRelease", "Release"].map(|name| format!("{begin}{name}"));
                let release = releases.iter().map(PathBuf::from).find(|r| r.is_file());
                Ok(Fetched {
                    suite: suite.to_owned(),
                    root: root.to_owned(),
                    packages: file.into(),
                    release: release.ok_or_else(|| odd(line))?,
                })
            })
            .collect()
    }
}

/// A path as a word for apt, which is to be the path itself and no other.
pub(crate) fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| {
        Error::Answer(format!(
            "no way to say the path {path:?}, which is no UTF-8: give one that is"
        ))
    })
}

/// An absolute path that apt's configuration can hold.
fn absolute(path: &Path) -> Result<String, Error> {
    let path = std::path::absolute(path).map_err(Error::io("find the current folder"))?;
    let text = text(&path)?;
    if text.contains(['"', ' ', ']', ';']) {
        return Err(Error::Answer(format!(
            "no way to write the path {text} in its configuration"
        )));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn paths_are_themselves_or_refused() {
        assert_eq!(absolute(Path::new("/a/b")).unwrap(), "/a/b");
        for (bad, want) in [
            (
                &b"/caf\xe9"[..],
                r#"no way to say the path "/caf\xE9", which is no UTF-8"#,
            ),
            (b"/a b", "no way to write the path /a b"),
        ] {
            let error = absolute(Path::new(OsStr::from_bytes(bad))).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }
}
