//! What a dump says, as data. `docs/formats/imgdump.md` describes its JSON form.

use std::collections::BTreeMap;

use base::Sha256Digest;
use serde::{Serialize, Serializer};

use crate::names::{Name, Value};
use crate::span::{self, Run, Span};
use crate::time::Time;

/// Version of the text and of the JSON document.
pub const VERSION: u32 = 2;

/// A whole image.
#[derive(Clone, Debug, Serialize)]
pub struct Dump {
    /// [`VERSION`].
    pub imgdump: u32,
    /// Length of the image in bytes.
    pub length: u64,
    /// The partition table; `None`: the image is no disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpt: Option<Gpt>,
    /// What the image holds, if it is no disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// A disk's partition table, with everything on the disk.
#[derive(Clone, Debug, Serialize)]
pub struct Gpt {
    /// GUID of the disk.
    pub guid: String,
    /// Bytes in a sector.
    pub sector_size: u64,
    /// First byte that a partition may have.
    pub first_usable: u64,
    /// The byte behind the last that a partition may have.
    pub end_usable: u64,
    /// How many entries the table has.
    pub entries: u32,
    /// What the first sector says, for programs that know no GPT.
    pub mbr: Mbr,
    /// What is wrong with the table.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
    /// What lies between and behind the partitions, as far as it is not zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// The first sector of a disk.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Mbr {
    /// Number that some systems know the disk by.
    pub signature: u32,
    /// Digest of the boot code, if there is some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Sha256Digest>,
    /// Entries that are not empty.
    pub entries: Vec<MbrEntry>,
}

/// An entry of the first sector's table.
#[derive(Clone, Debug, Serialize)]
pub struct MbrEntry {
    /// From 1 to 4.
    pub number: u32,
    /// Bit 7: active.
    pub status: u8,
    /// 0xee: the disk has a GPT.
    pub kind: u8,
    /// First sector.
    pub start: u32,
    /// How many sectors.
    pub sectors: u32,
}

/// A partition.
#[derive(Clone, Debug, Serialize)]
pub struct Partition {
    /// Number, from 1.
    pub number: u32,
    /// What to call it in front of a path: its name if that can be written there and no other has it, else its number.
    pub slot: String,
    /// PARTLABEL.
    pub name: Name,
    /// Type GUID.
    #[serde(rename = "type")]
    pub type_guid: String,
    /// Usual name of the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_name: Option<&'static str>,
    /// PARTUUID.
    pub uuid: String,
    /// First byte and length, as `start` and `size`.
    #[serde(flatten)]
    pub(crate) place: Span,
    /// Attribute bits.
    #[serde(serialize_with = "as_hex")]
    pub flags: u64,
    /// What it holds; left out if only another partition was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

impl Partition {
    /// First byte.
    pub fn start(&self) -> u64 {
        self.place.start()
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.place.len()
    }
}

/// What a partition or a bare image holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Content {
    /// In one word.
    pub kind: Kind,
    /// Digest of bytes that nothing more is known of.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub digest: Option<BytesDigest>,
    /// What the first bytes look like, if they are not read any further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks_like: Option<&'static str>,
    /// Parameters of the file system in the order of the text.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "as_parameters"
    )]
    pub parameters: Vec<(&'static str, Parameter)>,
    /// Digest of everything in the file system that is no file's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Sha256Digest>,
    /// Damage that was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// What may be right, and is not read here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// Files by path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<Entry>,
    /// Variables of a GRUB environment block that is the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grubenv: Option<Vec<(Name, Name)>>,
    /// Hash tree behind the file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verity: Option<Verity>,
    /// What lies behind all that, as far as it is not zero.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// A parameter of a file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "one form of value each")]
pub enum Parameter {
    Number(u64),
    Text(String),
    Name(Name),
    Time(Option<Time>),
    Words(Vec<String>),
}

/// Kinds of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    #[default]
    Zero,
    Data,
    Ext4,
    Fat,
    Grubenv,
}

impl Kind {
    /// As in the text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Data => "data",
            Self::Ext4 => "ext4",
            Self::Fat => "fat",
            Self::Grubenv => "grubenv",
        }
    }
}

/// Bytes that belong to nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Gap {
    /// First byte, counted like everything around it.
    pub start: u64,
    /// Length in bytes.
    pub size: u64,
    /// Digest of them; left out without digests.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub digest: Option<BytesDigest>,
}

