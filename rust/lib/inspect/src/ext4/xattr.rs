//! Extended attributes: behind the inode's fields, and in a block of their own.

use std::collections::BTreeMap;

use super::inode::Inode;
use super::Reader;
use crate::bytes::{index, long, part, u16_at, u32_at, u8_at};
use crate::error::{damage, damaged, Error, Fault};
use crate::names::{Name, Value};

/// Attributes by name.
pub(super) type Map = BTreeMap<Name, Value>;

const MAGIC: u32 = 0xea02_0000;
/// As much as is read of one file system: blocks may be shared, so the image's length is no bound.
pub(super) const BUDGET: u64 = 256 << 20;

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
        let inner = inode.inner_xattrs();
        if u32_at(inner, 0) == MAGIC {
            let entries = part(inner, 4, inner.len());
            self.entries(entries, entries, map)?;
        }
        match inode.xattr_block() {
            0 => Ok(()),
            block => {
                let bytes = self.block(block)?;
                if u32_at(&bytes, 0) != MAGIC {
                    return Err(damage!("block {block} is none of attributes"));
                }
                self.entries(part(&bytes, 32, bytes.len()), &bytes, map)
            }
        }
    }

    /// `values`: where offsets of values count from.
    fn entries(&mut self, entries: &[u8], values: &[u8], map: &mut Map) -> Result<(), Fault> {
        let mut rest = entries;
        let mut total = 0usize;
        while u32_at(rest, 0) != 0 {
            let (e_name_len, e_name_index) = (u8_at(rest, 0), u8_at(rest, 1));
            let (e_value_offs, e_value_inum) = (u16_at(rest, 2), u32_at(rest, 4));
            let e_value_size = index(u32_at(rest, 8));
            let name = part(rest, 16, e_name_len.into());
            if name.len() != usize::from(e_name_len) {
                return Err(damage!("a name runs out of its place"));
            }
            let name = [prefix(e_name_index)?.as_bytes(), name].concat();
            if e_value_inum != 0 {
                let name = Name(name);
                return Err(damage!(
                    "{name} has its value in an inode, which is not read here"
                ));
            }
            let value = part(values, e_value_offs.into(), e_value_size).to_vec();
            // Values don't share bytes, so they are no longer than what they lie in; blocks may be shared.
            total = total.saturating_add(value.len());
            if total > values.len() {
                return Err(damage!("values of more bytes than their place has"));
            }
            let taken = long(value.len().saturating_add(name.len()));
            self.xattr_budget = match self.xattr_budget.checked_sub(taken) {
                Some(rest) => rest,
                None => return Err(damage!("more attributes than are read")),
            };
            if value.len() != e_value_size {
                return Err(damage!("the value of {} runs out of its place", Name(name)));
            }
            let value = access_list(&name, &value).unwrap_or(value);
            if map.insert(Name(name.clone()), Value(value)).is_some() {
                return Err(damage!("{} is there twice", Name(name)));
            }
            let len = usize::from(e_name_len)
                .saturating_add(16)
                .next_multiple_of(4);
            rest = part(rest, len, rest.len());
        }
        Ok(())
    }
}

fn prefix(index: u8) -> Result<&'static str, Fault> {
    Ok(match index {
        0 => "",
        1 => "user.",
        2 => "system.posix_acl_access",
        3 => "system.posix_acl_default",
        4 => "trusted.",
        6 => "security.",
        7 => "system.",
        8 => "system.richacl",
        _ => return Err(damage!("a name of class {index}")),
    })
}

/// An access control list as programs see it: on disk (version 1) entries without an ID are shorter.
fn access_list(name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    if !name.starts_with(b"system.posix_acl_") || u32_at(value, 0) != 1 {
        return None;
    }
    let mut out = 2u32.to_le_bytes().to_vec();
    let mut rest = value.get(4..)?;
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(4)?;
        out.extend_from_slice(head);
        // ACL_USER and ACL_GROUP.
        let has_id = matches!(u16_at(head, 0), 2 | 8);
        let (id, after) = after.split_at_checked(if has_id { 4 } else { 0 })?;
        out.extend_from_slice(if has_id { id } else { &[0xff; 4] });
        rest = after;
    }
    Some(out)
}
