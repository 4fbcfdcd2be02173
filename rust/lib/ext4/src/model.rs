//! A tree as inodes and names, in the order in which they are numbered: layer 0 before layer 1.

use std::borrow::Cow;
use std::ops::Range;

use tree::{Entry, Kind, Stamp, Tree};

use crate::body::MAX_FILE;
use crate::bytes::{narrow, wide};
use crate::dir::{Record, Shape};
use crate::error::Error;
use crate::params::Checked;
use crate::xattr::Attributes;

/// Number of the root directory's inode.
pub(crate) const ROOT: u32 = 2;
/// Number of the journal's inode.
pub(crate) const JOURNAL: u32 = 8;
/// Number of the first inode that is not reserved: `lost+found`.
pub(crate) const FIRST: u32 = 11;
const LOST_AND_FOUND: &[u8] = b"lost+found";
/// Blocks of an empty `lost+found`: where e2fsck puts things when there may be no blocks left.
const LOST_BLOCKS: usize = 4;
/// Names of a file, or directories in a directory with one more for itself and its parent.
const MAX_LINKS: u32 = 65000;

/// A file, directory or whatever else has attributes.
#[derive(Debug)]
pub(crate) struct Inode<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) entry: &'a Entry,
    pub(crate) number: u32,
    pub(crate) links: u32,
    /// Whether its blocks lie behind the base.
    pub(crate) late: bool,
    pub(crate) attributes: Option<Box<Attributes>>,
    /// Position in [`Model::dirs`].
    pub(crate) dir: Option<usize>,
}

impl Inode<'_> {
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
    pub(crate) parent: u32,
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

