//! The dm-verity superblock and hash tree behind a file system.
//!
//! Spec: the kernel's `admin-guide/device-mapper/verity`, superblock version 1 as cryptsetup documents it:
//!
//! | offset | size | field             |
//! |-------:|-----:|-------------------|
//! |      0 |    8 | `verity\0\0`      |
//! |      8 |    4 | version, 1        |
//! |     12 |    4 | hash type         |
//! |     16 |   16 | UUID              |
//! |     32 |   32 | algorithm         |
//! |     64 |    4 | data block size   |
//! |     68 |    4 | hash block size   |
//! |     72 |    8 | data blocks       |
//! |     80 |    2 | length of salt    |
//! |     88 |  256 | salt              |
//!
//! The tree begins with the next hash block, its top block first, then level below level.

use sha2::{Digest as _, Sha256};

use crate::bytes::{array, hex, index, part, u16_at, u32_at, u64_at};
use crate::digest::{self, parallel};
use crate::error::{damage, damaged, Error, Fault};
use crate::image::Window;
use crate::model::Verity;
use crate::names::Name;

const SUPERBLOCK: usize = 512;
const DIGEST: u64 = 32;
/// As many blocks of a level are checked by one core at a time.
const BATCH: u64 = 256;

/// A level of the tree: its hashes are those of the blocks below.
#[derive(Clone, Copy)]
struct Level {
    /// Position of its first block.
    at: u64,
    blocks: u64,
}

/// A superblock that makes sense.
struct Tree<'a> {
    window: Window<'a>,
    verity: Verity,
    salt: Vec<u8>,
    /// From the one with hashes of data up to the top.
    levels: Vec<Level>,
}

/// The superblock at `start`, and what is wrong with the tree; nothing if there is no superblock.
pub(crate) fn read(
    window: Window<'_>,
    start: u64,
    options: crate::Options,
) -> Result<Option<(Verity, Vec<String>)>, Error> {
    let Ok(bytes) = damaged(window.bytes(start, SUPERBLOCK))? else {
        return Ok(None);
    };
    if !bytes.starts_with(b"verity\0\0") {
        return Ok(None);
    }
    let mut tree = match damaged(Tree::parse(window, start, &bytes))? {
        Ok(tree) => tree,
        Err(problem) => {
            let verity = fields(start, &bytes);
            return Ok(Some((verity, vec![format!("verity: {problem}")])));
        }
    };
    let mut problems = Vec::new();
    if !tree.is_known() {
        problems.push(format!(
            "verity: hash tree of {} type {} is not checked here",
            tree.verity.algorithm, tree.verity.hash_type
        ));
    } else {
        match damaged(tree.root_hash())? {
            Ok(hash) => tree.verity.root_hash = Some(hex(&hash)),
            Err(problem) => problems.push(format!("verity: {problem}")),
        }
        if options.verify {
            match damaged(tree.verify())? {
                Ok(()) => tree.verity.verified = true,
                Err(problem) => problems.push(format!("verity: {problem}")),
            }
        }
    }
    if options.digests {
        let end = start.saturating_add(tree.verity.size);
        tree.verity.sha256 = Some(digest::range(window, start, end)?);
    }
    Ok(Some((tree.verity, problems)))
}

/// The superblock's fields; the length is that of the superblock alone.
fn fields(start: u64, bytes: &[u8]) -> Verity {
    let algorithm = part(bytes, 32, 32).split(|b| *b == 0).next();
    Verity {
        start,
        size: u64::try_from(SUPERBLOCK).unwrap_or(0),
        uuid: uuid::Uuid::from_bytes(array(bytes, 16)).to_string(),
        algorithm: Name(algorithm.unwrap_or_default().to_vec()),
        hash_type: u32_at(bytes, 12),
        data_block_size: u32_at(bytes, 64),
        hash_block_size: u32_at(bytes, 68),
        data_blocks: u64_at(bytes, 72),
        salt: hex(part(bytes, 88, usize::from(u16_at(bytes, 80)).min(256))),
        root_hash: None,
        sha256: None,
        verified: false,
    }
}

