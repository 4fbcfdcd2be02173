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

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use crate::folder::Folder;
use crate::loader::{Esp, LOADER, NEW, NEXT, PREVIOUS};

const OLD: &[u8] = b"MZ old";
const OTHER: &[u8] = b"MZ another one";

/// What the sector says of a name: which chain of clusters, and how many bytes.
type Entry = Option<(usize, usize)>;
type Sector = BTreeMap<String, Entry>;
/// Name to bytes, as a reader finds them.
type Found = BTreeMap<String, Vec<u8>>;

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
            self.chains[chain].used.push(false);
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
        let found = sectors.map(|sector| {
            let read = |(name, entry): (&String, &Entry)| (name.clone(), self.read(*entry));
            sector.iter().map(read).collect()
        });
        let found: Vec<Found> = found.collect();
        self.found.extend(found);
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
    /// A disk with these files.
    fn with(files: &Found) -> Self {
        let vfat = Self::default();
        for (name, bytes) in files {
            let file = vfat.create(name, bytes).unwrap();
            vfat.flush_file(&file).unwrap();
        }
        vfat.0.borrow_mut().found.clear();
        vfat
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
        let inode = match state.inode(name) {
            Ok(inode) => {
                // Its clusters go at once, in memory.
                if let Some((chain, _)) = state.inodes[inode].entry.take() {
                    state.chains[chain].used.push(false);
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
        let state = self.0.borrow();
        let inode = state.inode(name)?;
        let Some((chain, _)) = state.inodes[inode].entry else {
            return Ok(Vec::new());
        };
        Ok(state.chains[chain].bytes.last().unwrap().clone())
    }
}

/// Names and bytes.
fn disk(files: &[(&str, &[u8])]) -> Found {
    let file = |(name, bytes): &(&str, &[u8])| ((*name).to_owned(), bytes.to_vec());
    files.iter().map(file).collect()
}

fn machines() -> [Found; 3] {
    [
        disk(&[(LOADER, OLD)]),
        // After an upgrade before, and after one that was installed and not committed.
        disk(&[(LOADER, OLD), (PREVIOUS, b"MZ older")]),
        disk(&[(LOADER, OLD), (NEXT, b"MZ stale"), (PREVIOUS, b"MZ older")]),
    ]
}

/// What is to be put in place is a file that has all its bytes, or says that it is none.
fn is_good(found: &Found) -> bool {
    let at = |name: &str| found.get(name).map(Vec::as_slice);
    let next = at(NEXT).unwrap_or_default();
    let whole = [&b""[..], b"MZ stale", OTHER].contains(&next);
    whole && [Some(OLD), Some(OTHER)].contains(&at(LOADER))
}

#[test]
fn cut_while_a_loader_takes_its_place() {
    for start in machines() {
        let vfat = Vfat::with(&start);
        let esp = Esp(vfat.clone());
        assert!(esp.stage(OTHER).unwrap());
        assert!(vfat.found().iter().all(|found| found[LOADER] == OLD));
        assert!(esp.promote().unwrap());
        let found = vfat.found();
        let news = found.iter().filter(|found| found[LOADER] == OTHER);
        assert!(news.count() > 0 && found.len() > 8, "{found:#?}");
        for found in found {
            assert!(is_good(&found), "{found:#?}");
            // And the next try gets there, whatever was left.
            let vfat = Vfat::with(&found);
            let esp = Esp(vfat.clone());
            let _ = esp.promote();
            assert!(vfat.found().iter().all(|found| {
                let stale = found[LOADER] == b"MZ stale";
                stale || is_good(found)
            }));
            esp.stage(OTHER).unwrap();
            let _ = esp.promote().unwrap();
            assert_eq!(vfat.read(LOADER).unwrap(), OTHER);
        }
    }
}

/// The two ways in which a rename alone loses both, so that the test above can.
#[test]
fn a_rename_alone_is_not_enough() {
    for held in [false, true] {
        let vfat = Vfat::with(&disk(&[(LOADER, OLD), (NEXT, OTHER)]));
        let before = held.then(|| vfat.open(LOADER).unwrap());
        vfat.rename(NEXT, LOADER).unwrap();
        vfat.flush().unwrap();
        assert_eq!(vfat.found().iter().all(is_good), held);
        drop(before);
        assert!(!vfat.found().iter().all(is_good));
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
        .any(|found| found.get(NEXT) == Some(&vec![])));
}
