//! What a partition or a bare image holds: tries one format after the other.

use crate::bounds::Source;
use crate::digest;
use crate::error::{damaged, Error};
use crate::formats::Format;
use crate::image::{Image, Window};
use crate::listing::Listing;
use crate::model::{BytesDigest, Content, Entry, Gap, Kind};
use crate::names::Name;
use crate::span::Span;
use crate::verity::{self, Found};
use crate::{ext4, fat, formats, grubenv, Options};
use base::as_u64;

/// In one word what `window` holds.
pub(crate) fn kind(window: Window<'_>) -> Result<Kind, Error> {
    if ext4::is_here(window)? {
        return Ok(Kind::Ext4);
    }
    if fat::is_here(window)? {
        return Ok(Kind::Fat);
    }
    let start = window.part(Span::up_to(as_u64(grubenv::SIZE)));
    let bytes = damaged(start.bytes(0, grubenv::SIGNATURE.len()))?;
    if bytes.is_ok_and(|bytes| bytes == grubenv::SIGNATURE) {
        return Ok(Kind::Grubenv);
    }
    match window.is_zero(Span::up_to(window.len()))? {
        true => Ok(Kind::Zero),
        false => Ok(Kind::Data),
    }
}

/// What a volume is, for who looks for one by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Volume {
    /// A FAT file system and its label, without the spaces that fill it.
    Fat(Option<Name>),
    /// Something else: what, with an article, if it is of a known kind.
    Other(Option<&'static str>),
}

/// What the volume in `image` is. Little of it is read.
pub fn volume(image: &dyn Image) -> Result<Volume, Error> {
    let source = Source::new(image);
    let window = Window::all(&source);
    if let Some(label) = fat::label(window)? {
        return Ok(Volume::Fat(label));
    }
    let other = match ext4::is_here(window)? {
        true => Some("an ext4 file system"),
        false => formats::find(window)?.map(|format| format.what),
    };
    Ok(Volume::Other(other))
}

/// The files in `window`, of which contents were not read; nothing if there is no file system.
pub(crate) fn list(window: Window<'_>) -> Result<Result<Listing<'_>, Kind>, Error> {
    match kind(window)? {
        Kind::Ext4 => ext4::read(window).map(Ok),
        Kind::Fat => fat::read(window).map(Ok),
        other => Ok(Err(other)),
    }
}

/// Reads all of `window`.
pub(crate) fn read(window: Window<'_>, options: Options) -> Result<Content, Error> {
    let listing = match list(window)? {
        Ok(listing) => listing,
        Err(kind) => return without_files(window, kind, options),
    };
    let kind = if ext4::is_here(window)? {
        Kind::Ext4
    } else {
        Kind::Fat
    };
    let mut content = Content {
        kind,
        parameters: listing.parameters,
        problems: listing.problems,
        unread: listing.unread,
        entries: listing.entries,
        ..Content::default()
    };
    if let Some(depth) = options.depth {
        content.entries.retain(|entry| entry.depth() <= depth);
    }
    if options.digests {
        // Where files lie that were not asked for is not known, so the rest of the image is not, either.
        let rest = options.depth.is_none().then_some(listing.len);
        content.rest = digest::all(window, &mut content.entries, rest)?;
    }
    behind(window, listing.len, &mut content, options)?;
    Ok(content)
}

/// What has no files.
fn without_files(window: Window<'_>, kind: Kind, options: Options) -> Result<Content, Error> {
    let mut content = Content {
        kind,
        ..Content::default()
    };
    match kind {
        Kind::Grubenv => {
            let len = as_u64(grubenv::SIZE);
            let bytes = damaged(window.bytes(0, grubenv::SIZE))?;
            content.grubenv = bytes.ok().and_then(|bytes| grubenv::variables(&bytes));
            if content.grubenv.is_none() {
                content
                    .problems
                    .push("the environment block is damaged".to_owned());
            }
            content.digest = hashed(window, Span::up_to(len), options)?;
            gap(window, len, window.len(), &mut content, options)?;
        }
        Kind::Data => {
            let format = formats::find(window)?;
            content.looks_like = format.map(|format| format.name);
            content.unread.extend(format.and_then(Format::unread));
            content.digest = hashed(window, Span::up_to(window.len()), options)?;
        }
        _ => {}
    }
    Ok(content)
}

/// What lies behind a file system of `len` bytes.
fn behind(
    window: Window<'_>,
    len: u64,
    content: &mut Content,
    options: Options,
) -> Result<(), Error> {
    // Behind the end of all numbers there is none.
    let found = match len.checked_next_multiple_of(4096) {
        Some(start) => verity::read(window, start, options)?,
        None => Found::Nothing,
    };
    let (verity, place, problem) = match found {
        Found::Tree(verity, place, problem) => (verity, place, problem),
        Found::Nothing => return gap(window, len, window.len(), content, options),
        Found::Damaged(problem) => {
            content.problems.push(problem);
            return gap(window, len, window.len(), content, options);
        }
        Found::Unread(what) => {
            content.unread.push(what);
            return gap(window, len, window.len(), content, options);
        }
    };
    gap(window, len, place.start(), content, options)?;
    content.verity = Some(*verity);
    content.problems.extend(problem);
    gap(window, place.end(), window.len(), content, options)
}

fn gap(
    window: Window<'_>,
    start: u64,
    end: u64,
    content: &mut Content,
    options: Options,
) -> Result<(), Error> {
    if let Some(span) = Span::between(start, end) {
        content.gaps.extend(nonzero(window, span, options)?);
    }
    Ok(())
}

/// `span`, unless it is zero.
pub(crate) fn nonzero(
    window: Window<'_>,
    span: Span,
    options: Options,
) -> Result<Option<Gap>, Error> {
    if window.is_zero(span)? {
        return Ok(None);
    }
    Ok(Some(Gap {
        start: span.start(),
        size: span.len(),
        digest: hashed(window, span, options)?,
    }))
}

fn hashed(window: Window<'_>, span: Span, options: Options) -> Result<Option<BytesDigest>, Error> {
    match options.digests {
        true => digest::range(window, span.until(window.len())).map(Some),
        false => Ok(None),
    }
}

impl Entry {
    /// How many names the path has.
    fn depth(&self) -> usize {
        match self.path.0.as_slice() {
            b"/" => 0,
            path => path.iter().filter(|byte| **byte == b'/').count(),
        }
    }
}
