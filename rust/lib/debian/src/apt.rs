//! apt's resolver over a private folder: this machine's packages play no part, nor does its dpkg.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::index::Index;
use crate::list::{near_names, List};
use crate::lock::{Lock, Package};
use crate::machine::{last_lines, mirrors, settings, stdout};

/// Packages every Debian has, whatever the lists say.
const ALWAYS: [&str; 2] = ["?essential", "?priority(required)"];

/// Which archive.
#[derive(Clone, Debug)]
pub struct ArchiveOptions {
    /// Suite, such as `trixie`.
    pub suite: String,
    /// Components of the suite, such as `main`.
    pub components: Vec<String>,
    /// Architecture of the image.
    pub architecture: String,
    /// Keys that must have signed the suite.
    pub keyring: PathBuf,
    /// Root of an archive; none: those of this machine's apt, in turn.
    pub mirror: Option<String>,
}

/// A suite's verified indexes, in a folder that vanishes with this.
#[derive(Debug)]
pub struct Archive {
    dir: tempfile::TempDir,
    options: ArchiveOptions,
    mirror: String,
    index: Index,
}

impl Archive {
    /// Fetches and verifies the suite's indexes.
    pub fn open(options: &ArchiveOptions) -> Result<Self, Error> {
        if !options.keyring.is_file() {
            return Err(Error::NoKeyring(options.keyring.clone()));
        }
        let candidates = match &options.mirror {
            Some(mirror) => vec![format!("{}/", mirror.trim_end_matches('/'))],
            None => mirrors(&options.suite)?,
        };
        let mut last = Error::NoMirror;
        for mirror in candidates {
            match Self::fetch(options, mirror) {
                Ok(archive) => return Ok(archive),
                // Not every archive of a machine has every suite.
                Err(error @ Error::Apt { .. }) if matches!(last, Error::NoMirror) => last = error,
                Err(Error::Apt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    fn fetch(options: &ArchiveOptions, mirror: String) -> Result<Self, Error> {
        let dir = tempfile::Builder::new()
            .prefix("lock-")
            .tempdir()
            .map_err(Error::io("make a temporary folder"))?;
        let mut archive = Self {
            dir,
            options: options.clone(),
            mirror,
            index: Index::default(),
        };
        archive.configure()?;
        let output = archive
            .apt("apt-get")
            .args(["-q", "update", "--error-on=any"])
            .output()
            .map_err(Error::io("start apt-get (package apt)"))?;
        if !output.status.success() {
            return Err(Error::Apt {
                what: format!("fetching the indexes of {}", options.suite),
                status: output.status.to_string(),
                output: last_lines(&output.stdout, &output.stderr),
            });
        }
        archive.read_index()?;
        Ok(archive)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Lays out the folder as apt wants its `Dir`.
    fn configure(&self) -> Result<(), Error> {
        for dir in [
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg.d",
            "var/cache/apt/archives/partial",
            "var/lib/apt/lists/partial",
            "var/lib/dpkg",
        ] {
            fs::create_dir_all(self.path(dir)).map_err(Error::io(format!("make {dir}")))?;
        }
        let options = &self.options;
        let keyring = absolute(&options.keyring)?;
        let source = format!(
            "deb [arch={} signed-by={}] {} {} {}\n",
            options.architecture,
            keyring,
            self.mirror,
            options.suite,
            options.components.join(" ")
        );
        let root = absolute(self.dir.path())?;
        let arch = &options.architecture;
        let config = format!(
            "{}Dir \"{root}\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
             APT::Architecture \"{arch}\";\n#clear APT::Architectures;\nAPT::Architectures {{ \"{arch}\"; }};\n\
             APT::Install-Recommends \"false\";\nAPT::Install-Suggests \"false\";\nAPT::Sandbox::User \"root\";\n\
             #clear Acquire::Languages;\nAcquire::Languages {{ \"none\"; }};\nAcquire::GzipIndexes \"false\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n",
            settings()?
        );
        for (file, text) in [
            ("etc/apt/sources.list", source.as_str()),
            ("apt.conf", config.as_str()),
            ("var/lib/dpkg/status", ""),
        ] {
            fs::write(self.path(file), text).map_err(Error::io(format!("write {file}")))?;
        }
        Ok(())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.path("apt.conf"))
            .env("LC_ALL", "C");
        command
    }

    fn read_index(&mut self) -> Result<(), Error> {
        let format = [
            "indextargets",
            "--format",
            "$(FILENAME)",
            "Created-By: Packages",
        ];
        let files = stdout(self.apt("apt-get").args(format))?;
        for file in files.lines() {
            let text = fs::read_to_string(file).map_err(Error::io("read a package index"))?;
            self.index.read(&text)?;
        }
        if self.index.is_empty() {
            return Err(Error::Index("no package at all".to_owned()));
        }
        Ok(())
    }

    /// Resolves what the lists ask for, and what every Debian has, into a lock.
    pub fn resolve(&self, lists: &[List]) -> Result<Lock, Error> {
        self.check_names(lists)?;
        let names = lists
            .iter()
            .flat_map(|l| l.packages.iter().map(|p| p.name.clone()));
        let requested: BTreeSet<String> = names.collect();
        let output = self
            .apt("apt-get")
            .args(["-q", "-y", "--print-uris", "install"])
            .args(ALWAYS)
            .args(&requested)
            .output()
            .map_err(Error::io("start apt-get (package apt)"))?;
        if !output.status.success() {
            return Err(Error::Apt {
                what: "resolving the lists".to_owned(),
                status: output.status.to_string(),
                output: last_lines(&output.stdout, &output.stderr),
            });
        }
        let mut packages = Vec::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            // 'URI' FILE SIZE DIGEST; everything else is talk.
            if let Some((uri, _)) = line
                .strip_prefix('\'')
                .and_then(|rest| rest.split_once('\''))
            {
                packages.push(self.package(uri)?.clone());
            }
        }
        if packages.is_empty() {
            return Err(Error::Answer("no package to install".to_owned()));
        }
        packages.sort();
        Ok(Lock {
            suite: self.options.suite.clone(),
            architecture: self.options.architecture.clone(),
            lists: lists.iter().map(|list| list.file.clone()).collect(),
            update: None,
            requested: requested.into_iter().collect(),
            packages,
        })
    }

    /// The signed index's word on a file: what apt prints has no SHA-256.
    fn package(&self, uri: &str) -> Result<&Package, Error> {
        let path = uri
            .strip_prefix(&self.mirror)
            .map(unescape)
            .ok_or_else(|| Error::Answer("a file outside the archive".to_owned()))?;
        self.index
            .by_path(&path)
            .ok_or_else(|| Error::Answer(format!("{path}, which is not in the index")))
    }

    fn check_names(&self, lists: &[List]) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for list in lists {
            for package in list.packages.iter().filter(|p| !self.index.has(&p.name)) {
                unknown.push((
                    package.name.clone(),
                    format!("{}:{}", list.file, package.line),
                    near_names(&package.name, self.index.names()),
                ));
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::Unknown {
            suite: self.options.suite.clone(),
            names: unknown,
        })
    }
}

/// An absolute path that apt's configuration can hold.
fn absolute(path: &Path) -> Result<String, Error> {
    let path = std::path::absolute(path).map_err(Error::io("find the current folder"))?;
    let text = path.to_string_lossy().into_owned();
    if text.contains(['"', ' ', ']', ';']) {
        return Err(Error::Answer(format!(
            "no way to write the path {text} in its configuration"
        )));
    }
    Ok(text)
}

/// Undoes `%XX`.
fn unescape(uri: &str) -> String {
    let mut out = Vec::new();
    let mut rest = uri.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.split_first_chunk::<2>().filter(|_| *first == b'%');
        let decoded = code.and_then(|(digits, tail)| {
            let digits = std::str::from_utf8(digits).ok()?;
            let [byte] = base::hex::decode_array(digits).ok()?;
            Some((byte, tail))
        });
        let (byte, after) = decoded.unwrap_or((*first, tail));
        out.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn uris() {
        assert_eq!(unescape("pool/x_1%3a2%2bb_a.deb"), "pool/x_1:2+b_a.deb");
        assert_eq!(unescape("100%"), "100%");
    }
}