impl Flat<'_> {
    /// Whether its name and number stand behind those of the base: it was injected, and in the place of nothing.
    fn is_late(&self) -> bool {
        self.entry.layer != 0 && self.entry.over.is_none()
    }

    fn name(&self) -> &[u8] {
        let slash = self.path.iter().rposition(|b| *b == b'/');
        let start = slash.map_or(0, |at| at.saturating_add(1));
        self.path.get(start..).unwrap_or_default()
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
    Entry {
        layer: 0,
        ..Entry::injected(Kind::Dir, stamp)
    }
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
                    parent: ROOT,
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
    pub(crate) fn last_number(&self) -> u32 {
        let inodes = narrow(wide(self.inodes.len()));
        inodes.saturating_add(FIRST).saturating_sub(2)
    }

    /// Position of the inode with that number; nothing for reserved ones.
    pub(crate) fn position(number: u32) -> Option<usize> {
        match number {
            ROOT => Some(0),
            _ => {
                let behind = number.checked_sub(FIRST)?;
                usize::try_from(behind.saturating_add(1)).ok()
            }
        }
    }

    pub(crate) fn records(&self, dir: &Dir) -> &[Record<'a>] {
        self.records.get(dir.names.clone()).unwrap_or_default()
    }

    /// Sorts names into their directories and counts links. What comes back says of each record whether it is late.
    fn enter_names(&mut self, flats: &[Flat<'a>]) -> Result<Vec<bool>, Error> {
        let own_lost = self
            .inodes
            .get(1)
            .is_some_and(|inode| inode.path == LOST_AND_FOUND);
        let lost = (!own_lost).then_some((LOST_AND_FOUND, 0usize, 1usize, false));
        let by_layer = |late: bool| {
            let flats = flats.iter().skip(1);
            flats.filter(move |flat| flat.is_late() == late)
        };
        let flat_names = by_layer(false).chain(by_layer(true)).map(|flat| {
            let parent = flats.get(flat.parent).map_or(0, |parent| parent.inode);
            // A path is a slice of the tree's, so is its name.
            let name = flat
                .path
                .get(flat.path.len().saturating_sub(flat.name().len())..);
            let name = name.unwrap_or_default();
            (name, parent, flat.inode, flat.is_late())
        });
        let names: Vec<(&'a [u8], usize, usize, bool)> =
            lost.into_iter().chain(flat_names).collect();
        let mut counts = vec![0usize; self.dirs.len()];
        for (_, parent, _, _) in &names {
            if let Some(count) = self.dir_of(*parent).and_then(|dir| counts.get_mut(dir)) {
                *count = count.saturating_add(1);
            }
        }
        let mut start = 0usize;
        for (dir, count) in self.dirs.iter_mut().zip(counts) {
            // Filled in below: the end runs up.
            dir.names = start..start;
            start = start.saturating_add(count);
        }
        let none = Record {
            name: b"",
            number: 0,
            kind: 0,
        };
        self.records = vec![none; names.len()];
        let mut late = vec![false; names.len()];
        for (name, parent, child, is_late) in names {
            self.enter(name, parent, child, |at| {
                if let Some(slot) = late.get_mut(at) {
                    *slot = is_late;
                }
            })?;
        }
        Ok(late)
    }

    fn dir_of(&self, inode: usize) -> Option<usize> {
        self.inodes.get(inode).and_then(|inode| inode.dir)
    }

    fn enter(
        &mut self,
        name: &'a [u8],
        parent: usize,
        child: usize,
        at: impl FnOnce(usize),
    ) -> Result<(), Error> {
        let holder = self.inodes.get(parent).map_or(ROOT, |inode| inode.number);
        let parent_dir = self.dir_of(parent);
        let Some(inode) = self.inodes.get_mut(child) else {
            return Ok(());
        };
        if name.len() > 255 {
            return Err(Error::entry(
                inode.path,
                "has a name of more than 255 bytes",
            ));
        }
        let record = Record {
            name,
            number: inode.number,
            kind: file_type(&inode.entry.kind),
        };
        inode.links = inode.links.saturating_add(1);
        if let Some(dir) = inode.dir.and_then(|dir| self.dirs.get_mut(dir)) {
            dir.parent = holder;
            if let Some(parent) = self.inodes.get_mut(parent) {
                parent.links = parent.links.saturating_add(1);
            }
        }
        if let Some(dir) = parent_dir.and_then(|dir| self.dirs.get_mut(dir)) {
            let end = dir.names.end;
            if let Some(slot) = self.records.get_mut(end) {
                *slot = record;
            }
            at(end);
            dir.names.end = end.saturating_add(1);
        }
        Ok(())
    }

    /// Decides how the directories' records lie.
    fn shape(&mut self, late: &[bool], params: &Checked) -> Result<(), Error> {
        let seed = params.hash_words();
        for (position, inode) in self.inodes.iter().enumerate() {
            let Some(dir) = inode.dir.and_then(|dir| self.dirs.get_mut(dir)) else {
                continue;
            };
            let records = self.records.get(dir.names.clone()).unwrap_or_default();
            let late = late.get(dir.names.clone()).unwrap_or_default();
            let base = late.partition_point(|late| !late);
            let least = if position == 1 { LOST_BLOCKS } else { 1 };
            let names = |records: &'_ [Record<'a>]| -> Vec<&'a [u8]> {
                records.iter().map(|record| record.name).collect()
            };
            let all = names(records);
            let many = || {
                Error::entry(
                    inode.path,
                    "has more entries than an index of two levels holds",
                )
            };
            dir.shape = Shape::of(all.iter().copied(), seed, least).ok_or_else(many)?;
            dir.base_blocks = if inode.late {
                0
            } else if base == records.len() || !dir.shape.indexed() {
                dir.shape.blocks()
            } else {
                let names = all.iter().copied().take(base);
                let shape = Shape::of(names, seed, least).ok_or_else(many)?;
                shape.blocks().min(dir.shape.blocks())
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
        let begins = |flats: &[Flat<'_>], at: usize| {
            let flat = flats.get(at);
            flat.is_some_and(|flat| path.starts_with(flat.path))
        };
        while open.last().is_some_and(|last| !begins(&flats, *last)) {
            open.pop();
        }
        let slash = path.iter().rposition(|b| *b == b'/').unwrap_or(0);
        let mut parent = open.iter().rev().copied();
        let parent = parent.find(|at| flats.get(*at).is_some_and(|f| f.path.len() == slash));
        if entry.kind == Kind::Dir {
            open.push(flats.len());
        }
        flats.push(Flat {
            path,
            entry,
            parent: parent.unwrap_or(0),
            inode: 0,
        });
    }
    flats
}

/// Makes the inodes, and tells each entry which is its own.
fn number<'a>(flats: &mut [Flat<'a>], lost: &'a Entry) -> Result<Vec<Inode<'a>>, Error> {
    let mut inodes = Vec::with_capacity(flats.len().saturating_add(1));
    let mut add = |path: &'a [u8], entry: &'a Entry, late: bool| {
        let position = inodes.len();
        let is_dir = entry.kind == Kind::Dir;
        let number = match position {
            0 => ROOT,
            after => narrow(wide(after)).saturating_add(FIRST).saturating_sub(1),
        };
        inodes.push(Inode {
            path,
            entry,
            number,
            // A directory's own `.`; the root's `..` stands for its name.
            links: u32::from(is_dir).saturating_add(u32::from(position == 0)),
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
        if let Some(flat) = flats.get_mut(at) {
            if flat.entry.kind != Kind::Dir {
                return Err(Error::entry(
                    flat.path,
                    "is no directory, which ext4 wants it to be",
                ));
            }
            flat.inode = add(flat.path, flat.entry, false);
            own_lost = true;
        }
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
    for at in 0..flats.len() {
        let Some(Kind::HardLink { target }) = flats.get(at).map(|flat| &flat.entry.kind) else {
            continue;
        };
        let file = flats.binary_search_by(|flat| flat.path.cmp(target));
        let file = file
            .ok()
            .and_then(|file| flats.get(file))
            .map(|flat| flat.inode);
        if let Some((flat, file)) = flats.get_mut(at).zip(file) {
            flat.inode = file;
        }
    }
    if inodes.len()
        > usize::try_from(u32::MAX)
            .unwrap_or(usize::MAX)
            .saturating_sub(16)
    {
        return Err(Error::entry(b"", "holds more than 2^32 files"));
    }
    Ok(inodes)
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

/// What ext4 cannot hold; and directories of very many directories say that their links are not counted.
fn check(inode: &mut Inode<'_>) -> Result<(), Error> {
    if inode.links > MAX_LINKS {
        if inode.dir.is_none() {
            let reason = format!("has {} names, want at most {MAX_LINKS}", inode.links);
            return Err(Error::entry(inode.path, reason));
        }
        inode.links = 1;
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
