//! What a report says, as data. `docs/formats/imgdiff.md` describes its JSON form.

use serde::Serialize;

/// Version of the JSON document.
pub const VERSION: u32 = 1;

/// Two images, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub imgdiff: u32,
    /// The one.
    pub old: Side,
    /// The other.
    pub new: Side,
    /// Whether they have the same bytes.
    pub identical: bool,
    /// Where bytes differ; left out if none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// What differs, from the outside in.
    pub differences: Vec<Difference>,
    /// What was not looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
}

/// One of the images.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// What it was called.
    pub name: String,
    /// How many bytes it has.
    pub length: u64,
}

/// Bytes that differ. Those that only one of the two has don't count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// The first; `None`: one is the beginning of the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// How many.
    pub count: u64,
    /// In how many stretches of blocks of 4096 bytes they lie.
    pub stretches: u64,
    /// The first of these, with what they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Stretch>,
}

/// Blocks with bytes that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The first byte that differs.
    pub start: u64,
    /// How many bytes on the last block ends.
    pub size: u64,
    /// The structures in which the first is in the old image, the outermost first.
    pub old: Vec<String>,
    /// Those of the new one.
    pub new: Vec<String>,
}

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// The image itself.
    Image,
    /// The partition table.
    Table,
    /// A partition's row of the table.
    Partition,
    /// Parameters of a file system, or of whatever a partition holds.
    FileSystem,
    /// A hash tree of dm-verity.
    Verity,
    /// A Debian package.
    Package,
    /// A file.
    File,
}

impl Area {
    /// In a word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Table => "partition table",
            Self::Partition => "partition",
            Self::FileSystem => "file system",
            Self::Verity => "dm-verity",
            Self::Package => "package",
            Self::File => "file",
        }
    }
}

/// How something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

impl Change {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is.
    pub area: Area,
    /// Where it is: a partition, `PARTITION:PATH`, `PARTITION:PACKAGE`; the place of an image in an image stands in front, with a space.
    pub place: String,
    /// How it differs.
    pub change: Change,
    /// What of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// How the content differs, if that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A value that one or both have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is called.
    pub name: String,
    /// In the old image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// In the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// How two contents differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Content {
    /// Lines, as `diff -u` shows them.
    Text {
        /// The first of them, without the header.
        lines: Vec<String>,
        /// How many more there are.
        left_out: usize,
    },
    /// Words of which the order counts.
    Words {
        /// What is gone.
        removed: Vec<String>,
        /// What is new.
        added: Vec<String>,
    },
    /// Parts of a known format that differ.
    Parts {
        /// `elf`, `efi-program`, `cpio` and the like.
        format: &'static str,
        /// Which, and how.
        parts: Vec<Part>,
    },
    /// What is packed differs.
    Packed {
        /// How it is packed.
        format: &'static str,
        /// How what comes out differs; `None`: it does not.
        #[serde(skip_serializing_if = "Option::is_none")]
        inside: Option<Box<Content>>,
    },
    /// Bytes.
    Bytes(Bytes),
    /// An image, whose differences stand in the report with the place of this one in front.
    Image,
}

/// A part of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is called.
    pub name: String,
    /// How it differs.
    pub change: Change,
    /// What of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Fact>,
    /// How the content differs, if that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Box<Content>>,
}

/// Values by name, in order.
pub(crate) type Values = Vec<(String, String)>;

/// The facts in which two lists of values differ: those of the old in its order, then what only the new has.
pub(crate) fn facts(old: &Values, new: &Values) -> Vec<Fact> {
    let of = |values: &Values, name: &String| {
        let found = values.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let names = old.iter().map(|(name, _)| name);
    let more = new.iter().map(|(name, _)| name);
    let more = more.filter(|name| of(old, name).is_none());
    let facts = names.chain(more).map(|name| Fact {
        name: name.clone(),
        old: of(old, name),
        new: of(new, name),
    });
    facts.filter(|fact| fact.old != fact.new).collect()
}
