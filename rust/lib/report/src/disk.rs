//! What is on a disk, and what put it there: read from the image's structures alone, no content of a file but dpkg's records.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base::bounded::sum;
use inspect::{Entry, Files, Kind, Node, Place};
use plan::{Piece, Reader};
use why::{Injected, Notes, Step};

use crate::error::Error;
use crate::packages::{Database, Packages};

/// A file that is about one partition: the partition's name, the file's path.
pub type OfPartition = (String, PathBuf);

/// A disk.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) len: u64,
    /// How many bytes are not known to be zero.
    pub(crate) data: u64,
    pub(crate) partitions: Vec<Partition>,
    /// Files that have bytes of their own, the largest first.
    pub(crate) files: Vec<Item>,
}

/// A partition and what was put into it.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    pub(crate) number: u32,
    pub(crate) name: String,
    /// Usual name of its type, or the GUID.
    pub(crate) kind: String,
    pub(crate) start: u64,
    pub(crate) size: u64,
    pub(crate) data: u64,
    /// What it holds, in a word.
    pub(crate) holds: &'static str,
    pub(crate) files: u64,
    pub(crate) packages: Packages,
    pub(crate) steps: Vec<Step>,
    pub(crate) given: Vec<Given>,
}

/// What was injected.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) note: Injected,
    /// `file`, `dir`, `symlink`.
    pub(crate) kind: &'static str,
    pub(crate) bytes: u64,
}

/// A file of the disk.
#[derive(Debug)]
pub(crate) struct Item {
    /// Place of its partition.
    pub(crate) partition: usize,
    /// From `/`.
    pub(crate) path: String,
    /// How many of its bytes are stored.
    pub(crate) bytes: u64,
    pub(crate) origin: Origin,
}

/// What put a file there: places in lists of its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Injected late.
    Given(usize),
    /// A Debian package.
    Package(usize),
    /// A step of the Dockerfile.
    Step(usize),
    /// Nobody noted it.
    Unknown,
}

impl Disk {
    /// Reads the disk in `image` with the `notes` on its partitions, and the archives of root file systems that have dpkg's records of the
    /// `packages` in them.
    pub(crate) fn read(
        image: &Reader,
        notes: &[OfPartition],
        packages: &[OfPartition],
    ) -> Result<Self, Error> {
        let mut records = Records::default();
        let (table, kinds) = inspect::partitions(image)?.ok_or(Error::NoTable)?;
        let mut disk = Self {
            len: image.len(),
            data: data(image, 0, image.len())?,
            partitions: Vec::new(),
            files: Vec::new(),
        };
        for (found, kind) in table.partitions.iter().zip(kinds) {
            let end = found.start().checked_add(found.size());
            let whole = end.is_some_and(|end| end <= image.len());
            let mut partition = Partition {
                number: found.number,
                name: found.name.word(),
                kind: found.type_name.unwrap_or(&found.type_guid).to_owned(),
                start: found.start(),
                size: found.size(),
                // Of what lies behind the end of the image there is nothing.
                data: match whole {
                    true => data(image, found.start(), found.size())?,
                    false => 0,
                },
                holds: kind.as_str(),
                ..Partition::default()
            };
            if matches!(kind, Kind::Ext4 | Kind::Fat) {
                let place = Place {
                    partition: Some(found.slot.clone()),
                    path: Vec::new(),
                };
                let files = Files::open(image, &place)?;
                let given = packages.iter().filter(|(name, _)| *name == partition.name);
                partition.packages = records.packages(given, &files)?;
                let items = look(&mut partition, notes, &files)?;
                let number = disk.partitions.len();
                disk.files.extend(items.into_iter().map(|item| Item {
                    partition: number,
                    ..item
                }));
            }
            disk.partitions.push(partition);
        }
        disk.check_names(notes.iter().chain(packages))?;
        let order = |item: &Item| (std::cmp::Reverse(item.bytes), item.partition);
        let key = |a: &Item, b: &Item| order(a).cmp(&order(b)).then_with(|| a.path.cmp(&b.path));
        disk.files.sort_by(key);
        Ok(disk)
    }

    /// Refuses what is about a partition that is not there.
    fn check_names<'a>(
        &self,
        mut files: impl Iterator<Item = &'a OfPartition>,
    ) -> Result<(), Error> {
        let known = |name: &str| self.partitions.iter().any(|p| p.name == name);
        match files.find(|(name, _)| !known(name)) {
            Some((name, _)) => Err(Error::NoPartition {
                got: name.clone(),
                have: {
                    let names: Vec<&str> = self.partitions.iter().map(|p| &*p.name).collect();
                    names.join(", ")
                },
            }),
            None => Ok(()),
        }
    }
}

