//! Paths of members: their normal form, and what one member's path allows of the next.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::error::{show, Reason};

/// Linux's limits. Without one on the path, a member could name a million folders at the price of two bytes each.
pub(crate) const MAX_PATH: usize = 4095;
const MAX_NAME: usize = 255;

/// Folders that an archive may leave out: so many, and so many more for each member. Each would cost its reader a path and
/// a folder, and the archive two bytes.
pub(crate) const IMPLIED: usize = 4096;
pub(crate) const IMPLIED_BY_MEMBER: usize = 16;

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

/// What the last member of a path is.
#[derive(Debug)]
pub(crate) enum Seen<T> {
    Dir,
    Other(T),
}

/// How a member stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// Its path is new.
    New,
    /// It says again what a folder is: the last word counts.
    DirAgain,
    /// It takes the place of an earlier member.
    Replaces,
}

/// The paths so far, each with what its last member is. No folder that is named by nothing but members below it has a key:
/// paths of 2,000 folders would take megabytes each.
#[derive(Debug)]
pub(crate) struct Names<T> {
    /// NUL stands for `/`: in this order a folder is followed by all that lies in it.
    seen: BTreeMap<Vec<u8>, Seen<T>>,
    /// Folders that the archive may still leave out.
    room: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            seen: BTreeMap::new(),
            room: IMPLIED,
        }
    }
}

fn key(path: &[u8]) -> Vec<u8> {
    let bytes = path.iter();
    bytes.map(|b| if *b == b'/' { 0 } else { *b }).collect()
}

/// Folders that a key lies in, without the root.
fn parents(key: &[u8]) -> usize {
    key.iter().filter(|b| **b == 0).count()
}

/// Leading components that two keys have in common, of which one may be the root's.
fn common(a: &[u8], b: &[u8]) -> usize {
    let pairs = a.split(|b| *b == 0).zip(b.split(|b| *b == 0));
    pairs.take_while(|(a, b)| a == b).count()
}

/// Whether `inner` lies below `dir`, which is not the root.
fn below(inner: &[u8], dir: &[u8]) -> bool {
    let rest = inner.strip_prefix(dir);
    rest.is_some_and(|rest| rest.starts_with(&[0]))
}

