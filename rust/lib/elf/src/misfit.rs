//! What a program asks of its image and does not get.

use std::fmt;

use tree::display;

use crate::read::Machine;
use crate::versions::Wanted;

/// A program that would not start in its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where the program is in the image.
    pub program: Vec<u8>,
    /// The library of it that asks, if it is not the program itself.
    pub library: Option<Vec<u8>>,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a program in its image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It cannot be read.
    Unreadable(String),
    /// It is for another processor.
    Machine {
        /// Which it is for.
        want: Machine,
        /// Which the image is for.
        have: Machine,
    },
    /// Its loader is not there.
    Interpreter {
        /// The path that it names.
        want: Vec<u8>,
        /// What is there instead.
        have: Option<Machine>,
    },
    /// A library is not there.
    Library {
        /// Its name.
        want: Vec<u8>,
        /// Where it was looked for.
        looked: Vec<Vec<u8>>,
        /// Libraries of this name that don't count, and why.
        other: Vec<(Vec<u8>, &'static str)>,
    },
    /// A library is there and lacks a version.
    Version {
        /// What is wanted.
        want: Wanted,
        /// The library that was found.
        found: Vec<u8>,
        /// Versions of the same family that it has.
        have: Vec<Vec<u8>>,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}: ", display(&self.program))?;
        if let Some(library) = &self.library {
            write!(f, "its library {} ", absolute(library))?;
        }
        match &self.reason {
            Reason::Unreadable(reason) => f.write_str(reason),
            Reason::Machine { want, have } => write!(
                f,
                "is for {want}, the image is for {have}: build it for that"
            ),
            Reason::Interpreter { want, have } => interpreter(want, *have, f),
            Reason::Library {
                want,
                looked,
                other,
            } => missing(want, looked, other, f),
            Reason::Version { want, found, have } => version(want, found, have, f),
        }
    }
}

fn interpreter(want: &[u8], have: Option<Machine>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "wants the loader {}, ", display(want))?;
    match have {
        None => f.write_str("the image has none there: ")?,
        Some(machine) => write!(f, "the image has one for {machine} there: ")?,
    }
    f.write_str("build the program statically or for this image's C library, or add the package that has the loader")
}

fn missing(
    want: &[u8],
    looked: &[Vec<u8>],
    other: &[(Vec<u8>, &'static str)],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(
        f,
        "wants the library {}, and the image has none",
        display(want)
    )?;
    if !looked.is_empty() {
        write!(f, " in {}", list(looked))?;
    }
    if want.contains(&b'/') && !want.starts_with(b"/") && !want.starts_with(b"$") {
        f.write_str(": it is looked for from where the program is started")?;
    }
    for (path, why) in other {
        write!(f, "; {} {why}", absolute(path))?;
    }
    f.write_str(": add the package that has it, put it into one of these folders, or build the program statically")
}

fn version(
    want: &Wanted,
    found: &[u8],
    have: &[Vec<u8>],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "wants {}", display(&want.version))?;
    if !want.symbols.is_empty() {
        write!(f, " (for {}", list(&want.symbols))?;
        if want.more_symbols > 0 {
            write!(f, " and {} more", want.more_symbols)?;
        }
        f.write_str(")")?;
    }
    write!(f, " of {}, ", display(&want.library))?;
    match have {
        [] => write!(f, "{} has no version of that family", absolute(found))?,
        [only] => write!(f, "{} has {}", absolute(found), display(only))?,
        [first, .., last] => write!(
            f,
            "{} has {} to {}",
            absolute(found),
            display(first),
            display(last)
        )?,
    }
    f.write_str(": build the program against the image's libraries or older ones, or statically")
}

fn absolute(path: &[u8]) -> String {
    let slash = if path.starts_with(b"/") { "" } else { "/" };
    format!("{slash}{}", display(path))
}

fn list(names: &[Vec<u8>]) -> String {
    let names: Vec<String> = names.iter().map(|name| display(name)).collect();
    names.join(", ")
}
