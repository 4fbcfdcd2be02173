//! A placement as a plan: its pieces in order of their blocks, each made when its turn comes.

use plan::{Body, Builder, Input, Plan};
use tree::{Kind, Stamp};

use crate::body::{self, Stretch};
use crate::bytes::{crc, file_system_seed, index, inode_seed, low16, narrow, put16, wide, BLOCK};
use crate::error::Error;
use crate::extents::{self, Extent};
use crate::groups::{inode_bits, inodes_in_use, no_blocks, Groups};
use crate::inode::{self, Fields};
use crate::journal;
use crate::model::{Inode, Model, JOURNAL};
use crate::params::{Checked, BLOCK_SIZE, MIB};
use crate::place::{Place, Placement};
use crate::space::next_copy;
use crate::superblock::{self, Journal};
use crate::xattr::Attributes;

/// What begins at a block.
#[derive(Debug)]
enum Piece {
    /// Superblock and descriptors of a group.
    Head(u64),
    /// A run of a file's data: position of the inode.
    Data(usize, Extent),
    /// A run of a directory's blocks.
    Dir(usize, Extent),
    /// Bytes at hand.
    Bytes(Vec<u8>),
    /// Inodes of a group.
    Table(u64),
    /// Bitmap of inodes of a group.
    Inodes(u64),
    /// Bitmap of blocks of a group.
    Blocks(u64),
}

struct Emitter<'a> {
    model: &'a Model<'a>,
    bodies: &'a [Body],
    params: &'a Checked,
    placement: &'a Placement,
    seed: u32,
    groups: Groups,
    journal: Option<Journal>,
    /// The directory that was made last: its next run may follow.
    dir: (usize, Vec<u8>),
    /// A block's worth of bytes.
    scratch: Vec<u8>,
}

/// Free blocks, and the plan.
pub(crate) fn emit(
    model: &Model<'_>,
    bodies: &[Body],
    params: &Checked,
    placement: &Placement,
    inputs: Vec<Input>,
) -> Result<(superblock::Counts, Plan), Error> {
    let seed = file_system_seed(&params.uuid);
    let mut emitter = Emitter {
        model,
        bodies,
        params,
        placement,
        seed,
        groups: Groups::of(placement, model, seed),
        journal: None,
        dir: (usize::MAX, Vec::new()),
        scratch: vec![0; BLOCK],
    };
    let pieces = emitter.pieces();
    let mut builder = Builder::new(inputs);
    for (block, piece) in pieces {
        builder.zero_to(block.saturating_mul(BLOCK_SIZE))?;
        emitter.piece(&piece, &mut builder)?;
    }
    builder.zero_to(placement.geometry.mib.saturating_mul(MIB))?;
    Ok((emitter.groups.counts, builder.finish()?))
}

