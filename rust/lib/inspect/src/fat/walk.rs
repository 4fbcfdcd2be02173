//! From the root directory to every file.

use base::as_usize;
use std::collections::BTreeSet;

use super::boot::{trimmed, Kind};
use super::dir::{entries, Child};
use super::Reader;

use crate::error::{damage, damaged, Error, Fault};
use crate::listing::Listing;
use crate::model::{Attributes, Entry, File, Node, Parameter};
use crate::names::Name;
use crate::span::{mapped, Run};

/// A directory has at most 65536 entries.
const MAX_DIRECTORY: u64 = 65536 * 32;
/// Length of an entry.
const ENTRY: usize = 32;
/// So much of a directory is read at once: its end may come soon.
const PIECE: u64 = 16 << 10;

/// Lists all files.
pub(super) fn walk(reader: &mut Reader<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let root = Name(b"/".to_vec());
    let runs = root_runs(reader, MAX_DIRECTORY);
    // Where directories are, not their bytes, of which there could be more than fit into memory.
    let mut open = vec![(root, None, damaged(runs)?)];
    while let Some((path, child, runs)) = open.pop() {
        let found = match runs {
            Ok(runs) => {
                let found = damaged(directory(reader, &runs))?;
                listing.directories.push((path.clone(), runs));
                found
            }
            Err(problem) => Err(problem),
        };
        let (children, orphans, problem) = match found {
            Ok((children, orphans)) => (children, orphans, None),
            Err(problem) => (Vec::new(), false, Some(problem)),
        };
        listing.push(entry(path.clone(), child, Node::Dir, problem));
        if orphans {
            listing.problem(format!("{path}: a long name that belongs to no file"));
        }
        let mut names = BTreeSet::new();
        for child in children {
            if child.is_label {
                let label = Parameter::Name(trimmed(&child.short));
                listing.parameters.push(("label", label));
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
                let runs = damaged(reader.chain(child.cluster, MAX_DIRECTORY))?;
                open.push((place, Some(child), runs));
            } else {
                file(reader, listing, place, child)?;
            }
        }
    }
    listing.finish();
    Ok(())
}

/// Where the root directory is, or its first `max` bytes.
fn root_runs(reader: &mut Reader<'_>, max: u64) -> Result<Vec<Run>, Fault> {
    match reader.boot.kind {
        Kind::Fat32 => reader.chain(reader.boot.root_cluster, max),
        _ => Ok(vec![Run::whole(reader.boot.root)]),
    }
}

/// The label that is an entry of the root directory, among the first.
pub(super) fn label(reader: &mut Reader<'_>) -> Result<Option<Name>, Fault> {
    let runs = root_runs(reader, PIECE)?;
    let (children, _) = directory(reader, &runs)?;
    let label = children.into_iter().find(|child| child.is_label);
    Ok(label.map(|label| trimmed(&label.short)))
}

fn is_bad(name: &[u8]) -> bool {
    matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0)
}

/// The entries of a directory up to the one that ends it; whether some long name belonged to nothing.
fn directory(reader: &mut Reader<'_>, runs: &[Run]) -> Result<(Vec<Child>, bool), Fault> {
    let window = reader.cache.window();
    let mut bytes = Vec::new();
    for run in runs.iter().flat_map(|run| run.pieces(PIECE)) {
        let piece = window.bytes(run.from().start(), as_usize(run.len()))?;
        let ends = piece.chunks(ENTRY).any(|entry| entry.first() == Some(&0));
        bytes.extend(piece);
        if ends {
            break;
        }
    }
    entries(&bytes, reader.boot.kind == Kind::Fat32)
}

fn file(
    reader: &mut Reader<'_>,
    listing: &mut Listing<'_>,
    path: Name,
    child: Child,
) -> Result<(), Error> {
    let mut file = File {
        size: child.size,
        ..File::default()
    };
    let problem = match damaged(content(reader, &child))? {
        Ok(runs) => {
            file.runs = runs;
            None
        }
        Err(problem) => Some(problem),
    };
    let node = Node::File(Box::new(file));
    listing.push(entry(path, Some(child), node, problem));
    Ok(())
}

/// Where all bytes of a file are.
fn content(reader: &mut Reader<'_>, child: &Child) -> Result<Vec<Run>, Fault> {
    if child.size == 0 {
        return Ok(Vec::new());
    }
    let runs = reader.chain(child.cluster, child.size)?;
    match mapped(&runs)? {
        have if have < child.size => Err(damage!("its chain has {have} bytes")),
        _ => Ok(runs),
    }
}

fn entry(path: Name, child: Option<Child>, node: Node, damage: Option<String>) -> Entry {
    let attributes = child.map(|child| {
        Box::new(Attributes {
            mtime: child.modified,
            flags: (!child.flags.is_empty()).then_some(child.flags),
            more: vec![
                ("short-name", Name(child.short).word()),
                ("created", child.created.to_string()),
                ("cluster", child.cluster.to_string()),
            ],
            ..Attributes::default()
        })
    });
    Entry {
        path,
        node,
        attributes,
        damage,
        unread: None,
        inode: 0,
    }
}
