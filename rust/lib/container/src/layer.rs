//! A layer: what a tree has beyond the archive that lies under it, as the plan of a tar.
//!
//! Spec: OCI Image Format 1.1, `layer.md`. What is new or other than below is a member, with the folders that lead to it; what is no more is an
//! empty file `.wh.NAME` beside where it was. Names of one file stay so: if one of them is in the layer, all are.

use std::collections::{BTreeMap, BTreeSet};

use archive::{head, Alignment, END};
use plan::{Builder, ImageSet, Plan};
use tree::{Entry, Kind, Tree};

use crate::error::Error;

/// What marks a name of the layer below that is no more.
const WHITEOUT: &[u8] = b".wh.";
/// What everything in a tar is a multiple of.
const BLOCK: u64 = 512;

/// The layer that makes `tree` of what lies `below`, or of nothing; `bodies` are the images that the tree's inputs stand for. The archive
/// below is input 0 of both trees.
///
/// The same trees give the same plan, which holds the headers. No file's content is read. Data begins at multiples of 4096 bytes.
pub fn layer(tree: &Tree, bodies: &ImageSet, below: Option<&Tree>) -> Result<Plan, Error> {
    let nothing = Tree::new(tree::Stamp {
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    });
    let below = below.unwrap_or(&nothing);
    let mut builder = Builder::new(bodies.inputs());
    for (path, entry) in members(tree, below)? {
        let member = member(path, entry);
        builder.inline(&head(&member, builder.position(), Alignment::Page)?)?;
        let Some((len, entry)) = entry.and_then(|entry| Some((entry.kind.file_len()?, entry)))
        else {
            continue;
        };
        let start = builder.position();
        let place = |at: u64| start.checked_add(at).ok_or(plan::Error::TooLong);
        for (at, source) in entry.kind.pieces() {
            builder.zero_to(place(at)?)?;
            builder.range(bodies.plan(source.input)?, source.offset, source.len)?;
        }
        builder.zero_to(place(len)?)?;
        builder.zero(len.wrapping_neg() % BLOCK)?;
    }
    builder.inline(&END)?;
    Ok(builder.finish()?)
}

/// The layer's members by path; no entry: a mark that there is nothing.
fn members<'a>(
    tree: &'a Tree,
    below: &Tree,
) -> Result<BTreeMap<Vec<u8>, Option<&'a Entry>>, Error> {
    let mut members = BTreeMap::new();
    let mut files = BTreeSet::new();
    for (path, entry) in tree.entries() {
        if name(path).starts_with(WHITEOUT) {
            let path = tree::display(path);
            return Err(Error::Whiteout { path });
        }
        if !below.get(path).is_some_and(|old| same(old, entry)) {
            members.insert(path.clone(), Some(entry));
            files.insert(file(path, entry));
        }
    }
    // The other names of the files that are in the layer.
    for (path, entry) in tree.entries() {
        if entry.kind != Kind::Dir && files.contains(file(path, entry)) {
            members.insert(path.clone(), Some(entry));
        }
    }
    for path in below.entries().keys() {
        let folder = parent(path);
        let is_folder = |at| tree.get(at).is_some_and(|entry| entry.kind == Kind::Dir);
        if tree.get(path).is_none() && is_folder(folder) {
            let mut mark = folder.to_vec();
            if !folder.is_empty() {
                mark.push(b'/');
            }
            mark.extend([WHITEOUT, name(path)].concat());
            members.insert(mark, None);
        }
    }
    let paths: Vec<Vec<u8>> = members.keys().cloned().collect();
    for path in &paths {
        let mut at = path.as_slice();
        while !at.is_empty() {
            at = parent(at);
            members.insert(at.to_vec(), tree.get(at));
        }
    }
    Ok(members)
}

/// Whether two entries are the same, wherever a writer would place them. Of a hard link its target counts alone.
fn same(a: &Entry, b: &Entry) -> bool {
    let is_link = matches!(a.kind, Kind::HardLink { .. });
    a.kind == b.kind && (is_link || (&a.stamp, &a.xattrs) == (&b.stamp, &b.xattrs))
}

/// The path that stands for the file at `path`: its first name.
fn file<'a>(path: &'a [u8], entry: &'a Entry) -> &'a [u8] {
    match &entry.kind {
        Kind::HardLink { target } => target,
        _ => path,
    }
}

fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
    path.get(..end).unwrap_or(path)
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

/// An entry as an archive has it.
fn member(path: Vec<u8>, entry: Option<&Entry>) -> archive::Entry {
    let file = |len| archive::Kind::File { offset: 0, len };
    let Some(entry) = entry else {
        return archive::Entry::new(path, file(0), 0);
    };
    let kind = match &entry.kind {
        // Holes are zeros here: not every program that unpacks layers knows of holes.
        Kind::File(data) => file(data.len),
        Kind::Sparse(data) => file(data.len),
        Kind::Dir => archive::Kind::Dir,
        Kind::Symlink { target } => archive::Kind::Symlink {
            target: target.clone(),
        },
        Kind::HardLink { target } => archive::Kind::HardLink {
            target: target.clone(),
        },
        Kind::Char { major, minor } => archive::Kind::Char {
            major: *major,
            minor: *minor,
        },
        Kind::Block { major, minor } => archive::Kind::Block {
            major: *major,
            minor: *minor,
        },
        Kind::Fifo => archive::Kind::Fifo,
    };
    let stamp = &entry.stamp;
    archive::Entry {
        path,
        kind,
        mode: stamp.mode,
        uid: stamp.uid,
        gid: stamp.gid,
        mtime: stamp.mtime,
        mtime_nanos: stamp.mtime_nanos,
        xattrs: entry.xattrs.clone(),
    }
}