impl Emitter<'_> {
    /// All pieces, sorted.
    fn pieces(&mut self) -> Vec<(u64, Piece)> {
        let placement = self.placement;
        let geometry = &placement.geometry;
        let mut pieces = Vec::with_capacity(placement.places.extents.len());
        let mut group = 0;
        while group < geometry.groups {
            pieces.push((geometry.bounds(group).0, Piece::Head(group)));
            group = next_copy(group);
        }
        for (group, table) in (0..).zip(&placement.tables) {
            pieces.push((*table, Piece::Table(group)));
        }
        for (group, block) in (0..).zip(&placement.inode_bitmaps) {
            pieces.push((*block, Piece::Inodes(group)));
        }
        for (group, block) in (0..).zip(&placement.block_bitmaps) {
            pieces.push((*block, Piece::Blocks(group)));
        }
        self.journal_pieces(&mut pieces);
        let places = self.model.inodes.iter().zip(&placement.places.of);
        for (position, (inode, place)) in places.enumerate() {
            self.inode_pieces(position, inode, place, &mut pieces);
        }
        pieces.sort_unstable_by_key(|(block, _)| *block);
        pieces
    }

    fn journal_pieces(&mut self, pieces: &mut Vec<(u64, Piece)>) {
        let places = &self.placement.places;
        let extents = places.extents(&self.placement.journal);
        let Some(first) = extents.first() else {
            return;
        };
        let blocks = extents::blocks(extents);
        let superblock = journal::superblock(blocks, &self.params.uuid);
        pieces.push((first.physical, Piece::Bytes(superblock)));
        let nodes = places.nodes(&self.placement.journal);
        let seed = inode_seed(self.seed, JOURNAL);
        let block = extents::render(extents, nodes, seed, |block, node| {
            pieces.push((block, Piece::Bytes(node)));
        });
        self.journal = Some(Journal {
            block,
            size: blocks.saturating_mul(BLOCK_SIZE),
        });
    }

    fn inode_pieces(
        &self,
        position: usize,
        inode: &Inode<'_>,
        place: &Place,
        pieces: &mut Vec<(u64, Piece)>,
    ) {
        let extents = self.placement.places.extents(place);
        match &inode.entry.kind {
            Kind::Symlink { target } => {
                // A whole block, so that nothing is known of its rest but zeros.
                let bytes = extents
                    .iter()
                    .map(|extent| (extent.physical, target.clone()));
                pieces.extend(bytes.map(|(block, target)| (block, Piece::Bytes(target))));
            }
            Kind::Dir => {
                let runs = extents.iter();
                pieces.extend(runs.map(|run| (run.physical, Piece::Dir(position, *run))));
            }
            _ => {
                let runs = extents.iter();
                pieces.extend(runs.map(|run| (run.physical, Piece::Data(position, *run))));
            }
        }
        let nodes = self.placement.places.nodes(place);
        if !nodes.is_empty() {
            let seed = inode_seed(self.seed, inode.number);
            extents::render(extents, nodes, seed, |block, node| {
                pieces.push((block, Piece::Bytes(node)));
            });
        }
        let attributes = inode.attributes.as_ref();
        if let Some(block) = attributes.and_then(|attributes| attributes.block.as_ref()) {
            let mut block = block.to_vec();
            Attributes::seal(&mut block, self.seed, place.attributes);
            pieces.push((place.attributes, Piece::Bytes(block)));
        }
    }

    fn piece(&mut self, piece: &Piece, builder: &mut Builder) -> Result<(), Error> {
        match piece {
            Piece::Head(group) => self.head(*group, builder)?,
            Piece::Bytes(bytes) => builder.inline(bytes)?,
            Piece::Data(position, extent) => {
                if let Some(inode) = self.model.inodes.get(*position) {
                    let stretch = Stretch {
                        start: u64::from(extent.logical),
                        len: u64::from(extent.len),
                    };
                    body::emit(self.bodies, &inode.entry.kind, stretch, builder)?;
                }
            }
            Piece::Dir(position, extent) => self.dir(*position, *extent, builder)?,
            Piece::Table(group) => self.table(*group, builder)?,
            Piece::Inodes(group) => {
                let used = inodes_in_use(self.placement, self.model, *group);
                if used > 0 {
                    inode_bits(self.placement, used, &mut self.scratch);
                    builder.inline(&self.scratch)?;
                }
            }
            Piece::Blocks(group) => {
                if !no_blocks(self.placement, *group) {
                    self.placement.block_bits(*group, &mut self.scratch);
                    builder.inline(&self.scratch)?;
                }
            }
        }
        Ok(())
    }

    fn head(&self, group: u64, builder: &mut Builder) -> Result<(), Error> {
        if group == 0 {
            builder.zero(wide(superblock::SIZE))?;
        }
        let geometry = &self.placement.geometry;
        let counts = self.groups.counts;
        let superblock = superblock::render(self.params, geometry, counts, self.journal, group);
        builder.inline(&superblock)?;
        let start = geometry.bounds(group).0.saturating_add(1);
        builder.zero_to(start.saturating_mul(BLOCK_SIZE))?;
        builder.inline(&self.groups.descriptors)?;
        Ok(())
    }

    fn dir(&mut self, position: usize, run: Extent, builder: &mut Builder) -> Result<(), Error> {
        let Some(inode) = self.model.inodes.get(position) else {
            return Ok(());
        };
        let Some(dir) = inode.dir.and_then(|at| self.model.dirs.get(at)) else {
            return Ok(());
        };
        if self.dir.0 != position {
            let records = self.model.records(dir);
            let bytes = dir
                .shape
                .render(inode.number, dir.parent, records, self.seed);
            self.dir = (position, bytes);
        }
        let bytes_of = |blocks: u32| index(u64::from(blocks).saturating_mul(BLOCK_SIZE));
        let start = bytes_of(run.logical);
        let end = start.saturating_add(bytes_of(run.len));
        builder.inline(self.dir.1.get(start..end).unwrap_or_default())?;
        Ok(())
    }

    fn table(&mut self, group: u64, builder: &mut Builder) -> Result<(), Error> {
        let used = inodes_in_use(self.placement, self.model, group);
        let before = group.saturating_mul(self.placement.geometry.inodes_per_group);
        let mut block = std::mem::take(&mut self.scratch);
        block.fill(0);
        let slots = BLOCK / inode::SIZE;
        let mut number = narrow(before.saturating_add(1));
        let mut left = index(used);
        while left > 0 {
            for slot in block.chunks_exact_mut(inode::SIZE).take(left) {
                slot.fill(0);
                self.inode(number, slot);
                number = number.saturating_add(1);
            }
            let made = slots.min(left);
            let bytes = made.saturating_mul(inode::SIZE);
            builder.inline(block.get(..bytes).unwrap_or_default())?;
            left = left.saturating_sub(made);
        }
        self.scratch = block;
        Ok(())
    }

    fn inode(&self, number: u32, out: &mut [u8]) {
        if number == JOURNAL && self.journal.is_some() {
            self.journal_inode(out);
            return;
        }
        let Some(position) = Model::position(number) else {
            // Reserved: nothing but its checksum, of which there is half as the inode has no further fields.
            let sum = crc(inode_seed(self.seed, number), out);
            put16(out, 0x7c, low16(sum));
            return;
        };
        let inode = self.model.inodes.get(position);
        let Some((inode, place)) = inode.zip(self.placement.places.of.get(position)) else {
            return;
        };
        let places = &self.placement.places;
        let extents = places.extents(place);
        let nodes = places.nodes(place);
        let kind = &inode.entry.kind;
        let tree = || extents::render(extents, nodes, inode_seed(self.seed, number), |_, _| {});
        let (block, has_extents) = match kind {
            Kind::Symlink { target } if target.len() < inode::FAST_LINK => {
                (inode::fast_link(target), false)
            }
            Kind::Char { major, minor } | Kind::Block { major, minor } => {
                (inode::device(*major, *minor), false)
            }
            Kind::Fifo => ([0; extents::ROOT], false),
            _ => (tree(), true),
        };
        let attributes = inode.attributes.as_ref();
        let body = attributes.map(|attributes| attributes.body.as_slice());
        let data = extents::blocks(extents);
        let dir = inode.dir.and_then(|at| self.model.dirs.get(at));
        Fields {
            number,
            mode: inode::mode(kind, inode.entry.stamp.mode),
            stamp: inode.entry.stamp,
            size: inode::size(kind, data.saturating_mul(BLOCK_SIZE)),
            links: inode.links,
            blocks: data
                .saturating_add(wide(nodes.len()))
                .saturating_add(u64::from(place.attributes != 0)),
            block,
            extents: has_extents,
            indexed: dir.is_some_and(|dir| dir.shape.indexed()),
            attributes: body.unwrap_or_default(),
            attributes_at: place.attributes,
        }
        .render(out, self.params.mtime, self.seed);
    }

    fn journal_inode(&self, out: &mut [u8]) {
        let Some(journal) = self.journal else {
            return;
        };
        let nodes = self.placement.journal.nodes.len();
        Fields {
            number: JOURNAL,
            mode: 0x8180,
            stamp: Stamp {
                mode: 0o600,
                uid: 0,
                gid: 0,
                mtime: self.params.mtime,
                mtime_nanos: 0,
            },
            size: journal.size,
            links: 1,
            blocks: (journal.size / BLOCK_SIZE).saturating_add(wide(nodes)),
            block: journal.block,
            extents: true,
            indexed: false,
            attributes: &[],
            attributes_at: 0,
        }
        .render(out, self.params.mtime, self.seed);
    }
}
