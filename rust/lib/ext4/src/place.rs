//! Deciding where everything lies. The crate's page has the order, and why it is this one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use base::as_u64;
use plan::Plan;
use tree::{Kind, Source};

use crate::body::{stretches, Stretch};
use crate::bytes::{clear_bits, set_bits};
use crate::error::Error;
use crate::extents::{self, Extent};
use crate::geometry::{Frame, Geometry};
use crate::inode::FAST_LINK;
use crate::model::{Inode, Model};
use crate::num::{nth_mut, part, product, sum, without};
use crate::space::{has_copy, next_copy, Run, Space};

/// Where an inode's blocks lie: ranges of the lists of [`Places`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) extents: Range<usize>,
    pub(crate) nodes: Range<usize>,
    /// Block of attributes, or 0.
    pub(crate) attributes: u64,
}

/// Where the blocks of all inodes lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// One for each inode of the model.
    pub(crate) of: Vec<Place>,
    pub(crate) extents: Vec<Extent>,
    pub(crate) nodes: Vec<u64>,
}

impl Places {
    pub(crate) fn extents(&self, place: &Place) -> &[Extent] {
        part(&self.extents, place.extents.clone())
    }

    pub(crate) fn nodes(&self, place: &Place) -> &[u64] {
        part(&self.nodes, place.nodes.clone())
    }

    /// The place of an inode, by its position in the model.
    fn of(&mut self, inode: usize) -> &mut Place {
        nth_mut(&mut self.of, inode)
    }

    /// Blocks for a stretch of a file whose extents are those from `from` on.
    fn take(&mut self, space: &mut Space, from: usize, stretch: Stretch) {
        self.take_kept(space, &mut Vec::new(), from, stretch);
    }

    /// The same; the blocks of `kept`, last ones first, are used before others.
    fn take_kept(&mut self, space: &mut Space, kept: &mut Vec<Run>, from: usize, stretch: Stretch) {
        let mut logical = stretch.start;
        let mut left = stretch.len;
        let mut put = |start: u64, len: u64| {
            extents::push(&mut self.extents, from, logical, start, len);
            logical = sum(logical, len);
        };
        while left > 0 {
            let Some(run) = kept.pop() else {
                break;
            };
            let len = run.len.min(left);
            put(run.start, len);
            left = without(left, len);
            if len < run.len {
                kept.push(Run {
                    start: sum(run.start, len),
                    len: without(run.len, len),
                });
            }
        }
        space.take(left, |run| put(run.start, run.len));
    }

    /// Blocks for the nodes of a tree over so many extents.
    fn nodes_over(&mut self, space: &mut Space, extents: usize) -> Range<usize> {
        let first = self.nodes.len();
        let nodes = (0..extents::nodes(extents)).map(|_| space.one());
        self.nodes.extend(nodes);
        first..self.nodes.len()
    }

    /// The place of the extents from `from` on, with nodes over them: it is complete.
    fn close(&mut self, space: &mut Space, from: usize) -> Place {
        let extents = from..self.extents.len();
        Place {
            nodes: self.nodes_over(space, extents.len()),
            extents,
            attributes: 0,
        }
    }

    fn file(
        &mut self,
        space: &mut Space,
        kept: &mut Vec<Run>,
        inode: usize,
        stretches: &[Stretch],
    ) {
        let from = self.extents.len();
        for stretch in stretches {
            self.take_kept(space, kept, from, *stretch);
        }
        self.of(inode).extents = from..self.extents.len();
    }

    /// All blocks of an inode but a file's data and a directory's records.
    fn rest(&mut self, space: &mut Space, position: usize, inode: &Inode<'_>) {
        let wants_block = inode.attributes.as_ref().is_some_and(|a| a.block.is_some());
        if wants_block {
            self.of(position).attributes = space.one();
        }
        match &inode.entry.kind {
            Kind::File(_) | Kind::Sparse(_) => {
                let extents = self.of(position).extents.len();
                self.of(position).nodes = self.nodes_over(space, extents);
            }
            Kind::Symlink { target } if target.len() >= FAST_LINK => {
                let from = self.extents.len();
                self.take(space, from, Stretch { start: 0, len: 1 });
                self.of(position).extents = from..self.extents.len();
            }
            _ => {}
        }
    }

    /// Blocks `blocks` of a directory, and its tree if it is complete then.
    fn dir(&mut self, space: &mut Space, inode: usize, blocks: Range<usize>, complete: bool) {
        let from = self.extents.len();
        // What is there already goes with the rest.
        let before = self.of(inode).extents.clone();
        self.extents.extend_from_within(before);
        let stretch = Stretch {
            start: as_u64(blocks.start),
            len: as_u64(blocks.len()),
        };
        self.take(space, from, stretch);
        let mut place = match complete {
            true => self.close(space, from),
            false => Place {
                extents: from..self.extents.len(),
                ..Place::default()
            },
        };
        place.attributes = self.of(inode).attributes;
        *self.of(inode) = place;
    }
}

