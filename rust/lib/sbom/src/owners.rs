//! Whose a file is.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base::as_usize;
use plan::{Digest, List, Piece, Plan};

use crate::error::Error;
use crate::hash::Digests;
use crate::installed::{Archive, Base};
use crate::notes::{Given, Notes, Rootfs};
use crate::parts::{Partition, Parts};

/// A file of fewer bytes is the same as another by chance.
const TELLING: u64 = 64;

/// Where a file comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A Debian package of the base image with this archive.
    Debian { base: PathBuf, name: String },
    /// A step, by its number, of the Dockerfile that made this archive.
    Step { rootfs: PathBuf, number: usize },
    /// The base image with this archive: a maintainer script wrote it.
    Base { base: PathBuf },
    /// An archive that nobody noted anything of, or a partition's content, by its label.
    Whole { label: String },
    /// A program built here, by its label.
    Program { label: String },
    /// What the map or attribute of this name lays over a root file system.
    Late { by: String },
    /// An image within the image, by its label.
    Image { label: String },
}

/// An owner, and what else is known of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) owner: Owner,
    pub(crate) comment: Option<String>,
}

impl Found {
    fn of(owner: Owner) -> Option<Self> {
        let comment = None;
        Some(Self { owner, comment })
    }
}

/// All that says whose files are.
pub(crate) struct Owners<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) notes: &'a Notes,
    /// By the path of the archive.
    pub(crate) bases: &'a BTreeMap<PathBuf, Base>,
}

/// Which bytes of an archive are of which file: start to end and path.
pub(crate) type Members = BTreeMap<u64, (u64, Vec<u8>)>;

/// Archives that were opened, by their paths.
pub(crate) type Opened = BTreeMap<PathBuf, (Archive, Members)>;

