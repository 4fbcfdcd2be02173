//! From the root to every file.

use std::collections::BTreeSet;

use super::dir::{self, Children};
use super::inode::{Inode, Type};
use super::Reader;
use crate::error::{damaged, Error, Fault};
use crate::listing::Listing;
use crate::model::{Entry, File, Node};
use crate::names::Name;

const ROOT: u32 = 2;
/// Longer texts can't be links.
const MAX_TARGET: u64 = 4095;

/// Lists all files that can be reached.
pub(super) fn walk(reader: &mut Reader<'_>, listing: &mut Listing<'_>) -> Result<(), Error> {
    let mut entered = BTreeSet::from([ROOT]);
    // Numbers, not inodes: there can be many, and they can be long.
    let mut open = vec![(Name(b"/".to_vec()), ROOT)];
    while let Some((path, number)) = open.pop() {
        match damaged(reader.inode(number))? {
            Ok(inode) if inode.kind == Type::Dir => {
                directory(reader, listing, path, &inode, &mut entered, &mut open)?;
            }
            Ok(_) => listing.problem(format!("{path}: inode {number} is no directory")),
            Err(problem) => listing.problem(format!("{path}: {problem}")),
        }
    }
    listing.finish();
    Ok(())
}

/// Lists a directory and the files in it; those in it that are directories come to `open`.
fn directory(
    reader: &mut Reader<'_>,
    listing: &mut Listing<'_>,
    path: Name,
    inode: &Inode,
    entered: &mut BTreeSet<u32>,
    open: &mut Vec<(Name, u32)>,
) -> Result<(), Error> {
    let unread = inode
        .is_encrypted()
        .then(|| "the names in it are encrypted: a mount with its key shows them".to_owned());
    let children = match unread {
        Some(_) => reader.runs(inode).map(|_| Children::default()),
        None => reader.children(inode),
    };
    let (children, problem) = match damaged(children)? {
        Ok(found) => (found.children, found.problem),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let mut entry = entry(reader, path.clone(), inode, Node::Dir, problem)?;
    entry.unread = unread;
    listing.push(entry);
    let mut names = BTreeSet::new();
    for child in children {
        let bad = dir::bad_name(&child.name).map(Err);
        let found = bad.unwrap_or_else(|| reader.inode(child.inode));
        let Some(place) = listing.join(&path, &child.name) else {
            break;
        };
        if !names.insert(child.name) {
            listing.problem(format!("{place}: the name is there twice"));
            continue;
        }
        match damaged(found)? {
            Err(problem) => listing.problem(format!("{place}: {problem}")),
            Ok(inode) if inode.kind != Type::Dir => file(reader, listing, place, &inode)?,
            Ok(_) if entered.insert(child.inode) => open.push((place, child.inode)),
            Ok(_) => listing.problem(format!("{place}: a directory that is elsewhere, too")),
        }
    }
    Ok(())
}

/// Lists anything but a directory.
fn file(
    reader: &mut Reader<'_>,
    listing: &mut Listing<'_>,
    path: Name,
    inode: &Inode,
) -> Result<(), Error> {
    if listing.is_link(&path, inode.number.into()) {
        return Ok(());
    }
    let rdev = inode.rdev();
    let (node, problem) = match inode.kind {
        Type::File => {
            let runs = damaged(reader.runs(inode))?;
            let (runs, problem) = match runs {
                Ok(runs) => (runs, None),
                Err(problem) => (Vec::new(), Some(problem)),
            };
            let file = File {
                size: inode.size,
                runs,
                ..File::default()
            };
            (Node::File(Box::new(file)), problem)
        }
        Type::Symlink => {
            let (target, problem) = match damaged(target(reader, inode))? {
                Ok(target) => (target, None),
                Err(problem) => (Vec::new(), Some(problem)),
            };
            let target = Name(target);
            (Node::Symlink { target }, problem)
        }
        Type::Char => (Node::Char { rdev }, None),
        Type::Block => (Node::Block { rdev }, None),
        Type::Fifo => (Node::Fifo, None),
        // The walk has directories itself.
        Type::Socket | Type::Dir => (Node::Socket, None),
    };
    let entry = entry(reader, path, inode, node, problem)?;
    listing.push(entry);
    Ok(())
}

fn target(reader: &mut Reader<'_>, inode: &Inode) -> Result<Vec<u8>, Fault> {
    if let Some(target) = inode.inner_target() {
        return Ok(target.to_vec());
    }
    let runs = reader.runs(inode)?;
    reader.content(inode.size, &runs, MAX_TARGET)
}

fn entry(
    reader: &mut Reader<'_>,
    path: Name,
    inode: &Inode,
    node: Node,
    problem: Option<String>,
) -> Result<Entry, Error> {
    let (xattrs, bad_xattrs) = reader.xattrs(inode)?;
    let problems = [problem, inode.problem.clone(), bad_xattrs];
    let problems: Vec<String> = problems.into_iter().flatten().collect();
    Ok(Entry {
        path,
        node,
        attributes: Some(Box::new(inode.attributes(xattrs))),
        damage: (!problems.is_empty()).then(|| problems.join("; ")),
        unread: None,
        inode: inode.number.into(),
    })
}
