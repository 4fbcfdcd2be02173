//! Packages' scripts, run as root of the new tree: those before unpacking one by one, all others by dpkg.
//!
//! They see no network, a fixed host name, only the environment set here, and nothing of the machine ([`sandbox::Sandbox`]).
//!
//! Nothing may start a service: `policy-rc.d` forbids it to whoever asks (invoke-rc.d(8)), and `start-stop-daemon` does nothing. Both are
//! seen while scripts run, and are no part of the tree.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sandbox::{Command, Sandbox};

use super::advice::check;
use super::package::Package;
use super::places::Places;
use super::records::{file, ADMIN};
use crate::error::Error;

/// Where dpkg has the files of `control.tar` while a script of them runs that comes before unpacking.
const CONTROL: &str = "tmp.ci";

/// Programs of `/usr/sbin` that scripts find instead of the tree's own, what is in them, and whether they do where the tree has none.
const STAND_INS: [(&str, &str, bool); 2] = [
    ("policy-rc.d", "#!/bin/sh\nexit 101\n", true),
    (
        "start-stop-daemon",
        "#!/bin/sh\necho \"Warning: Fake start-stop-daemon called, doing nothing\" >&2\n",
        false,
    ),
];

/// A tree whose packages' scripts can run.
#[derive(Debug)]
pub(super) struct Scripts<'a> {
    root: &'a Path,
    sandbox: Sandbox,
    timestamp: i64,
}

impl<'a> Scripts<'a> {
    /// `work` is a folder for what is shown in the tree.
    pub(super) fn new(
        places: &mut Places<'_>,
        root: &'a Path,
        work: &Path,
        timestamp: i64,
    ) -> Result<Self, Error> {
        // What one script leaves there is for the next.
        let mut sandbox = Sandbox::new(root).keep("/run").keep("/tmp");
        for (name, text, always) in STAND_INS {
            let place = places.place(format!("usr/sbin/{name}").as_bytes())?;
            let there = places.file(&place);
            if there.is_file() || (always && there.parent().is_some_and(Path::is_dir)) {
                let stand_in = work.join(name);
                file(&stand_in, text.as_bytes(), 0o755)?;
                let inside = Path::new("/").join(OsStr::from_bytes(&place));
                sandbox = sandbox.bind(stand_in, inside, true);
            }
        }
        Ok(Self {
            root,
            sandbox,
            timestamp,
        })
    }

    /// Runs the script of a package that comes before unpacking it, if it has one. `dpkg` is dpkg's version.
    pub(super) fn before(&self, package: &Package<'_>, dpkg: &str) -> Result<(), Error> {
        if !package.has_preinst() {
            return Ok(());
        }
        // A script may have put a link on the way.
        let at = || Places::new(self.root).inside(&format!("{ADMIN}/{CONTROL}"));
        let folder = at()?;
        let failed = || Error::io(format!("lay out the scripts of {}", package.name));
        fs::create_dir(&folder).map_err(failed())?;
        for (name, control) in package.control.files() {
            file(&folder.join(name), &control.bytes, control.mode)?;
        }
        let script = PathBuf::from("/").join(ADMIN).join(CONTROL).join("preinst");
        let command = self
            .environment(Command::new(script))
            .arg("install")
            .env("DPKG_ADMINDIR", format!("/{ADMIN}"))
            .env("DPKG_FORCE", "security-mac,downgrade")
            .env("DPKG_MAINTSCRIPT_ARCH", package.architecture)
            .env("DPKG_MAINTSCRIPT_DEBUG", "0")
            .env("DPKG_MAINTSCRIPT_NAME", "preinst")
            .env("DPKG_MAINTSCRIPT_PACKAGE", package.name)
            .env("DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT", "1")
            .env("DPKG_ROOT", "")
            .env("DPKG_RUNNING_VERSION", dpkg);
        let finished = match self.sandbox.run(&command, |_| Ok(())) {
            // Its interpreter is missing, as a rule.
            Err(sandbox::Error::Child(error)) => {
                return Err(Error::Package {
                    package: package.name.to_owned(),
                    problem: format!("its script preinst cannot run: {error}"),
                })
            }
            other => other?,
        };
        let what = format!("the script preinst of the package {}", package.name);
        check(&what, Some(package.name), &finished, self.root)?;
        fs::remove_dir_all(at()?).map_err(failed())
    }

    /// Lets dpkg configure these packages, of which there is one at least, in this order as far as what they need allows.
    pub(super) fn configure(&self, packages: &[&Package<'_>]) -> Result<(), Error> {
        let command = self
            .environment(Command::new("dpkg"))
            .arg("--configure")
            .args(packages.iter().map(|package| package.name));
        let finished = self.sandbox.run(&command, |_| Ok(()))?;
        check("dpkg --configure", None, &finished, self.root)
    }

    fn environment(&self, command: Command) -> Command {
        command
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("LANG", "C.UTF-8")
            .env("LANGUAGE", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("SOURCE_DATE_EPOCH", self.timestamp.to_string())
            // Kernel packages would make an initrd that nobody uses.
            .env("INITRD", "No")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBCONF_NONINTERACTIVE_SEEN", "true")
    }
}
