//! What differs between two locks.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::lock::{Lock, Package};
use crate::version::compare_versions;

/// What differs between two locks, each list sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// New packages.
    pub added: Vec<Package>,
    /// Packages gone.
    pub removed: Vec<Package>,
    /// Newer versions: old and new.
    pub upgraded: Vec<(Package, Package)>,
    /// Older versions: old and new.
    pub downgraded: Vec<(Package, Package)>,
    /// The same version with another content: old and new.
    pub replaced: Vec<(Package, Package)>,
}

impl Changes {
    /// From `old` to `new`.
    pub fn between(old: &Lock, new: &Lock) -> Self {
        let by_name = |lock: &Lock| -> BTreeMap<String, Package> {
            let pair = |p: &Package| (p.name.clone(), p.clone());
            lock.packages.iter().map(pair).collect()
        };
        let (mut before, now) = (by_name(old), by_name(new));
        let mut changes = Self::default();
        for (name, package) in now {
            let Some(was) = before.remove(&name) else {
                changes.added.push(package);
                continue;
            };
            let list = match compare_versions(&was.version, &package.version) {
                Ordering::Less => &mut changes.upgraded,
                Ordering::Greater => &mut changes.downgraded,
                Ordering::Equal if was.sha256 != package.sha256 => &mut changes.replaced,
                Ordering::Equal => continue,
            };
            list.push((was, package));
        }
        changes.removed = before.into_values().collect();
        changes
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many of each, in one line.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.added.len(), "added"),
            (self.removed.len(), "removed"),
            (self.upgraded.len(), "upgraded"),
            (self.downgraded.len(), "downgraded"),
            (self.replaced.len(), "with other content"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match counts.is_empty() {
            true => f.write_str("no package changed"),
            false => f.write_str(&counts.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::tests::lock;

    fn names(list: &[(Package, Package)]) -> Vec<String> {
        let shown =
            |(a, b): &(Package, Package)| format!("{} {} -> {}", a.name, a.version, b.version);
        list.iter().map(shown).collect()
    }

    #[test]
    fn each_kind() {
        let old = lock(&[
            ("aa", "1"),
            ("bbb", "1"),
            ("cccc", "9"),
            ("eeeeee", "2"),
            ("fffffff", "1"),
        ]);
        let mut new = lock(&[
            ("aa", "1"),
            ("cccc", "10"),
            ("ddddd", "1"),
            ("eeeeee", "1"),
            ("fffffff", "1"),
        ]);
        new.packages[4].sha256 = "f".repeat(64).parse().unwrap();
        let changes = Changes::between(&old, &new);
        assert_eq!(
            changes.to_string(),
            "1 added, 1 removed, 1 upgraded, 1 downgraded, 1 with other content"
        );
        assert_eq!(changes.added[0].name, "ddddd");
        assert_eq!(changes.removed[0].name, "bbb");
        assert_eq!(names(&changes.upgraded), ["cccc 9 -> 10"]);
        assert_eq!(names(&changes.downgraded), ["eeeeee 2 -> 1"]);
        assert_eq!(names(&changes.replaced), ["fffffff 1 -> 1"]);
        let none = Changes::between(&new, &new);
        assert!(none.is_empty());
        assert_eq!(none.to_string(), "no package changed");
    }
}
