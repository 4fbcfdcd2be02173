//! From the root to every file.

use std::collections::BTreeSet;

use super::inode::{Inode, Type};
use super::{dir, Reader};
use crate::error::{damaged, Error, Fault};
use crate::listing::Listing;
use crate::model::{Entry, File, Node};
use crate::names::Name;

const ROOT: u32 = 2;
/// Longer texts can't be links.
const MAX_TARGET: u64 = 4095;

/// Lists all files that can be reached.
pub(super) fn walk(reader: &mut Reader<'_>, listing: &mut Listing) -> Result<(), Error> {
    let root = Name(b"/".to_vec());
    let inode = match damaged(reader.inode(ROOT))? {
        Ok(inode) => inode,
        Err(problem) => {
            listing.problem(format!("/: {problem}"));
            return Ok(());
        }
    };
    if inode.kind != Type::Dir {
        listing.problem("/: inode 2 is no directory".to_owned());
        return Ok(());
    }
    let mut entered = BTreeSet::from([ROOT]);
    let mut open = vec![(root.clone(), inode)];
    while let Some((path, inode)) = open.pop() {
        let children = damaged(reader.children(&inode))?;
        let (children, problem) = match children {
            Ok(found) => (found.children, found.problem),
            Err(problem) => (Vec::new(), Some(problem)),
        };
        let entry = entry(reader, path.clone(), &inode, Node::Dir, problem)?;
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
                Ok(inode) if entered.insert(child.inode) => open.push((place, inode)),
                Ok(_) => listing.problem(format!("{place}: a directory that is elsewhere, too")),
            }
        }
    }
    listing.finish();
    Ok(())
}

/// Lists anything but a directory.
fn file(
    reader: &mut Reader<'_>,
    listing: &mut Listing,
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
        attributes: Some(inode.attributes(xattrs)),
        damage: (!problems.is_empty()).then(|| problems.join("; ")),
        inode: inode.number.into(),
    })
}
