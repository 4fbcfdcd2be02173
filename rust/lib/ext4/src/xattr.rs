//! Extended attributes, behind an inode's fields and in a block.
//!
//! Spec: the kernel's `filesystems/ext4/attributes` page. Entries follow each other, in the inode after the magic 0xEA020000 and in
//! a block after its header. They are sorted by prefix, length and name, and end with 4 zero bytes; values fill the room from its end.
//! Access control lists come in the form that `getxattr` shows and are stored in ext4's shorter one ([`acl`]).

use std::collections::BTreeMap;
use std::mem::offset_of;

use base::as_u64;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromZeros, Immutable, IntoBytes, Unaligned};

use crate::bytes::{crc, put, BLOCK};
use crate::error::Error;
use crate::num::{narrow, part, short};

/// Room in an inode: all that 256 bytes leave behind the fixed fields.
pub(crate) const BODY: usize = 96;
const MAGIC: u32 = 0xea02_0000;
const HEADER: usize = size_of::<Header>();
const BODY_HEADER: usize = 4;
const ENTRY: usize = size_of::<Entry>();
const _: () = assert!(HEADER == 32 && ENTRY == 16);
/// Zeros behind the last entry.
const END: usize = 4;

const ACL_ACCESS: u8 = 2;
const ACL_DEFAULT: u8 = 3;

/// `ext4_xattr_header`, at the start of a block.
#[derive(FromZeros, IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    /// 0: 0xEA020000.
    h_magic: U32,
    /// 4: 1, one inode uses it.
    h_refcount: U32,
    /// 8: 1.
    h_blocks: U32,
    /// 12: the entries' hashes.
    h_hash: U32,
    /// 16: CRC-32C of the block's number and of this.
    h_checksum: U32,
    _14: [u8; 12],
}

/// `ext4_xattr_entry`; the name follows, filled to 4 bytes.
#[derive(IntoBytes, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    /// 0: length of the name without its prefix.
    e_name_len: u8,
    /// 1: the prefix, see [`PREFIXES`].
    e_name_index: u8,
    /// 2: from the first entry, in a block from its start; 0 of a value without bytes.
    e_value_offs: U16,
    /// 4: 0.
    e_value_inum: U32,
    /// 8: length of the value.
    e_value_size: U32,
    /// 12: hash of name and value.
    e_hash: U32,
}

/// Names that begin so have their beginning stored as a number; no other can be stored. The first that fits counts.
const PREFIXES: [(&[u8], u8); 6] = [
    (b"user.", 1),
    (b"system.posix_acl_access", ACL_ACCESS),
    (b"system.posix_acl_default", ACL_DEFAULT),
    (b"trusted.", 4),
    (b"security.", 6),
    (b"system.", 7),
];

/// The attributes of one inode as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// What follows the inode's fixed fields; zeros if nothing lies there.
    pub(crate) body: [u8; BODY],
    /// The block, its checksum still missing.
    pub(crate) block: Option<Box<[u8]>>,
}

struct Attribute<'a> {
    prefix: u8,
    name: &'a [u8],
    value: Vec<u8>,
}

impl Attribute<'_> {
    #[expect(clippy::expect_used, reason = "longer names were refused")]
    fn name_len(&self) -> u8 {
        u8::try_from(self.name.len()).expect("at most 255 bytes")
    }

    /// Bytes taken by the entry.
    fn entry(&self) -> usize {
        [ENTRY, self.name.len().next_multiple_of(4)]
            .into_iter()
            .sum()
    }

    /// Bytes taken by the value.
    fn room(&self) -> usize {
        self.value.len().next_multiple_of(4)
    }

    fn size(&self) -> usize {
        [self.entry(), self.room()].into_iter().sum()
    }

    fn hash(&self) -> u32 {
        let mut hash = 0u32;
        for byte in self.name {
            hash = hash.rotate_left(5) ^ u32::from(*byte);
        }
        for chunk in self.value.chunks(4) {
            let mut word = [0; 4];
            put(&mut word, chunk);
            hash = hash.rotate_left(16) ^ u32::from_le_bytes(word);
        }
        hash
    }
}

impl Attributes {
    /// Encodes `xattrs` of the entry at `path`; each goes into the inode if it still fits there, else into the block.
    pub(crate) fn of(path: &[u8], xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Self, Error> {
        let mut all = Vec::with_capacity(xattrs.len());
        for (name, value) in xattrs {
            all.push(attribute(name, value).map_err(|reason| refuse(path, name, reason))?);
        }
        all.sort_by(|a, b| {
            let key = |x: &Attribute<'_>| (x.prefix, x.name.len());
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(b.name))
        });
        let mut body_room = BODY - BODY_HEADER - END;
        let mut block_room = BLOCK - HEADER - END;
        let (mut body, mut block) = (Vec::new(), Vec::new());
        for attribute in all {
            let size = attribute.size();
            if let Some(rest) = body_room.checked_sub(size) {
                body_room = rest;
                body.push(attribute);
            } else if let Some(rest) = block_room.checked_sub(size) {
                block_room = rest;
                block.push(attribute);
            } else {
                let name = full_name(&attribute);
                let reason = format!(
                    "does not fit: it takes {size} bytes, and of the inode's and one block's {block_room} are left"
                );
                return Err(refuse(path, &name, reason));
            }
        }
        Ok(Self {
            body: in_inode(&body),
            block: in_block(&block),
        })
    }