impl<T> Names<T> {
    /// What the last member of that path is.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&Seen<T>> {
        self.seen.get(&key(path))
    }

    /// Admits a member, unless it or an earlier one would go through something not a folder, or one of two members of one
    /// path is a folder and the other is not. That the root is a folder is the caller's to see to. What lies beside it in order
    /// tells all: nothing lies below what is no folder.
    pub(crate) fn admit(&mut self, path: &[u8], now: Seen<T>) -> Result<Admitted, Reason> {
        let key = key(path);
        let upto = (Bound::Unbounded, Bound::Included(&key[..]));
        let mut upto = self.seen.range::<[u8], _>(upto);
        let (same, before) = match upto.next_back() {
            Some((at, seen)) if *at == key => (Some(seen), upto.next_back()),
            before => (None, before),
        };
        let after = (Bound::Excluded(&key[..]), Bound::Unbounded);
        let after = self.seen.range::<[u8], _>(after);
        let after = after.map(|(key, _)| key).next();
        if let Some((near, Seen::Other(_))) = before {
            if below(&key, near) {
                let near = path.get(..near.len()).unwrap_or(path);
                return Err(Reason::ThroughNonDir(show(near)));
            }
        }
        let is_dir = matches!(now, Seen::Dir);
        if !is_dir && after.is_some_and(|after| below(after, &key)) {
            return Err(Reason::CoversDir);
        }
        let admitted = match (same, &now) {
            (None, _) => Admitted::New,
            (Some(Seen::Dir), Seen::Dir) => Admitted::DirAgain,
            (Some(Seen::Other(_)), Seen::Other(_)) => Admitted::Replaces,
            (Some(Seen::Dir), Seen::Other(_)) => return Err(Reason::NoLongerDir),
            (Some(Seen::Other(_)), Seen::Dir) => return Err(Reason::BecomesDir),
        };
        if admitted == Admitted::New {
            let near = before.map(|(key, _)| key).into_iter().chain(after);
            let known = near.map(|near| common(near, &key)).fold(0, usize::max);
            self.imply((known..parents(&key)).len())?;
        }
        self.seen.insert(key, now);
        Ok(admitted)
    }

    /// Counts folders that nothing has named so far.
    fn imply(&mut self, folders: usize) -> Result<(), Reason> {
        // Saturated: room for more folders than can be counted is room enough.
        let room = self.room.saturating_add(IMPLIED_BY_MEMBER);
        self.room = room.checked_sub(folders).ok_or(Reason::Implied)?;
        Ok(())
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
        assert_eq!(normal(&[b'a'; 255]).unwrap().len(), 255);
        assert_eq!(normal(&[b'a'; 256]), Err(Reason::BadPath));
        let longest = [&b"a/".repeat(2047)[..], b"a"].concat();
        assert_eq!(normal(&longest).unwrap(), longest);
        assert_eq!(normal(&b"a/".repeat(2048)), Err(Reason::BadPath));
    }

    fn dir(names: &mut Names<()>, path: &[u8]) -> Result<Admitted, Reason> {
        names.admit(path, Seen::Dir)
    }

    fn file(names: &mut Names<()>, path: &[u8]) -> Result<Admitted, Reason> {
        names.admit(path, Seen::Other(()))
    }

    #[test]
    fn order_does_not_hide_a_link() {
        let names = &mut Names::default();
        file(names, b"a/b/c").unwrap();
        assert_eq!(dir(names, b"a/b"), Ok(Admitted::New));
        assert_eq!(file(names, b"a"), Err(Reason::CoversDir));
        let names = &mut Names::default();
        file(names, b"a").unwrap();
        // Between `a` and what would lie in it in the order of bytes.
        file(names, b"a-b").unwrap();
        file(names, b"a!").unwrap();
        let through = Err(Reason::ThroughNonDir("a".to_owned()));
        assert_eq!(file(names, b"a/b"), through);
        assert_eq!(dir(names, b"a/b/c/d"), through);
        let names = &mut Names::default();
        dir(names, b"d").unwrap();
        file(names, b"d-b").unwrap();
        file(names, b"d/b").unwrap();
        dir(names, b"").unwrap();
    }

    #[test]
    fn a_path_twice() {
        let names = &mut Names::default();
        assert_eq!(dir(names, b""), Ok(Admitted::New));
        assert_eq!(dir(names, b""), Ok(Admitted::DirAgain));
        dir(names, b"d").unwrap();
        assert_eq!(dir(names, b"d"), Ok(Admitted::DirAgain));
        assert_eq!(file(names, b"d"), Err(Reason::NoLongerDir));
        file(names, b"f").unwrap();
        assert_eq!(file(names, b"f"), Ok(Admitted::Replaces));
        assert_eq!(dir(names, b"f"), Err(Reason::BecomesDir));
        file(names, b"d/x").unwrap();
        assert_eq!(file(names, b"d"), Err(Reason::CoversDir));
    }

    #[test]
    fn folders_left_out() {
        let names = &mut Names::default();
        let deep = |n: usize| [format!("{n}").as_bytes(), &b"/a".repeat(2000)].concat();
        file(names, &deep(0)).unwrap();
        // The same folders again are none more.
        let mut same = deep(0);
        same.push(b'x');
        file(names, &same).unwrap();
        file(names, &deep(1)).unwrap();
        assert_eq!(file(names, &deep(2)), Err(Reason::Implied));
        assert_eq!(parents(&key(b"usr/share/doc")), 2);
        assert_eq!(common(&key(b"usr/share"), &key(b"usr/shared/x")), 1);
        assert_eq!(common(&key(b""), &key(b"usr")), 0);
    }
}
