//! What a byte of an image is: from the partition table down to a file's content, and on in images that are files themselves.
//!
//! [`Locator::at`] says of one byte which structures it is in, outermost first, and how far all of that holds.
//! [`Locator::stretches`] says where the bytes of a place are. Who knows where an image's bytes come from (a plan) asks for one
//! stretch after the other.
//!
//! A [`Map`] is made of each file system, table or archive on the way, once; its memory is accounted for as names are, so a hostile
//! image has no longer list of structures than one of names.

mod map;
mod tar;
mod what;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::as_usize;
use serde::Serialize;

use crate::bounds::Source;
use crate::dump::find;
use crate::error::Error;
use crate::files::{Files, Place};
use crate::gpt;
use crate::image::{Image, Window};
use crate::model::{Entry, Node};
use crate::names::Name;
use crate::span::{Run, Span};

pub use what::What;

use map::{Map, Part};
pub(crate) use map::{Part as RegionPart, Region, Regions, Stored};

/// Images in images in images: deeper ones are files.
const MAX_DEPTH: usize = 8;

/// A structure that a byte is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    #[serde(flatten)]
    pub what: What,
    /// Which byte of it, from 0.
    pub byte: u64,
    /// How many it has.
    pub size: u64,
}

/// What a byte is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The first byte of the image of which the steps hold in the same way, counted up for each byte.
    pub start: u64,
    /// How many there are.
    pub size: u64,
    /// What the first of these bytes is: structures, the outermost first.
    pub steps: Vec<Step>,
}

/// Finds out what bytes are.
pub struct Locator<'a> {
    image: &'a dyn Image,
    /// By the way to them: the starts of partitions and the names of files.
    maps: BTreeMap<Vec<Name>, Arc<Map>>,
}

impl<'a> Locator<'a> {
    /// For an image, of which nothing is read yet.
    pub fn new(image: &'a dyn Image) -> Self {
        Self {
            image,
            maps: BTreeMap::new(),
        }
    }

    /// What the byte at `at` is, and those that follow it in the same structures.
    pub fn at(&mut self, at: u64) -> Result<Found, Error> {
        let have = self.image.len();
        if at >= have {
            return Err(Error::Outside { at, len: 1, have });
        }
        let source = Source::new(self.image);
        let mut steps = Vec::new();
        let found = self.descend(Window::all(&source), at, &mut Vec::new(), &mut steps)?;
        let found = found.from(at);
        Ok(Found {
            start: found.start(),
            size: found.len(),
            steps,
        })
    }

    /// Adds the structures that byte `at` of `window` is in; which bytes of the window are in the same.
    fn descend(
        &mut self,
        window: Window<'_>,
        at: u64,
        way: &mut Vec<Name>,
        steps: &mut Vec<Step>,
    ) -> Result<Span, Error> {
        let map = self.map(window, way)?;
        let Some(region) = map.find(at) else {
            let gap = map.gap(at);
            steps.push(Step {
                what: map.unclaimed(at),
                byte: at.abs_diff(gap.start()),
                size: gap.len(),
            });
            return Ok(gap);
        };
        let (step, place) = region.step(at, &map);
        steps.push(step);
        let whole = region.run.from();
        let within = at.abs_diff(whole.start());
        if way.len() >= MAX_DEPTH {
            return Ok(place);
        }
        let (run, found) = match &region.part {
            Part::Partition(_) => {
                way.push(Name(whole.start().to_string().into_bytes()));
                let part = window.part(whole);
                let run = Run::whole(whole);
                (run, self.descend(part, within, way, steps)?)
            }
            Part::Data(stored) => {
                let Some(run) = stored.run(at) else {
                    return Ok(place);
                };
                way.push(stored.path.clone());
                let inner = Inside { window, stored };
                let source = Source::new(&inner);
                let inner = Window::all(&source);
                let in_file = run.skip(at.abs_diff(run.from().start())).at();
                if self.map(inner, way)?.is_empty() {
                    return Ok(place);
                }
                (run, self.descend(inner, in_file.start(), way, steps)?)
            }
            _ => return Ok(place),
        };
        // Back from the inner positions to those of this window.
        let inner = run.at().from(found.start()).until(found.end());
        let skipped = inner.start().abs_diff(run.at().start());
        let outer = run.from().skip(skipped).first(inner.len());
        Ok(outer.from(place.start()).until(place.end()))
    }

