//! A tree as inodes and names, in the order in which they are numbered: layer 0 before layer 1.

use std::borrow::Cow;
use std::ops::Range;

use base::{as_u64, as_usize};
use tree::{Entry, Kind, Stamp, Tree};

use crate::body::MAX_FILE;
use crate::dir::{Record, Shape};
use crate::error::Error;
use crate::num::{narrow, nth, nth_mut, part, sum, without};
use crate::params::Checked;
use crate::xattr::Attributes;

/// Number of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InodeNumber(u32);

/// Number of the journal's inode.
pub(crate) const JOURNAL: InodeNumber = InodeNumber(8);
/// Number of the first inode that is not reserved: `lost+found`.
pub(crate) const FIRST: InodeNumber = InodeNumber(11);

impl InodeNumber {
    /// That of a record that names nothing.
    pub(crate) const NONE: Self = Self(0);
    const ROOT: Self = Self(2);

    /// Of the inode at a position in [`Model::inodes`].
    fn at(position: usize) -> Self {
        match as_u64(position) {
            0 => Self::ROOT,
            after => Self(narrow(sum(without(after, 1), FIRST.0.into()))),
        }
    }

    /// The one that comes at a place in the tables of inodes, 0 being the first.
    pub(crate) fn in_tables(place: u64) -> Self {
        Self(narrow(sum(place, 1)))
    }

    /// Its position in [`Model::inodes`]; nothing for reserved ones.
    pub(crate) fn position(self) -> Option<usize> {
        match self {
            Self::ROOT => Some(0),
            Self(number) => {
                let behind = number.checked_sub(FIRST.0)?;
                Some(as_usize(sum(behind.into(), 1)))
            }
        }
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

const LOST_AND_FOUND: &[u8] = b"lost+found";
/// Blocks of an empty `lost+found`: where e2fsck puts things when there may be no blocks left.
const LOST_BLOCKS: usize = 4;
/// Names of a file, or directories in a directory with one more for itself and its parent.
const MAX_LINKS: u16 = 65000;
/// Position of what stands for the parent of the root, which has none: itself.
const OF_ROOT: usize = 0;
/// More files than this have no numbers.
const MAX_FILES: usize = 0xffff_fff0;

/// A file, directory or whatever else has attributes.
#[derive(Debug)]
pub(crate) struct Inode<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) entry: &'a Entry,
    pub(crate) number: InodeNumber,
    /// How many names it has; of a directory also those that its directories have for it.
    names: u64,
    /// Whether its blocks lie behind the base.
    pub(crate) late: bool,
    pub(crate) attributes: Option<Box<Attributes>>,
    /// Position in [`Model::dirs`].
    pub(crate) dir: Option<usize>,
}

impl Inode<'_> {
    /// `i_links_count`: directories of very many directories say that these are not counted.
    pub(crate) fn links(&self) -> u16 {
        let counted = u16::try_from(self.names).ok();
        counted.filter(|links| *links <= MAX_LINKS).unwrap_or(1)
    }

    /// The file that the base has, or had, for it.
    pub(crate) fn base_file(&self) -> Option<Cow<'_, Kind>> {
        match (self.late, &self.entry.kind) {
            (false, file) if file.file_len().is_some() => Some(Cow::Borrowed(file)),
            _ => self.entry.over.map(|bytes| Cow::Owned(Kind::File(bytes))),
        }
    }
}

/// A directory.
#[derive(Debug)]
pub(crate) struct Dir {
    /// Its names, in [`Model::records`].
    pub(crate) names: Range<usize>,
    /// Number of the directory that holds it.
    pub(crate) parent: InodeNumber,
    pub(crate) shape: Shape,
    /// Blocks that it has without the names of layer 1.
    pub(crate) base_blocks: usize,
}

/// All of a tree.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    /// The root, `lost+found`, what is early by path, what is late by path.
    pub(crate) inodes: Vec<Inode<'a>>,
    pub(crate) dirs: Vec<Dir>,
    /// Names of each directory, those of layer 0 first.
    pub(crate) records: Vec<Record<'a>>,
}

