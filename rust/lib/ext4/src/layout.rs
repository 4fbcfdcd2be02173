//! Choosing the size, and the layout of the size chosen.

use plan::{ImageSet, Plan};
use tree::{Kind, Tree};

use crate::body;
use crate::emit::emit;
use crate::error::Error;
use crate::geometry::{Frame, Geometry};
use crate::model::{lost_and_found, Model};
use crate::num::{product, sum, without, MOST_DATA};
use crate::params::{Checked, Params, Size, BLOCK_SIZE, MAX_MIB, MIB_BLOCKS};
use crate::place::{Base, Placement};

/// A file system that is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The image.
    pub plan: Plan,
    /// Its size in MiB.
    pub size_mib: u64,
    /// The smallest size in MiB that the tree fits in.
    pub needs_mib: u64,
    /// Blocks of [`BLOCK_SIZE`] that are free.
    pub free_blocks: u64,
    /// Inodes.
    pub inodes: u32,
    /// Inodes that are free.
    pub free_inodes: u32,
}

/// Lays out `tree` as an ext4 file system; `bodies` are the images that its inputs stand for, in its order.
pub fn layout(tree: &Tree, bodies: &ImageSet, params: &Params) -> Result<Layout, Error> {
    let params = params.check()?;
    body::check(tree, bodies)?;
    let (bodies, inputs) = (bodies.plans(), bodies.inputs());
    let lost = lost_and_found(&params);
    let model = Model::of(tree, &lost, &params)?;
    let chooser = Chooser {
        model: &model,
        bodies,
        params: &params,
        data: base_data(&model)?,
    };
    let (placement, needs_mib) = chooser.choose()?;
    let (counts, plan) = emit(&model, bodies, &params, &placement, inputs)?;
    Ok(Layout {
        plan,
        size_mib: placement.geometry.mib,
        needs_mib,
        free_blocks: counts.free_blocks,
        inodes: placement.geometry.inodes(),
        free_inodes: counts.free_inodes,
    })
}

/// Blocks of the base's files, holes of plans included. A tree of more than [`MOST_DATA`] in all its files is refused.
fn base_data(model: &Model<'_>) -> Result<u64, Error> {
    let blocks = |file: &Kind| {
        let blocks = file
            .pieces()
            .map(|(_, source)| source.len.div_ceil(BLOCK_SIZE));
        // The pieces of a file are apart, and end within it.
        blocks.fold(0, sum)
    };
    let (mut base, mut all) = (0, 0);
    for inode in &model.inodes {
        let of_base = inode.base_file().map_or(0, |file| blocks(&file));
        let own = blocks(&inode.entry.kind);
        all = sum(all, sum(of_base, own));
        base = sum(base, of_base);
        if all > MOST_DATA {
            return Err(Error::DoesNotFit {
                needs_mib: all / MIB_BLOCKS,
                has_mib: MAX_MIB,
            });
        }
    }
    Ok(base)
}

struct Chooser<'a> {
    model: &'a Model<'a>,
    bodies: &'a [Plan],
    params: &'a Checked,
    data: u64,
}

