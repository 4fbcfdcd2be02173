//! An image and what is known of it, put together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::{parallel, Sha256Digest};
use plan::{Digest, ImageSet, List, Plan, Reader};
use serde::Deserialize;
use tree::Tree;

use crate::cargo;
use crate::error::Error;
use crate::hash::{content, Digests, Inputs};
use crate::installed::Base;
use crate::notes::Notes;
use crate::owners::{Found, Opened, Owner, Owners};
use crate::parts::{Partition, Parts, Raw};
use crate::spdx::Document;
use crate::writer;

/// What the document is to say, and the files that say it.
#[derive(Clone, Debug)]
pub struct Image<'a> {
    /// Name of the image.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The time of everything in it, in seconds since 1970.
    pub timestamp: i64,
    /// Name and digest of the files that it is published as.
    pub artifacts: &'a BTreeMap<String, Digest>,
    /// What it is made of.
    pub parts: &'a Parts,
    /// Notes on where bytes come from.
    pub notes: &'a [PathBuf],
    /// The Cargo.lock of the programs' crates, if they are from a registry.
    pub cargo_lock: Option<&'a Path>,
    /// The lock of the packages that the programs are built with, if there is one.
    pub toolchain_lock: Option<&'a Path>,
    /// Licence of what is made here and no package: an SPDX expression, or nothing.
    pub licence: Option<&'a str>,
    /// Name and version of who writes the document.
    pub tool: &'a str,
}

/// A package of a lock.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: Sha256Digest,
    /// Path below an archive's root.
    pub(crate) path: String,
    pub(crate) architecture: String,
    /// The suite that it is from, if the lock says so.
    #[serde(default)]
    pub(crate) suite: Option<String>,
    /// The source that it was built from, if the lock says so.
    #[serde(default)]
    pub(crate) source: Option<String>,
    #[serde(default)]
    pub(crate) source_version: Option<String>,
}

/// As much of a lock as is needed here, in any of its versions.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Lock {
    /// What the lists ask for.
    #[serde(default)]
    pub(crate) requested: Vec<String>,
    pub(crate) packages: Vec<Locked>,
}

/// A regular file.
pub(crate) struct ImageFile {
    /// Path in the document.
    pub(crate) name: String,
    pub(crate) found: Found,
    /// Of an image as a file: what its bytes come from.
    pub(crate) from: Vec<Owner>,
    pub(crate) digests: Digests,
}

/// A disk as a file: a document of its own says what is in it.
pub(crate) struct Disk {
    /// Path in the document.
    pub(crate) name: String,
    pub(crate) owner: Owner,
    /// What its bytes come from, as far as this image's parts say it.
    pub(crate) from: Vec<Owner>,
    pub(crate) digest: Digest,
}

/// All that the document is written from.
pub(crate) struct Facts<'a> {
    pub(crate) image: &'a Image<'a>,
    pub(crate) notes: &'a Notes,
    pub(crate) bases: &'a BTreeMap<PathBuf, Base>,
    pub(crate) locks: &'a BTreeMap<PathBuf, Lock>,
    pub(crate) checksums: &'a cargo::Checksums,
    /// What the programs are built with.
    pub(crate) toolchain: Option<&'a Lock>,
    pub(crate) contents: &'a Contents,
}

/// What is in the image.
#[derive(Default)]
pub(crate) struct Contents {
    /// Sorted by name.
    pub(crate) files: Vec<ImageFile>,
    /// Sorted by name.
    pub(crate) disks: Vec<Disk>,
    /// Archives of root file systems that partitions are made of, as opposed to those that only parts of other files are from.
    pub(crate) roots: Vec<PathBuf>,
    /// Names of files without an owner.
    lost: Vec<String>,
}

impl Image<'_> {
    /// The document.
    pub fn document(&self) -> Result<Document, Error> {
        let parts = self.parts;
        let notes = Notes::read(self.notes, |path| parts.bases.contains_key(path))?;
        let paths: Vec<&PathBuf> = parts.bases.keys().collect();
        let read = parallel::map(&paths, |path| Base::open(path))?;
        let bases: BTreeMap<PathBuf, Base> = paths.into_iter().cloned().zip(read).collect();
        let mut locks = BTreeMap::new();
        for (tar, part) in &parts.bases {
            locks.insert(tar.clone(), read_lock(&part.lock)?);
        }
        let checksums = match self.cargo_lock {
            Some(path) => cargo::read_lock(path)?,
            None => cargo::Checksums::new(),
        };
        let toolchain = self.toolchain_lock.map(read_lock).transpose()?;
        let owners = Owners {
            parts,
            notes: &notes,
            bases: &bases,
        };
        let mut contents = Contents::default();
        for partition in &parts.partitions {
            contents.add_files(partition, &owners)?;
        }
        for raw in &parts.raw {
            contents.files.push(raw_file(raw)?);
        }
        if let Some(first) = contents.lost.first() {
            return Err(Error::NoOwner {
                count: contents.lost.len(),
                first: first.clone(),
            });
        }
        contents.files.sort_by(|a, b| a.name.cmp(&b.name));
        contents.disks.sort_by(|a, b| a.name.cmp(&b.name));
        writer::write(&Facts {
            image: self,
            notes: &notes,
            bases: &bases,
            locks: &locks,
            checksums: &checksums,
            toolchain: toolchain.as_ref(),
            contents: &contents,
        })
    }
}

