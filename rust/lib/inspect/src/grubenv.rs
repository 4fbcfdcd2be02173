//! Environment blocks of GRUB, as files or alone.

use crate::names::Name;

pub(crate) use ::grubenv::{SIGNATURE, SIZE};

/// The variables of a block, in its order.
pub(crate) fn variables(bytes: &[u8]) -> Option<Vec<(Name, Name)>> {
    let block = ::grubenv::Block::parse(bytes).ok()?;
    let pairs = block.variables();
    Some(
        pairs
            .map(|(name, value)| (Name(name.to_vec()), Name(value.to_vec())))
            .collect(),
    )
}