    fn map(&mut self, window: Window<'_>, way: &[Name]) -> Result<Arc<Map>, Error> {
        if let Some(map) = self.maps.get(way) {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(Map::of(window)?);
        self.maps.insert(way.to_vec(), Arc::clone(&map));
        Ok(map)
    }

    /// Where the bytes of `place` are, start and length each: of an offset (`4096`, `0x1000`) this one, of a partition (`esp`, `3`, `esp:`)
    /// all, of a path (`A_root:/etc/passwd`) its inode, its folder's or tree's blocks, and its content. A number that is that of a
    /// partition is this one.
    pub fn stretches(&mut self, place: &[u8]) -> Result<Vec<(u64, u64)>, Error> {
        let source = Source::new(self.image);
        let table = gpt::read(Window::all(&source))?.map(|table| table.gpt);
        let parsed = Place::parse(place);
        let text = String::from_utf8_lossy(place);
        let name = match &parsed.partition {
            Some(name) if parsed.path.is_empty() => Some(name.as_str()),
            None if !place.contains(&b'/') => Some(&*text),
            _ => None,
        };
        if let (Some(name), Some(gpt)) = (name, &table) {
            match (find(gpt, name), offset(&text)) {
                (Ok(partition), _) => {
                    let place = partition.place.until(self.image.len());
                    return Ok(vec![(place.start(), place.len())]);
                }
                (Err(error), None) => return Err(error),
                (Err(_), Some(_)) => {}
            }
        }
        if let Some(at) = offset(&text) {
            return Ok(vec![(at, 1)]);
        }
        self.file(&parsed)
    }

    /// Where the bytes of a file are.
    fn file(&mut self, place: &Place) -> Result<Vec<(u64, u64)>, Error> {
        let files = Files::open(self.image, place)?;
        let entry = files.whole(files.find(&place.path, false)?);
        let source = Source::new(self.image);
        let whole = Window::all(&source);
        let (window, way) = match files.place() == whole.place() {
            true => (whole, Vec::new()),
            false => {
                let start = files.place().start().to_string();
                (whole.part(files.place()), vec![Name(start.into_bytes())])
            }
        };
        let map = self.map(window, &way)?;
        let start = files.place().start();
        let spans = places(&map, entry).into_iter();
        let shifted = spans.map(|span| Ok((shift(start, span)?, span.len())));
        shifted.collect()
    }
}

/// A position of a file system as one of the image.
fn shift(start: u64, span: Span) -> Result<u64, Error> {
    let outside = Error::Outside {
        at: span.start(),
        len: span.len(),
        have: start,
    };
    start.checked_add(span.start()).ok_or(outside)
}

/// Where what belongs to `entry` is: its inode, then what its content is found by, then the content in order.
fn places(map: &Map, entry: &Entry) -> Vec<Span> {
    let mut places: Vec<Span> = map.inode(entry.inode).into_iter().collect();
    places.extend(map.of_path(&entry.path));
    if let Node::File(file) = &entry.node {
        places.extend(file.runs.iter().map(|run| run.from()));
    }
    // What lies inside of the inode comes once.
    let mut seen: Vec<Span> = Vec::new();
    for place in places {
        let covers = |other: &Span| other.from(place.start()).until(place.end()) == place;
        if !place.is_empty() && !seen.iter().any(covers) {
            seen.push(place);
        }
    }
    seen
}

/// A number of a byte, decimal or hexadecimal.
fn offset(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The content of a file as an image.
pub(crate) struct Inside<'a> {
    pub(crate) window: Window<'a>,
    pub(crate) stored: &'a Stored,
}

impl Image for Inside<'_> {
    fn len(&self) -> u64 {
        self.stored.size
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> Result<(), Error> {
        buffer.fill(0);
        let wanted = Span::up_to(self.len()).skip(at);
        let wanted = wanted.first(base::as_u64(buffer.len()));
        for run in self.stored.overlapping(wanted) {
            let there = run.at().from(wanted.start()).until(wanted.end());
            let into = as_usize(there.start().abs_diff(wanted.start()));
            let part = buffer.get_mut(into..);
            let Some(part) = part.and_then(|part| part.get_mut(..as_usize(there.len()))) else {
                continue;
            };
            let from = run.from().skip(there.start().abs_diff(run.at().start()));
            self.window
                .read(part, from.start())
                .map_err(|fault| fault.of_ours(from.first(there.len()), self.window.len()))?;
        }
        Ok(())
    }

    fn zeros(&self, at: u64) -> u64 {
        let rest = Span::up_to(self.len()).skip(at);
        match self.stored.overlapping(rest).next() {
            // A hole.
            None => rest.len(),
            Some(run) if run.at().start() > at => run.at().start().abs_diff(at),
            Some(run) => {
                let run = run.skip(at.abs_diff(run.at().start()));
                self.window.zeros(run.from().start()).min(run.len())
            }
        }
    }

    fn stored(&self) -> u64 {
        self.window.source().stored()
    }
}
