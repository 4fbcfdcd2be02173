//! Carrying a plan out, and reading the result.

use std::collections::BTreeSet;

use tree::Tree;

use crate::error::Error;
use crate::lookup::{base_name, parent, text_name, NULL};
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
        // A link in circles has no end, and is called what it is called.
        let end = tree.resolve(path, true, "link of a unit").ok();
        if end.as_deref() == Some(NULL) {
            continue;
        }
        let dir = base_name(parent(path));
        let suffixes: [&[u8]; 3] = [b".wants", b".requires", b".upholds"];
        let name = match parent(path) == ETC {
            true => end.as_deref().and_then(text_name),
            false if suffixes.iter().any(|suffix| dir.ends_with(suffix)) => text_name(path),
            false => continue,
        };
        if let Some(name) = name.filter(|n| Name::parse(n).is_some_and(|n| !n.is_template())) {
            units.insert(name.to_owned());
        }
    }
    units
}
