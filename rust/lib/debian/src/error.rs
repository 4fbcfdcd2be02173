//! What can be wrong with lists, locks and archives.

use std::io;
use std::path::PathBuf;

/// Why packages could not be listed, locked or matched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line of a list is not a package name.
    #[error("{file}:{line}: `{text}` is not a package name: one a line, without version or architecture")]
    BadName {
        /// The list.
        file: String,
        /// The line.
        line: usize,
        /// What it says.
        text: String,
    },
    /// A line of a list is not a rule on paths.
    #[error("{file}:{line}: `{text}` is no rule on paths: {problem}")]
    BadRule {
        /// The list.
        file: String,
        /// The line.
        line: usize,
        /// What it says.
        text: String,
        /// What was wanted.
        problem: String,
    },
    /// Lists name packages that no suite has.
    #[error("{}", unknown(.suites, .names))]
    Unknown {
        /// The suites.
        suites: Vec<String>,
        /// Each name with its place and names like it.
        names: Vec<(String, String, Vec<String>)>,
    },
    /// A lock file is malformed.
    #[error("lock: {0}")]
    Lock(String),
    /// A lock of another format.
    #[error("lock: format {got}, want {want}; {}", mend(.update))]
    LockFormat {
        /// Its format.
        got: u64,
        /// Ours.
        want: u64,
        /// The target that locks.
        update: Option<String>,
    },
    /// The lock was made from other lists.
    #[error("the lock is older than its lists: {}; run: bazel run {target}", stale(.missing, .extra))]
    Stale {
        /// Wanted but not locked: name and place.
        missing: Vec<(String, String)>,
        /// Locked but not wanted.
        extra: Vec<String>,
        /// The target that locks.
        target: String,
    },
    /// The lock was made from lists with other rules on paths.
    #[error("the lock is older than its lists: they say on paths [{}], and it has [{}]; run: bazel run {target}", .want.join(", "), .have.join(", "))]
    StalePaths {
        /// What the lists say, in their order.
        want: Vec<String>,
        /// What the lock has.
        have: Vec<String>,
        /// The target that locks.
        target: String,
    },
    /// Files don't match the lock.
    #[error("{}", mismatch(.missing, .foreign))]
    Mismatch {
        /// Locked packages without a file.
        missing: Vec<String>,
        /// Files whose content is in no lock.
        foreign: Vec<String>,
    },
    /// apt's configuration here names no archive.
    #[error("apt's configuration on this machine names no Debian archive; give one with --mirror")]
    NoMirror,
    /// No root has a suite of the security archive.
    #[error("{}", no_security(.suite, .tried))]
    NoSecurity {
        /// The suite.
        suite: String,
        /// Roots that were tried, without secrets, and what apt said of each.
        tried: Vec<(String, String)>,
    },
    /// A release file's `Valid-Until` has passed.
    #[error(
        "an index has expired: what the archive shows may be older than what Debian has, without its newest security updates:\n{output}\n\
         ask for an archive that is up to date (DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR), or accept it as it is with --accept-expired (or DEBIAN_ACCEPT_EXPIRED=1)"
    )]
    Expired {
        /// What apt said.
        output: String,
    },
    /// A release file is malformed.
    #[error("release file: {0}")]
    Release(String),
    /// What is locked now cannot stay beside what the lists ask for.
    #[error("the packages that are locked cannot all stay as they are beside what the lists ask for; let some or all become newer: --upgrade [NAME…]")]
    Kept {
        /// What apt said.
        source: Box<Error>,
    },
    /// The keys that sign Debian's archive are not installed.
    #[error("{0} is missing: install the package debian-archive-keyring")]
    NoKeyring(PathBuf),
    /// A program of apt failed.
    #[error("{what} failed ({status}):\n{output}")]
    Apt {
        /// What it was to do.
        what: String,
        /// Its status.
        status: String,
        /// Its last words.
        output: String,
    },
    /// apt answered in a way we don't understand.
    #[error("apt gave {0}")]
    Answer(String),
    /// A package index is malformed.
    #[error("package index: {0}")]
    Index(String),
    /// Installing the packages failed.
    #[error("{what} failed with status {status}; its last lines:\n{output}\nwhat to do: {hint}")]
    Install {
        /// The program, or the package's script.
        what: String,
        /// Its status.
        status: i32,
        /// Its last words.
        output: String,
        /// Advice.
        hint: String,
    },
    /// There was no room for the tree.
    #[error("cannot install the packages: {room}")]
    Full {
        /// What there is.
        room: sandbox::Room,
        /// What failed for it.
        source: Box<Error>,
    },
    /// A package could not be unpacked.
    #[error("cannot unpack the package {package} from {}", file.display())]
    Deb {
        /// Which.
        package: String,
        /// Its file.
        file: PathBuf,
        /// Why.
        source: Box<deb::Error>,
    },
    /// What a package says of itself is malformed, or not what the lock says.
    #[error("package {package}: {problem}")]
    Package {
        /// Which.
        package: String,
        /// What came, and what was wanted.
        problem: String,
    },
    /// What failed, and does not say for which package, failed as this one was to come.
    #[error("cannot install the package {package}")]
    Coming {
        /// Which.
        package: String,
        /// What failed.
        source: Box<Error>,
    },
    /// A package needs one that is not there.
    #[error(
        "{package} needs `{wanted}` ({field}): the lock lacks a package that another needs; run the lock's target again"
    )]
    Unmet {
        /// The package.
        package: String,
        /// Where it says so.
        field: &'static str,
        /// What it needs.
        wanted: String,
    },
    /// Two packages cannot be installed together.
    #[error("{package} excludes `{relation}` ({field}), which {other} is or provides: take one of the two off the list")]
    Excluded {
        /// The package that says so.
        package: String,
        /// Where it does.
        field: &'static str,
        /// What it says.
        relation: String,
        /// Name and version of the other.
        other: String,
    },
    /// Two packages have the same file.
    #[error("{package} has {path}, which is also {with}, and neither replaces or diverts the other: take one of the two off the list")]
    Overwrites {
        /// The later.
        package: String,
        /// The file.
        path: String,
        /// The other.
        with: String,
    },
    /// What is noted in an image of its packages is malformed.
    #[error("{0}")]
    Noted(String),
    /// Files made now are older than the time that stands for now.
    #[error("--timestamp {timestamp} lies in this machine's future ({now}): set its clock, or choose an earlier time")]
    Future {
        /// The time given.
        timestamp: i64,
        /// The time of a file just made.
        now: i64,
    },
    /// Isolation failed.
    #[error("cannot isolate the installation")]
    Sandbox(#[from] sandbox::Error),
    /// Reading, writing or starting something failed.
    #[error("cannot {action}")]
    Io {
        /// What was being done.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// What dpkg wrote down of the image's packages can't be read.
    #[error("cannot tell which packages the image has")]
    Status(#[from] dpkg::Error),
    /// The image's archive could not be read.
    #[error("cannot read the image's tree")]
    Tree(#[from] archive::Error),
}

impl Error {
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// Names the package that was to come, where the error does not name any.
    pub(crate) fn at(self, package: &str) -> Self {
        match self {
            Self::Io { .. } | Self::Noted(_) | Self::Sandbox(_) => Self::Coming {
                package: package.to_owned(),
                source: Box::new(self),
            },
            named => named,
        }
    }
}

fn mend(update: &Option<String>) -> String {
    match update {
        Some(target) => format!("run: bazel run {target}"),
        None => "make it again with the tool `lock`".to_owned(),
    }
}

fn no_security(suite: &str, tried: &[(String, String)]) -> String {
    let tried: Vec<String> = tried
        .iter()
        .map(|(root, said)| format!("\n  tried {root}: {said}"))
        .collect();
    format!(
        "{suite} lies below a root of its own, the security archive, and none is known here that has it; \
         say where it is: DEBIAN_SECURITY_MIRROR=URL{}",
        tried.concat()
    )
}

fn unknown(suites: &[String], names: &[(String, String, Vec<String>)]) -> String {
    let lines: Vec<String> = names
        .iter()
        .map(|(name, place, near)| {
            let hint = match near.as_slice() {
                [] => String::new(),
                near => format!("; near: {}", near.join(", ")),
            };
            format!(
                "{place}: no package `{name}` in {}{hint}",
                suites.join(", ")
            )
        })
        .collect();
    lines.join("\n")
}

fn stale(missing: &[(String, String)], extra: &[String]) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        let names: Vec<String> = missing
            .iter()
            .map(|(n, place)| format!("{n} ({place})"))
            .collect();
        parts.push(format!("it lacks {}", names.join(", ")));
    }
    if !extra.is_empty() {
        parts.push(format!(
            "it has {}, which no list asks for",
            extra.join(", ")
        ));
    }
    parts.join(" and ")
}

fn mismatch(missing: &[String], foreign: &[String]) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!(
            "no file has the content locked for {}",
            missing.join(", ")
        ));
    }
    if !foreign.is_empty() {
        parts.push(format!("not in the lock: {}", foreign.join(", ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_names_no_package_gets_one() {
        let io = Error::io("read a file")(io::Error::other("gone"));
        for error in [Error::Noted("dpkg's list".to_owned()), io] {
            let text = error.to_string();
            let named = error.at("b");
            assert_eq!(named.to_string(), "cannot install the package b");
            assert_eq!(named.source().map(ToString::to_string), Some(text));
        }
        let named = Error::Package {
            package: "a".to_owned(),
            problem: "got x, want y".to_owned(),
        };
        assert_eq!(named.at("b").to_string(), "package a: got x, want y");
    }
}