/// The base, laid out.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) frame: Frame,
    places: Places,
    space: Space,
    /// Blocks of files that were replaced, the last run first, by the inode that stands in their place.
    kept: BTreeMap<usize, Vec<Run>>,
}

impl Base {
    pub(crate) fn new(model: &Model<'_>, bodies: &[Plan], frame: Frame) -> Result<Self, Error> {
        let head = sum(frame.descriptors, 1);
        let mut space = Space::new(frame.group, head);
        let mut places = Places {
            of: vec![Place::default(); model.inodes.len()],
            ..Places::default()
        };
        let mut scratch = Vec::new();
        let inodes = model.inodes.iter().enumerate();
        let files = inodes.filter_map(|(at, inode)| {
            let file = inode.base_file()?;
            let first = file.pieces().next().map(|(_, source)| source);
            Some((first, at, inode.late, file))
        });
        let mut files: Vec<(Option<Source>, usize, bool, Cow<'_, Kind>)> = files.collect();
        // In the order of the input: what a file is called does not move it.
        files.sort_unstable_by_key(|(first, at, late, _)| (*first, *at, *late));
        let mut kept = BTreeMap::new();
        for (_, position, replaced, file) in files {
            stretches(bodies, &file, &mut scratch)?;
            if replaced {
                let len = scratch.iter().map(|stretch| stretch.len).fold(0, sum);
                let mut runs = Vec::new();
                space.take(len, |run| runs.push(run));
                runs.reverse();
                kept.insert(position, runs);
            } else {
                places.file(&mut space, &mut Vec::new(), position, &scratch);
            }
        }
        for (position, inode) in model.inodes.iter().enumerate() {
            if !inode.late {
                places.rest(&mut space, position, inode);
            }
        }
        for (position, inode) in model.inodes.iter().enumerate() {
            if let (Some(dir), false) = (model.dir(inode), inode.late) {
                let complete = dir.base_blocks == dir.shape.blocks();
                places.dir(&mut space, position, 0..dir.base_blocks, complete);
            }
        }
        Ok(Self {
            frame,
            places,
            space,
            kept,
        })
    }
}

/// A complete layout, for an image that may still turn out to be too small for it.
#[derive(Debug)]
pub(crate) struct Placement {
    pub(crate) geometry: Geometry,
    pub(crate) places: Places,
    pub(crate) space: Space,
    /// First block of each group's inode table.
    pub(crate) tables: Vec<u64>,
    pub(crate) inode_bitmaps: Vec<u64>,
    pub(crate) block_bitmaps: Vec<u64>,
    /// The journal's own place, in [`Placement::places`].
    pub(crate) journal: Place,
}

impl Placement {
    /// Lays out all behind `base`.
    pub(crate) fn new(
        model: &Model<'_>,
        bodies: &[Plan],
        base: &Base,
        geometry: Geometry,
    ) -> Result<Self, Error> {
        let Base {
            mut places,
            mut space,
            kept,
            ..
        } = base.clone();
        let groups = 0..geometry.groups;
        let tables = groups
            .clone()
            .map(|_| space.piece(geometry.table()))
            .collect();
        let inode_bitmaps = groups.clone().map(|_| space.one()).collect();
        let block_bitmaps = groups.map(|_| space.one()).collect();
        let mut journal = Place::default();
        if geometry.journal > 0 {
            let from = places.extents.len();
            let stretch = Stretch {
                start: 0,
                len: geometry.journal,
            };
            places.take(&mut space, from, stretch);
            journal = places.close(&mut space, from);
        }
        let mut placement = Self {
            geometry,
            places,
            space,
            tables,
            inode_bitmaps,
            block_bitmaps,
            journal,
        };
        placement.late(model, bodies, kept)?;
        placement.space.settle();
        Ok(placement)
    }

    fn late(
        &mut self,
        model: &Model<'_>,
        bodies: &[Plan],
        mut kept: BTreeMap<usize, Vec<Run>>,
    ) -> Result<(), Error> {
        let (places, space) = (&mut self.places, &mut self.space);
        let mut scratch = Vec::new();
        let late = || {
            model
                .inodes
                .iter()
                .enumerate()
                .filter(|(_, inode)| inode.late)
        };
        for (position, inode) in late() {
            if inode.entry.kind.file_len().is_some() {
                stretches(bodies, &inode.entry.kind, &mut scratch)?;
                let mut none = Vec::new();
                let kept = kept.get_mut(&position).unwrap_or(&mut none);
                places.file(space, kept, position, &scratch);
            }
        }
        kept.into_values()
            .flatten()
            .for_each(|run| space.leave(run));
        for (position, inode) in late() {
            places.rest(space, position, inode);
        }
        for (position, inode) in model.inodes.iter().enumerate() {
            let Some(dir) = model.dir(inode) else {
                continue;
            };
            let blocks = dir.shape.blocks();
            if inode.late || dir.base_blocks < blocks {
                places.dir(space, position, dir.base_blocks..blocks, true);
            }
        }
        Ok(())
    }

