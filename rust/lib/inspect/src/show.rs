//! Files for people, as `ls` and `stat` show them.

use std::io::{self, Write};

use crate::model::{Attributes, BytesDigest, Entry, Node};

/// `drwxr-xr-x`; a file system without modes has `?`.
fn permissions(entry: &Entry) -> String {
    let kind = match entry.node {
        Node::Dir => 'd',
        Node::File(_) | Node::Hardlink { .. } => '-',
        Node::Symlink { .. } => 'l',
        Node::Char { .. } => 'c',
        Node::Block { .. } => 'b',
        Node::Fifo => 'p',
        Node::Socket => 's',
    };
    let mode = entry.attributes.as_ref().and_then(|a| a.mode);
    let Some(mode) = mode else {
        return format!("{kind}?????????");
    };
    let mut out = String::from(kind);
    for (shift, special, set, unset) in [
        (6, 0o4000, 's', 'S'),
        (3, 0o2000, 's', 'S'),
        (0, 0o1000, 't', 'T'),
    ] {
        let bits = (mode >> shift) & 7;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (bits & 1 != 0, mode & special != 0) {
            (true, false) => 'x',
            (false, false) => '-',
            (true, true) => set,
            (false, true) => unset,
        });
    }
    out
}

/// A line of `ls -l`: `entry` is shown with the attributes of `whole`, under `name`.
pub fn long(entry: &Entry, whole: &Entry, name: &str, out: &mut dyn Write) -> io::Result<()> {
    // The root directory of FAT has no attributes at all, its files have no owner.
    let attributes = whole.attributes.as_deref();
    let none = || "-".to_owned();
    let time = attributes.map_or_else(none, |all| all.mtime.to_string());
    let id = |of: fn(&Attributes) -> Option<u32>| {
        let id = attributes.and_then(of);
        id.map_or_else(none, |id| id.to_string())
    };
    let size = match &whole.node {
        Node::File(file) => file.size.to_string(),
        Node::Char { rdev } | Node::Block { rdev } => format!("{},{}", rdev.0, rdev.1),
        Node::Symlink { target } => target.0.len().to_string(),
        _ => "-".to_owned(),
    };
    write!(
        out,
        "{} {:>5} {:>5} {size:>10} {time} {name}",
        permissions(whole),
        id(|all| all.uid),
        id(|all| all.gid),
    )?;
    match &entry.node {
        Node::Symlink { target } => writeln!(out, " -> {target}"),
        Node::Hardlink { target } => writeln!(out, " = {target}"),
        _ => writeln!(out),
    }
}

/// Everything that is known of a file, a fact a line.
pub fn stat(entry: &Entry, whole: &Entry, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "path {}", entry.path)?;
    writeln!(out, "type {}", whole.node.as_str())?;
    match &whole.node {
        Node::File(file) => {
            writeln!(out, "size {}", file.size)?;
            match file.digest {
                Some(BytesDigest::Whole(digest)) => writeln!(out, "sha256 {digest}")?,
                Some(BytesDigest::Sparse(digest)) => writeln!(out, "sparse-sha256 {digest}")?,
                None => {}
            }
            for run in &file.runs {
                let (at, from) = (run.at().start(), run.from().start());
                writeln!(out, "bytes {at}+{} at {from}", run.len())?;
            }
        }
        Node::Symlink { target } => writeln!(out, "target {target}")?,
        Node::Char { rdev } | Node::Block { rdev } => {
            writeln!(out, "device {}:{}", rdev.0, rdev.1)?;
        }
        _ => {}
    }
    if let Node::Hardlink { target } = &entry.node {
        writeln!(out, "same-file-as {target}")?;
    }
    if let Some(attributes) = &whole.attributes {
        if let Some(mode) = attributes.mode {
            writeln!(out, "mode {mode:04o} {}", permissions(whole))?;
        }
        for (name, id) in [("uid", attributes.uid), ("gid", attributes.gid)] {
            if let Some(id) = id {
                writeln!(out, "{name} {id}")?;
            }
        }
        writeln!(out, "modified {}", attributes.mtime)?;
        for (name, value) in &attributes.more {
            writeln!(out, "{name} {value}")?;
        }
        if let Some(flags) = &attributes.flags {
            writeln!(out, "flags {flags}")?;
        }
        for (name, value) in &attributes.xattrs {
            writeln!(out, "xattr {name}={value}")?;
        }
    }
    if let Some(damage) = &whole.damage {
        writeln!(out, "damaged {damage}")?;
    }
    if let Some(what) = &whole.unread {
        writeln!(out, "not-read {what}")?;
    }
    Ok(())
}
