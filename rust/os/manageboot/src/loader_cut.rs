//! What firmware finds after the power went, at any moment of a boot loader's upgrade.
//!
//! [`Vfat`] is a folder as Linux keeps one on FAT. Of each place (the folder's sector, the chain of a file's clusters, the clusters) the disk has
//! any of the contents that it had in memory since it was flushed, each without regard to the others:
//!
//! | what is done   | in memory at once                                                       | with the file alone             |
//! |----------------|-------------------------------------------------------------------------|---------------------------------|
//! | a new file     | the sector has its name, of nothing                                     | its clusters and length, there  |
//! | rename         | the sector has the new name, of what had it or nothing; the old one goes | its clusters and length, there |
//! | the last name and handle of a file go | its chain is free                                | –                               |
//!
//! Flushing a file writes all chains and the sector, with the file's own entry; flushing the folder the same but for that entry.
//!
//! What the power left is a disk again, with all that is wrong with it: names that have one chain, and names whose chain is free. Whoever frees what is free,
//! or reads it, makes the file system read-only, as Linux does (`fat_free_clusters`, `fat_get_cluster`), until it is made writable again.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use crate::folder::Folder;
use crate::loader::{Esp, COPY, DIGEST, LOADER, NEW, NEXT, PREVIOUS};

const OLD: &[u8] = b"MZ old";
const OTHER: &[u8] = b"MZ another one";

/// What the sector says of a name: which chain of clusters, and how many bytes.
type Entry = Option<(usize, usize)>;
type Sector = BTreeMap<String, Entry>;
/// What a reader finds, by name.
type Found = BTreeMap<String, Left>;

/// A file that is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Left {
    bytes: Vec<u8>,
    /// Which chain it has: names with the same number have the same one.
    chain: Option<usize>,
}

#[derive(Debug, Clone)]
struct Chain {
    /// Whether it is allocated: since the last flush, and now.
    used: Vec<bool>,
    /// What its clusters hold.
    bytes: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Inode {
    name: Option<String>,
    entry: Entry,
    /// Whether the sector has another entry under its name.
    dirty: bool,
    handles: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Since the last flush, and now.
    sector: Vec<Sector>,
    chains: Vec<Chain>,
    inodes: Vec<Inode>,
    /// What a reader may have found at some moment; a name of a file that is not whole says so.
    found: BTreeSet<Found>,
    read_only: bool,
}

/// A file of which a part is missing, to a reader.
const BROKEN: &[u8] = b"broken";

impl State {
    fn now(&self) -> Sector {
        self.sector.last().cloned().unwrap_or_default()
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        let is = |inode: &Inode| inode.name.as_deref() == Some(name);
        let found = self.inodes.iter().position(is);
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The last name or handle of an inode went.
    fn release(&mut self, inode: usize) {
        let inode = &self.inodes[inode];
        if let (None, 0, Some((chain, _))) = (&inode.name, inode.handles, inode.entry) {
            self.free(chain);
        }
    }

    fn free(&mut self, chain: usize) {
        let used = &mut self.chains[chain].used;
        self.read_only |= used.last() == Some(&false);
        used.push(false);
    }

    fn writable(&self) -> io::Result<()> {
        match self.read_only {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }

    /// The power could go now.
    fn look(&mut self) {
        let dirty = self.inodes.iter().filter(|inode| inode.dirty);
        let mut written = self.now();
        for inode in dirty {
            // Linux writes a file when it likes to.
            written.insert(inode.name.clone().unwrap(), inode.entry);
        }
        let sectors = self.sector.iter().chain([&written]);
        let found: Vec<Found> = sectors.map(|sector| self.seen(sector)).collect();
        self.found.extend(found);
    }

    fn seen(&self, sector: &Sector) -> Found {
        // Numbers in the order of names, so that what is the same disk is the same value.
        let mut numbers = BTreeMap::new();
        let mut seen = Found::new();
        for (name, entry) in sector {
            let count = numbers.len();
            let left = Left {
                bytes: self.read(*entry),
                chain: entry.map(|(chain, _)| *numbers.entry(chain).or_insert(count)),
            };
            seen.insert(name.clone(), left);
        }
        seen
    }

    fn read(&self, entry: Entry) -> Vec<u8> {
        let Some((chain, len)) = entry else {
            return Vec::new();
        };
        let Chain { used, bytes } = &self.chains[chain];
        match &bytes[..] {
            [bytes] if bytes.len() == len && used.iter().all(|used| *used) => bytes.clone(),
            _ => BROKEN.to_vec(),
        }
    }

    fn flush(&mut self) {
        self.sector = vec![self.now()];
        for chain in &mut self.chains {
            chain.used = vec![*chain.used.last().unwrap()];
        }
    }
}

#[derive(Clone, Default)]
struct Vfat(Rc<RefCell<State>>);

struct Handle(Vfat, usize);

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0 .0.borrow_mut();
        state.inodes[self.1].handles -= 1;
        state.release(self.1);
        state.look();
    }
}

impl Vfat {
    /// A disk with these files, started anew.
    fn with(files: &Found) -> Self {
        let mut state = State::default();
        let mut sector = Sector::new();
        let count = files.values().filter_map(|left| left.chain).max();
        for _ in 0..count.map_or(0, |last| last + 1) {
            state.chains.push(Chain {
                used: vec![true],
                bytes: vec![Vec::new()],
            });
        }
        for (name, Left { bytes, chain }) in files {
            let entry = chain.map(|chain| (chain, bytes.len()));
            if let Some(chain) = *chain {
                // The worse of what it can be: its clusters are free.
                state.chains[chain].used = vec![bytes != BROKEN];
                state.chains[chain].bytes = vec![bytes.clone()];
            }
            sector.insert(name.clone(), entry);
            state.inodes.push(Inode {
                name: Some(name.clone()),
                entry,
                dirty: false,
                handles: 0,
            });
        }
        state.sector = vec![sector];
        Self(Rc::new(RefCell::new(state)))
    }

