//! The dm-verity superblock and hash tree behind a file system; crate `verity` has the format.

use base::as_u64;
use std::io;
use std::num::NonZeroU64;

use plan::ReadAt;

use crate::digest;
use crate::error::{damaged, Error, Fault};
use crate::image::Window;
use crate::locate::{Region, RegionPart, Regions, What};
use crate::model::Verity;
use crate::span::Span;
use crate::Options;

/// What is at the place where a superblock could be.
pub(crate) enum Found {
    Nothing,
    /// A superblock that makes no sense.
    Damaged(String),
    /// One that may make sense, but not to us.
    Unread(String),
    /// With its place, and what is wrong with it.
    Tree(Box<Verity>, Span, Option<String>),
}

/// Fields with which the format has more than is read here: its older version, other hash functions.
const NOT_KNOWN: [&str; 3] = ["version", "hash_type", "algorithm"];

/// What a superblock begins with.
const MAGIC: &[u8; 8] = b"verity\0\0";

/// Looks for a superblock at `start`.
pub(crate) fn read(window: Window<'_>, start: u64, options: Options) -> Result<Found, Error> {
    let signature = damaged(window.bytes(start, 8))?;
    if signature.is_ok_and(|bytes| bytes != MAGIC) || window.len() <= start {
        return Ok(Found::Nothing);
    }
    let image = Readable(window);
    let (superblock, layout) = match ::verity::read_superblock(&image, window.len(), start) {
        Ok(found) => found,
        Err(::verity::Error::Superblock { field, reason, .. }) if NOT_KNOWN.contains(&field) => {
            let text =
                format!("a hash tree of dm-verity with {field} {reason}: veritysetup reads it");
            return Ok(Found::Unread(text));
        }
        Err(error) => return problem(error).map(Found::Damaged),
    };
    let params = &superblock.params;
    let Some(place) = Span::between(start, layout.end.min(window.len())) else {
        let end = layout.end;
        let text = format!("verity: the tree from byte {start} ends at byte {end}");
        return Ok(Found::Damaged(text));
    };
    let mut verity = Verity {
        start,
        size: place.len(),
        uuid: uuid::Uuid::from_bytes(params.uuid()).to_string(),
        data_block_size: params.data_block_size(),
        hash_block_size: params.hash_block_size(),
        data_blocks: superblock.data_blocks,
        salt: base::hex::encode(params.salt()),
        root_hash: String::new(),
        digest: None,
        verified: false,
    };
    let root = match ::verity::root_hash(&image, &superblock, &layout) {
        Ok(root) => root,
        Err(error) => return problem(error).map(Found::Damaged),
    };
    verity.root_hash = base::hex::encode(&root);
    if options.digests {
        verity.digest = Some(digest::range(window, place)?);
    }
    let mut bad = None;
    if options.verify {
        match ::verity::verify(&image, window.len(), start, &root) {
            Ok(_) => verity.verified = true,
            Err(error) => bad = Some(problem(error)?),
        }
    }
    Ok(Found::Tree(Box::new(verity), place, bad))
}

/// Adds what is where in the hash tree behind a file system of `len` bytes, if there is one.
pub(crate) fn regions(
    window: Window<'_>,
    len: u64,
    regions: &mut Regions<'_>,
) -> Result<(), Error> {
    let Some(start) = len.checked_next_multiple_of(4096) else {
        return Ok(());
    };
    if start >= window.len() || !damaged(window.array(start))?.is_ok_and(|found| found == *MAGIC) {
        return Ok(());
    }
    let (superblock, layout) =
        match ::verity::read_superblock(&Readable(window), window.len(), start) {
            Ok(found) => found,
            Err(error) => return problem(error).map(drop),
        };
    let size = u64::from(superblock.params.hash_block_size());
    let first = layout.levels.iter().map(|level| level.start).min();
    let head = Span::up_to(first.unwrap_or(layout.end)).from(start);
    regions.push(Region::is(head, What::VeritySuperblock));
    // Each hash has 32 bytes.
    let (per_block, mut covers) = (size / 32, 1u64);
    let Some(unit) = NonZeroU64::new(size) else {
        return Ok(());
    };
    for (level, place) in (0u64..).zip(&layout.levels) {
        let Some(place) = place
            .blocks
            .checked_mul(size)
            .map(|len| Span::new(place.start, len))
        else {
            break;
        };
        // A level over more blocks than there are numbers is over all.
        covers = covers.checked_mul(per_block).unwrap_or(layout.data_blocks);
        let Ok(place) = damaged(place)? else {
            break;
        };
        let (blocks, size) = (layout.data_blocks, unit);
        let part = RegionPart::Hashes {
            level,
            size,
            covers,
            blocks,
        };
        regions.push(Region::whole(place, part));
    }
    Ok(())
}

/// What is wrong, unless it is that the image can't be read.
fn problem(error: ::verity::Error) -> Result<String, Error> {
    match error {
        ::verity::Error::Io { source, .. } => Err(match source.downcast::<Error>() {
            Ok(ours) => ours,
            Err(source) => Error::Verity { source },
        }),
        error => Ok(format!("verity: {error}")),
    }
}

/// A window as crate `verity` reads it.
struct Readable<'a>(Window<'a>);

impl ReadAt for Readable<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        // A check of all data was asked for: what is known to be zero costs only what hashing it costs.
        if self.0.zeros(offset) >= as_u64(buffer.len()) {
            buffer.fill(0);
            return Ok(());
        }
        self.0.read(buffer, offset).map_err(|fault| match fault {
            Fault::Damage(text) => io::Error::new(io::ErrorKind::UnexpectedEof, text),
            Fault::Failed(error) => io::Error::other(error),
        })
    }
}
