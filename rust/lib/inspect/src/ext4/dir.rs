//! Directories. A hash index is made of entries without an inode, so reading all blocks in order finds everything.

use super::inode::Inode;
use super::Reader;
use crate::bytes::{index, long, part, times, u16_at, u32_at, u8_at};
use crate::error::{damage, Fault};
use crate::model::Run;

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
        let mapped = runs
            .iter()
            .fold(0u64, |sum, run| sum.saturating_add(run.len));
        if mapped != inode.size {
            let want = inode.size;
            found.problem = Some(format!("{mapped} bytes of a directory of {want}"));
        }
        let source = self.cache.window().source();
        for Run { len, from, .. } in runs {
            for block in 0..times(*len, size) {
                let at = from.saturating_add(block.saturating_mul(size));
                let bytes = self.cache.bytes(at, index(size))?;
                if let Err(problem) = entries(&bytes, &mut found.children) {
                    found.problem = Some(problem);
                }
                // Blocks may be stored once and be there many times.
                let taken = long(found.children.len()).saturating_mul(CHILD);
                if taken > source.room() {
                    let stored = source.stored();
                    return Err(damage!(
                        "a directory of more names than {stored} stored bytes can have"
                    ));
                }
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
        for run in runs {
            let bytes = self.cache.bytes(run.from, index(run.len))?;
            let skip = if run.at == 0 { PARENT } else { 0 };
            let listed = entries(part(&bytes, skip, bytes.len()), &mut found.children);
            if let Err(problem) = listed {
                found.problem = Some(problem);
            }
        }
        if inode.size < long(PARENT) {
            let size = inode.size;
            found.problem = Some(format!("{size} bytes of a directory inside its inode"));
        }
        Ok(())
    }
}

/// Length of the parent's number.
const PARENT: usize = 4;

/// What a name takes of memory while its directory is listed, about.
const CHILD: u64 = 96;

/// The entries of one block.
fn entries(block: &[u8], children: &mut Vec<Child>) -> Result<(), String> {
    let mut at = 0usize;
    while at < block.len() {
        let (inode, rec_len) = (u32_at(block, at), u16_at(block, at.saturating_add(4)));
        let name_len = usize::from(u8_at(block, at.saturating_add(6)));
        let len = match rec_len {
            // 64 KiB do not go into two bytes.
            0 | 0xffff if block.len() == 1 << 16 => block.len(),
            _ => usize::from(rec_len),
        };
        let end = at.saturating_add(len);
        if len < 8
            || len % 4 != 0
            || end > block.len()
            || (inode != 0 && name_len.saturating_add(8) > len)
        {
            return Err(format!(
                "a directory entry of {len} bytes with a name of {name_len}"
            ));
        }
        if inode != 0 {
            let name = part(block, at.saturating_add(8), name_len).to_vec();
            children.push(Child { name, inode });
        }
        at = end;
    }
    Ok(())
}

/// Why `name` can't be that of a file.
pub(super) fn bad_name(name: &[u8]) -> Option<Fault> {
    let bad = name.is_empty() || name.contains(&b'/') || name.contains(&0);
    bad.then(|| damage!("the name {:?}", String::from_utf8_lossy(name)))
}