    fn handle(&self, inode: usize) -> Handle {
        self.0.borrow_mut().inodes[inode].handles += 1;
        Handle(self.clone(), inode)
    }

    /// What the power could have left.
    fn found(&self) -> Vec<Found> {
        self.0.borrow().found.iter().cloned().collect()
    }
}

impl Folder for Vfat {
    type File = Handle;

    fn open(&self, name: &str) -> io::Result<Handle> {
        let inode = self.0.borrow().inode(name)?;
        Ok(self.handle(inode))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<Handle> {
        let mut state = self.0.borrow_mut();
        state.writable()?;
        let inode = match state.inode(name) {
            Ok(inode) => {
                // Its clusters go at once, in memory.
                if let Some((chain, _)) = state.inodes[inode].entry.take() {
                    state.free(chain);
                    state.writable()?;
                }
                inode
            }
            Err(_) => {
                let mut sector = state.now();
                sector.insert(name.to_owned(), None);
                state.sector.push(sector);
                state.inodes.push(Inode {
                    name: Some(name.to_owned()),
                    entry: None,
                    dirty: true,
                    handles: 0,
                });
                state.inodes.len() - 1
            }
        };
        state.inodes[inode].dirty = true;
        state.look();
        state.chains.push(Chain {
            used: vec![false, true],
            bytes: vec![Vec::new(), bytes.to_vec()],
        });
        state.inodes[inode].entry = Some((state.chains.len() - 1, bytes.len()));
        state.look();
        drop(state);
        Ok(self.handle(inode))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.writable()?;
        let inode = state.inode(from)?;
        let replaced = state.inode(to).ok();
        if replaced.is_none() {
            let mut sector = state.now();
            sector.insert(to.to_owned(), None);
            state.sector.push(sector);
            state.look();
        }
        state.inodes[inode].name = Some(to.to_owned());
        state.inodes[inode].dirty = true;
        if let Some(replaced) = replaced {
            state.inodes[replaced].name = None;
            state.inodes[replaced].dirty = false;
        }
        state.look();
        let mut sector = state.now();
        sector.remove(from);
        state.sector.push(sector);
        state.look();
        if let Some(replaced) = replaced {
            state.release(replaced);
        }
        state.look();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.writable()?;
        let inode = state.inode(name)?;
        let mut sector = state.now();
        sector.remove(name);
        state.sector.push(sector);
        state.inodes[inode].name = None;
        state.inodes[inode].dirty = false;
        state.release(inode);
        state.look();
        Ok(())
    }

    fn flush_file(&self, file: &Handle) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let Inode { name, entry, .. } = state.inodes[file.1].clone();
        if let Some((chain, _)) = entry {
            let bytes = state.chains[chain].bytes.pop().unwrap();
            state.chains[chain].bytes = vec![bytes];
        }
        state.flush();
        if let Some(name) = name {
            let mut sector = state.now();
            sector.insert(name, entry);
            state.sector.push(sector);
        }
        state.inodes[file.1].dirty = false;
        state.look();
        state.flush();
        state.look();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.flush();
        state.look();
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.0.borrow_mut();
        let inode = state.inode(name)?;
        let Some((chain, _)) = state.inodes[inode].entry else {
            return Ok(Vec::new());
        };
        if state.chains[chain].used.last() == Some(&false) {
            state.read_only = true;
            return Err(io::Error::other("invalid cluster chain"));
        }
        Ok(state.chains[chain].bytes.last().unwrap().clone())
    }

