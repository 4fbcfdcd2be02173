//! Which users and groups there are: 65,536 for a tree, and the caller's own after them.
//!
//! Files of a tree belong to ids that, as far as the caller's system lets us choose, belong to nobody else on it. So root in
//! a tree is nobody outside. The tool itself keeps the ids it came with as well, from 65,536 on: it reads the caller's files
//! and writes for it. What runs in a sandbox has the 65,536 only.

use std::fs;
use std::io;
use std::ops::Range;
use std::process::Command;

use nix::unistd::{getegid, geteuid, User};

/// As many as 16 bits number: what a Debian has.
pub(crate) const IDS: u32 = 1 << 16;

/// Where root takes them. In systemd's table of ids (UIDS-GIDS) the first that are neither a user's nor a container's.
const FIRST: u32 = 0x7000_0000;

/// `count` ids from `inside` on in the namespace are those from `outside` on in its parent: a line of `uid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    inside: u32,
    outside: u32,
    count: u32,
}

/// The number that an id of the parent has inside.
fn inside(lines: &[Line], id: u32) -> Option<u32> {
    lines.iter().find_map(|line| {
        let offset = id
            .checked_sub(line.outside)
            .filter(|offset| *offset < line.count)?;
        line.inside.checked_add(offset)
    })
}

/// Maps the users and groups of process `pid`, which is in a user namespace of its own below ours. Returns the caller's
/// user and group as that process will see them.
pub(crate) fn map(pid: u32) -> Result<(u32, u32), String> {
    let ids = [("uid", geteuid().as_raw()), ("gid", getegid().as_raw())];
    let mut caller = Vec::new();
    for (kind, own) in ids {
        let lines = if geteuid().is_root() {
            let file = format!("/proc/self/{kind}_map");
            let lines = permuted(&available(&read(&file)?)?)?;
            let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
            let file = format!("/proc/{pid}/{kind}_map");
            fs::write(&file, text).map_err(|e| format!("{file}: {e}"))?;
            lines
        } else {
            delegated(kind, own, pid)?
        };
        let seen = inside(&lines, own).ok_or(format!("{kind} {own} is not mapped"))?;
        caller.push(seen);
    }
    match caller.as_slice() {
        [uid, gid] => Ok((*uid, *gid)),
        _ => Err("no caller".to_owned()),
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

fn read(file: &str) -> Result<String, String> {
    fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))
}

/// The ids that our own namespace has, as (first, count): each stretch is one in its parent, too.
fn available(map: &str) -> Result<Vec<(u32, u32)>, String> {
    map.lines()
        .map(|line| {
            let mut fields = line.split_whitespace();
            let first = fields.next()?.parse().ok()?;
            let count: u32 = fields.nth(1)?.parse().ok()?;
            Some((first, count))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| format!("an id map that says {map:?}"))
}

/// All available ids in another order: first the tree's, then the others.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "sums of at most 341 numbers of 32 bits"
)]
fn permuted(available: &[(u32, u32)]) -> Result<Vec<Line>, String> {
    let total: u64 = available.iter().map(|(_, count)| u64::from(*count)).sum();
    let start = tree(available, total).ok_or_else(|| {
        format!("there are {total} ids here, and {IDS} are needed: give more in /etc/subuid and /etc/subgid")
    })?;
    let end = start + u64::from(IDS);
    let mut lines = Vec::new();
    let mut next = 0;
    for wanted in [start..end, 0..start, end..total] {
        stretch(available, &wanted, &mut next, &mut lines)?;
    }
    Ok(lines)
}

/// Where the tree's ids begin, counted along the available ones: at [`FIRST`], else so that they are the last.
fn tree(available: &[(u32, u32)], total: u64) -> Option<u64> {
    let mut before = 0_u64;
    for (first, count) in available {
        let offset = FIRST.checked_sub(*first);
        if let Some(offset) = offset.filter(|o| count.checked_sub(*o).is_some_and(|n| n >= IDS)) {
            return before.checked_add(u64::from(offset));
        }
        before = before.checked_add(u64::from(*count))?;
    }
    total.checked_sub(u64::from(IDS))
}

/// Lines for the ids that are `wanted` along the available ones; they get the numbers from `next` on.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "sums of at most 341 numbers of 32 bits; `from` is never before `at`"
)]
fn stretch(
    available: &[(u32, u32)],
    wanted: &Range<u64>,
    next: &mut u64,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let narrow = |n: u64| u32::try_from(n).map_err(|_| format!("id {n} is none"));
    let mut at = 0_u64;
    for (first, count) in available {
        let end = at + u64::from(*count);
        let from = at.max(wanted.start);
        if let Some(count) = end.min(wanted.end).checked_sub(from).filter(|n| *n > 0) {
            lines.push(Line {
                inside: narrow(*next)?,
                outside: narrow(u64::from(*first) + (from - at))?,
                count: narrow(count)?,
            });
            *next += count;
        }
        at = end;
    }
    Ok(())
}

