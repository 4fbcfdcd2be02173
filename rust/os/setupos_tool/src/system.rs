//! The machine that is looked at: the running one, or a folder in its place. Nothing here writes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More of a file in /sys or /proc is not looked at.
const MOST_TEXT: u64 = 1 << 20;

/// The machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct System {
    root: Option<PathBuf>,
}

impl System {
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    /// Where `path` of the machine lies.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        os_config::root::path(self.root.as_deref(), path)
    }

    /// A small file without the white space around it; none when there is nothing to read, as `speed` of a card that is
    /// down.
    pub(crate) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.path(path)).ok()?;
        file.take(MOST_TEXT).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A file in which nothing may be missed: none where there is no such file, and an error if not all of it can be read.
    pub(crate) fn whole(&self, path: impl AsRef<Path>) -> io::Result<Option<String>> {
        let mut bytes = Vec::new();
        let file = match File::open(self.path(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if file.take(MOST_TEXT + 1).read_to_end(&mut bytes)? > base::as_usize(MOST_TEXT) {
            let reason = format!("more than {MOST_TEXT} bytes");
            return Err(io::Error::other(reason));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// As [`System::text`], as a number.
    pub(crate) fn number(&self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path)?.parse().ok()
    }

    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// Names in a folder, sorted; none when there is no such folder.
    pub(crate) fn names(&self, path: impl AsRef<Path>) -> Vec<String> {
        walkdir::WalkDir::new(self.path(path))
            .min_depth(1)
            .max_depth(1)
            .sort_by_file_name()
            .into_iter()
            .filter_map(|entry| entry.ok()?.file_name().to_str().map(str::to_owned))
            .collect()
    }

    /// As [`System::names`] of a folder in which nothing may be missed: an error if not all of it can be read, or it is none.
    #[expect(
        clippy::disallowed_methods,
        reason = "sorted; walkdir takes a file for an empty folder"
    )]
    pub(crate) fn all_names(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        let folder = match std::fs::read_dir(self.path(path)) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = |entry: io::Result<std::fs::DirEntry>| {
            let name = entry?.file_name().into_string();
            name.map_err(|name| io::Error::other(format!("{name:?} is no name in UTF-8")))
        };
        let mut names: Vec<String> = folder.map(name).collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// The last part of where a link points to.
    pub(crate) fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = std::fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }
}