/// How the document calls the file `path` of a partition.
fn file_name(partition: &Partition, path: &[u8]) -> String {
    format!("./{}/{}", partition.name, tree::display(path))
}

/// A file of a tree, before its digests are known.
struct Job {
    name: String,
    /// Path in the whole tree.
    path: Vec<u8>,
    plan: Plan,
    /// The tree's first input: its root file system, if it has one.
    input: Option<PathBuf>,
    late: bool,
}

impl Contents {
    /// Adds the files of a partition.
    fn add_files(&mut self, partition: &Partition, owners: &Owners<'_>) -> Result<(), Error> {
        let list = List::read(&partition.tree)?;
        let (tree, images) = Tree::open_list(&partition.tree)?;
        let mut opened = Opened::new();
        let mut jobs = Vec::new();
        for job in jobs_of(partition, &tree, &images, &list)? {
            let Some((owner, digest)) = owners.disk(partition, &job.path, job.plan.len())? else {
                jobs.push(job);
                continue;
            };
            self.disks.push(Disk {
                name: job.name,
                owner,
                from: owners.of_image(&job.plan, images.paths(), &mut opened)?,
                digest,
            });
        }
        let inputs = Inputs::open(images.paths())?;
        let digests = parallel::map_longest_first(
            &jobs,
            |job| job.plan.len(),
            |job| inputs.digests(&job.plan),
        )?;
        for (job, digests) in jobs.into_iter().zip(digests) {
            let input = job.input.as_deref();
            let found = match (job.late, input) {
                (true, _) => owners.late(partition, &job.path),
                (false, Some(rootfs)) => owners.of_rootfs(rootfs, &job.path, &digests)?,
                (false, None) => None,
            };
            let Some(found) = found else {
                self.lost.push(job.name);
                continue;
            };
            if !job.late {
                let roots = &mut self.roots;
                roots.extend(job.input.filter(|path| !roots.contains(path)));
            }
            let from = match found.owner {
                Owner::Image { .. } => owners.of_image(&job.plan, images.paths(), &mut opened)?,
                _ => Vec::new(),
            };
            self.files.push(ImageFile {
                name: job.name,
                found,
                from,
                digests,
            });
        }
        Ok(())
    }
}

fn jobs_of(
    partition: &Partition,
    tree: &Tree,
    images: &ImageSet,
    list: &List,
) -> Result<Vec<Job>, Error> {
    let subdir = Some(partition.subdir.as_bytes()).filter(|path| !path.is_empty());
    let cut = tree.cut(subdir, &partition.exclude)?;
    let folder = match subdir.map(tree::relative) {
        Some(Ok(folder)) if !folder.is_empty() => [folder.as_slice(), b"/"].concat(),
        _ => Vec::new(),
    };
    let mut jobs = Vec::new();
    for path in cut.entries().keys() {
        let Some(entry) = cut
            .inode(path)
            .filter(|entry| entry.kind.file_len().is_some())
        else {
            continue;
        };
        jobs.push(Job {
            name: file_name(partition, path),
            path: [folder.as_slice(), path].concat(),
            plan: content(entry, images)?,
            // Whatever was not put there late is of the archive that the tree was begun with.
            input: list.inputs.first().cloned(),
            late: entry.layer > 0,
        });
    }
    Ok(jobs)
}

/// A partition's content as one file.
fn raw_file(raw: &Raw) -> Result<ImageFile, Error> {
    let reader = Reader::open_any(&raw.image)?;
    let paths = match List::is_named(&raw.image) {
        true => List::open(&raw.image)?.inputs,
        false => vec![raw.image.clone()],
    };
    let label = raw.label.clone();
    Ok(ImageFile {
        name: format!("./{}", raw.name),
        digests: Inputs::open(&paths)?.digests(reader.plan())?,
        found: Found {
            owner: Owner::Whole { label },
            comment: None,
        },
        from: Vec::new(),
    })
}

fn read_lock(path: &Path) -> Result<Lock, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
    serde_json::from_str(&text).map_err(|source| Error::Bad {
        path: path.to_owned(),
        reason: format!("got no lock of packages: {source}"),
    })
}
