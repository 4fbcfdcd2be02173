//! In which order packages are installed, and whether they can be.
//!
//! Essential packages come first, then the others, both by name; before each of them come the packages that it needs: those of
//! `Pre-Depends`, then those of `Depends`, in the order of these fields. Of a circle of packages that need each other the one that was
//! asked for first comes last. Nothing else decides: no archive's order, and no order of files.

use std::collections::BTreeSet;

use super::package::{Package, Relations};
use super::relation::Relation;
use crate::error::Error;

/// The program without which nothing is configured.
pub(super) const DPKG: &[u8] = b"usr/bin/dpkg";

/// Sorts packages; refuses a set in which one is missing, or two of which exclude each other.
pub(super) fn sort(mut packages: Vec<Package<'_>>) -> Result<Vec<Package<'_>>, Error> {
    packages.sort_by(|a, b| (!a.essential, a.name).cmp(&(!b.essential, b.name)));
    for package in &packages {
        check(package, &packages)?;
    }
    let mut sorter = Sorter {
        packages: &packages,
        seen: vec![false; packages.len()],
        order: Vec::new(),
    };
    for index in 0..packages.len() {
        sorter.visit(index);
    }
    let order = sorter.order;
    let mut slots: Vec<Option<Package<'_>>> = packages.into_iter().map(Some).collect();
    let taken = order
        .iter()
        .filter_map(|index| slots.get_mut(*index)?.take());
    Ok(taken.collect())
}

/// The sorted packages in two: those that come first, which are the essential ones, dpkg, and what they need, and all others. Before all of
/// the first are there no script can run.
pub(super) fn split<'p, 'a>(packages: &'p [Package<'a>]) -> (&'p [Package<'a>], &'p [Package<'a>]) {
    let is_first = |p: &Package<'_>| p.essential || p.has_file(DPKG);
    let rest = packages.rsplit(is_first).next().unwrap_or(packages);
    packages.split_at(packages.len().abs_diff(rest.len()))
}

/// Which of the sorted packages have to be configured before this one is unpacked, in their order: those that it asks for (`Pre-Depends`),
/// and what they need.
pub(super) fn before_unpacking(packages: &[Package<'_>], package: &Package<'_>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<&Relations> = vec![&package.pre_depends];
    while let Some(field) = todo.pop() {
        for index in field.iter().filter_map(|item| provider(item, packages)) {
            if found.insert(index) {
                let needed = packages.get(index);
                todo.extend(needed.iter().flat_map(|p| [&p.pre_depends, &p.depends]));
            }
        }
    }
    found
}

/// Whether all that a package needs is there, and nothing that it excludes.
fn check(package: &Package<'_>, all: &[Package<'_>]) -> Result<(), Error> {
    for (field, needed) in [
        ("Pre-Depends", &package.pre_depends),
        ("Depends", &package.depends),
    ] {
        for alternatives in needed {
            if provider(alternatives, all).is_none() {
                let texts: Vec<&str> = alternatives.iter().map(|r| r.text.as_str()).collect();
                return Err(Error::Unmet {
                    package: package.name.to_owned(),
                    field,
                    wanted: texts.join(" | "),
                });
            }
        }
    }
    for (field, excluded) in [
        ("Conflicts", &package.conflicts),
        ("Breaks", &package.breaks),
    ] {
        for relation in excluded.iter().flatten() {
            let other = all
                .iter()
                .find(|other| other.name != package.name && other.is(relation));
            if let Some(other) = other {
                return Err(Error::Excluded {
                    package: package.name.to_owned(),
                    field,
                    relation: relation.text.clone(),
                    other: format!("{} {}", other.name, other.version),
                });
            }
        }
    }
    Ok(())
}

/// The package that fulfils one of the alternatives: the first that is there, a package of that name before one that provides it.
fn provider(alternatives: &[Relation], all: &[Package<'_>]) -> Option<usize> {
    alternatives.iter().find_map(|relation| {
        let named = |p: &Package<'_>| p.name == relation.name && relation.takes(p.version);
        all.iter()
            .position(named)
            .or_else(|| all.iter().position(|p| p.is(relation)))
    })
}

struct Sorter<'a> {
    packages: &'a [Package<'a>],
    /// Which have been asked for.
    seen: Vec<bool>,
    order: Vec<usize>,
}

impl<'a> Sorter<'a> {
    /// Puts a package behind those it needs. With a stack of its own: a chain of packages is as long as a lock.
    fn visit(&mut self, index: usize) {
        let mut stack = Vec::new();
        self.begin(index, &mut stack);
        while let Some((index, needed)) = stack.last_mut() {
            let index = *index;
            match needed.next() {
                Some(next) => self.begin(next, &mut stack),
                None => {
                    self.order.push(index);
                    stack.pop();
                }
            }
        }
    }

    fn begin(&mut self, index: usize, stack: &mut Vec<(usize, std::vec::IntoIter<usize>)>) {
        let (Some(package), Some(seen)) = (self.packages.get(index), self.seen.get_mut(index))
        else {
            return;
        };
        if !*seen {
            *seen = true;
            let needed = |field: &'a Relations| {
                let all = self.packages;
                field.iter().filter_map(|item| provider(item, all))
            };
            let both = needed(&package.pre_depends).chain(needed(&package.depends));
            stack.push((index, both.collect::<Vec<_>>().into_iter()));
        }
    }
}