    /// Fills in the checksum of a block that comes to lie at `at`.
    pub(crate) fn seal(block: &mut [u8], seed: u32, at: u64) {
        let sum = crc(crc(seed, &at.to_le_bytes()), block);
        let (_, from) = block.split_at_mut(offset_of!(Header, h_checksum));
        put(from, &sum.to_le_bytes());
    }
}

fn in_inode(attributes: &[Attribute<'_>]) -> [u8; BODY] {
    let mut out = [0; BODY];
    if !attributes.is_empty() {
        fill(put(&mut out, &MAGIC.to_le_bytes()), 0, attributes);
    }
    out
}

fn in_block(attributes: &[Attribute<'_>]) -> Option<Box<[u8]>> {
    if attributes.is_empty() {
        return None;
    }
    let hash = attributes.iter().map(Attribute::hash);
    let hash = hash.fold(0, |sum: u32, hash| sum.rotate_left(16) ^ hash);
    let header = Header {
        h_magic: U32::new(MAGIC),
        h_refcount: U32::new(1),
        h_blocks: U32::new(1),
        h_hash: U32::new(hash),
        ..Header::new_zeroed()
    };
    let mut out = vec![0; BLOCK];
    fill(put(&mut out, header.as_bytes()), HEADER, attributes);
    Some(out.into_boxed_slice())
}

/// Writes entries into `room` and their values from its end, for all of which there is room. Offsets count from `before` bytes
/// before it.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the attributes were counted: their sizes together are less than a block"
)]
fn fill(room: &mut [u8], before: usize, attributes: &[Attribute<'_>]) {
    let mut values = room.len();
    let mut entries = 0;
    for attribute in attributes {
        values -= attribute.room();
        put(room.split_at_mut(values).1, &attribute.value);
        let offset = match attribute.value.is_empty() {
            true => 0,
            false => values + before,
        };
        let entry = Entry {
            e_name_len: attribute.name_len(),
            e_name_index: attribute.prefix,
            e_value_offs: U16::new(short(offset)),
            e_value_inum: U32::ZERO,
            e_value_size: U32::new(narrow(as_u64(attribute.value.len()))),
            e_hash: U32::new(attribute.hash()),
        };
        let behind = put(room.split_at_mut(entries).1, entry.as_bytes());
        put(behind, attribute.name);
        entries += attribute.entry();
    }
}

fn attribute<'a>(name: &'a [u8], value: &[u8]) -> Result<Attribute<'a>, String> {
    let mut prefixes = PREFIXES.iter();
    let found = prefixes.find_map(|(text, prefix)| Some((name.strip_prefix(*text)?, *prefix)));
    let is_acl = |prefix| matches!(prefix, ACL_ACCESS | ACL_DEFAULT);
    match found {
        Some((rest, prefix)) if is_acl(prefix) && rest.is_empty() => Ok(Attribute {
            prefix,
            name: rest,
            value: acl(value)?,
        }),
        Some((rest, prefix)) if !is_acl(prefix) && (1..=255).contains(&rest.len()) => {
            Ok(Attribute {
                prefix,
                name: rest,
                value: value.to_vec(),
            })
        }
        Some((rest, _)) if rest.len() > 255 => Err("has a name of more than 255 bytes".to_owned()),
        _ => Err(
            "has a name that ext4 does not have: want user.*, trusted.*, security.*, system.*"
                .to_owned(),
        ),
    }
}

fn full_name(attribute: &Attribute<'_>) -> Vec<u8> {
    let prefix = PREFIXES.iter().find(|(_, p)| *p == attribute.prefix);
    let prefix = prefix.map_or(&b""[..], |(text, _)| *text);
    [prefix, attribute.name].concat()
}

fn refuse(path: &[u8], name: &[u8], reason: String) -> Error {
    Error::Xattr {
        path: tree::display(path),
        name: tree::display(name),
        reason,
    }
}

