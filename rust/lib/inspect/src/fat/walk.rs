//! From the root directory to every file.

use std::collections::BTreeSet;

use super::boot::{trimmed, Kind};
use super::dir::{entries, Child};
use super::Reader;
use crate::bytes::{index, long};
use crate::error::{damaged, Error, Fault};
use crate::listing::Listing;
use crate::model::{Attributes, Entry, File, Node, Run};
use crate::names::Name;

/// A directory has at most 65536 entries.
const MAX_DIRECTORY: u64 = 65536 * 32;

/// Lists all files.
pub(super) fn walk(reader: &mut Reader<'_>, listing: &mut Listing) -> Result<(), Error> {
    let root = Name(b"/".to_vec());
    let bytes = match reader.boot.kind {
        Kind::Fat32 => directory(reader, reader.boot.root_cluster),
        _ => {
            let (at, len) = reader.boot.root;
            reader.cache.window().bytes(at, index(len))
        }
    };
    let mut open = vec![(root, None, bytes)];
    while let Some((path, child, bytes)) = open.pop() {
        let (bytes, problem) = match damaged(bytes)? {
            Ok(bytes) => (bytes, None),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        listing.push(entry(path.clone(), child, Node::Dir, problem));
        let (children, orphans) = entries(&bytes, reader.boot.kind == Kind::Fat32);
        if orphans {
            listing.problem(format!("{path}: a long name that belongs to no file"));
        }
        let mut names = BTreeSet::new();
        for child in children {
            if child.is_label {
                listing.parameters.push(("label", trimmed(&child.short)));
                continue;
            }
            let Some(place) = listing.join(&path, &child.name) else {
                break;
            };
            if is_bad(&child.name) {
                listing.problem(format!("{place}: the name can't be that of a file"));
            } else if !names.insert(child.name.to_ascii_lowercase()) {
                listing.problem(format!("{place}: the name is there twice"));
            } else if child.is_dir {
                let bytes = directory(reader, child.cluster);
                open.push((place, Some(child), bytes));
            } else {
                file(reader, listing, place, child)?;
            }
        }
    }
    listing.finish();
    Ok(())
}

fn is_bad(name: &[u8]) -> bool {
    matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0)
}

/// The bytes of the directory that begins with `cluster`.
fn directory(reader: &mut Reader<'_>, cluster: u64) -> Result<Vec<u8>, Fault> {
    let runs = reader.chain(cluster, MAX_DIRECTORY)?;
    let mut bytes = Vec::new();
    for Run { len, from, .. } in runs {
        bytes.extend(reader.cache.window().bytes(from, index(len))?);
    }
    Ok(bytes)
}

fn file(
    reader: &mut Reader<'_>,
    listing: &mut Listing,
    path: Name,
    child: Child,
) -> Result<(), Error> {
    let mut file = File {
        size: child.size,
        ..File::default()
    };
    let runs = damaged(match child.size {
        0 => Ok(Vec::new()),
        size => reader.chain(child.cluster, size),
    })?;
    let problem = match runs {
        Ok(runs) => {
            let have: u64 = runs.iter().fold(0, |sum, run| run.len.saturating_add(sum));
            file.runs = runs;
            (have < child.size).then(|| format!("its chain has {have} bytes"))
        }
        Err(problem) => Some(problem),
    };
    if problem.is_some() {
        file.runs = Vec::new();
    }
    let node = Node::File(Box::new(file));
    listing.push(entry(path, Some(child), node, problem));
    Ok(())
}

fn entry(path: Name, child: Option<Child>, node: Node, damage: Option<String>) -> Entry {
    let attributes = child.map(|child| Attributes {
        mtime: child.modified,
        flags: (!child.flags.is_empty()).then_some(child.flags),
        more: vec![
            ("short-name", Name(child.short).word()),
            ("created", child.created.to_string()),
            ("cluster", long(index(child.cluster)).to_string()),
        ],
        ..Attributes::default()
    });
    Entry {
        path,
        node,
        attributes,
        damage,
        inode: 0,
    }
}
