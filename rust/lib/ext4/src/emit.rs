//! A placement as a plan: its pieces in order of their blocks, each made when its turn comes.

use std::sync::Arc;

use base::{as_u64, as_usize};
use plan::{Builder, Input, Plan};
use tree::{Kind, Stamp};

use crate::body::{self, Stretch};
use crate::bytes::{file_system_seed, inode_seed, BLOCK};
use crate::error::Error;
use crate::extents::{self, Extent};
use crate::groups::{inode_bits, inodes_in_use, no_blocks, Groups};
use crate::inode::{self, Fields};
use crate::journal;
use crate::model::{Inode, InodeNumber, Model, JOURNAL};
use crate::num::{nth, part, product, sum};
use crate::params::{Checked, BLOCK_SIZE, MIB};
use crate::place::{Place, Placement};
use crate::space::next_copy;
use crate::superblock::{self, Journal};
use crate::xattr::{Attributes, BODY};

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
    bodies: &'a [Plan],
    params: &'a Checked,
    placement: &'a Placement,
    seed: u32,
    groups: Groups,
    journal: Option<Journal>,
    /// The directory that was made last, by its position: its next run may follow.
    dir: Option<(usize, Vec<u8>)>,
    /// A block's worth of bytes.
    scratch: Vec<u8>,
}

/// Free blocks, and the plan.
pub(crate) fn emit(
    model: &Model<'_>,
    bodies: &[Plan],
    params: &Checked,
    placement: &Placement,
    inputs: Arc<[Input]>,
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
        dir: None,
        scratch: vec![0; BLOCK],
    };
    let pieces = emitter.pieces();
    let mut builder = Builder::new(inputs);
    for (block, piece) in pieces {
        builder.zero_to(product(block, BLOCK_SIZE))?;
        emitter.piece(&piece, &mut builder)?;
    }
    builder.zero_to(product(placement.geometry.mib, MIB))?;
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
            pieces.push((geometry.bounds(group).start, Piece::Head(group)));
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
            size: product(blocks, BLOCK_SIZE),
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
                let stretch = Stretch {
                    start: extent.logical.into(),
                    len: extent.len.into(),
                };
                let inode = nth(&self.model.inodes, *position);
                body::emit(self.bodies, &inode.entry.kind, stretch, builder)?;
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
            builder.zero(as_u64(superblock::SIZE))?;
        }
        let geometry = &self.placement.geometry;
        let counts = self.groups.counts;
        let superblock = superblock::render(self.params, geometry, counts, self.journal, group);
        builder.inline(&superblock)?;
        let start = sum(geometry.bounds(group).start, 1);
        builder.zero_to(product(start, BLOCK_SIZE))?;
        builder.inline(&self.groups.descriptors)?;
        Ok(())
    }

    fn dir(&mut self, position: usize, run: Extent, builder: &mut Builder) -> Result<(), Error> {
        let bytes = match self.dir.take() {
            Some((at, bytes)) if at == position => bytes,
            _ => self.render_dir(nth(&self.model.inodes, position)),
        };
        let bytes_of = |blocks: u64| as_usize(product(blocks, BLOCK_SIZE));
        let (start, len) = (run.logical.into(), run.len.into());
        builder.inline(part(&bytes, bytes_of(start)..bytes_of(sum(start, len))))?;
        self.dir = Some((position, bytes));
        Ok(())
    }

    /// All blocks of a directory; none of what is none.
    fn render_dir(&self, inode: &Inode<'_>) -> Vec<u8> {
        let Some(dir) = self.model.dir(inode) else {
            return Vec::new();
        };
        let records = self.model.records(dir);
        dir.shape
            .render(inode.number, dir.parent, records, self.seed)
    }

    fn table(&mut self, group: u64, builder: &mut Builder) -> Result<(), Error> {
        let used = inodes_in_use(self.placement, self.model, group);
        let first = product(group, self.placement.geometry.inodes_per_group);
        let mut places = first..sum(first, used);
        let mut block = std::mem::take(&mut self.scratch);
        while !places.is_empty() {
            let mut made = 0;
            let slots = block.chunks_exact_mut(inode::SIZE);
            for (slot, place) in slots.zip(places.by_ref()) {
                self.inode(InodeNumber::in_tables(place), slot);
                made = sum(made, as_u64(slot.len()));
            }
            builder.inline(part(&block, 0..as_usize(made)))?;
        }
        self.scratch = block;
        Ok(())
    }

    /// The inode of that number, into all of `out`.
    fn inode(&self, number: InodeNumber, out: &mut [u8]) {
        match (number.position(), self.journal) {
            (None, Some(journal)) if number == JOURNAL => self.journal_inode(journal, out),
            (None, _) => inode::reserved(number, out, self.seed),
            (Some(position), _) => self.model_inode(position, out),
        }
    }

    fn model_inode(&self, position: usize, out: &mut [u8]) {
        let inode = nth(&self.model.inodes, position);
        let place = nth(&self.placement.places.of, position);
        let number = inode.number;
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
        let data = extents::blocks(extents);
        let dir = self.model.dir(inode);
        let others = [as_u64(nodes.len()), u64::from(place.attributes != 0)];
        Fields {
            number,
            mode: inode::mode(kind, inode.entry.stamp.mode),
            stamp: inode.entry.stamp,
            size: inode::size(kind, product(data, BLOCK_SIZE)),
            links: inode.links(),
            blocks: others.into_iter().fold(data, sum),
            block,
            extents: has_extents,
            indexed: dir.is_some_and(|dir| dir.shape.indexed()),
            attributes: attributes.map_or([0; BODY], |attributes| attributes.body),
            attributes_at: place.attributes,
        }
        .render(out, self.params.mtime, self.seed);
    }

    fn journal_inode(&self, journal: Journal, out: &mut [u8]) {
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
            blocks: sum(journal.size / BLOCK_SIZE, as_u64(nodes)),
            block: journal.block,
            extents: true,
            indexed: false,
            attributes: [0; BODY],
            attributes_at: 0,
        }
        .render(out, self.params.mtime, self.seed);
    }
}