/// A dm-verity superblock and hash tree.
#[derive(Clone, Debug, Serialize)]
pub struct Verity {
    /// Where the superblock is.
    pub start: u64,
    /// Length of superblock and tree.
    pub size: u64,
    /// UUID.
    pub uuid: String,
    /// Bytes in a block of data.
    pub data_block_size: u32,
    /// Bytes in a block of the tree.
    pub hash_block_size: u32,
    /// Number of data blocks.
    pub data_blocks: u64,
    /// Hexadecimal.
    pub salt: String,
    /// Digest of the tree's top block: what the kernel is to be given.
    pub root_hash: String,
    /// Digest of the tree.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub digest: Option<BytesDigest>,
    /// Whether data and tree were checked, with success.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub verified: bool,
}

/// A file of any type.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// From the root, which is `/`.
    pub path: Name,
    /// Type, and what only that type has.
    #[serde(flatten)]
    pub node: Node,
    /// Mode, owner and so on; a hard link has those of its file.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Box<Attributes>>,
    /// Why there is less here than there should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// What of it may be right, and is not read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Number of the inode, or first cluster.
    #[serde(skip)]
    pub(crate) inode: u64,
}

impl Entry {
    /// Why the content of a regular file is not to be had. Other damage leaves it readable.
    pub(crate) fn lost(&self) -> Option<&str> {
        match &self.node {
            Node::File(file) if file.runs.is_empty() && file.size > 0 => self.damage.as_deref(),
            _ => None,
        }
    }
}

/// Types of files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Node {
    /// A directory.
    Dir,
    /// A regular file.
    File(Box<File>),
    /// A symbolic link.
    Symlink {
        /// Its text.
        target: Name,
    },
    /// Another name of a file.
    Hardlink {
        /// The first name in byte order.
        target: Name,
    },
    /// A character device.
    Char {
        /// Major and minor number.
        rdev: (u32, u32),
    },
    /// A block device.
    Block {
        /// Major and minor number.
        rdev: (u32, u32),
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Node {
    /// As in the text.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::File(_) => "file",
            Self::Symlink { .. } => "symlink",
            Self::Hardlink { .. } => "hardlink",
            Self::Char { .. } => "char",
            Self::Block { .. } => "block",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
        }
    }
}

/// What only a regular file has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct File {
    /// Length in bytes.
    pub size: u64,
    /// Digest of the content.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub digest: Option<BytesDigest>,
    /// Variables, if it is a GRUB environment block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grubenv: Option<Vec<(Name, Name)>>,
    /// Where the content is, in order.
    #[serde(skip)]
    pub(crate) runs: Vec<Run>,
}

impl File {
    /// How many of its bytes have a place in the image: holes have none.
    pub fn stored(&self) -> u64 {
        let mapped = span::mapped(&self.runs);
        // Blocks may reach beyond the file's end. Ones that are more than a number can say reach beyond any end.
        mapped.map_or(self.size, |mapped| mapped.min(self.size))
    }
}

/// Digest of a file, or of a part of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum BytesDigest {
    /// Of all bytes.
    #[serde(rename = "sha256")]
    Whole(Sha256Digest),
    /// Of the bytes that are not zero, with their positions: where there could be more zeros than can be hashed.
    #[serde(rename = "sparse-sha256")]
    Sparse(Sha256Digest),
}

/// What every file has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attributes {
    /// Permissions with set-user-ID, set-group-ID and sticky.
    #[serde(serialize_with = "as_octal", skip_serializing_if = "Option::is_none")]
    pub mode: Option<u16>,
    /// Owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Last modification of the content.
    pub mtime: Time,
    /// Other flags, by letters or as a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// Extended attributes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", serialize_with = "as_map")]
    pub xattrs: BTreeMap<Name, Value>,
    /// What `stat` shows besides.
    #[serde(skip)]
    pub(crate) more: Vec<(&'static str, String)>,
}

fn as_hex<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:#x}"))
}

fn as_octal<S: Serializer>(mode: &Option<u16>, serializer: S) -> Result<S::Ok, S::Error> {
    match mode {
        Some(mode) => serializer.collect_str(&format_args!("{mode:04o}")),
        None => serializer.serialize_none(),
    }
}

fn as_map<S: Serializer>(map: &BTreeMap<Name, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map)
}

fn as_parameters<S: Serializer>(
    parameters: &[(&'static str, Parameter)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(parameters.iter().map(|(name, value)| (name, value)))
}