/// How many of `len` bytes from `start` on are not known to be zero.
fn data(image: &Reader, start: u64, len: u64) -> Result<u64, Error> {
    let extents = image.plan().extents_in(start, len)?;
    let held = extents.filter(|extent| extent.piece != Piece::Zero);
    Ok(held.map(|extent| extent.len).fold(0, sum))
}

/// dpkg's records of archives, each read once.
#[derive(Default)]
struct Records {
    of: BTreeMap<PathBuf, Database>,
}

impl Records {
    /// The packages of a file system: by those of the `given` archives that know the most of its files, else by its own records. Archives
    /// of images that lie in this one know none of them.
    fn packages<'a>(
        &mut self,
        given: impl Iterator<Item = &'a OfPartition>,
        files: &Files<'_>,
    ) -> Result<Packages, Error> {
        let mut best = Packages::default();
        for (_, path) in given {
            if !self.of.contains_key(path) {
                self.of.insert(path.clone(), Database::of_archive(path)?);
            }
            if let Some(database) = self.of.get(path) {
                let found = Packages::new(database, files);
                if found.known() > best.known() {
                    best = found;
                }
            }
        }
        match best.known() {
            0 => Ok(Packages::new(&Database::of_files(files)?, files)),
            _ => Ok(best),
        }
    }
}

/// Finds out what put each file into `partition`; its files.
fn look(
    partition: &mut Partition,
    notes: &[OfPartition],
    files: &Files<'_>,
) -> Result<Vec<Item>, Error> {
    for (_, path) in notes.iter().filter(|(name, _)| *name == partition.name) {
        let notes = Notes::read(path)?;
        partition.steps.extend(notes.steps);
        partition.given.extend(given(notes.injected, files));
    }
    partition
        .given
        .sort_by(|a, b| a.note.dest.cmp(&b.note.dest));
    let mut injected = BTreeMap::new();
    for (number, given) in partition.given.iter().enumerate() {
        if let Ok(entry) = files.find(given.note.dest.as_bytes(), false) {
            injected.insert(&entry.path.0, number);
        }
    }
    let mut changed = BTreeMap::new();
    for (number, step) in partition.steps.iter().enumerate() {
        changed.extend(step.paths.iter().map(|path| (path.as_str(), number)));
    }
    let top = files.find(b"/", false)?;
    let mut items = Vec::new();
    for entry in files.below(top) {
        let Node::File(file) = &entry.node else {
            continue;
        };
        let (path, bytes) = (&entry.path.0, file.stored());
        let plain = base::path::text(path.strip_prefix(b"/").unwrap_or(path));
        let origin = match (injected.get(path), changed.get(plain.as_str())) {
            (Some(number), _) => Origin::Given(*number),
            (None, step) => match (partition.packages.count(path, bytes), step) {
                (Some(package), _) => Origin::Package(package),
                (None, Some(step)) => Origin::Step(*step),
                (None, None) => Origin::Unknown,
            },
        };
        partition.files = sum(partition.files, 1);
        items.push(Item {
            partition: 0,
            path: entry.path.word(),
            bytes,
            origin,
        });
    }
    items.retain(|item| item.bytes > 0);
    Ok(items)
}

/// What the notes say was injected here. Notes on an image are also those of images in it: a tree counts if all that it was given is here.
fn given(notes: Vec<Injected>, files: &Files<'_>) -> Vec<Given> {
    let mut trees: BTreeMap<String, Vec<Injected>> = BTreeMap::new();
    for note in notes {
        trees.entry(note.tree.clone()).or_default().push(note);
    }
    let find = |note: &Injected| -> Option<&Entry> {
        let entry = files.find(note.dest.as_bytes(), false).ok()?;
        Some(files.whole(entry))
    };
    trees.retain(|_, notes| notes.iter().all(|note| find(note).is_some()));
    let all = trees.into_values().flatten();
    let seen = all.map(|note| {
        let node = find(&note).map(|entry| &entry.node);
        let bytes = match node {
            Some(Node::File(file)) => file.stored(),
            _ => 0,
        };
        Given {
            kind: node.map_or("file", Node::as_str),
            note,
            bytes,
        }
    });
    seen.collect()
}