/// What is in the tree by path.
struct Flat<'a> {
    path: &'a [u8],
    entry: &'a Entry,
    parent: usize,
    /// Its inode.
    inode: usize,
}

/// A name, its directory and its inode by their positions, and whether it stands behind those of the base.
type Name<'a> = (&'a [u8], usize, usize, bool);

impl<'a> Flat<'a> {
    /// Whether its name and number stand behind those of the base: it was injected, and in the place of nothing.
    fn is_late(&self) -> bool {
        self.entry.layer != 0 && self.entry.over.is_none()
    }

    fn name(&self) -> &'a [u8] {
        let mut names = self.path.rsplit(|b| *b == b'/');
        names.next().unwrap_or(self.path)
    }
}

/// What `lost+found` is if the tree has none.
pub(crate) fn lost_and_found(params: &Checked) -> Entry {
    let stamp = Stamp {
        mode: 0o700,
        uid: 0,
        gid: 0,
        mtime: params.mtime,
        mtime_nanos: 0,
    };
    Entry::injected(Kind::Dir, stamp)
}

impl<'a> Model<'a> {
    pub(crate) fn of(tree: &'a Tree, lost: &'a Entry, params: &Checked) -> Result<Self, Error> {
        let mut flats = flatten(tree);
        let mut inodes = number(&mut flats, lost)?;
        let mut dirs = Vec::new();
        for inode in &mut inodes {
            if inode.entry.kind == Kind::Dir {
                inode.dir = Some(dirs.len());
                dirs.push(Dir {
                    names: 0..0,
                    parent: InodeNumber::ROOT,
                    shape: Shape::Linear { blocks: 1 },
                    base_blocks: 0,
                });
            }
        }
        let mut model = Self {
            inodes,
            dirs,
            records: Vec::new(),
        };
        let late = model.enter_names(&flats)?;
        model.shape(&late, params)?;
        for inode in &mut model.inodes {
            check(inode)?;
            if !inode.entry.xattrs.is_empty() {
                let attributes = Attributes::of(inode.path, &inode.entry.xattrs)?;
                inode.attributes = Some(Box::new(attributes));
            }
        }
        Ok(model)
    }

    /// The last inode in use.
    pub(crate) fn last_number(&self) -> InodeNumber {
        // The root and `lost+found` are always there.
        InodeNumber::at(as_usize(without(as_u64(self.inodes.len()), 1)))
    }

    pub(crate) fn records(&self, dir: &Dir) -> &[Record<'a>] {
        part(&self.records, dir.names.clone())
    }

    /// What of a directory is no inode's matter.
    pub(crate) fn dir(&self, inode: &Inode<'_>) -> Option<&Dir> {
        inode.dir.map(|at| nth(&self.dirs, at))
    }

