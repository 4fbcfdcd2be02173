//! Where everything goes.

use std::collections::BTreeMap;

use tree::{Kind, Source, Tree};

use crate::error::Error;
use crate::geometry::{Geometry, FIRST_CLUSTER, ROOT_RECORDS};
use crate::params::{FatType, Params};
use crate::records::{self, Facts, ARCHIVE, DIRECTORY, LABEL, RECORD};
use crate::short::{self, Names};
use crate::table::Table;
use crate::time::Moment;

/// An entry of a directory.
#[derive(Clone, Debug)]
struct Child<'a> {
    path: &'a [u8],
    name: &'a str,
    names: Names,
    /// The file; nothing for a directory.
    file: Option<&'a Kind>,
}

impl Child<'_> {
    /// The file's length; nothing for a directory.
    fn len(&self) -> Option<u64> {
        self.file.and_then(Kind::file_len)
    }
}

/// The directories of a tree with their entries, in byte order of their paths.
#[derive(Debug)]
pub(crate) struct Listing<'a>(BTreeMap<&'a [u8], Vec<Child<'a>>>);

impl<'a> Listing<'a> {
    /// Lists `tree`, which [`crate::names::check`] has seen.
    pub(crate) fn of(tree: &'a Tree) -> Self {
        let mut dirs: BTreeMap<&[u8], Vec<Child>> = BTreeMap::new();
        for path in tree.entries().keys() {
            let kind = tree.inode(path).map(|entry| &entry.kind);
            let file = match kind.filter(|kind| kind.file_len().is_some()) {
                Some(file) => Some(file),
                None => {
                    dirs.entry(path).or_default();
                    None
                }
            };
            let text = std::str::from_utf8(path).unwrap_or_default();
            let (dir, name) = text.rsplit_once('/').unwrap_or(("", text));
            if !name.is_empty() {
                let names = Names {
                    short: [0; 11],
                    long: false,
                };
                dirs.entry(dir.as_bytes()).or_default().push(Child {
                    path,
                    name,
                    names,
                    file,
                });
            }
        }
        for children in dirs.values_mut() {
            let names: Vec<&str> = children.iter().map(|child| child.name).collect();
            for (child, names) in children.iter_mut().zip(short::assign(&names)) {
                child.names = names;
            }
        }
        Self(dirs)
    }

    /// Records of the directory `path`: its label, or `.` and `..`, and its entries.
    fn records(path: &[u8], children: &[Child], label: bool) -> u64 {
        let own = if path.is_empty() { u64::from(label) } else { 2 };
        let entries = children.iter();
        let entries = entries.map(|c| records::count(c.name, c.names.long));
        entries.fold(own, u64::saturating_add)
    }

    /// Clusters that all directories and files take.
    fn clusters(&self, geometry: &Geometry, label: bool) -> Result<u64, Error> {
        let mut clusters = 0u64;
        for (path, children) in &self.0 {
            let records = Self::records(path, children, label);
            if path.is_empty() && geometry.kind != FatType::Fat32 {
                if records > ROOT_RECORDS {
                    return Err(Error::RootFull {
                        wants: records,
                        has: ROOT_RECORDS,
                    });
                }
            } else {
                clusters = clusters.saturating_add(dir_clusters(geometry, records));
            }
            for len in children.iter().filter_map(Child::len) {
                clusters = clusters.saturating_add(file_clusters(geometry, len));
            }
        }
        Ok(clusters)
    }

    /// Refuses a volume that cannot hold all this, and says which one could.
    fn check(&self, geometry: &Geometry, params: &Params) -> Result<(), Error> {
        let label = !params.label.is_empty();
        let mut wanted = self.clusters(geometry, label)?;
        let lacking = wanted.saturating_sub(geometry.clusters);
        if lacking == 0 {
            return Ok(());
        }
        let bytes = lacking.saturating_mul(geometry.cluster_bytes());
        let mut needs_mib = params.size_mib.saturating_add(bytes >> 20);
        let mut cluster = geometry.cluster;
        // The tables grow with the volume, by less than 1 % of it: a few steps are enough.
        for _ in 0..(needs_mib / 64).saturating_add(64) {
            needs_mib = needs_mib.saturating_add(1);
            let Ok(larger) = Geometry::of(needs_mib, params.fat_type) else {
                continue;
            };
            if larger.cluster != cluster {
                cluster = larger.cluster;
                wanted = self.clusters(&larger, label)?;
            }
            if wanted <= larger.clusters {
                break;
            }
        }
        Err(Error::DoesNotFit {
            needs_mib,
            has_mib: params.size_mib,
            lacking: bytes,
        })
    }
}

