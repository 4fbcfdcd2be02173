//! Where everything goes.

use std::collections::BTreeMap;

use tree::{Source, Tree};

use crate::error::Error;
use crate::geometry::{Geometry, ROOT_RECORDS};
use crate::names::{self, File};
use crate::params::{FatType, Params};
use crate::records::{self, Facts, ARCHIVE, DIRECTORY, LABEL, RECORD};
use crate::short::{self, Names, Short};
use crate::table::Table;
use crate::time::Moment;

/// An entry of a directory.
#[derive(Clone, Debug)]
struct Child<'a> {
    path: &'a str,
    name: &'a str,
    names: Names,
    /// The file; nothing for a directory.
    file: Option<File<'a>>,
}

/// The directories of a tree with their entries, in byte order of their paths.
#[derive(Debug)]
struct Listing<'a> {
    label: Option<Short>,
    dirs: BTreeMap<&'a str, Vec<Child<'a>>>,
}

impl<'a> Listing<'a> {
    fn of(tree: &'a Tree, label: Option<Short>) -> Result<Self, Error> {
        let mut entries: BTreeMap<&str, Vec<names::Entry>> = BTreeMap::new();
        for entry in names::check(tree)? {
            if entry.file.is_none() {
                entries.entry(entry.path).or_default();
            }
            if !entry.path.is_empty() {
                let (dir, _) = names::split(entry.path);
                entries.entry(dir).or_default().push(entry);
            }
        }
        let dirs = entries.into_iter();
        let dirs = dirs.map(|(path, entries)| Ok((path, children(path, entries)?)));
        let dirs = dirs.collect::<Result<_, Error>>()?;
        Ok(Self { label, dirs })
    }

    /// Records of a directory: its label, or `.` and `..`, and its entries. All directories but the root of FAT12 and FAT16
    /// have at most [`records::MOST`].
    fn records(&self, path: &str, children: &[Child]) -> Result<u32, Error> {
        let own = match path {
            "" => self.label.iter().count(),
            _ => 2,
        };
        let long = children.iter();
        let long = long.map(|child| records::long_records(child.name, &child.names));
        let wants: usize = [own, children.len()].into_iter().chain(long).sum();
        let fits = u32::try_from(wants).ok();
        fits.filter(|records| *records <= records::MOST)
            .ok_or_else(|| directory_full(path, wants))
    }

    /// Clusters that a directory takes; nothing for the root of FAT12 and FAT16, which has its own place.
    fn dir_clusters(
        &self,
        geometry: &Geometry,
        path: &str,
        children: &[Child],
    ) -> Result<Option<u32>, Error> {
        let records = self.records(path, children)?;
        if path.is_empty() && geometry.kind != FatType::Fat32 {
            return match records > ROOT_RECORDS.into() {
                true => Err(Error::RootFull {
                    wants: records,
                    has: ROOT_RECORDS,
                }),
                false => Ok(None),
            };
        }
        let in_cluster = geometry.cluster_bytes() / RECORD;
        // A directory without entries still has a cluster: FAT32's root.
        Ok(Some(records.max(1).div_ceil(in_cluster)))
    }

    /// Clusters that all directories and files take.
    fn clusters(&self, geometry: &Geometry) -> Result<u64, Error> {
        let mut clusters = 0u64;
        for (path, children) in &self.dirs {
            let own = self.dir_clusters(geometry, path, children)?;
            let files = children.iter().filter_map(|child| child.file);
            let files = files.map(|file| file_clusters(geometry, file.len));
            for more in own.into_iter().chain(files) {
                let sum = clusters.checked_add(more.into());
                clusters = sum.ok_or(plan::Error::TooLong)?;
            }
        }
        Ok(clusters)
    }

    /// Bytes of clusters that a volume lacks; nothing, if it has room for all this.
    fn lacking(&self, geometry: &Geometry) -> Result<Option<u64>, Error> {
        let wanted = self.clusters(geometry)?;
        let clusters = wanted.checked_sub(geometry.clusters.into());
        let Some(clusters) = clusters.filter(|clusters| *clusters != 0) else {
            return Ok(None);
        };
        let bytes = clusters.checked_mul(geometry.cluster_bytes().into());
        Ok(Some(bytes.ok_or(plan::Error::TooLong)?))
    }

    /// Refuses a volume that cannot hold all this, and says which is the smallest larger one that could.
    fn check(&self, geometry: &Geometry, params: &Params) -> Result<(), Error> {
        let Some(lacking) = self.lacking(geometry)? else {
            return Ok(());
        };
        let (mut tried, mut lacks) = (*geometry, lacking);
        loop {
            // Those in between lack something, too: all that is divided alike has tables at least as large.
            let more = lacks >> 20;
            let Some(larger) = tried.larger(more.max(1), params.fat_type) else {
                let mib = tried.size_mib.checked_add(more);
                return Err(Error::TooLarge {
                    bits: tried.kind.bits(),
                    mib: mib.ok_or(plan::Error::TooLong)?,
                });
            };
            let Some(still) = self.lacking(&larger)? else {
                return Err(Error::DoesNotFit {
                    needs_mib: larger.size_mib,
                    has_mib: params.size_mib,
                    lacking,
                });
            };
            (tried, lacks) = (larger, still);
        }
    }
}

