//! Carrying a plan out, and reading the result.

use std::collections::BTreeSet;

use tree::Tree;

use crate::error::Error;
use crate::lookup::{base_name, parent, NULL};
use crate::name::Name;
use crate::plan::{link_entry, links, Plan};
use crate::ETC;

impl Plan {
    /// Changes `tree` as planned; new links and directories are dated `mtime`.
    pub fn apply(&self, tree: &mut Tree, mtime: i64) -> Result<(), Error> {
        for path in &self.remove {
            tree.remove(path)?;
        }
        // The deepest first.
        for path in self.remove_dirs.iter().rev() {
            tree.remove(path)?;
        }
        for (path, target) in &self.add {
            if tree.get(path).is_some() {
                tree.remove(path)?;
            }
            let link = link_entry(target.clone(), mtime);
            tree.insert(path, link, "preset")?;
        }
        Ok(())
    }
}

/// The units that /etc/systemd/system starts: those in its `.wants`, `.requires` and `.upholds` folders, and those
/// with an alias there. Templates are no units, and masks none either.
pub fn enabled(tree: &Tree) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    for (path, _) in links(tree) {
        let end = tree
            .resolve(path, true, "link of a unit")
            .unwrap_or_default();
        if end == NULL {
            continue;
        }
        let dir = base_name(parent(path));
        let suffixes: [&[u8]; 3] = [b".wants", b".requires", b".upholds"];
        let name = match parent(path) == ETC {
            true => base_name(&end),
            false if suffixes.iter().any(|suffix| dir.ends_with(suffix)) => base_name(path),
            false => continue,
        };
        let name = std::str::from_utf8(name).unwrap_or_default();
        if Name::parse(name).is_some_and(|name| !name.is_template()) {
            units.insert(name.to_owned());
        }
    }
    units
}
