//! Differences of update bundles (`docs/formats/update.md`): what they are to, and what they make the new image of.

use base::{as_usize, hex};

use super::{plain, unpacked};
use crate::model::{facts, Change, Content, Part, Values};

/// How a difference begins.
pub(super) const MAGIC: &[u8] = b"IMGDELTA";
/// Where the frame with the operations begins.
const HEAD: usize = 64;
const BLOCK: u64 = 4096;

/// How two differences differ; `None`: one is no whole one.
pub(super) fn compare(old: &[u8], new: &[u8]) -> Option<Content> {
    let (a, b) = (Delta::of(old)?, Delta::of(new)?);
    let content = match (&a.operations, &b.operations) {
        // A byte of what is packed says nothing.
        (Some(a), Some(b)) => Some(Content::Packed {
            format: "zstd",
            inside: (a != b).then(|| plain(a, b)).flatten().map(Box::new),
        }),
        _ => plain(old, new),
    };
    let part = Part {
        name: "difference of an update".to_owned(),
        change: Change::Changed,
        facts: facts(&a.values, &b.values),
        content: content.map(Box::new),
    };
    Some(Content::Parts {
        format: "update-delta",
        parts: vec![part],
    })
}

struct Delta {
    values: Values,
    /// `None`: the frame can't be unpacked, or holds too much.
    operations: Option<Vec<u8>>,
}

impl Delta {
    fn of(bytes: &[u8]) -> Option<Self> {
        let value = |name: &str, value: String| (name.to_owned(), value);
        let frame = bytes.get(HEAD..)?;
        let target = number(bytes, 56)?;
        let mut values = vec![
            value("base-length", number(bytes, 16)?.to_string()),
            value("base-sha256", hex::encode(bytes.get(24..56)?)),
            value("target-length", target.to_string()),
        ];
        let operations = unpacked(frame);
        if let Some(blocks) = operations
            .as_deref()
            .and_then(|all| Blocks::of(all, target))
        {
            values.push(value("blocks-zero", blocks.zero.to_string()));
            values.push(value("blocks-of-base", blocks.base.to_string()));
            values.push(value("blocks-held", blocks.held.to_string()));
        }
        Some(Self { values, operations })
    }
}

/// What the new image is made of.
#[derive(Default)]
struct Blocks {
    zero: u64,
    base: u64,
    held: u64,
}

impl Blocks {
    /// `None`: these are not the operations of an image of `target` bytes.
    fn of(mut operations: &[u8], target: u64) -> Option<Self> {
        let (mut blocks, mut left) = (Self::default(), target);
        while let Some((kind, rest)) = operations.split_first() {
            let (count, sum, len) = match kind {
                1 => (number(rest, 0)?, &mut blocks.zero, 8),
                2 => (number(rest, 8)?, &mut blocks.base, 16),
                3 => (number(rest, 0)?, &mut blocks.held, 8),
                _ => return None,
            };
            *sum = sum.checked_add(count)?;
            // The image's last block may be shorter.
            let makes = count.checked_mul(BLOCK)?.min(left);
            left = left.checked_sub(makes)?;
            let holds = if *kind == 3 { as_usize(makes) } else { 0 };
            operations = rest.get(len..)?.get(holds..)?;
        }
        (left == 0).then_some(blocks)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