fn dir_clusters(geometry: &Geometry, records: u64) -> u64 {
    // A directory without entries still has a cluster: FAT32's root.
    let bytes = records.saturating_mul(RECORD).max(1);
    bytes.div_ceil(geometry.cluster_bytes())
}

fn file_clusters(geometry: &Geometry, len: u64) -> u64 {
    len.div_ceil(geometry.cluster_bytes())
}

/// A volume's tables, directories and places of files.
#[derive(Debug)]
pub(crate) struct Volume {
    pub(crate) geometry: Geometry,
    pub(crate) table: Vec<u8>,
    /// Free clusters, and the first of them.
    pub(crate) info: (u32, u32),
    /// Offset in bytes and content.
    pub(crate) dirs: Vec<(u64, Vec<u8>)>,
    /// Offset in bytes and content.
    pub(crate) files: Vec<(u64, Source)>,
}

/// Places `tree`: directories first, then files, each in byte order of the paths.
pub(crate) fn place(
    tree: &Tree,
    params: &Params,
    label: Option<[u8; 11]>,
    time: Moment,
) -> Result<Volume, Error> {
    let geometry = Geometry::of(params.size_mib, params.fat_type)?;
    let listing = Listing::of(tree);
    listing.check(&geometry, params)?;
    let mut table = Table::new(geometry.kind);
    let mut places: BTreeMap<&[u8], u32> = BTreeMap::new();
    let mut take = |path, clusters: u64| {
        let first = if clusters == 0 { 0 } else { table.next() };
        // The check above keeps the count within the table.
        table.chain(u32::try_from(clusters).unwrap_or(u32::MAX));
        places.insert(path, first);
        first
    };
    for (path, children) in &listing.0 {
        if path.is_empty() && geometry.kind != FatType::Fat32 {
            continue;
        }
        let records = Listing::records(path, children, label.is_some());
        take(path, dir_clusters(&geometry, records));
    }
    let mut files = Vec::new();
    for child in listing.0.values().flatten() {
        if let (Some(file), Some(len)) = (child.file, child.len()) {
            let first = take(child.path, file_clusters(&geometry, len));
            // FAT has no holes: between the pieces lie zeros.
            let start = geometry.cluster_offset(first);
            let pieces = file.pieces().filter(|_| first != 0);
            files.extend(pieces.map(|(at, source)| (start.saturating_add(at), source)));
        }
    }
    let next = table.next();
    let used = u64::from(next.saturating_sub(FIRST_CLUSTER));
    let free = geometry.clusters.saturating_sub(used);
    let info = (u32::try_from(free).unwrap_or(u32::MAX), next);
    let dirs = directories(&listing, &geometry, &places, label, time);
    let table = table.finish();
    Ok(Volume {
        geometry,
        table,
        info,
        dirs,
        files,
    })
}

/// The content of every directory and where it goes.
fn directories(
    listing: &Listing,
    geometry: &Geometry,
    places: &BTreeMap<&[u8], u32>,
    label: Option<[u8; 11]>,
    time: Moment,
) -> Vec<(u64, Vec<u8>)> {
    let facts = |attributes, cluster, len| Facts {
        attributes,
        cluster,
        len,
        time,
    };
    let place = |path: &[u8]| places.get(path).copied().unwrap_or(0);
    let mut out = Vec::with_capacity(listing.0.len());
    for (path, children) in &listing.0 {
        let mut bytes = Vec::new();
        if !path.is_empty() {
            let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
            // The root is cluster 0 here even in FAT32.
            let above = match path.get(..end) {
                Some(parent) if !parent.is_empty() => place(parent),
                _ => 0,
            };
            let dots = [(b".          ", place(path)), (b"..         ", above)];
            for (name, cluster) in dots {
                let record = records::short(name, facts(DIRECTORY, cluster, 0));
                bytes.extend_from_slice(record.bytes());
            }
        } else if let Some(label) = label {
            bytes.extend_from_slice(records::short(&label, facts(LABEL, 0, 0)).bytes());
        }
        for child in children {
            let facts = match child.len() {
                // Files of 4 GiB and more were refused.
                Some(len) => {
                    let len = u32::try_from(len).unwrap_or(u32::MAX);
                    facts(ARCHIVE, place(child.path), len)
                }
                None => facts(DIRECTORY, place(child.path), 0),
            };
            records::entry(&mut bytes, child.name, &child.names, facts);
        }
        let offset = match place(path) {
            0 => geometry.root_offset(),
            cluster => geometry.cluster_offset(cluster),
        };
        out.push((offset, bytes));
    }
    out
}
