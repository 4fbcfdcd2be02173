//! Where the structures of a file system, a disk or an archive are.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use base::{as_u64, as_usize, past};

use super::{tar, Step, What};
use crate::bounds::Source;
use crate::content::kind;
use crate::error::Error;
use crate::image::Window;
use crate::model::Kind;
use crate::names::Name;
use crate::span::{Run, Span};
use crate::{ext4, fat, formats, gpt, verity};

/// A file's content.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) path: Name,
    pub(crate) size: u64,
    /// In the order of the file.
    pub(crate) runs: Vec<Run>,
}

impl Stored {
    /// The run that has byte `at` of the file system.
    pub(super) fn run(&self, at: u64) -> Option<Run> {
        let has = |run: &&Run| run.from().start() <= at && at < run.from().end();
        self.runs.iter().find(has).copied()
    }

    /// The runs that have bytes of `wanted`, a stretch of the file.
    pub(super) fn overlapping(&self, wanted: Span) -> impl Iterator<Item = Run> + '_ {
        let first = self
            .runs
            .partition_point(|run| run.at().end() <= wanted.start());
        let (_, rest) = self.runs.split_at(first);
        let rest = rest.iter().copied();
        rest.take_while(move |run| run.at().start() < wanted.end())
    }
}

/// What a region is.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// One structure.
    Is(What),
    /// A partition, in which there may be more.
    Partition(What),
    /// Inodes of so many bytes, one after another.
    Inodes { first: u32, size: NonZeroU64 },
    /// Bytes of a file.
    Data(Arc<Stored>),
    /// Blocks of a level of a hash tree, each of `size` bytes with the hashes of `covers` data blocks.
    Hashes {
        level: u64,
        size: NonZeroU64,
        covers: u64,
        blocks: u64,
    },
}

/// Bytes that are something.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// Where they are, without what another region has.
    pub(crate) place: Span,
    /// All of them, and which bytes of the thing they are.
    pub(crate) run: Run,
    /// How many bytes the thing has.
    pub(crate) size: u64,
    pub(crate) part: Part,
}

impl Region {
    /// All of a thing.
    pub(crate) fn whole(place: Span, part: Part) -> Self {
        Self::of(Run::whole(place), place.len(), part)
    }

    /// Bytes of a thing that has `size`.
    pub(crate) fn of(run: Run, size: u64, part: Part) -> Self {
        Self {
            place: run.from(),
            run,
            size,
            part,
        }
    }

    /// One structure.
    pub(crate) fn is(place: Span, what: What) -> Self {
        Self::whole(place, Part::Is(what))
    }

    /// What byte `at` is, and where the bytes are that are the same.
    pub(super) fn step(&self, at: u64, map: &Map) -> (Step, Span) {
        let all = self.run.from();
        let within = at.abs_diff(all.start());
        let plain = |what: What| Step {
            what,
            byte: self.run.skip(within).at().start(),
            size: self.size,
        };
        // Of things of one size, one after another: its number, its place, and which byte of it.
        let unit = |size: NonZeroU64| {
            let (number, byte) = (within / size, within % size);
            let before = Span::up_to(within).skip(byte).len();
            let place = all.skip(before).first(size.get());
            let place = place.from(self.place.start()).until(self.place.end());
            (number, place, byte)
        };
        match &self.part {
            Part::Is(what) | Part::Partition(what) => (plain(what.clone()), self.place),
            Part::Data(stored) => {
                let path = stored.path.clone();
                (plain(What::FileData { path }), self.place)
            }
            Part::Inodes { first, size } => {
                let (number, place, byte) = unit(*size);
                let number = past(u64::from(*first), as_usize(number));
                // An inode that no path leads to has none.
                let paths = map.paths.get(&number).cloned().unwrap_or_default();
                let what = What::Inode { number, paths };
                let size = size.get();
                (Step { what, byte, size }, place)
            }
            Part::Hashes {
                level,
                size,
                covers,
                blocks,
            } => {
                let (number, place, byte) = unit(*size);
                // Beyond all numbers there are no blocks.
                let first = number.checked_mul(*covers).unwrap_or(*blocks);
                let past = first.checked_add(*covers).unwrap_or(*blocks).min(*blocks);
                let what = What::HashBlock {
                    level: *level,
                    first,
                    last: Span::up_to(past).skip(1).len(),
                };
                let size = size.get();
                (Step { what, byte, size }, place)
            }
        }
    }
}

/// Collects regions, as many as there may be.
pub(crate) struct Regions<'a> {
    source: &'a Source<'a>,
    all: Vec<Region>,
}

impl<'a> Regions<'a> {
    /// What a region takes of memory, about.
    const REGION: u64 = 320;

    pub(crate) fn new(source: &'a Source<'a>) -> Self {
        let all = Vec::new();
        Self { source, all }
    }

