//! An update bundle, as it is outside: what the guest should have written is read from it.

use anyhow::{ensure, Context, Result};
use archive::Kind;
use std::path::{Path, PathBuf};
use vm::Drive;

use crate::image::Window;
use crate::Setting;

/// A version is a line, not a book.
const VERSION_MAX: u64 = 4096;

/// A bundle, and where in it things are.
#[derive(Debug)]
pub(crate) struct Bundle {
    path: PathBuf,
    pub(crate) boot: Window,
    pub(crate) root: Window,
    /// Its version.
    pub(crate) version: String,
}

impl Bundle {
    /// The one that the test was given.
    pub(crate) fn open(setting: &Setting) -> Result<Self> {
        let path = setting.update.as_deref();
        Self::read(path.context("--update says where the update bundle is")?)
    }

    fn read(path: &Path) -> Result<Self> {
        let path =
            std::path::absolute(path).with_context(|| format!("cannot open {}", path.display()))?;
        let all = Window::open(&path)?;
        let mut found = std::collections::BTreeMap::new();
        for entry in archive::list(all.clone())? {
            let entry = entry?;
            if let Kind::File { offset, len } = entry.kind {
                found.insert(entry.path, (offset, len));
            }
        }
        let member = |name: &str| {
            let place = found.get(name.as_bytes());
            let (offset, len) =
                place.with_context(|| format!("no {name} in {}", path.display()))?;
            all.part(*offset, *len)
        };
        let text = member("VERSION.TXT")?;
        ensure!(
            text.len() <= VERSION_MAX,
            "a version of {} bytes",
            text.len()
        );
        let version = std::io::read_to_string(text)?;
        let version = version.lines().next();
        Ok(Self {
            boot: member("boot.img")?,
            root: member("root.img")?,
            version: version.context("VERSION.TXT is empty")?.to_owned(),
            path,
        })
    }

    /// The bundle as a drive of the guest, which is not written to.
    pub(crate) fn drive(&self) -> Drive {
        Drive::image(&self.path).throw_away(true)
    }
}
