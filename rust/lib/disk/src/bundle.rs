//! An update bundle: a tar whose members are images.

use std::collections::BTreeSet;
use std::sync::Arc;

use archive::{head, Alignment, Entry, Kind, END};
use plan::{Builder, Input, Plan};

use crate::{Error, Image};

/// What everything in a tar is a multiple of.
const BLOCK: u64 = 512;

/// A tar of `members`, in the order given, as a plan over `inputs`; each with its name, mode 0644, root's, dated `mtime`.
///
/// Their data begins at multiples of 4096 bytes ([`Alignment::Page`]): whoever copies blocks need not split them. The plan
/// holds the headers.
pub fn bundle(
    members: &[(String, Image)],
    mtime: i64,
    inputs: Arc<[Input]>,
) -> Result<Plan, Error> {
    let mut builder = Builder::new(inputs);
    let mut seen = BTreeSet::new();
    for (name, image) in members {
        if !seen.insert(name) {
            return Err(Error::MemberTwice { name: name.clone() });
        }
        let (offset, len) = (0, image.plan.len());
        let mut entry = Entry::new(name.as_bytes(), Kind::File { offset, len }, 0o644);
        entry.mtime = mtime;
        builder.inline(&head(&entry, builder.position(), Alignment::Page)?)?;
        builder.plan(&image.plan)?;
        builder.zero(len.wrapping_neg() % BLOCK)?;
    }
    builder.inline(&END)?;
    Ok(builder.finish()?)
}
