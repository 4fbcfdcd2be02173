//! Where the configuration goes, and what the volume holds then.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path};

use fat::{Edit, Volume};
use inspect::Image;
use os_config::{Medium, DATA_KEY, SIGNATURE, SSH_KEYS_DIR, SUMS};
use plan::ReadAt;

use crate::error::Error;
use crate::wanted::{Wanted, MAINS};

/// Of a larger file this much is looked at: `os_config` refuses it before.
const MOST: usize = 1 << 20;

/// A volume in an image.
pub struct Target<'a> {
    image: &'a dyn ReadAt,
    start: u64,
    len: u64,
    /// Image and partition, for people.
    place: String,
}

/// What to write, and what that changes.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where the volume starts in the image.
    pub start: u64,
    /// What to write, from there.
    pub edit: Edit,
    /// A line for each file that is new, changed or taken away.
    pub changes: Vec<String>,
}

impl<'a> Target<'a> {
    /// The partition called `partition` of an image that is called `name`.
    pub fn open<I: ReadAt + Image>(
        image: &'a I,
        name: &str,
        partition: &str,
    ) -> Result<Self, Error> {
        let found = inspect::partition(image, partition)?;
        Ok(Self {
            image,
            start: found.start(),
            len: found.size(),
            place: format!("{name}, partition {partition}"),
        })
    }

    fn volume(&self) -> Result<Volume<'a>, Error> {
        Volume::open(self.image, self.start, self.len).map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(fat::EditError) -> Error + '_ {
        |source| Error::Volume {
            place: self.place.clone(),
            source,
        }
    }

    /// Paths and lengths of what is there.
    pub fn files(&self) -> Result<Vec<(String, u64)>, Error> {
        Ok(self.volume()?.files())
    }

    /// What to write so that the volume has what is wanted; all else stays, and with `replace` all else that is no part of another
    /// configuration.
    pub fn place(&self, wanted: &Wanted, replace: bool) -> Result<Placed, Error> {
        let mut volume = self.volume()?;
        let mut changes = Vec::new();
        let there: Vec<String> = volume.files().into_iter().map(|(path, _)| path).collect();
        for path in there {
            if is_stale(&path, wanted, replace) {
                volume.remove(&path);
                changes.push(format!("- {path}"));
            }
        }
        for (path, bytes) in wanted.files() {
            if volume.put(path, bytes).map_err(self.failed())? {
                changes.push(format!("+ {path}, {} bytes", bytes.len()));
            }
        }
        self.check(&volume)?;
        let edit = volume.finish().map_err(self.failed())?;
        Ok(Placed {
            start: self.start,
            edit,
            changes,
        })
    }

    /// Refuses what a machine would refuse.
    fn check(&self, volume: &Volume<'_>) -> Result<(), Error> {
        let mut builder = tempfile::Builder::new();
        let dir = builder
            .prefix("config-")
            .tempdir()
            .map_err(Error::io("make a folder for the check"))?;
        for (path, _) in volume.files() {
            self.copy(volume, &path, dir.path())?;
        }
        let Err(error) = Medium::read(dir.path()) else {
            return Ok(());
        };
        let problems = error.problems().into_iter().map(|(path, problem)| {
            let inside = path.strip_prefix(dir.path()).unwrap_or(path);
            problem.at(&Path::new("/").join(inside))
        });
        Err(Error::Medium {
            place: self.place.clone(),
            problems: problems.collect(),
        })
    }

    /// The file at `path` of the volume below `dir`. Of what is no part of a configuration its name only, which is what counts.
    fn copy(&self, volume: &Volume<'_>, path: &str, dir: &Path) -> Result<(), Error> {
        let mut parts = Path::new(path).components();
        let plain = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || path.contains(['\0', '\\']) {
            return Err(Error::Name {
                place: self.place.clone(),
                name: path.to_owned(),
            });
        }
        let wrote = Error::io("write a file for the check");
        let below = parts.nth(1).is_some();
        let (top, _) = path.split_once('/').unwrap_or((path, ""));
        if below {
            let made = DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir.join(top));
            if let Err(source) = made {
                return Err(wrote(source));
            }
            if !top.eq_ignore_ascii_case(SSH_KEYS_DIR) || parts.next().is_some() {
                return Ok(());
            }
        }
        let bytes = volume.get(path).map_err(self.failed())?.unwrap_or_default();
        let bytes = bytes.get(..MOST).unwrap_or(&bytes);
        fs::write(dir.join(path), bytes).map_err(wrote)
    }
}

/// Whether a file that is there has to go: the other form of the settings, if there are new ones; with `replace`, whatever else a
/// configuration has.
fn is_stale(path: &str, wanted: &Wanted, replace: bool) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_wanted: BTreeMap<String, ()> = wanted
        .files()
        .keys()
        .map(|path| (path.to_ascii_lowercase(), ()))
        .collect();
    if is_wanted.contains_key(&lower) {
        return false;
    }
    let is_main = MAINS.contains(&lower.as_str());
    let is_config = [SUMS, SIGNATURE, DATA_KEY].contains(&lower.as_str())
        || lower.starts_with(&format!("{SSH_KEYS_DIR}/"));
    wanted.has_settings() && is_main || replace && is_config
}