impl<'a> Tree<'a> {
    fn parse(window: Window<'a>, start: u64, bytes: &[u8]) -> Result<Self, Fault> {
        let mut verity = fields(start, bytes);
        let version = u32_at(bytes, 8);
        let salt_len = usize::from(u16_at(bytes, 80));
        let valid = |size: u32| size.is_power_of_two() && (512..=1 << 19).contains(&size);
        if version != 1 || salt_len > 256 {
            return Err(damage!(
                "superblock of version {version}, salt of {salt_len} bytes"
            ));
        }
        let (data, hash) = (verity.data_block_size, verity.hash_block_size);
        if !valid(data) || !valid(hash) {
            return Err(damage!("blocks of {data} and {hash} bytes"));
        }
        let hash = u64::from(hash);
        let data_len = verity.data_blocks.checked_mul(data.into());
        if data_len.is_none_or(|len| len > start) || verity.data_blocks == 0 {
            return Err(damage!(
                "{} blocks of data in front of byte {start}",
                verity.data_blocks
            ));
        }
        let mut counts = Vec::new();
        let mut blocks = verity.data_blocks;
        while blocks > 1 || counts.is_empty() {
            if verity.data_blocks == 1 {
                break;
            }
            blocks = blocks.div_ceil(hash / DIGEST);
            counts.push(blocks);
        }
        // The top is stored first.
        let mut at = start.saturating_add(512).next_multiple_of(hash);
        let mut levels = Vec::new();
        for blocks in counts.into_iter().rev() {
            levels.push(Level { at, blocks });
            at = at.saturating_add(blocks.saturating_mul(hash));
        }
        levels.reverse();
        if at > window.len() {
            return Err(damage!("the tree ends at {at}, behind the last byte"));
        }
        verity.size = at.saturating_sub(start);
        Ok(Self {
            window,
            salt: part(bytes, 88, salt_len).to_vec(),
            verity,
            levels,
        })
    }

    fn is_known(&self) -> bool {
        self.verity.algorithm.0 == b"sha256" && self.verity.hash_type <= 1
    }

    fn hash(&self, block: &[u8]) -> [u8; 32] {
        let hash = Sha256::new();
        let hash = match self.verity.hash_type {
            0 => hash.chain_update(block).chain_update(&self.salt),
            _ => hash.chain_update(&self.salt).chain_update(block),
        };
        hash.finalize().into()
    }

    /// Hash of the top block; of the only data block if there is just one.
    fn root_hash(&self) -> Result<[u8; 32], Fault> {
        let (at, size) = match self.levels.last() {
            Some(top) => (top.at, self.verity.hash_block_size),
            None => (0, self.verity.data_block_size),
        };
        Ok(self.hash(&self.window.bytes(at, index(size))?))
    }

    /// Compares every hash of the tree with what it stands for.
    fn verify(&self) -> Result<(), Fault> {
        let data = Level {
            at: 0,
            blocks: self.verity.data_blocks,
        };
        let mut below = (data, self.verity.data_block_size);
        for (number, level) in self.levels.iter().enumerate() {
            let starts: Vec<u64> = (0..below.0.blocks.div_ceil(BATCH))
                .map(|batch| batch.saturating_mul(BATCH))
                .collect();
            let bad = parallel(&starts, |first| self.compare(below, *level, *first))?;
            if let Some(block) = bad.into_iter().flatten().min() {
                return Err(match number {
                    0 => damage!("data block {block} has another hash than the tree says"),
                    _ => damage!(
                        "block {block} of level {} has another hash than the level above says",
                        number.saturating_sub(1)
                    ),
                });
            }
            below = (*level, self.verity.hash_block_size);
        }
        Ok(())
    }

    /// The first block of a batch whose hash differs.
    fn compare(&self, below: (Level, u32), level: Level, first: u64) -> Result<Option<u64>, Error> {
        let size = u64::from(below.1);
        let end = below.0.blocks.min(first.saturating_add(BATCH));
        let len = end.saturating_sub(first).saturating_mul(size);
        let at = below.0.at.saturating_add(first.saturating_mul(size));
        // Both were found to lie in the window.
        let Ok(bytes) = damaged(self.window.bytes(at, index(len)))? else {
            return Ok(Some(first));
        };
        for (block, bytes) in (first..end).zip(bytes.chunks(index(size))) {
            // A hash block is full of hashes, so they lie one behind the other.
            let at = level.at.saturating_add(block.saturating_mul(DIGEST));
            let want = damaged(self.window.bytes(at, index(DIGEST)))?;
            if want.is_ok_and(|want| want != self.hash(bytes)) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }
}