impl Owners<'_> {
    /// What a tree was given late at `path`.
    fn given(&self, partition: &Partition, path: &[u8]) -> Option<&Given> {
        // Maps are text.
        let dest = format!("/{}", std::str::from_utf8(path).ok()?);
        self.notes.given.get(&(partition.label.clone(), dest))
    }

    /// The disk of `len` bytes that a tree was given late at `path`, with its digest, if it was given one.
    pub(crate) fn disk(
        &self,
        partition: &Partition,
        path: &[u8],
        len: u64,
    ) -> Result<Option<(Owner, Digest)>, Error> {
        let Some(given) = self.given(partition, path) else {
            return Ok(None);
        };
        let Some(file) = self.parts.disks.get(&given.src) else {
            return Ok(None);
        };
        let digest = Digest::open(file)?;
        if digest.len != len {
            return Err(Error::Bad {
                path: file.clone(),
                reason: format!(
                    "got the digest of {} bytes, want that of {len}, as long as {} is",
                    digest.len, given.label
                ),
            });
        }
        let label = given.label.clone();
        Ok(Some((Owner::Image { label }, digest)))
    }

    /// Whose the file is that a tree was given late at `path`.
    pub(crate) fn late(&self, partition: &Partition, path: &[u8]) -> Option<Found> {
        let given = self.given(partition, path)?;
        let label = given.label.clone();
        let mut programs = self.parts.programs.values();
        let program = programs.find(|program| program.path == given.src || program.label == label);
        let owner = match program {
            Some(program) => Owner::Program {
                label: program.label.clone(),
            },
            None if List::is_named(&given.src) => Owner::Image {
                label: label.clone(),
            },
            // The attribute's own name says little: which tree has it, says more.
            None if given.by == "files" => Owner::Late {
                by: format!("files of {}", partition.label),
            },
            None => Owner::Late {
                by: given.by.clone(),
            },
        };
        Some(Found {
            owner,
            comment: Some(label),
        })
    }

    /// Whose the file `path` of the root file system `rootfs` is, which has these digests there.
    pub(crate) fn of_rootfs(
        &self,
        rootfs: &Path,
        path: &[u8],
        digests: &Digests,
    ) -> Result<Option<Found>, Error> {
        let Some(notes) = self.notes.rootfs.get(rootfs) else {
            let label = self.parts.inputs.get(rootfs).cloned();
            return Ok(label.and_then(|label| Found::of(Owner::Whole { label })));
        };
        let Some(base) = self.bases.get(&notes.base) else {
            return Ok(None);
        };
        let debian = |name: &str| Owner::Debian {
            base: notes.base.clone(),
            name: name.to_owned(),
        };
        let package = base.owner(path);
        let Some(number) = notes.step(path) else {
            return Ok(match package {
                Some(package) => Found::of(debian(&package.package.name)),
                None if base.archive.file_at(path).is_some() => Found::of(Owner::Base {
                    base: notes.base.clone(),
                }),
                None => None,
            });
        };
        let step = step_text(notes, number);
        if let Some((from, name)) = same_content(base, path, digests)? {
            let comment = (from != path).then(|| {
                let from = base::path::text(from);
                format!("/{from} of the package; this name is by {step}")
            });
            let owner = debian(name);
            return Ok(Some(Found { owner, comment }));
        }
        let owner = Owner::Step {
            rootfs: rootfs.to_owned(),
            number,
        };
        let comment = package.map(|package| {
            let name = &package.package.name;
            format!("a file of the package {name}, changed by {step}")
        });
        Ok(Some(Found { owner, comment }))
    }

    /// Where the bytes of an image come from that an image holds as a file: owners of the files of root file systems in it, and of what
    /// its inputs were made from.
    pub(crate) fn of_image(
        &self,
        plan: &Plan,
        paths: &[PathBuf],
        opened: &mut Opened,
    ) -> Result<Vec<Owner>, Error> {
        let mut owners = self.of_members(plan, paths, opened)?;
        let made = inputs_of(plan, paths).into_iter();
        for image in made.filter_map(|path| self.notes.made.get(path)) {
            owners.append(&mut self.of_made(image, opened)?);
        }
        Ok(owners.into_iter().collect())
    }

    /// What an input was made from whose parts are in the image of the list at `image`: owners of files, and programs.
    fn of_made(&self, image: &Path, opened: &mut Opened) -> Result<BTreeSet<Owner>, Error> {
        let list = List::open(image)?;
        let plan = Plan::open(&list.plan)?;
        let mut owners = self.of_members(&plan, &list.inputs, opened)?;
        let used = inputs_of(&plan, &list.inputs);
        let programs = self.parts.programs.values();
        let programs = programs.filter(|program| used.contains(&program.path));
        owners.extend(programs.map(|program| Owner::Program {
            label: program.label.clone(),
        }));
        Ok(owners)
    }

    /// The owners of the files of root file systems that an image has bytes of.
    fn of_members(
        &self,
        plan: &Plan,
        paths: &[PathBuf],
        opened: &mut Opened,
    ) -> Result<BTreeSet<Owner>, Error> {
        let mut found = BTreeSet::new();
        for extent in plan.extents() {
            let Piece::Source { input, offset } = extent.piece else {
                continue;
            };
            let Some(path) = paths.get(as_usize(input)) else {
                continue;
            };
            if !self.notes.rootfs.contains_key(path) {
                continue;
            }
            let (_, members) = match opened.entry(path.clone()) {
                Slot::Occupied(slot) => slot.into_mut(),
                Slot::Vacant(slot) => {
                    let archive = Archive::open(path)?;
                    let members = archive.members();
                    slot.insert((archive, members))
                }
            };
            if let Some((_, (end, member))) = members.range(..=offset).next_back() {
                if offset < *end {
                    found.insert((path.clone(), member.clone()));
                }
            }
        }
        let mut owners = BTreeSet::new();
        for (rootfs, member) in found {
            let digest = match opened.get(&rootfs) {
                Some((archive, _)) => archive.digest(&member)?,
                None => None,
            };
            let (sha256, len) = digest.ok_or_else(|| Error::Bad {
                path: rootfs.clone(),
                reason: format!(
                    "got no file {}, whose bytes an image has",
                    member.escape_ascii()
                ),
            })?;
            let digests = Digests {
                sha1: String::new(),
                sha256,
                len,
            };
            let found = self.of_rootfs(&rootfs, &member, &digests)?;
            owners.extend(found.map(|found| found.owner));
        }
        Ok(owners)
    }
}

/// The inputs that an image has bytes of.
fn inputs_of<'a>(plan: &Plan, paths: &'a [PathBuf]) -> BTreeSet<&'a PathBuf> {
    let inputs = plan.extents().filter_map(|extent| match extent.piece {
        Piece::Source { input, .. } => paths.get(as_usize(input)),
        _ => None,
    });
    inputs.collect()
}

/// A step as text.
pub(crate) fn step_text(rootfs: &Rootfs, number: usize) -> String {
    match rootfs.steps.get(number) {
        Some(step) => format!("{} line {}", rootfs.dockerfile, step.line),
        None => rootfs.dockerfile.clone(),
    }
}

/// A file of a package with the same bytes, and the package: the one at the same path, or one that was moved or copied.
fn same_content<'a>(
    base: &'a Base,
    path: &'a [u8],
    digests: &Digests,
) -> Result<Option<(&'a [u8], &'a str)>, Error> {
    let same = |path: &[u8]| -> Result<bool, Error> {
        let digest = base.archive.digest(path)?;
        Ok(digest.is_some_and(|(sha256, _)| sha256 == digests.sha256))
    };
    if let Some(package) = base.owner(path) {
        if same(path)? {
            return Ok(Some((path, &package.package.name)));
        }
    }
    if digests.len < TELLING {
        return Ok(None);
    }
    for other in base.archive.files_of_len(digests.len) {
        if let Some(package) = base.owner(other) {
            if same(other)? {
                return Ok(Some((other, &package.package.name)));
            }
        }
    }
    Ok(None)
}
