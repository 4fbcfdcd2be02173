//! Parts of an image that are images themselves.

use crate::bounds::Source;
use crate::error::Error;
use crate::image::{Image, Window};
use crate::locate::{Inside, Stored};
use crate::model::{Entry, Node};
use crate::span::Span;

/// The content of a regular file of an image, as an image: read where it is, wherever that is asked for.
pub struct Body<'a> {
    source: Source<'a>,
    /// Where the file system is.
    place: Span,
    stored: Stored,
}

impl<'a> Body<'a> {
    pub(crate) fn new(image: &'a dyn Image, place: Span, entry: &Entry) -> Result<Self, Error> {
        let path = || entry.path.word();
        let Node::File(file) = &entry.node else {
            let kind = entry.node.as_str();
            let path = path();
            return Err(Error::NotAFile { path, kind });
        };
        if let Some(reason) = entry.lost() {
            let reason = reason.to_owned();
            let path = path();
            return Err(Error::Damaged { path, reason });
        }
        Ok(Self {
            source: Source::unbounded(image),
            place,
            stored: Stored {
                path: entry.path.clone(),
                size: file.size,
                runs: file.runs.clone(),
            },
        })
    }

    fn inside(&self) -> Inside<'_> {
        Inside {
            window: Window::all(&self.source).part(self.place),
            stored: &self.stored,
        }
    }
}

impl Image for Body<'_> {
    fn len(&self) -> u64 {
        self.stored.size
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        self.inside().read_at(buffer, at)
    }

    fn zeros(&self, at: u64) -> u64 {
        self.inside().zeros(at)
    }

    fn stored(&self) -> u64 {
        self.source.stored()
    }
}
