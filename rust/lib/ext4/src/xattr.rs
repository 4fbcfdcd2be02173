//! Extended attributes, behind an inode's fields and in a block.
//!
//! Spec: the kernel's `filesystems/ext4/attributes` page. An entry, in the inode after the magic 0xEA020000 and in a block
//! after its header:
//!
//! | offset | size | field           | we write                                            |
//! |-------:|-----:|-----------------|-----------------------------------------------------|
//! |      0 |    1 | `e_name_len`    | length of the name without its prefix               |
//! |      1 |    1 | `e_name_index`  | the prefix: see [`PREFIXES`]                        |
//! |      2 |    2 | `e_value_offs`  | from the first entry, in a block from its start     |
//! |      4 |    4 | `e_value_inum`  | 0                                                   |
//! |      8 |    4 | `e_value_size`  | length of the value                                 |
//! |     12 |    4 | `e_hash`        | hash of name and value                              |
//! |     16 |      | `e_name`        | filled to 4 bytes                                   |
//!
//! Entries are sorted by prefix, length and name, and end with 4 zero bytes; values fill the room from its end. Access
//! control lists come in the form that `getxattr` shows and are stored in ext4's shorter one ([`acl`]).

use std::collections::BTreeMap;

use crate::bytes::{crc, narrow, put, put16, put32, wide, BLOCK};
use crate::error::Error;

/// Room in an inode: all that 256 bytes leave behind the fixed fields.
pub(crate) const BODY: usize = 96;
const MAGIC: u32 = 0xea02_0000;
const HEADER: usize = 32;
const BODY_HEADER: usize = 4;
const ENTRY: usize = 16;

const ACL_ACCESS: u8 = 2;
const ACL_DEFAULT: u8 = 3;

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
    /// What follows the inode's fixed fields; empty if nothing lies there.
    pub(crate) body: Vec<u8>,
    /// The block, its checksum still missing.
    pub(crate) block: Option<Box<[u8]>>,
}

struct Attribute<'a> {
    prefix: u8,
    name: &'a [u8],
    value: Vec<u8>,
}

impl Attribute<'_> {
    /// Bytes taken by the entry.
    fn entry(&self) -> usize {
        ENTRY.saturating_add(self.name.len().next_multiple_of(4))
    }

    fn size(&self) -> usize {
        let value = self.value.len().next_multiple_of(4);
        self.entry().saturating_add(value)
    }

    fn hash(&self) -> u32 {
        let mut hash = 0u32;
        for byte in self.name {
            hash = hash.rotate_left(5) ^ u32::from(*byte);
        }
        for chunk in self.value.chunks(4) {
            let mut word = [0; 4];
            put(&mut word, 0, chunk);
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
        let mut body_room = BODY.saturating_sub(BODY_HEADER).saturating_sub(4);
        let mut block_room = BLOCK.saturating_sub(HEADER).saturating_sub(4);
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
        put32(block, 16, sum);
    }
}

fn in_inode(attributes: &[Attribute<'_>]) -> Vec<u8> {
    if attributes.is_empty() {
        return Vec::new();
    }
    let mut out = vec![0; BODY];
    put32(&mut out, 0, MAGIC);
    let (_, room) = out.split_at_mut(BODY_HEADER);
    fill(room, 0, attributes);
    out
}

fn in_block(attributes: &[Attribute<'_>]) -> Option<Box<[u8]>> {
    if attributes.is_empty() {
        return None;
    }
    let mut out = vec![0; BLOCK];
    put32(&mut out, 0, MAGIC);
    // One inode uses it, and it is one block.
    put32(&mut out, 4, 1);
    put32(&mut out, 8, 1);
    let hash = attributes.iter().map(Attribute::hash);
    let hash = hash.fold(0, |sum: u32, hash| sum.rotate_left(16) ^ hash);
    put32(&mut out, 12, hash);
    fill(&mut out, HEADER, attributes);
    Some(out.into_boxed_slice())
}

/// Writes entries from `at` on and their values from the end; offsets count from the start of `room`.
fn fill(room: &mut [u8], at: usize, attributes: &[Attribute<'_>]) {
    let mut at = at;
    let mut end = room.len();
    for attribute in attributes {
        let len = attribute.value.len();
        end = end.saturating_sub(len.next_multiple_of(4));
        let name_len = attribute.name.len().to_le_bytes();
        put(room, at, name_len.get(..1).unwrap_or_default());
        put(room, at.saturating_add(1), &[attribute.prefix]);
        if len > 0 {
            let offset = u16::try_from(end).unwrap_or(0);
            put16(room, at.saturating_add(2), offset);
        }
        put32(room, at.saturating_add(8), narrow(wide(len)));
        put32(room, at.saturating_add(12), attribute.hash());
        put(room, at.saturating_add(ENTRY), attribute.name);
        put(room, end, &attribute.value);
        at = at.saturating_add(attribute.entry());
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
    let prefix = prefix.map(|(text, _)| *text).unwrap_or_default();
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
        stored.extend_from_slice(entry.get(..if named { 8 } else { 4 }).unwrap_or_default());
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
        assert_eq!((stored.body.len(), &stored.block), (BODY, &None));
        assert_eq!(stored.body[..4], [0, 0, 2, 0xea]);
        // user.a: one byte of name, index 1, its value at the end of 92 bytes.
        assert_eq!(stored.body[4..12], [1, 1, 88, 0, 0, 0, 0, 0]);
        let more = map(&[("user.a", b"1"), ("user.long", &[7; 300])]);
        let stored = Attributes::of(b"x", &more).unwrap();
        assert_eq!(stored.body.len(), BODY);
        assert!(stored.block.is_some());
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
        for bad in ["user.", "other.x", "security", "system.posix_acl_accessx"] {
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
    }
}
