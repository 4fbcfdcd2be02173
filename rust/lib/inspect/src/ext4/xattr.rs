//! Extended attributes: behind the inode's fields, and in a block of their own.

use base::{as_u64, as_usize};
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::inode::{Inode, Type};
use super::Reader;
use crate::bytes::{Fields, Number};
use crate::error::{damage, damaged, Error, Fault};
use crate::names::{Name, Value};

/// Attributes by name.
pub(super) type Map = BTreeMap<Name, Value>;

const MAGIC: [u8; 4] = 0xea02_0000u32.to_le_bytes();
/// Length of the head of a block of attributes.
const HEAD: usize = 32;
/// The longest value of an attribute, as Linux has it.
const MAX_VALUE: u64 = 65536;
/// Class and name of the attribute that holds content of a file.
const INLINE_DATA: (u8, &[u8]) = (7, b"data");

/// An attribute as it stands in the image.
struct Raw<'a> {
    class: u8,
    name: &'a [u8],
    e_value_offs: usize,
    e_value_inum: u32,
    e_value_size: usize,
}

/// Takes the next attribute from `rest`; nothing at the end.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<Raw<'a>>, Fault> {
    // Four zeros, or no more room.
    if matches!(rest.first_chunk(), None | Some([0, 0, 0, 0])) {
        return Ok(None);
    }
    let runs_out = || damage!("a name runs out of its place");
    let (head, after) = rest.split_first_chunk::<16>().ok_or_else(runs_out)?;
    let e_name_len = usize::from(head.u8::<0>());
    let name = after.get(..e_name_len).ok_or_else(runs_out)?;
    // Padding may be missing behind the last one.
    *rest = after.get(e_name_len.next_multiple_of(4)..).unwrap_or(&[]);
    Ok(Some(Raw {
        class: head.u8::<1>(),
        name,
        e_value_offs: head.u16::<2>().into(),
        e_value_inum: head.u32::<4>(),
        e_value_size: as_usize(head.u32::<8>()),
    }))
}

/// The attributes in an inode, if there are some.
pub(super) fn inner_entries(inner: &[u8]) -> Option<&[u8]> {
    inner.strip_prefix(&MAGIC)
}

/// Place and length of the attribute that holds content, among those in an inode.
pub(super) fn inline_data(entries: &[u8]) -> Option<(usize, usize)> {
    let mut rest = entries;
    while let Ok(Some(raw)) = next(&mut rest) {
        if (raw.class, raw.name) == INLINE_DATA && raw.e_value_inum == 0 {
            return Some((raw.e_value_offs, raw.e_value_size));
        }
    }
    None
}

impl Reader<'_> {
    /// The attributes of `inode`, and what is wrong with them.
    pub(super) fn xattrs(&mut self, inode: &Inode) -> Result<(Map, Option<String>), Error> {
        let mut map = Map::new();
        let result = self.collect(inode, &mut map);
        let problem = damaged(result)?.err();
        Ok((
            map,
            problem.map(|problem| format!("extended attributes: {problem}")),
        ))
    }

    fn collect(&mut self, inode: &Inode, map: &mut Map) -> Result<(), Fault> {
        if let Some(entries) = inner_entries(inode.inner_xattrs()) {
            self.entries(entries, entries, inode.is_inline(), map)?;
        }
        match inode.xattr_block() {
            0 => Ok(()),
            block => {
                let bytes = self.block(block)?;
                match bytes.get(HEAD..) {
                    Some(entries) if bytes.starts_with(&MAGIC) => {
                        self.entries(entries, &bytes, false, map)
                    }
                    _ => Err(damage!("block {block} is none of attributes")),
                }
            }
        }
    }

    /// `values`: where offsets of values count from. Of an `inline` inode one is no attribute but content.
    fn entries(
        &mut self,
        entries: &[u8],
        values: &[u8],
        inline: bool,
        map: &mut Map,
    ) -> Result<(), Fault> {
        let mut rest = entries;
        let (mut total, mut kept) = (0u64, 0u64);
        while let Some(raw) = next(&mut rest)? {
            if inline && (raw.class, raw.name) == INLINE_DATA {
                continue;
            }
            let name = [prefix(raw.class).as_bytes(), raw.name].concat();
            let value = match raw.e_value_inum {
                // Nothing is nowhere.
                0 if raw.e_value_size == 0 => Vec::new(),
                0 => {
                    let rest = values.get(raw.e_value_offs..);
                    let value = rest.and_then(|rest| rest.get(..raw.e_value_size));
                    let shown = || Name(name.clone());
                    let value = value
                        .ok_or_else(|| damage!("the value of {} runs out of its place", shown()))?;
                    value.to_vec()
                }
                number => self.value(number, raw.e_value_size)?,
            };
            if raw.e_value_inum == 0 {
                // Values don't share bytes, so they are no longer than what they lie in; blocks may be shared.
                total = total.plus(as_u64(value.len()))?;
                if total > as_u64(values.len()) {
                    return Err(damage!("values of more bytes than their place has"));
                }
            }
            // They are accounted for when the file is listed; until then they must fit, for many can have one inode as value.
            kept = kept.plus(as_u64(value.len()))?;
            if kept > self.cache.window().source().room() {
                return Err(damage!("more attributes than can be"));
            }
            let value = access_list(&name, &value).unwrap_or(value);
            if map.insert(Name(name.clone()), Value(value)).is_some() {
                return Err(damage!("{} is there twice", Name(name)));
            }
        }
        Ok(())
    }

    /// The value that is the content of inode `number`.
    fn value(&mut self, number: u32, size: usize) -> Result<Vec<u8>, Fault> {
        if let Some(value) = self.values.get(&number) {
            return Ok(value.clone());
        }
        let inode = self.inode(number)?;
        if !inode.is_value() || inode.kind != Type::File || inode.size != as_u64(size) {
            return Err(damage!("inode {number} is no value of {size} bytes"));
        }
        let runs = self.runs(&inode)?;
        let value = self.content(inode.size, &runs, MAX_VALUE)?;
        if !self.cache.window().source().keep(as_u64(value.len())) {
            return Err(damage!("more attributes than can be"));
        }
        self.values.insert(number, value.clone());
        Ok(value)
    }
}

fn prefix(class: u8) -> Cow<'static, str> {
    let known = match class {
        0 => "",
        1 => "user.",
        2 => "system.posix_acl_access",
        3 => "system.posix_acl_default",
        4 => "trusted.",
        6 => "security.",
        7 => "system.",
        8 => "system.richacl",
        10 => "gnu.",
        // Programs don't see it: how the content is encrypted.
        9 => "encryption.",
        other => return format!("class-{other}.").into(),
    };
    known.into()
}

/// An access control list as programs see it: on disk (version 1) entries without an ID are shorter.
fn access_list(name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    if !name.starts_with(b"system.posix_acl_") {
        return None;
    }
    let mut rest = value.strip_prefix(&1u32.to_le_bytes())?;
    let mut out = 2u32.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (head, after) = rest.split_first_chunk::<4>()?;
        out.extend_from_slice(head);
        // ACL_USER and ACL_GROUP.
        let has_id = matches!(head.u16::<0>(), 2 | 8);
        let (id, after) = after.split_at_checked(if has_id { 4 } else { 0 })?;
        out.extend_from_slice(if has_id { id } else { &[0xff; 4] });
        rest = after;
    }
    Some(out)
}
