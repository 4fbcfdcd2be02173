//! Directories. A hash index is made of entries without an inode, so reading all blocks in order finds everything.

use super::inode::Inode;
use super::Reader;
use crate::bytes::{array, Fields};
use crate::error::{damage, damaged, Fault};
use crate::span::{mapped, Run};
use base::{as_u64, as_usize};

/// A name in a directory.
pub(super) struct Child {
    pub(super) name: Vec<u8>,
    pub(super) inode: u32,
}

/// What a directory holds, as far as it can be read.
#[derive(Default)]
pub(super) struct Children {
    pub(super) children: Vec<Child>,
    pub(super) problem: Option<String>,
}

impl Reader<'_> {
    pub(super) fn children(&mut self, inode: &Inode) -> Result<Children, Fault> {
        let runs = self.runs(inode)?;
        let mut found = Children::default();
        if inode.is_inline() {
            self.inline_children(inode, &runs, &mut found)?;
        } else {
            self.block_children(inode, &runs, &mut found)?;
        }
        found
            .children
            .retain(|child| child.name != b"." && child.name != b"..");
        Ok(found)
    }

    fn block_children(
        &mut self,
        inode: &Inode,
        runs: &[Run],
        found: &mut Children,
    ) -> Result<(), Fault> {
        let size = self.block_size();
        let (have, want) = (mapped(runs)?, inode.size);
        if have != want {
            found.problem = Some(format!("{have} bytes of a directory of {want}"));
        }
        let source = self.cache.window().source();
        for block in runs.iter().flat_map(|run| run.pieces(size)) {
            if block.len() < size {
                found.problem = Some(format!("a directory of {want} bytes in blocks of {size}"));
                break;
            }
            let bytes = self.cache.bytes(block.from().start(), as_usize(size))?;
            if let Err(problem) = damaged(entries(&bytes, &mut found.children))? {
                found.problem = Some(problem);
            }
            // Blocks may be stored once and be there many times.
            if as_u64(found.children.len()) > source.room() / CHILD {
                let stored = source.stored();
                return Err(damage!(
                    "a directory of more names than {stored} stored bytes can have"
                ));
            }
        }
        Ok(())
    }

    /// The number of the parent, then entries; what did not fit is the value of an attribute.
    fn inline_children(
        &mut self,
        inode: &Inode,
        runs: &[Run],
        found: &mut Children,
    ) -> Result<(), Fault> {
        let size = inode.size;
        if size < PARENT {
            found.problem = Some(format!("{size} bytes of a directory inside its inode"));
        }
        for run in runs {
            let skip = if run.at().start() == 0 { PARENT } else { 0 };
            let names = run.skip(skip);
            let bytes = self
                .cache
                .bytes(names.from().start(), as_usize(names.len()))?;
            if let Err(problem) = damaged(entries(&bytes, &mut found.children))? {
                found.problem = Some(problem);
            }
        }
        Ok(())
    }
}

/// Length of the parent's number.
const PARENT: u64 = 4;

/// What a name takes of memory while its directory is listed, about.
const CHILD: u64 = 96;

/// The entries of one block.
fn entries(block: &[u8], children: &mut Vec<Child>) -> Result<(), Fault> {
    let mut rest = block;
    while !rest.is_empty() {
        let head: [u8; 8] = array(rest, 0)?;
        let (inode, rec_len, name_len) = (head.u32::<0>(), head.u16::<4>(), head.u8::<6>());
        let len = match rec_len {
            // 64 KiB do not go into two bytes.
            0 | 0xffff if block.len() == 1 << 16 => block.len(),
            _ => usize::from(rec_len),
        };
        let bad = || damage!("a directory entry of {len} bytes with a name of {name_len}");
        if len % 4 != 0 {
            return Err(bad());
        }
        let (entry, after) = rest.split_at_checked(len).ok_or_else(bad)?;
        let names = entry.get(8..).ok_or_else(bad)?;
        if inode != 0 {
            let name = names.get(..usize::from(name_len)).ok_or_else(bad)?.to_vec();
            children.push(Child { name, inode });
        }
        rest = after;
    }
    Ok(())
}

/// Why `name` can't be that of a file.
pub(super) fn bad_name(name: &[u8]) -> Option<Fault> {
    let bad = name.is_empty() || name.contains(&b'/') || name.contains(&0);
    bad.then(|| damage!("the name {:?}", String::from_utf8_lossy(name)))
}