fn children<'a>(dir: &str, entries: Vec<names::Entry<'a>>) -> Result<Vec<Child<'a>>, Error> {
    let names: Vec<&str> = entries.iter().map(|e| names::split(e.path).1).collect();
    let assigned = short::assign(&names).ok_or_else(|| directory_full(dir, names.len()))?;
    let all = entries.into_iter().zip(names).zip(assigned);
    let child = |((entry, name), names): ((names::Entry<'a>, _), _)| Child {
        path: entry.path,
        name,
        names,
        file: entry.file,
    };
    Ok(all.map(child).collect())
}

fn directory_full(path: &str, wants: usize) -> Error {
    Error::DirectoryFull {
        path: tree::display(path.as_bytes()),
        wants,
        has: records::MOST,
    }
}

fn file_clusters(geometry: &Geometry, len: u32) -> u32 {
    len.div_ceil(geometry.cluster_bytes())
}

/// A volume's tables, directories and places of files.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) geometry: Geometry,
    pub(crate) table: Vec<u8>,
    /// Free clusters, and the first of them.
    pub(crate) free: (u32, u32),
    /// Offset in bytes and content.
    pub(crate) dirs: Vec<(u64, Vec<u8>)>,
    /// Offset in bytes and content.
    pub(crate) files: Vec<(u64, Source)>,
}

/// Places `tree`: directories first, then files, each in byte order of the paths.
pub(crate) fn place(
    tree: &Tree,
    params: &Params,
    label: Option<Short>,
    time: Moment,
) -> Result<Volume, Error> {
    let listing = Listing::of(tree, label)?;
    let geometry = Geometry::of(params.size_mib, params.fat_type)?;
    listing.check(&geometry, params)?;
    let mut table = Table::new(&geometry)?;
    let mut places = Places::default();
    for (path, children) in &listing.dirs {
        if let Some(clusters) = listing.dir_clusters(&geometry, path, children)? {
            places.add(path, table.chain(clusters)?);
        }
    }
    let mut files = Vec::new();
    for child in listing.dirs.values().flatten() {
        let Some(file) = child.file else { continue };
        let first = table.chain(file_clusters(&geometry, file.len))?;
        places.add(child.path, first);
        if let Some(first) = first {
            // FAT has no holes: between the pieces lie zeros.
            let start = geometry.cluster_offset(first);
            for (at, source) in file.kind.pieces() {
                let at = start.checked_add(at).ok_or(plan::Error::TooLong)?;
                files.push((at, source));
            }
        }
    }
    Ok(Volume {
        geometry,
        free: table.free(),
        dirs: directories(&listing, &geometry, &places, time),
        table: table.finish(),
        files,
    })
}

/// The first cluster of each entry that has one.
#[derive(Debug, Default)]
struct Places<'a>(BTreeMap<&'a str, u32>);

impl<'a> Places<'a> {
    fn add(&mut self, path: &'a str, first: Option<u32>) {
        self.0.extend(first.map(|first| (path, first)));
    }

    /// As records say it: 0 for what has none, an empty file or the root of FAT12 and FAT16.
    fn cluster(&self, path: &str) -> u32 {
        match self.0.get(path) {
            Some(first) => *first,
            None => 0,
        }
    }
}

/// The content of every directory and where it goes.
fn directories(
    listing: &Listing,
    geometry: &Geometry,
    places: &Places,
    time: Moment,
) -> Vec<(u64, Vec<u8>)> {
    let facts = |attributes, cluster, len| Facts {
        attributes,
        cluster,
        len,
        time,
    };
    let mut out = Vec::with_capacity(listing.dirs.len());
    for (path, children) in &listing.dirs {
        let own = places.cluster(path);
        let mut bytes = Vec::new();
        if !path.is_empty() {
            // The root is cluster 0 here even in FAT32.
            let above = match names::split(path) {
                ("", _) => 0,
                (parent, _) => places.cluster(parent),
            };
            records::short(&mut bytes, b".          ", facts(DIRECTORY, own, 0));
            records::short(&mut bytes, b"..         ", facts(DIRECTORY, above, 0));
        } else if let Some(label) = &listing.label {
            records::short(&mut bytes, label, facts(LABEL, 0, 0));
        }
        for child in children {
            let cluster = places.cluster(child.path);
            let facts = match child.file {
                Some(file) => facts(ARCHIVE, cluster, file.len),
                None => facts(DIRECTORY, cluster, 0),
            };
            records::entry(&mut bytes, child.name, &child.names, facts);
        }
        let offset = match own {
            0 => geometry.root_offset(),
            cluster => geometry.cluster_offset(cluster),
        };
        out.push((offset, bytes));
    }
    out
}