impl Chooser<'_> {
    /// The placement, and the fewest MiB that there could be.
    fn choose(&self) -> Result<(Placement, u64), Error> {
        let base = Base::new(
            self.model,
            self.bodies,
            Frame::of(self.model, self.data, None),
        )?;
        match self.params.size {
            Size::Smallest { free_percent: 0 } => {
                let placement = self.smallest(&base, 0)?;
                let needs = placement.geometry.mib;
                Ok((placement, needs))
            }
            Size::Smallest { free_percent } => {
                let needs = self.smallest(&base, 0)?.geometry.mib;
                Ok((self.smallest(&base, free_percent)?, needs))
            }
            Size::Mib(mib) => {
                let needs = self.smallest(&base, 0)?.geometry.mib;
                Ok((self.fixed(&base, mib, needs)?, needs))
            }
        }
    }

    fn fixed(&self, smallest: &Base, mib: u64, needs: u64) -> Result<Placement, Error> {
        let blocks = product(mib, MIB_BLOCKS);
        let frame = Frame::of(self.model, self.data, Some(blocks));
        let other;
        let base = if frame == smallest.frame {
            smallest
        } else {
            other = Base::new(self.model, self.bodies, frame)?;
            &other
        };
        let wanted = self.inodes();
        // One more inode per 16 KiB that the tree leaves, as is usual, unless their tables take the room of the files.
        let left = product(without(mib.max(needs), needs), MIB_BLOCKS);
        let usual = sum(wanted, left / 4);
        for inodes in [usual, wanted] {
            let geometry = match Geometry::new(frame, mib, inodes, self.params.journal) {
                Err(Error::TooManyInodes { .. }) if inodes > wanted => continue,
                geometry => geometry?,
            };
            let placement = Placement::new(self.model, self.bodies, base, geometry)?;
            if placement.fits() {
                return Ok(placement);
            }
        }
        Err(Error::DoesNotFit {
            needs_mib: needs.max(sum(mib, 1)),
            has_mib: mib,
        })
    }

    fn smallest(&self, base: &Base, free_percent: u8) -> Result<Placement, Error> {
        let free = u64::from(free_percent);
        let mut mib = Geometry::least_mib(base.frame, self.inodes());
        let mut moved;
        let mut base = base;
        loop {
            if mib > MAX_MIB {
                return Err(Error::DoesNotFit {
                    needs_mib: mib,
                    has_mib: MAX_MIB,
                });
            }
            let blocks = product(mib, MIB_BLOCKS);
            // Room without inodes is no room.
            let inodes = sum(self.inodes(), product(blocks, free) / 400);
            let geometry = Geometry::new(base.frame, mib, inodes, self.params.journal)?;
            let frame = Frame {
                descriptors: geometry.descriptors.max(base.frame.descriptors),
                ..base.frame
            };
            if frame != base.frame {
                // Many times what the base is: it has to make room.
                moved = Base::new(self.model, self.bodies, frame)?;
                base = &moved;
            }
            let placement = Placement::new(self.model, self.bodies, base, geometry)?;
            let used = placement.used();
            // Of the 100 percent that the image is; fewer than 100 stay free.
            let wanted = product(used, 100).div_ceil(without(100, free));
            if placement.fits() && wanted <= blocks {
                return Ok(placement);
            }
            // What a larger image has besides only makes it larger: nothing below this fits.
            let least = wanted.max(placement.space.end()).div_ceil(MIB_BLOCKS);
            mib = least.max(sum(mib, 1));
        }
    }

    /// Inodes that the tree takes, the reserved ones included.
    fn inodes(&self) -> u64 {
        self.model.last_number().get().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::MAX_FILE;
    use crate::samples::{first_of, insert, of_size, STAMP};
    use tree::Input;

    const SMALLEST: Size = Size::Smallest { free_percent: 0 };

    /// A tree of files of these lengths, all out of one input.
    fn files(lens: &[u64], layer: u8) -> Tree {
        let mut tree = Tree::new(STAMP);
        let len = lens.iter().copied().max().unwrap_or(0);
        let input = tree.add_input(Input { len });
        for (number, len) in lens.iter().enumerate() {
            let kind = first_of(input, *len);
            insert(&mut tree, &number.to_string(), kind, layer);
        }
        tree
    }

    /// The size chosen for a tree, and how many inodes it has; nothing is written.
    fn chosen(tree: &Tree, size: Size) -> Result<(u64, u32), Error> {
        let params = of_size(size);
        let lost = lost_and_found(&params);
        let model = Model::of(tree, &lost, &params)?;
        let lens: Vec<u64> = tree.inputs().iter().map(|input| input.len).collect();
        let bodies = ImageSet::of_lens(&lens).unwrap();
        let chooser = Chooser {
            model: &model,
            bodies: bodies.plans(),
            params: &params,
            data: base_data(&model)?,
        };
        let (placement, _) = chooser.choose()?;
        Ok((placement.geometry.mib, placement.geometry.inodes()))
    }

    #[test]
    fn as_many_blocks_as_are_counted() {
        let counted = |last: u64| {
            let mut lens = vec![MAX_FILE; 256];
            lens.push(last);
            let params = of_size(SMALLEST);
            let lost = lost_and_found(&params);
            let tree = files(&lens, 1);
            let model = Model::of(&tree, &lost, &params).unwrap();
            base_data(&model)
        };
        // 2^40 and one more.
        assert_eq!(counted(256 * BLOCK_SIZE).unwrap(), 0);
        assert!(counted(256 * BLOCK_SIZE + 1).is_err());
    }

    /// One inode for 16 KiB of what the tree leaves, and for the share of the image that is to stay free.
    #[test]
    fn inodes_for_what_is_free() {
        let tree = Tree::new(STAMP);
        assert_eq!(chosen(&tree, SMALLEST).unwrap(), (1, 16));
        // 11 and 7 MiB / 16 KiB, in whole blocks.
        assert_eq!(chosen(&tree, Size::Mib(8)).unwrap(), (8, 464));
        // 11 and half a MiB / 16 KiB.
        let half = Size::Smallest { free_percent: 50 };
        assert_eq!(chosen(&tree, half).unwrap(), (1, 48));
        // 200 blocks fit into one MiB, and leave less than half of it.
        assert_eq!(chosen(&files(&[200 * BLOCK_SIZE], 1), half).unwrap().0, 2);
    }

    /// The usual number of inodes is more than a group has: only those of the tree are made.
    #[test]
    fn no_inodes_for_what_is_free() {
        let mut tree = Tree::new(STAMP);
        for number in 0..32_000 {
            insert(&mut tree, &number.to_string(), Kind::Fifo, 1);
        }
        assert_eq!(chosen(&tree, Size::Mib(128)).unwrap(), (128, 32_016));
    }

    /// A file of the base that leaves not one block of 16 TiB: besides it there are 25 superblocks with 8191 blocks for descriptors, a table
    /// of one block and two bitmaps in each of 131072 groups, 5 blocks of folders, and 388 nodes over the file.
    #[test]
    fn the_largest_image_of_all() {
        let most = (1 << 32) - 25 * 8192 - 131_072 * 3 - 5 - 388;
        let one = |blocks: u64| chosen(&files(&[blocks * BLOCK_SIZE], 0), SMALLEST);
        assert_eq!(one(most).unwrap().0, MAX_MIB);
        let error = one(most + 1).unwrap_err().to_string();
        assert!(error.contains("needs 16777217 MiB"), "{error}");
    }
}
