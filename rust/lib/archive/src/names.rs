//! Paths of members: their normal form, and what one member's path allows of the next.

use std::collections::BTreeMap;

use crate::error::{show, Reason};

/// Linux's limits. Without one on the path, a member could name a million folders at the price of two bytes each.
const MAX_PATH: usize = 4095;
const MAX_NAME: usize = 255;

/// The path without `.` components and surplus slashes, or why it is refused. The root is empty.
pub(crate) fn normal(path: &[u8]) -> Result<Vec<u8>, Reason> {
    if path.is_empty() || path.len() > MAX_PATH || path.contains(&0) {
        return Err(Reason::BadPath);
    }
    if path.starts_with(b"/") {
        return Err(Reason::Absolute);
    }
    let mut out = Vec::with_capacity(path.len());
    for name in path.split(|b| *b == b'/') {
        match name {
            b"" | b"." => continue,
            b".." => return Err(Reason::Climbs),
            _ if name.len() > MAX_NAME => return Err(Reason::BadPath),
            _ => {}
        }
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(name);
    }
    Ok(out)
}

/// The proper ancestors of `path`, nearest to the root first, without the root.
pub(crate) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, b)| **b == b'/')
        .filter_map(|(i, _)| path.get(..i))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Named by nothing but members below it.
    Implied,
    Dir,
    Other,
}

/// The paths so far.
#[derive(Debug, Default)]
pub(crate) struct Names {
    seen: BTreeMap<Vec<u8>, Seen>,
}

impl Names {
    /// Admits a member, unless it repeats a path, or it or an earlier one would go through something not a directory.
    pub(crate) fn admit(&mut self, path: &[u8], is_dir: bool) -> Result<(), Reason> {
        for parent in ancestors(path) {
            match self.seen.get(parent) {
                Some(Seen::Other) => return Err(Reason::ThroughNonDir(show(parent))),
                Some(_) => {}
                None => {
                    self.seen.insert(parent.to_vec(), Seen::Implied);
                }
            }
        }
        let now = if is_dir { Seen::Dir } else { Seen::Other };
        match self.seen.insert(path.to_vec(), now) {
            None => Ok(()),
            Some(Seen::Implied) if is_dir => Ok(()),
            Some(Seen::Implied) => Err(Reason::CoversDir),
            Some(_) => Err(Reason::Duplicate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (raw, want) in [
            (&b"./usr//bin/./x"[..], Ok(&b"usr/bin/x"[..])),
            (b"./", Ok(b"")),
            (b".", Ok(b"")),
            (b"a/", Ok(b"a")),
            (b"..a/b..", Ok(b"..a/b..")),
            (b"a/../b", Err(Reason::Climbs)),
            (b"..", Err(Reason::Climbs)),
            (b"/a", Err(Reason::Absolute)),
            (b"//", Err(Reason::Absolute)),
            (b"", Err(Reason::BadPath)),
            (b"a\0b", Err(Reason::BadPath)),
        ] {
            assert_eq!(normal(raw), want.map(<[u8]>::to_vec), "{}", show(raw));
        }
        assert_eq!(normal(&[b'a'; 256]), Err(Reason::BadPath));
        assert_eq!(normal(&b"a/".repeat(3000)), Err(Reason::BadPath));
    }

    #[test]
    fn order_does_not_hide_a_link() {
        let mut names = Names::default();
        names.admit(b"a/b/c", false).unwrap();
        names.admit(b"a/b", true).unwrap();
        assert_eq!(names.admit(b"a", false), Err(Reason::CoversDir));
        let mut names = Names::default();
        names.admit(b"a", false).unwrap();
        assert_eq!(
            names.admit(b"a/b", false),
            Err(Reason::ThroughNonDir("a".to_owned()))
        );
        let mut names = Names::default();
        names.admit(b"d", true).unwrap();
        assert_eq!(names.admit(b"d", true), Err(Reason::Duplicate));
        // `a-b` sorts between `a` and `a/b` and is nobody's parent.
        names.admit(b"a-b", false).unwrap();
        names.admit(b"a/b", false).unwrap();
    }
}
