//! Names and paths that came from an input (a Dockerfile, an archive, a lock, a document on a medium), put below a folder.
//!
//! `Path::join` leaves the folder when it is given `/etc/passwd` or `../x`; [`join`] and [`join_name`] cannot. They judge the
//! text: what they return lies below the folder unless a symbolic link in the folder leads out. Where an input may
//! also have made links, open what they return relative to the folder with `openat2` and `RESOLVE_BENEATH`.
//!
//! Each path has one spelling here, so `a//b`, `./a` and `a/` are refused, too: two names of one file would pass a check that
//! no name occurs twice.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The text of a path or link: UTF-8 stays, a backslash becomes `\\`, any other byte `\xNN`. Different
/// paths are different texts.
pub fn text(bytes: &[u8]) -> String {
    // Almost all names.
    if let Some(text) = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.contains('\\'))
    {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// `path`, one or more names with `/` between, below `folder`.
pub fn join(folder: &Path, path: impl AsRef<OsStr>) -> Result<PathBuf, UnsafePath> {
    check(path.as_ref()).map(|path| folder.join(path))
}

/// `name`, one name, directly in `folder`.
pub fn join_name(folder: &Path, name: impl AsRef<OsStr>) -> Result<PathBuf, UnsafePath> {
    check_name(name.as_ref()).map(|name| folder.join(name))
}

/// `path` itself, if [`join`] would take it.
pub fn check(path: &OsStr) -> Result<&Path, UnsafePath> {
    judge(path, Wanted::Path).map(Path::new)
}

/// `name` itself, if [`join_name`] would take it.
pub fn check_name(name: &OsStr) -> Result<&OsStr, UnsafePath> {
    judge(name, Wanted::Name)
}

fn judge(name: &OsStr, wanted: Wanted) -> Result<&OsStr, UnsafePath> {
    match problem(name.as_bytes(), wanted) {
        None => Ok(name),
        Some(problem) => Err(UnsafePath {
            name: name.to_owned(),
            problem,
            wanted,
        }),
    }
}

fn problem(bytes: &[u8], wanted: Wanted) -> Option<Problem> {
    if bytes.is_empty() {
        return Some(Problem::Empty);
    }
    if bytes.contains(&0) {
        return Some(Problem::Nul);
    }
    if bytes.starts_with(b"/") {
        return Some(Problem::Absolute);
    }
    if wanted == Wanted::Name && bytes.contains(&b'/') {
        return Some(Problem::Slash);
    }
    bytes
        .split(|byte| *byte == b'/')
        .find_map(|name| match name {
            b"" => Some(Problem::EmptyName),
            b"." => Some(Problem::Dot),
            b".." => Some(Problem::Climbs),
            _ => None,
        })
}

/// A name that could lead out of the folder it is meant for, or that is one of several spellings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} {problem}; wanted {wanted}")]
pub struct UnsafePath {
    /// What the input says.
    pub name: OsString,
    /// What is wrong with it.
    pub problem: Problem,
    /// What was asked for.
    pub wanted: Wanted,
}

/// What makes a path unfit to be put below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No character at all.
    Empty,
    /// A NUL, which ends a path for the kernel.
    Nul,
    /// It begins with `/`.
    Absolute,
    /// A path where one name was wanted.
    Slash,
    /// `//`, or `/` at the end.
    EmptyName,
    /// A name `.`.
    Dot,
    /// A name `..`.
    Climbs,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::Nul => "holds a NUL character",
            Self::Absolute => "begins with /",
            Self::Slash => "holds a /",
            Self::EmptyName => "holds // or ends in /",
            Self::Dot => "holds the name .",
            Self::Climbs => "holds the name ..",
        })
    }
}

/// What a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A relative path.
    Path,
    /// One name.
    Name,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "a path below a folder, such as a/b",
            Self::Name => "a file name without a folder",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_every_byte() {
        for (bytes, want) in [
            ("usr/café".as_bytes(), "usr/café"),
            (b"usr/caf\xe9", r"usr/caf\xe9"),
            (br"usr/caf\xe9", r"usr/caf\\xe9"),
            ("usr/caf\u{fffd}".as_bytes(), "usr/caf\u{fffd}"),
        ] {
            assert_eq!(text(bytes), want);
        }
    }
}