    fn rouse(&self) -> io::Result<()> {
        self.0.borrow_mut().read_only = false;
        Ok(())
    }
}

const STALE: &[u8] = b"MZ stale";
const OLDER: &[u8] = b"MZ older";

fn digest(loader: &[u8]) -> Vec<u8> {
    format!("{}  {NEXT}\n", base::Sha256Digest::of(loader)).into_bytes()
}

/// Names and bytes, each with clusters of its own.
fn disk(files: &[(&str, &[u8])]) -> Found {
    let mut found: Found = files
        .iter()
        .map(|(name, bytes)| {
            let (bytes, chain) = (bytes.to_vec(), None);
            ((*name).to_owned(), Left { bytes, chain })
        })
        .collect();
    for (number, left) in found.values_mut().enumerate() {
        left.chain = Some(number);
    }
    found
}

fn machines() -> [Found; 4] {
    [
        disk(&[(LOADER, OLD)]),
        // After an upgrade before, after one that was installed and not committed, and the same by a version that kept no digest.
        disk(&[(LOADER, OLD), (PREVIOUS, OLDER)]),
        disk(&[
            (LOADER, OLD),
            (NEXT, STALE),
            (DIGEST, &digest(STALE)),
            (PREVIOUS, OLDER),
        ]),
        disk(&[(LOADER, OLD), (NEXT, STALE), (PREVIOUS, OLDER)]),
    ]
}

fn at<'a>(found: &'a Found, name: &str) -> Option<&'a [u8]> {
    found.get(name).map(|left| &left.bytes[..])
}

/// Firmware finds a whole loader, which is one of these.
fn starts(found: &Found, loaders: &[&[u8]]) -> bool {
    at(found, LOADER).is_some_and(|loader| loaders.contains(&loader))
}

/// Whatever was left: the next try ends with the loader in place, and with one in place all the while.
fn gets_there(left: &Found) -> Vec<Found> {
    let vfat = Vfat::with(left);
    let esp = Esp(vfat.clone());
    esp.stage(OTHER).unwrap();
    esp.promote().unwrap();
    let end = vfat.0.borrow().seen(&vfat.0.borrow().now());
    assert_eq!(at(&end, LOADER), Some(OTHER), "{left:#?}");
    assert_ne!(at(&end, PREVIOUS), Some(OTHER), "{left:#?}");
    for name in [NEXT, DIGEST, NEW, COPY] {
        assert_eq!(at(&end, name), None, "{name} of {left:#?}");
    }
    let found = vfat.found();
    for found in &found {
        assert!(starts(found, &[OLD, OTHER]), "{left:#?} {found:#?}");
    }
    found
}

