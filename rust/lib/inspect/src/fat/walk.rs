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
/// Length of an entry.
const ENTRY: usize = 32;
/// So much of a directory is read at once: its end may come soon.
const PIECE: u64 = 16 << 10;

/// Lists all files.
pub(super) fn walk(reader: &mut Reader<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let root = Name(b"/".to_vec());
    let runs = match reader.boot.kind {
        Kind::Fat32 => reader.chain(reader.boot.root_cluster, MAX_DIRECTORY),
        _ => {
            let (from, len) = reader.boot.root;
            Ok(vec![Run { at: 0, len, from }])
        }
    };
    // Where directories are, not their bytes, of which there could be more than fit into memory.
    let mut open = vec![(root, None, damaged(runs)?)];
    while let Some((path, child, runs)) = open.pop() {
        let bytes = match runs {
            Ok(runs) => damaged(directory(reader, &runs))?,
            Err(problem) => Err(problem),
        };
        let (bytes, problem) = match bytes {
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

fn is_bad(name: &[u8]) -> bool {
    matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0)
}

/// The bytes of a directory up to the entry that ends it.
fn directory(reader: &mut Reader<'_>, runs: &[Run]) -> Result<Vec<u8>, Fault> {
    let window = reader.cache.window();
    let mut bytes = Vec::new();
    for run in runs {
        let mut done = 0;
        while done < run.len {
            let len = PIECE.min(run.len.saturating_sub(done));
            let piece = window.bytes(run.from.saturating_add(done), index(len))?;
            let ends = piece.chunks(ENTRY).any(|entry| entry.first() == Some(&0));
            bytes.extend(piece);
            if ends {
                return Ok(bytes);
            }
            done = done.saturating_add(len);
        }
    }
    Ok(bytes)
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
    let attributes = child.map(|child| {
        Box::new(Attributes {
            mtime: child.modified,
            flags: (!child.flags.is_empty()).then_some(child.flags),
            more: vec![
                ("short-name", Name(child.short).word()),
                ("created", child.created.to_string()),
                ("cluster", long(index(child.cluster)).to_string()),
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