    /// Adds a region; no more of them once there is no room.
    pub(crate) fn push(&mut self, region: Region) -> bool {
        let fits = self.source.keep(Self::REGION);
        if fits && !region.place.is_empty() {
            self.all.push(region);
        }
        fits
    }

    /// Adds a file's content.
    pub(crate) fn file(&mut self, stored: Stored) -> bool {
        let len = as_u64(stored.path.0.len());
        if !self.source.keep(len) {
            return false;
        }
        let stored = Arc::new(stored);
        let data = stored.runs.iter().map(|run| {
            let part = Part::Data(Arc::clone(&stored));
            Region::of(*run, stored.size, part)
        });
        let mut data = data.collect::<Vec<_>>().into_iter();
        data.all(|region| self.push(region))
    }

    /// By place, each byte in one: of several that have it in the one that begins first.
    fn sorted(mut self) -> Vec<Region> {
        self.all.sort_by_key(|region| region.place.start());
        let mut end = 0;
        for region in &mut self.all {
            region.place = region.place.from(end);
            end = end.max(region.place.end());
        }
        self.all.retain(|region| !region.place.is_empty());
        self.all
    }
}

/// What is where.
#[derive(Debug)]
pub(crate) struct Map {
    /// Sorted, without overlaps.
    regions: Vec<Region>,
    /// Names by inode.
    paths: BTreeMap<u64, Vec<Name>>,
    /// What bytes are that no region has, up to `len`.
    rest: What,
    /// Where the file system, archive or disk ends.
    len: u64,
    /// Where the window ends.
    end: u64,
}

impl Map {
    /// What is where in `window`.
    pub(super) fn of(window: Window<'_>) -> Result<Self, Error> {
        let mut regions = Regions::new(window.source());
        let (mut paths, mut len) = (BTreeMap::new(), window.len());
        let rest = if gpt::regions(window, &mut regions)? {
            What::Between
        } else {
            match kind(window)? {
                Kind::Ext4 => {
                    let listing = ext4::read(window)?;
                    ext4::regions(window, &listing, &mut regions)?;
                    for entry in listing.entries.iter().filter(|entry| entry.inode != 0) {
                        let names: &mut Vec<Name> = paths.entry(entry.inode).or_default();
                        names.push(entry.path.clone());
                    }
                    len = listing.len;
                    What::Unused
                }
                Kind::Fat => {
                    let listing = fat::read(window)?;
                    fat::regions(window, &listing, &mut regions)?;
                    len = listing.len;
                    What::Unused
                }
                Kind::Grubenv => What::Grubenv,
                Kind::Zero => What::Zero,
                Kind::Data if tar::regions(window, &mut regions)? => What::Padding,
                Kind::Data => {
                    let looks_like = formats::find(window)?.map(|format| format.name);
                    What::Unknown { looks_like }
                }
            }
        };
        if rest == What::Unused {
            verity::regions(window, len, &mut regions)?;
        }
        Ok(Self {
            regions: regions.sorted(),
            paths,
            rest,
            len,
            end: window.len(),
        })
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// The region that byte `at` is in.
    pub(super) fn find(&self, at: u64) -> Option<&Region> {
        let next = self
            .regions
            .partition_point(|region| region.place.end() <= at);
        let region = self.regions.get(next)?;
        (region.place.start() <= at).then_some(region)
    }

    /// The bytes around `at` that no region has.
    pub(super) fn gap(&self, at: u64) -> Span {
        let next = self
            .regions
            .partition_point(|region| region.place.end() <= at);
        let before = next.checked_sub(1).and_then(|last| self.regions.get(last));
        let start = before.map_or(0, |region| region.place.end());
        let end = self
            .regions
            .get(next)
            .map_or(self.end, |region| region.place.start());
        let gap = Span::up_to(end).from(start);
        match at < self.len {
            true => gap.until(self.len),
            false => gap.from(self.len),
        }
    }

    /// What a byte is that no region has.
    pub(super) fn unclaimed(&self, at: u64) -> What {
        match at < self.len {
            true => self.rest.clone(),
            false => What::Behind,
        }
    }

    /// Where inode `number` is.
    pub(super) fn inode(&self, number: u64) -> Option<Span> {
        self.regions.iter().find_map(|region| {
            let Part::Inodes { first, size } = &region.part else {
                return None;
            };
            let before = number
                .checked_sub(u64::from(*first))?
                .checked_mul(size.get())?;
            let place = region.run.from().skip(before).first(size.get());
            (!place.is_empty()).then_some(place)
        })
    }

    /// Where that is which `path` has besides inode and content.
    pub(super) fn of_path<'a>(&'a self, path: &'a Name) -> impl Iterator<Item = Span> + 'a {
        let own = self.regions.iter().filter(
            move |region| matches!(&region.part, Part::Is(what) if what.path() == Some(path)),
        );
        own.map(|region| region.place)
    }
}