    /// Sorts names into their directories and counts links. What comes back says of each record whether it is late.
    fn enter_names(&mut self, flats: &[Flat<'a>]) -> Result<Vec<bool>, Error> {
        let own_lost = nth(&self.inodes, 1).path == LOST_AND_FOUND;
        let lost: Option<Name<'a>> = (!own_lost).then_some((LOST_AND_FOUND, 0, 1, false));
        let by_layer = |late: bool| {
            let flats = flats.iter().skip(1);
            flats.filter(move |flat| flat.is_late() == late)
        };
        let of_tree = by_layer(false).chain(by_layer(true)).map(|flat| {
            let parent = nth(flats, flat.parent).inode;
            (flat.name(), parent, flat.inode, flat.is_late())
        });
        let mut by_dir: Vec<Vec<Name<'a>>> = vec![Vec::new(); self.dirs.len()];
        for name in lost.into_iter().chain(of_tree) {
            let (_, parent, ..) = name;
            // The parent of each entry is a directory, as every tree promises.
            if let Some(dir) = nth(&self.inodes, parent).dir {
                nth_mut(&mut by_dir, dir).push(name);
            }
        }
        let mut late = Vec::with_capacity(flats.len());
        self.records.reserve(flats.len());
        for (at, names) in by_dir.into_iter().enumerate() {
            let start = self.records.len();
            for (name, parent, child, is_late) in names {
                self.enter(name, parent, child)?;
                late.push(is_late);
            }
            nth_mut(&mut self.dirs, at).names = start..self.records.len();
        }
        Ok(late)
    }

    fn enter(&mut self, name: &'a [u8], parent: usize, child: usize) -> Result<(), Error> {
        let holder = nth(&self.inodes, parent).number;
        let inode = nth_mut(&mut self.inodes, child);
        if name.len() > 255 {
            let reason = "has a name of more than 255 bytes";
            return Err(Error::entry(inode.path, reason));
        }
        self.records.push(Record {
            name,
            number: inode.number,
            kind: file_type(&inode.entry.kind),
        });
        inode.names = sum(inode.names, 1);
        if let Some(dir) = inode.dir {
            nth_mut(&mut self.dirs, dir).parent = holder;
            let parent = nth_mut(&mut self.inodes, parent);
            parent.names = sum(parent.names, 1);
        }
        Ok(())
    }

    /// Decides how the directories' records lie.
    fn shape(&mut self, late: &[bool], params: &Checked) -> Result<(), Error> {
        let seed = params.hash_words();
        for (position, inode) in self.inodes.iter().enumerate() {
            let Some(dir) = inode.dir.map(|dir| nth_mut(&mut self.dirs, dir)) else {
                continue;
            };
            let records = part(&self.records, dir.names.clone());
            let late = part(late, dir.names.clone());
            let (base, _) = records.split_at(late.partition_point(|late| !late));
            let least = if position == 1 { LOST_BLOCKS } else { 1 };
            let shape = |records: &[Record<'a>]| {
                let names: Vec<&[u8]> = records.iter().map(|record| record.name).collect();
                let reason = "has more entries than an index of two levels holds";
                Shape::of(&names, seed, least).ok_or_else(|| Error::entry(inode.path, reason))
            };
            dir.shape = shape(records)?;
            dir.base_blocks = if inode.late {
                0
            } else if base.len() == records.len() {
                dir.shape.blocks()
            } else {
                shape(base)?.blocks().min(dir.shape.blocks())
            };
        }
        Ok(())
    }
}

/// Entries in order of their paths, each with the position of its parent.
fn flatten(tree: &Tree) -> Vec<Flat<'_>> {
    let mut flats: Vec<Flat<'_>> = Vec::with_capacity(tree.entries().len());
    // Directories whose path is the beginning of the one at hand, text being compared, not components: everything that
    // sorts between a directory and what lies in it begins like the directory.
    let mut open: Vec<usize> = Vec::new();
    for (path, entry) in tree.entries() {
        let begins = |at: usize| path.starts_with(nth(&flats, at).path);
        while open.last().is_some_and(|last| !begins(*last)) {
            open.pop();
        }
        let holder = path
            .rsplitn(2, |b| *b == b'/')
            .nth(1)
            .map_or(0, <[u8]>::len);
        let mut parents = open.iter().rev().copied();
        let parent = parents.find(|at| nth(&flats, *at).path.len() == holder);
        if entry.kind == Kind::Dir {
            open.push(flats.len());
        }
        flats.push(Flat {
            path,
            entry,
            parent: parent.unwrap_or(OF_ROOT),
            inode: 0,
        });
    }
    flats
}

