//! Whether anything starts a unit: a link, another unit, a socket, timer or path of its name, D-Bus or udev.

use std::collections::BTreeSet;

use tree::{Kind, Source, Tree};

use crate::apply::enabled;
use crate::error::Error;
use crate::lookup::{base_name, parent, Found, Search};
use crate::name::Name;
use crate::syntax::{self, Content};

/// Types of units that do something by themselves once they are started.
const ACTIVE: [&str; 4] = ["path", "service", "socket", "timer"];
/// Keys of other units that name what they start.
const STARTERS: [&str; 10] = [
    "BindsTo",
    "OnFailure",
    "OnSuccess",
    "Requires",
    "Requisite",
    "Service",
    "Sockets",
    "Unit",
    "Upholds",
    "Wants",
];
/// Folders of files in which the name of a unit that they start stands somewhere.
const MENTIONS: [&[u8]; 4] = [
    b"etc/udev/rules.d",
    b"usr/lib/udev/rules.d",
    b"usr/share/dbus-1/system-services",
    b"usr/share/dbus-1/services",
];

pub(super) struct Started<'a> {
    tree: &'a Tree,
    search: &'a Search,
    /// Names of links in `.wants` and the like, and of enabled units.
    linked: BTreeSet<String>,
    /// Names that other units start, once they were needed.
    named: Option<BTreeSet<String>>,
    /// The texts of MENTIONS, likewise.
    mentions: Option<String>,
}

impl<'a> Started<'a> {
    pub(super) fn new(tree: &'a Tree, search: &'a Search) -> Self {
        let mut linked = enabled(tree);
        for path in tree.entries().keys() {
            let dir = parent(path);
            let suffixes: [&[u8]; 3] = [b".wants", b".requires", b".upholds"];
            if suffixes.iter().any(|suffix| dir.ends_with(suffix)) {
                linked.extend(std::str::from_utf8(base_name(path)).map(str::to_owned));
            }
        }
        Self {
            tree,
            search,
            linked,
            named: None,
            mentions: None,
        }
    }

    /// Whether anything starts `unit`, or an instance of it; of types that need no start, always.
    pub(super) fn starts<R>(&mut self, unit: &str, read: &mut R) -> Result<bool, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let Some(name) = Name::parse(unit).filter(|name| ACTIVE.contains(&name.kind)) else {
            return Ok(true);
        };
        if has(&self.linked, unit) {
            return Ok(true);
        }
        for kind in ["socket", "timer", "path"]
            .iter()
            .filter(|kind| **kind != name.kind)
        {
            let at = if name.instance.is_some() { "@" } else { "" };
            for starter in [
                format!("{}.{kind}", name.prefix),
                format!("{}{at}.{kind}", name.prefix),
            ] {
                if matches!(self.search.find(self.tree, &starter)?, Found::Unit(_)) {
                    return Ok(true);
                }
            }
        }
        if self.named.is_none() {
            self.named = Some(self.read_units(read)?);
        }
        if self.named.as_ref().is_some_and(|named| has(named, unit)) {
            return Ok(true);
        }
        if self.mentions.is_none() {
            self.mentions = Some(self.read_mentions(read)?);
        }
        Ok(self
            .mentions
            .as_ref()
            .is_some_and(|text| text.contains(unit)))
    }

    /// What the units of the load path start.
    fn read_units<R>(&self, read: &mut R) -> Result<BTreeSet<String>, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let mut named = BTreeSet::new();
        for (path, entry) in self.tree.entries() {
            let Kind::File(source) = entry.kind else {
                continue;
            };
            if source.len == 0 || self.search.file_of(path).is_none() {
                continue;
            }
            let text = read(source)?;
            // A file that systemd refuses starts nothing, nor does a value with an open quote.
            let lines = syntax::lines(&String::from_utf8_lossy(&text));
            for line in lines.into_iter().flatten() {
                if let Content::Assignment(key, value) = line.content {
                    if STARTERS.contains(&key.as_str()) {
                        named.extend(syntax::words(&value).into_iter().flatten());
                    }
                }
            }
        }
        Ok(named)
    }

    fn read_mentions<R>(&self, read: &mut R) -> Result<String, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let mut all = String::new();
        for dir in MENTIONS {
            let real = self
                .tree
                .resolve(dir, true, "folder of what starts units")?;
            let files = self
                .tree
                .children(&real)
                .filter_map(|(_, entry)| match entry.kind {
                    Kind::File(source) => Some(source),
                    _ => None,
                });
            for source in files.collect::<Vec<_>>() {
                all.push_str(&String::from_utf8_lossy(&read(source)?));
                all.push('\n');
            }
        }
        Ok(all)
    }
}

/// Whether `unit` or an instance of it is in `names`.
fn has(names: &BTreeSet<String>, unit: &str) -> bool {
    let instance = |name: &String| {
        let template = Name::parse(name).and_then(|name| name.template());
        template.as_deref() == Some(unit)
    };
    names.contains(unit) || names.iter().any(instance)
}