    /// Whether everything lies inside of the image.
    pub(crate) fn fits(&self) -> bool {
        self.space.end() <= self.geometry.blocks
    }

    /// Blocks in use, whether or not they lie inside of the image.
    pub(crate) fn used(&self) -> u64 {
        let gaps = self.space.gaps().iter().map(|gap| gap.len).fold(0, sum);
        let end = self.space.end();
        // A copy of the superblock, and the descriptors behind it.
        let copy = sum(self.geometry.descriptors, 1);
        let spare = without(self.geometry.head, copy);
        let mut used = without(end, gaps);
        let mut group = 0;
        while group < self.geometry.groups {
            let start = product(group, self.geometry.group);
            used = match start < end {
                true => without(used, spare),
                false => sum(used, copy),
            };
            group = next_copy(group);
        }
        used
    }

    /// Blocks that `group` has in use, as bits.
    pub(crate) fn block_bits(&self, group: u64, bits: &mut [u8]) {
        let all = self.geometry.bounds(group);
        let within = |block: u64| without(block.clamp(all.start, all.end), all.start);
        bits.fill(0);
        set_bits(bits, 0..within(self.space.end()));
        for gap in self.space.gaps_in(all.clone()) {
            clear_bits(bits, within(gap.start)..within(gap.end()));
        }
        if has_copy(group) {
            clear_bits(bits, 0..self.geometry.head);
            set_bits(bits, 0..sum(self.geometry.descriptors, 1));
        }
        // What the group does not have cannot be free.
        set_bits(bits, within(all.end)..product(as_u64(bits.len()), 8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lost_and_found;
    use crate::params::Size;
    use crate::samples::{first_of, insert, of_size, STAMP};
    use tree::{Input, Tree};

    /// Images of 25 small groups with a file of so many blocks, with more room for descriptors than they need: what [`Placement::used`]
    /// says is what the groups' bitmaps say, wherever the end lies between copies of the superblock; the next copy would be just behind the last.
    #[test]
    fn blocks_in_use_are_those_of_the_bitmaps() {
        let params = of_size(Size::Mib(1));
        let lost = lost_and_found(&params);
        let geometry = Geometry {
            mib: 0,
            blocks: 25 * 64,
            group: 64,
            groups: 25,
            inodes_per_group: 16,
            head: 6,
            descriptors: 2,
            descriptor: 32,
            journal: 0,
        };
        for blocks in 1..640 {
            let len = blocks * 4096;
            let mut tree = Tree::new(STAMP);
            let input = tree.add_input(Input { len });
            insert(&mut tree, "f", first_of(input, len), 1);
            let bodies = plan::ImageSet::of_lens(&[len]).unwrap();
            let model = Model::of(&tree, &lost, &params).unwrap();
            let frame = Frame {
                group: 64,
                descriptors: 5,
            };
            let base = Base::new(&model, bodies.plans(), frame).unwrap();
            let placement = Placement::new(&model, bodies.plans(), &base, geometry).unwrap();
            let mut bits = [0u8; 8];
            let used = (0..geometry.groups).map(|group| {
                placement.block_bits(group, &mut bits);
                bits.iter()
                    .map(|byte| u64::from(byte.count_ones()))
                    .sum::<u64>()
            });
            assert_eq!(placement.used(), used.sum::<u64>(), "{blocks}");
        }
    }

    /// A folder in so many runs that they have a tree, all of it laid out with the base: nothing of it comes again.
    #[test]
    fn a_folder_that_is_complete_stays_so() {
        let mut tree = Tree::new(STAMP);
        for number in 0..1100 {
            insert(&mut tree, &format!("{number:0255}"), Kind::Fifo, 0);
        }
        let params = of_size(Size::Mib(1));
        let lost = lost_and_found(&params);
        let model = Model::of(&tree, &lost, &params).unwrap();
        let frame = Frame {
            group: 8,
            descriptors: 1,
        };
        let base = Base::new(&model, &[], frame).unwrap();
        let geometry = Geometry {
            mib: 0,
            blocks: 100 * 8,
            group: 8,
            groups: 100,
            inodes_per_group: 16,
            head: 2,
            descriptors: 1,
            descriptor: 32,
            journal: 0,
        };
        let placement = Placement::new(&model, &[], &base, geometry).unwrap();
        // One folder of more than 4 runs.
        assert_eq!(placement.places.nodes.len(), 1);
    }
}