/// Makes the inodes, and tells each entry which is its own.
fn number<'a>(flats: &mut [Flat<'a>], lost: &'a Entry) -> Result<Vec<Inode<'a>>, Error> {
    if flats.len() > MAX_FILES {
        return Err(Error::entry(b"", "holds more than 2^32 files"));
    }
    let mut inodes = Vec::with_capacity(flats.len());
    let mut add = |path: &'a [u8], entry: &'a Entry, late: bool| {
        let position = inodes.len();
        let names = match entry.kind {
            // A directory's own `.`; the root's `..` stands for its name.
            Kind::Dir if position == 0 => 2,
            Kind::Dir => 1,
            _ => 0,
        };
        inodes.push(Inode {
            path,
            entry,
            number: InodeNumber::at(position),
            names,
            late,
            attributes: None,
            dir: None,
        });
        position
    };
    let mut own_lost = false;
    if let Some(root) = flats.first_mut() {
        root.inode = add(root.path, root.entry, false);
    }
    if let Ok(at) = flats.binary_search_by(|flat| flat.path.cmp(LOST_AND_FOUND)) {
        let flat = nth_mut(flats, at);
        if flat.entry.kind != Kind::Dir {
            let reason = "is no directory, which ext4 wants it to be";
            return Err(Error::entry(flat.path, reason));
        }
        flat.inode = add(flat.path, flat.entry, false);
        own_lost = true;
    }
    if !own_lost {
        add(b"", lost, false);
    }
    for late in [false, true] {
        for flat in flats.iter_mut().skip(1) {
            let link = matches!(flat.entry.kind, Kind::HardLink { .. });
            if link || flat.is_late() != late || (own_lost && flat.path == LOST_AND_FOUND) {
                continue;
            }
            flat.inode = add(flat.path, flat.entry, flat.entry.layer != 0);
        }
    }
    join_links(flats);
    Ok(inodes)
}

/// Tells each hard link the inode of its file.
fn join_links(flats: &mut [Flat<'_>]) {
    for at in 0..flats.len() {
        let Kind::HardLink { target } = &nth(flats, at).entry.kind else {
            continue;
        };
        // A link names a file of the tree, as every tree promises.
        if let Ok(file) = flats.binary_search_by(|flat| flat.path.cmp(target)) {
            nth_mut(flats, at).inode = nth(flats, file).inode;
        }
    }
}

fn file_type(kind: &Kind) -> u8 {
    match kind {
        // A hard link's record names its file's inode, and that has its own kind.
        Kind::File(_) | Kind::Sparse(_) | Kind::HardLink { .. } => 1,
        Kind::Dir => 2,
        Kind::Char { .. } => 3,
        Kind::Block { .. } => 4,
        Kind::Fifo => 5,
        Kind::Symlink { .. } => 7,
    }
}

/// What ext4 cannot hold.
fn check(inode: &Inode<'_>) -> Result<(), Error> {
    if inode.dir.is_none() && inode.names > MAX_LINKS.into() {
        let reason = format!("has {} names, want at most {MAX_LINKS}", inode.names);
        return Err(Error::entry(inode.path, reason));
    }
    if let Some(len) = inode.entry.kind.file_len().filter(|len| *len > MAX_FILE) {
        let reason = format!("has {len} bytes, want at most {MAX_FILE}");
        return Err(Error::entry(inode.path, reason));
    }
    match inode.entry.kind {
        Kind::Char { major, minor } | Kind::Block { major, minor }
            if major > 0xfff || minor > 0xf_ffff =>
        {
            let reason = format!("is device {major}:{minor}, want at most 4095:1048575");
            Err(Error::entry(inode.path, reason))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::STAMP;

    /// Whether a file of so many names, or a device, can be held.
    fn can_be(kind: Kind, names: u64) -> bool {
        let inode = Inode {
            path: b"x",
            entry: &Entry::injected(kind, STAMP),
            number: FIRST,
            names,
            late: true,
            attributes: None,
            dir: None,
        };
        check(&inode).is_ok()
    }

    #[test]
    fn the_last_that_can_be_held() {
        assert!(can_be(Kind::Fifo, 65_000));
        assert!(!can_be(Kind::Fifo, 65_001));
        for (major, minor, want) in [
            (0xfff, 0xf_ffff, true),
            (0x1000, 0, false),
            (0, 0x10_0000, false),
        ] {
            assert_eq!(can_be(Kind::Char { major, minor }, 1), want);
            assert_eq!(can_be(Kind::Block { major, minor }, 1), want);
        }
    }
}
