//! An update bundle, as it is outside: what the guest should have written is read from it.

use anyhow::{ensure, Context, Result};
use archive::Kind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vm::Drive;

use crate::image::Window;
use crate::Setting;

/// A version is a line, not a book.
const VERSION_MAX: u64 = 4096;

/// Where a system says what it is.
const IDENTITY: &str = "/opt/ic/share/os.json";

/// A bundle, and where in it things are.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) path: PathBuf,
    /// Time of its members.
    pub(crate) mtime: i64,
    all: Window,
    /// Its members: first byte and length.
    members: BTreeMap<Vec<u8>, (u64, u64)>,
    pub(crate) loader: Window,
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

    /// The one at `path`, a tar or a plan list of one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let path =
            std::path::absolute(path).with_context(|| format!("cannot open {}", path.display()))?;
        let all = Window::open(&path)?;
        let (mut members, mut mtime) = (BTreeMap::new(), 0);
        for entry in archive::list(all.clone())? {
            let entry = entry?;
            mtime = entry.mtime;
            if let Kind::File { offset, len } = entry.kind {
                members.insert(entry.path, (offset, len));
            }
        }
        let (loader, boot, root) = (all.clone(), all.clone(), all.clone());
        let mut bundle = Self {
            path,
            mtime,
            all,
            members,
            loader,
            boot,
            root,
            version: String::new(),
        };
        bundle.loader = bundle.member(update::LOADER)?;
        bundle.boot = bundle.member("boot.img")?;
        bundle.root = bundle.member("root.img")?;
        let text = bundle.member("VERSION.TXT")?;
        ensure!(
            text.len() <= VERSION_MAX,
            "a version of {} bytes",
            text.len()
        );
        let version = std::io::read_to_string(text)?;
        let version = version.lines().next();
        bundle.version = version.context("VERSION.TXT is empty")?.to_owned();
        Ok(bundle)
    }

    /// First byte and length of a member.
    pub(crate) fn place(&self, name: &str) -> Result<(u64, u64)> {
        let place = self.members.get(name.as_bytes()).copied();
        place.with_context(|| format!("no {name} in {}", self.path.display()))
    }

    /// A member.
    pub(crate) fn member(&self, name: &str) -> Result<Window> {
        let (offset, len) = self.place(name)?;
        self.all.part(offset, len)
    }

    /// What its root says that it is.
    pub(crate) fn identity(&self) -> Result<update::Identity> {
        let text = self.root.ext4()?.read(IDENTITY);
        let text = text.with_context(|| format!("no {IDENTITY} in root.img"))?;
        Ok(update::Identity::parse(&text)?)
    }

    /// The bundle as a drive of the guest, which is not written to.
    pub(crate) fn drive(&self) -> Drive {
        Drive::image(&self.path).throw_away(true)
    }
}
