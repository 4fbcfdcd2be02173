//! Choosing the size and writing the image.

use std::io::Read;
use std::path::Path;

use tree::{Kind, Sources, Tree};

use crate::error::Error;
use crate::mke2fs::{self, Outcome};
use crate::params::{Params, Size, BLOCK_SIZE, MIB_BLOCKS};
use crate::plan::{needed_blocks, Layout, Need};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Size of the image in MiB.
    pub size_mib: u64,
    /// A lower bound of the size that the tree wants, in MiB.
    pub needs_mib: u64,
}

/// Writes `tree` as an ext4 file system into the file at `out`, which becomes sparse and is overwritten.
pub fn write(
    tree: &Tree,
    sources: &Sources,
    params: &Params,
    out: &Path,
) -> Result<Written, Error> {
    params.check()?;
    match params.size {
        Size::Mib(mib) => fixed(tree, sources, params, mib, out),
        Size::Smallest { free_percent } => smallest(tree, sources, params, free_percent, out),
    }
}

fn fixed(
    tree: &Tree,
    sources: &Sources,
    params: &Params,
    mib: u64,
    out: &Path,
) -> Result<Written, Error> {
    let blocks = mib.saturating_mul(MIB_BLOCKS);
    let mut need = Need::of(tree);
    if needed_blocks(need, params.journal, 0) > blocks {
        // Only now is it worth reading everything for holes.
        need.blocks = need.blocks.saturating_sub(zero_blocks(tree, sources)?);
    }
    let needs_mib = needed_blocks(need, params.journal, 0) / MIB_BLOCKS;
    if needs_mib > mib {
        return Err(Error::DoesNotFit {
            needs_mib,
            has_mib: mib,
        });
    }
    // The usual number of inodes, unless their tables would take the room that the files want.
    let (usual, overhead) = Layout::of(blocks, need, params.journal);
    let spare = blocks / 100;
    let roomy = need.blocks.saturating_add(overhead).saturating_add(spare) <= blocks;
    let layout = match roomy {
        true => usual,
        false => Layout::tight(blocks, need, params.journal).0,
    };
    match mke2fs::run(tree, sources, params, layout, out)? {
        Outcome::Done => Ok(Written {
            size_mib: mib,
            needs_mib,
        }),
        Outcome::Full => Err(Error::DoesNotFit {
            // The bound was too low by a little: fragments, and fuller directories.
            needs_mib: needs_mib.max(mib).saturating_add(1),
            has_mib: mib,
        }),
    }
}

fn smallest(
    tree: &Tree,
    sources: &Sources,
    params: &Params,
    free_percent: u8,
    out: &Path,
) -> Result<Written, Error> {
    let mut need = Need::of(tree);
    need.blocks = need.blocks.saturating_sub(zero_blocks(tree, sources)?);
    let least = needed_blocks(need, params.journal, 0) / MIB_BLOCKS;
    let mut mib = needed_blocks(need, params.journal, free_percent) / MIB_BLOCKS;
    loop {
        let blocks = mib.saturating_mul(MIB_BLOCKS);
        let (mut layout, _) = Layout::tight(blocks, need, params.journal);
        if free_percent > 0 {
            // Room without inodes is no room.
            layout.inodes = layout.inodes.max(blocks / 4);
            let (usual, overhead) = Layout::of(blocks, need, params.journal);
            if need.blocks.saturating_add(overhead) < blocks {
                layout = usual;
            }
        }
        match mke2fs::run(tree, sources, params, layout, out)? {
            Outcome::Done => {
                return Ok(Written {
                    size_mib: mib,
                    needs_mib: least,
                })
            }
            // The bound was too low; one step of 1 % settles it for any tree seen so far.
            Outcome::Full if mib < least.saturating_mul(2).saturating_add(64) => {
                mib = mib.saturating_add((mib / 100).max(1));
            }
            Outcome::Full => {
                return Err(Error::DoesNotFit {
                    needs_mib: mib.saturating_add(1),
                    has_mib: mib,
                })
            }
        }
    }
}

/// How many whole blocks of the files are zero: mke2fs leaves holes there.
fn zero_blocks(tree: &Tree, sources: &Sources) -> Result<u64, Error> {
    let mut zeros = 0u64;
    let mut buffer = vec![0u8; 1 << 16];
    for entry in tree.entries().values() {
        let Kind::File(source) = entry.kind else {
            continue;
        };
        let mut content = sources.content(source)?;
        loop {
            let mut filled = 0usize;
            while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                let got = content.read(rest).map_err(Error::io("read an input"))?;
                if got == 0 {
                    break;
                }
                filled = filled.saturating_add(got);
            }
            let full = buffer.get(..filled).unwrap_or_default();
            if full.is_empty() {
                break;
            }
            let block = usize::try_from(BLOCK_SIZE).unwrap_or(usize::MAX);
            for part in full.chunks(block) {
                let zero = part.iter().all(|b| *b == 0);
                zeros = zeros.saturating_add(u64::from(zero));
            }
        }
    }
    Ok(zeros)
}