/// For process `pid`, which is in a user namespace of its own below this one: a tree's ids, and no others.
pub(crate) fn map_tree(pid: u32) -> io::Result<()> {
    for kind in ["uid", "gid"] {
        let text = fs::read_to_string(format!("/proc/self/{kind}_map"))?;
        let ids = available(&text).map_err(io::Error::other)?;
        let lines = ids.iter().filter_map(|(first, count)| {
            let left = IDS.checked_sub(*first).filter(|left| *left > 0)?;
            Some(format!("{first} {first} {}\n", left.min(*count)))
        });
        fs::write(format!("/proc/{pid}/{kind}_map"), lines.collect::<String>())?;
    }
    Ok(())
}

/// Without root: the ids that the system has given the user, through the set-uid helpers `newuidmap` and `newgidmap`.
fn delegated(kind: &str, own: u32, pid: u32) -> Result<Vec<Line>, String> {
    let user = geteuid();
    let name = User::from_uid(user).ok().flatten().map(|u| u.name);
    let file = format!("/etc/sub{kind}");
    let start = range(&read(&file)?, name.as_deref(), user.as_raw()).ok_or_else(|| {
        let name = name.clone().unwrap_or_else(|| user.to_string());
        format!("{file} gives {name} no range of at least {IDS}: add `{name}:100000:{IDS}`")
    })?;
    let lines = [(0, start, IDS), (IDS, own, 1)].map(|(inside, outside, count)| Line {
        inside,
        outside,
        count,
    });
    let program = format!("new{kind}map");
    let status = Command::new(&program)
        .arg(pid.to_string())
        .args(
            lines
                .iter()
                .flat_map(|l| [l.inside, l.outside, l.count].map(|n| n.to_string())),
        )
        .status()
        .map_err(|e| format!("{program} (package uidmap): {e}"))?;
    if status.success() {
        Ok(lines.to_vec())
    } else {
        Err(format!("{program} failed ({status})"))
    }
}

/// The start of the first range for this user that is large enough, of lines `USER:START:COUNT`.
fn range(text: &str, user: Option<&str>, uid: u32) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        if Some(owner) != user && owner != uid.to_string() {
            return None;
        }
        let start = fields.next()?.trim().parse().ok()?;
        let count: u32 = fields.next()?.trim().parse().ok()?;
        (count >= IDS).then_some(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let text = "other:1:65536\nme:100:10\nme:100000:65536\n1000:200000:65536\nbad\n";
        assert_eq!(range(text, Some("me"), 7), Some(100_000));
        assert_eq!(range(text, None, 1000), Some(200_000));
        assert_eq!(range(text, Some("nobody"), 8), None);
    }

    fn lines(map: &str) -> Vec<String> {
        let lines = permuted(&available(map).unwrap()).unwrap();
        lines.iter().map(|l| l.to_string()).collect()
    }

    #[test]
    fn real_roots_tree_belongs_to_nobody() {
        let got = lines("         0          0 4294967295\n");
        let want = [
            "0 1879048192 65536",
            "65536 0 1879048192",
            "1879113728 1879113728 2415853567",
        ];
        assert_eq!(got, want);
        let available = [(0, u32::MAX)];
        let map = permuted(&available).unwrap();
        assert_eq!(inside(&map, 0), Some(65_536));
        assert_eq!(inside(&map, FIRST), Some(0));
        assert_eq!(inside(&map, u32::MAX), None);
    }

    #[test]
    fn a_users_root_has_what_there_is() {
        assert_eq!(
            lines("0 1000 1\n1 100000 65536\n"),
            ["0 1 65536", "65536 0 1"]
        );
        assert_eq!(lines("0 100000 65536\n"), ["0 0 65536"]);
        let parts = ["0 0 1", "1 1 65535"];
        assert_eq!(lines("0 1000 1\n1 100000 65535\n"), parts);
        let parts = ["0 1 99", "99 100 65437", "65536 0 1"];
        assert_eq!(lines("0 5 100\n100 1000 65437\n"), parts);
        let map = "0 100000 200000\n";
        assert_eq!(lines(map), ["0 134464 65536", "65536 0 134464"]);
        let few = permuted(&[(0, 1000)]).unwrap_err();
        assert!(few.starts_with("there are 1000 ids here"), "{few}");
    }
}