/// A POSIX ACL as ext4 stores it, from what `getxattr` shows.
///
/// | shown                                      | stored                                                       |
/// |--------------------------------------------|--------------------------------------------------------------|
/// | version 2 (4 bytes)                        | version 1 (4 bytes)                                          |
/// | each entry: tag (2), permissions (2), id (4) | the same; the id only for a named user (2) or group (8)    |
pub(crate) fn acl(shown: &[u8]) -> Result<Vec<u8>, String> {
    let bad = || Err("is no POSIX access control list of version 2".to_owned());
    let Some(entries) = shown.strip_prefix(&2u32.to_le_bytes()) else {
        return bad();
    };
    let mut stored = 1u32.to_le_bytes().to_vec();
    for entry in entries.chunks(8) {
        let [tag, 0, permissions, 0, _, _, _, _] = entry else {
            return bad();
        };
        let named = match tag {
            0x02 | 0x08 => true,
            0x01 | 0x04 | 0x10 | 0x20 => false,
            _ => return bad(),
        };
        if *permissions > 7 {
            return bad();
        }
        stored.extend_from_slice(part(entry, 0..if named { 8 } else { 4 }));
    }
    if entries.is_empty() {
        return bad();
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(list: &[(&str, &[u8])]) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let list = list.iter();
        list.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec()))
            .collect()
    }

    #[test]
    fn in_the_inode_first() {
        let some = map(&[("user.a", b"1"), ("security.capability", &[7; 20])]);
        let stored = Attributes::of(b"x", &some).unwrap();
        assert_eq!(stored.block, None);
        assert_eq!(stored.body[..4], [0, 0, 2, 0xea]);
        // user.a: one byte of name, index 1, its value at the end of 92 bytes.
        assert_eq!(stored.body[4..12], [1, 1, 88, 0, 0, 0, 0, 0]);
        let more = map(&[("user.a", b"1"), ("user.long", &[7; 300])]);
        let stored = Attributes::of(b"x", &more).unwrap();
        assert_ne!(stored.body, [0; BODY]);
        assert!(stored.block.is_some());
    }

    /// Behind the last entry there are zeros, which nothing may take.
    #[test]
    fn as_much_as_there_is_room_for() {
        // 16 bytes of entry and 4 of name.
        let full = map(&[("user.a", &[7; 68])]);
        let stored = Attributes::of(b"x", &full).unwrap();
        assert_eq!((stored.block, &stored.body[24..28]), (None, &[0; 4][..]));
        let more = map(&[("user.a", &[7; 69])]);
        let stored = Attributes::of(b"x", &more).unwrap();
        assert_eq!((stored.body, stored.block.is_some()), ([0; BODY], true));
        let full = map(&[("user.a", &[7; 4040])]);
        let block = Attributes::of(b"x", &full).unwrap().block.unwrap();
        assert_eq!(block[52..56], [0; 4]);
        assert!(Attributes::of(b"x", &map(&[("user.a", &[7; 4041])])).is_err());
    }

    #[test]
    fn a_block_has_its_hash() {
        let list = map(&[("user.a", &[7; 100]), ("user.bc", &[8; 100])]);
        let block = Attributes::of(b"x", &list).unwrap().block.unwrap();
        let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
        // e2fsck compares those of the entries, and nobody that of the block.
        let entries = [word(32 + 12), word(52 + 12)];
        assert_eq!(entries, [0x0766_0707, 0x042b_0808]);
        assert_eq!(word(12), 0x0707_0766 ^ 0x042b_0808);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let list = map(&[("user.big", &[1; 4096])]);
        let error = Attributes::of(b"etc/x", &list).unwrap_err().to_string();
        assert_eq!(
            error,
            "'/etc/x': extended attribute 'user.big' does not fit: it takes 4116 bytes, \
             and of the inode's and one block's 4060 are left"
        );
        let long = "x".repeat(256);
        let error = Attributes::of(b"x", &map(&[(&format!("user.{long}"), b"")])).unwrap_err();
        assert!(error.to_string().contains("more than 255 bytes"), "{error}");
        let access = format!("system.posix_acl_access{}", &long[..255]);
        for bad in [
            "user.",
            "other.x",
            "security",
            "system.posix_acl_accessx",
            &access,
        ] {
            let error = Attributes::of(b"x", &map(&[(bad, b"")])).unwrap_err();
            assert!(error.to_string().contains("want user.*"), "{bad}: {error}");
        }
    }

    #[test]
    fn acls() {
        let mut shown = vec![2, 0, 0, 0];
        for (tag, permissions, id) in [(1u8, 6u8, 0xffu8), (2, 4, 9), (4, 4, 0xff), (0x20, 0, 0xff)]
        {
            shown.extend_from_slice(&[tag, 0, permissions, 0, id, 0, 0, 0]);
        }
        let want: Vec<u8> = [
            &[1, 0, 0, 0][..],
            &[1, 0, 6, 0],
            &[2, 0, 4, 0, 9, 0, 0, 0],
            &[4, 0, 4, 0],
            &[0x20, 0, 0, 0],
        ]
        .concat();
        assert_eq!(acl(&shown).unwrap(), want);
        for bad in [&shown[..3], &shown[..9], &[1, 0, 0, 0], &[2, 0, 0, 0], b""] {
            assert!(acl(bad).is_err());
        }
        // All three permissions, and what is none.
        let owner = |permissions| [2, 0, 0, 0, 1, 0, permissions, 0, 0, 0, 0, 0];
        assert_eq!(acl(&owner(7)).unwrap(), [1, 0, 0, 0, 1, 0, 7, 0]);
        assert!(acl(&owner(8)).is_err());
    }
}