#[test]
fn cut_while_a_loader_takes_its_place() {
    let mut twins = 0;
    for start in machines() {
        let vfat = Vfat::with(&start);
        let esp = Esp(vfat.clone());
        assert!(esp.stage(OTHER).unwrap());
        assert!(vfat.found().iter().all(|found| starts(found, &[OLD])));
        assert!(esp.promote().unwrap());
        let found = vfat.found();
        let news = found.iter().filter(|found| starts(found, &[OTHER]));
        assert!(news.count() > 0 && found.len() > 8, "{found:#?}");
        for left in found {
            assert!(starts(&left, &[OLD, OTHER]), "{left:#?}");
            let shared = |name: &str| left.get(name).and_then(|left| left.chain);
            twins += usize::from(shared(NEW).is_some() && shared(NEW) == shared(LOADER));
            // A commit alone puts in place what is whole, or nothing and says so; never the one that is stale.
            let vfat = Vfat::with(&left);
            let done = Esp(vfat.clone()).promote();
            let loaders: &[&[u8]] = match (&done, at(&left, LOADER)) {
                (Ok(true), _) => &[OLD, OTHER, STALE],
                (_, Some(OLD)) => &[OLD],
                _ => &[OTHER],
            };
            assert!(
                vfat.found().iter().all(|found| starts(found, loaders)),
                "{done:?} {left:#?}"
            );
            // The power goes once more while that is mended.
            for again in gets_there(&left) {
                if !(again.contains_key(NEW) && again.contains_key(COPY)) {
                    gets_there(&again);
                }
            }
        }
    }
    // The worst of all was among them: loader and leftover of the same clusters.
    assert!(twins > 0);
}

#[test]
fn cut_while_a_loader_is_taken_back() {
    let start = disk(&[(LOADER, OTHER), (PREVIOUS, OLD)]);
    let vfat = Vfat::with(&start);
    Esp(vfat.clone()).take_back().unwrap();
    for left in vfat.found() {
        assert!(starts(&left, &[OLD, OTHER]), "{left:#?}");
        let again = Vfat::with(&left);
        let esp = Esp(again.clone());
        // Taken back in two ways: again, or by going on with the commit.
        if starts(&left, &[OTHER]) {
            esp.take_back().unwrap();
            assert_eq!(again.read(LOADER).unwrap(), OLD);
        }
        gets_there(&left);
    }
    assert_eq!(vfat.read(LOADER).unwrap(), OLD);
    assert_eq!(vfat.read(NEXT).unwrap(), OTHER);
}

/// What a leftover with the loader's clusters does to who removes it as if it were a file of its own, so that the test above can.
#[test]
fn a_twin_is_not_simply_removed() {
    let mut start = disk(&[(LOADER, OTHER), (NEW, OTHER)]);
    start.get_mut(NEW).unwrap().chain = start[LOADER].chain;
    let vfat = Vfat::with(&start);
    vfat.remove(NEW).unwrap();
    vfat.flush().unwrap();
    assert!(vfat.found().iter().any(|found| !starts(found, &[OTHER])));
    gets_there(&start);
    // Two at once are told: which one has the loader's clusters, nobody knows.
    start.insert(COPY.to_owned(), start[NEW].clone());
    let vfat = Vfat::with(&start);
    let error = Esp(vfat.clone()).promote().unwrap_err().to_string();
    assert!(error.contains("have the file system checked"), "{error}");
    assert!(vfat.found().iter().all(|found| starts(found, &[OTHER])));
}

/// The two ways in which a rename alone loses both, so that the test above can.
#[test]
fn a_rename_alone_is_not_enough() {
    let whole = |found: &Found| starts(found, &[OLD, OTHER]);
    for held in [false, true] {
        let vfat = Vfat::with(&disk(&[(LOADER, OLD), (NEW, OTHER)]));
        let before = held.then(|| vfat.open(LOADER).unwrap());
        vfat.rename(NEW, LOADER).unwrap();
        vfat.flush().unwrap();
        assert_eq!(vfat.found().iter().all(whole), held);
        drop(before);
        assert!(!vfat.found().iter().all(whole));
    }
    // A new name is that of nothing, for a while.
    let vfat = Vfat::with(&disk(&[(LOADER, OLD)]));
    let file = vfat.create(NEW, OTHER).unwrap();
    vfat.flush_file(&file).unwrap();
    vfat.rename(NEW, NEXT).unwrap();
    vfat.flush().unwrap();
    assert!(vfat
        .found()
        .iter()
        .any(|found| at(found, NEXT) == Some(&[])));
}
