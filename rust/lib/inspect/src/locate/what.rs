//! Structures by their names.

use std::fmt;

use serde::Serialize;

use crate::names::Name;

/// A structure that bytes of an image are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "Display says what each is")]
pub enum What {
    Mbr,
    GptHeader {
        backup: bool,
    },
    GptEntries {
        backup: bool,
    },
    Between,
    Partition {
        number: u32,
        name: Name,
        slot: String,
        row: String,
    },
    BootArea,
    Superblock {
        group: u64,
    },
    GroupDescriptors {
        group: u64,
    },
    ReservedDescriptors {
        group: u64,
    },
    BlockBitmap {
        group: u64,
    },
    InodeBitmap {
        group: u64,
    },
    Inode {
        number: u64,
        paths: Vec<Name>,
    },
    Directory {
        path: Name,
    },
    ExtentBlock {
        path: Name,
    },
    AttributeBlock {
        path: Name,
    },
    LinkTarget {
        path: Name,
    },
    FileData {
        path: Name,
    },
    Journal,
    BootSector,
    Reserved,
    Fat {
        copy: u8,
    },
    Unused,
    VeritySuperblock,
    HashBlock {
        level: u64,
        first: u64,
        last: u64,
    },
    Behind,
    MemberHeader {
        path: Name,
    },
    Padding,
    End,
    Grubenv,
    Zero,
    Unknown {
        #[serde(skip_serializing_if = "Option::is_none")]
        looks_like: Option<&'static str>,
    },
}

impl What {
    /// The file that it belongs to, if it is not an inode and not content.
    pub(super) fn path(&self) -> Option<&Name> {
        match self {
            Self::Directory { path }
            | Self::ExtentBlock { path }
            | Self::AttributeBlock { path }
            | Self::LinkTarget { path } => Some(path),
            _ => None,
        }
    }

    /// The file that it belongs to.
    pub fn file(&self) -> Option<&Name> {
        match self {
            Self::FileData { path } | Self::MemberHeader { path } => Some(path),
            Self::Inode { paths, .. } => paths.first(),
            _ => self.path(),
        }
    }
}

/// Of which copy something is.
struct Copy(bool);

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "backup " } else { "" })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mbr => f.write_str("first sector of the disk (protective MBR)"),
            Self::GptHeader { backup } => {
                write!(f, "{}partition table: header (GPT)", Copy(*backup))
            }
            Self::GptEntries { backup } => {
                write!(f, "{}partition table: entries (GPT)", Copy(*backup))
            }
            Self::Between => f.write_str("in no partition"),
            Self::Partition { slot, row, .. } => write!(f, "partition {slot} ({row})"),
            Self::BootArea => f.write_str("in front of the superblock"),
            Self::Superblock { group: 0 } => f.write_str("superblock (ext4)"),
            Self::Superblock { group } => {
                write!(f, "copy of the superblock in block group {group} (ext4)")
            }
            Self::GroupDescriptors { group: 0 } => {
                f.write_str("descriptors of the block groups (ext4)")
            }
            Self::GroupDescriptors { group } => {
                write!(
                    f,
                    "copy of the descriptors of the block groups in group {group} (ext4)"
                )
            }
            Self::ReservedDescriptors { group } => {
                write!(
                    f,
                    "room for more descriptors, in block group {group} (ext4)"
                )
            }
            Self::BlockBitmap { group } => {
                write!(f, "bitmap of the blocks of group {group} (ext4)")
            }
            Self::InodeBitmap { group } => {
                write!(f, "bitmap of the inodes of group {group} (ext4)")
            }
            Self::Inode { number, paths } => match paths.as_slice() {
                [] => write!(f, "inode {number}, which no name leads to (ext4)"),
                [path] => write!(f, "inode {number}, of {path} (ext4)"),
                [path, ..] => {
                    write!(f, "inode {number}, of {path} ({} names, ext4)", paths.len())
                }
            },
            Self::Directory { path } => write!(f, "names in the directory {path}"),
            Self::ExtentBlock { path } => write!(f, "block that says where {path} lies (ext4)"),
            Self::AttributeBlock { path } => write!(f, "extended attributes of {path} (ext4)"),
            Self::LinkTarget { path } => write!(f, "target of the link {path} (ext4)"),
            Self::FileData { path } => write!(f, "content of {path}"),
            Self::Journal => f.write_str("journal (ext4)"),
            Self::BootSector => f.write_str("boot sector (FAT)"),
            Self::Reserved => f.write_str("reserved sectors (FAT)"),
            Self::Fat { copy } => write!(f, "copy {copy} of the table of clusters (FAT)"),
            Self::Unused => f.write_str("in no file"),
            Self::VeritySuperblock => f.write_str("superblock (dm-verity)"),
            Self::HashBlock { level, first, last } => {
                write!(
                    f,
                    "hash tree, level {level}: over blocks {first} to {last} (dm-verity)"
                )
            }
            Self::Behind => f.write_str("behind the file system"),
            Self::MemberHeader { path } => write!(f, "header of the member {path} (tar)"),
            Self::Padding => f.write_str("between the members (tar)"),
            Self::End => f.write_str("end of the archive (tar)"),
            Self::Grubenv => f.write_str("environment block (GRUB)"),
            Self::Zero => f.write_str("zeros"),
            Self::Unknown { looks_like: None } => f.write_str("of no format that is read here"),
            Self::Unknown {
                looks_like: Some(name),
            } => write!(f, "{name}, which is not read here"),
        }
    }
}
