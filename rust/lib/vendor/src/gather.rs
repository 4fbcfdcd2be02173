//! Bringing files into a bundle: what is there stays; then Bazel's cache, the archives, and cargo.

use std::path::PathBuf;

use crate::archives::{download, Archives, Wish};
use crate::cargo::Crates;
use crate::error::Error;
use crate::folder::Folder;
use crate::items::{Item, Items, Kind};

/// So many packages are asked for at one go. An archive that brings none of so many is asked no more.
const BATCH: usize = 8;

/// Where files may be.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Bazel's repository cache.
    pub repository_cache: Option<PathBuf>,
    /// Folder of the packages that the build container was made of, by digest.
    pub container_debs: Option<PathBuf>,
    /// Archives of Debian packages.
    pub archives: Archives,
    /// Cargo's own folder, `CARGO_HOME`.
    pub cargo_home: PathBuf,
    /// `Cargo.toml` beside the lock that names the crates.
    pub manifest: Option<PathBuf>,
}

/// How many files came from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// They were there.
    pub kept: usize,
    /// From Bazel's repository cache.
    pub cached: usize,
    /// From archives of Debian packages, or snapshots of them.
    pub archives: usize,
    /// From cargo.
    pub cargo: usize,
}

/// What nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The file.
    pub item: &'a Item,
    /// Who was asked, for people.
    pub asked: Vec<String>,
}

/// What [`gather`] brought.
#[derive(Clone, Debug, Default)]
pub struct Gathered<'a> {
    /// The files that are in the bundle, with their sizes.
    pub there: Vec<(&'a Item, u64)>,
    /// Where they came from.
    pub came: Came,
    /// The ones that are not in it.
    pub missing: Vec<Missing<'a>>,
}

/// Brings `items` into the bundle. `each` hears the size of every file that is in it.
pub fn gather<'a>(
    folder: &Folder,
    items: &'a Items,
    sources: &Sources,
    mut each: impl FnMut(u64),
) -> Result<Gathered<'a>, Error> {
    let mut work = Work {
        folder,
        done: Gathered::default(),
        each: &mut each,
    };
    let mut missing = Vec::new();
    for item in items.iter() {
        let name = item.sha256.to_string();
        let cached = sources.repository_cache.as_ref().map(|cache| {
            cache
                .join("content_addressable/sha256")
                .join(&name)
                .join("file")
        });
        let kept = sources.container_debs.as_ref().map(|dir| dir.join(&name));
        let places = cached.into_iter().chain(kept);
        if let Some(size) = folder.has(item)? {
            work.in_it(item, size, |came| &mut came.kept);
        } else if !work.take(item, places, |came| &mut came.cached)? {
            missing.push(item);
        }
    }
    let (debs, crates): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|item| item.kind == Kind::Deb);
    work.debs(debs, &sources.archives)?;
    work.crates(crates, sources)?;
    Ok(work.done)
}

struct Work<'a, 'b> {
    folder: &'b Folder,
    done: Gathered<'a>,
    each: &'b mut dyn FnMut(u64),
}

impl<'a> Work<'a, '_> {
    fn in_it(&mut self, item: &'a Item, size: u64, count: fn(&mut Came) -> &mut usize) {
        let count = count(&mut self.done.came);
        // Not more than there are items.
        *count = count.saturating_add(1);
        self.done.there.push((item, size));
        (self.each)(size);
    }

    /// Takes it from the first of these places that has it.
    fn take(
        &mut self,
        item: &'a Item,
        places: impl IntoIterator<Item = PathBuf>,
        count: fn(&mut Came) -> &mut usize,
    ) -> Result<bool, Error> {
        for place in places {
            if let Some(size) = self.folder.take(item, &place)? {
                self.in_it(item, size, count);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks each archive in turn for what the ones before did not have.
    fn debs(&mut self, mut wanted: Vec<&'a Item>, archives: &Archives) -> Result<(), Error> {
        let mut order: Vec<String> = Vec::new();
        for (archive, _) in wanted.iter().flat_map(|item| archives.places(item)) {
            if !order.contains(&archive) {
                order.push(archive);
            }
        }
        for archive in &order {
            wanted = self.ask(archive, wanted, archives)?;
        }
        self.done.missing.extend(wanted.into_iter().map(|item| {
            let asked = archives
                .places(item)
                .into_iter()
                .map(|(archive, _)| archive);
            Missing {
                item,
                asked: asked.collect(),
            }
        }));
        Ok(())
    }

    /// Asks one archive; returns what it did not give.
    fn ask(
        &mut self,
        archive: &str,
        wanted: Vec<&'a Item>,
        archives: &Archives,
    ) -> Result<Vec<&'a Item>, Error> {
        let (mut here, mut left) = (Vec::new(), Vec::new());
        for item in wanted {
            let mut places = archives.places(item).into_iter();
            match places.find(|(name, _)| name == archive) {
                Some((_, url)) => here.push((item, url)),
                None => left.push(item),
            }
        }
        let mut batches = here.chunks(BATCH);
        for batch in &mut batches {
            let wishes: Vec<Wish<'_>> = batch
                .iter()
                .map(|(item, url)| Wish {
                    item,
                    url: url.clone(),
                    to: self.folder.new_file(item),
                })
                .collect();
            download(&wishes)?;
            let before = self.done.came.archives;
            for (item, _) in batch {
                if !self.take(item, [self.folder.new_file(item)], |came| {
                    &mut came.archives
                })? {
                    left.push(item);
                }
                self.folder.drop_new(item)?;
            }
            if batch.len() == BATCH && self.done.came.archives == before {
                break;
            }
        }
        left.extend(batches.flatten().map(|(item, _)| *item));
        Ok(left)
    }

    fn crates(&mut self, wanted: Vec<&'a Item>, sources: &Sources) -> Result<(), Error> {
        let crates = Crates::of(&sources.cargo_home);
        let mut wanted = self.crates_there(wanted, &crates)?;
        if let (false, Some(manifest)) = (wanted.is_empty(), &sources.manifest) {
            // What it did bring counts, whatever it says in the end.
            Crates::fetch(manifest)?;
            wanted = self.crates_there(wanted, &crates)?;
        }
        self.done
            .missing
            .extend(wanted.into_iter().map(|item| Missing {
                item,
                asked: vec!["cargo fetch".to_owned()],
            }));
        Ok(())
    }

    fn crates_there(
        &mut self,
        wanted: Vec<&'a Item>,
        crates: &Crates,
    ) -> Result<Vec<&'a Item>, Error> {
        let mut left = Vec::new();
        for item in wanted {
            if !self.take(item, crates.places(item)?, |came| &mut came.cargo)? {
                left.push(item);
            }
        }
        Ok(left)
    }
}
