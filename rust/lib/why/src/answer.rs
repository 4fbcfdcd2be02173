//! Answers as data. `docs/formats/why.md` describes their JSON form.

use inspect::Step;
use serde::Serialize;

/// All that is said of a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// Stretches of the image, each with its bytes in the same structures and from one origin.
    pub ranges: Vec<Answer>,
    /// How many bytes of the place are in none of them: there were too many.
    pub more_bytes: u64,
    /// If there are more: what all bytes of the place come from, the most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<Total>,
    /// What would have to be there for more to be said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// How many bytes come from one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How many.
    pub bytes: u64,
    /// `zero`, `computed`, or the path of an input.
    pub from: String,
    /// What the build calls the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What is said of a stretch of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Its first byte.
    pub start: u64,
    /// How many there are.
    pub size: u64,
    /// The structures that it is in, the outermost first.
    pub steps: Vec<Step>,
    /// Where its bytes come from; nothing if all that is known is the image's own file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
}

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Origin {
    /// They are zero.
    Zero,
    /// The plan holds them: the layout computed them.
    Computed {
        /// How the file that they are about came into the image, if it was put there late.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        injected: Vec<Injected>,
        /// What the file is of a root file system.
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<Box<Member>>,
    },
    /// They are bytes of a file.
    Input {
        /// The file.
        path: String,
        /// Where they are in it.
        offset: u64,
        /// What the build calls it.
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        /// How it came into the image, if it was put there late.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        injected: Vec<Injected>,
        /// What it is of a root file system.
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<Box<Member>>,
    },
}

/// A file that a tree was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// Path in the tree.
    pub dest: String,
    /// The target that says so.
    pub tree: String,
    /// Which of its attributes, or which map.
    pub by: String,
    /// What the build calls the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A member of a root file system's archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its path.
    pub path: String,
    /// The Debian package that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Version of the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What changed it last after the base image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A step of a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The Dockerfile.
    pub file: String,
    /// The instruction's line.
    pub line: u64,
    /// The instruction.
    pub text: String,
    /// What the build calls the file that was copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}
