//! A root file system, as far as an initial RAM disk is made of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base::as_usize;
use plan::{Builder, ImageSet, Plan, Reader};
use tree::{Entry, Tree};

use crate::error::Error;

/// A tree whose files can be read. Symbolic links are followed and never lead out of it.
#[derive(Debug)]
pub struct Root<'a> {
    tree: &'a Tree,
    bodies: &'a ImageSet,
    /// The position of the tree's first input among the bodies.
    first: usize,
    /// The opened inputs, over no plan of their own.
    inputs: Reader,
    /// Files that were read, by their paths: what the initial RAM disk is made of.
    read: RefCell<BTreeMap<String, Plan>>,
}

impl<'a> Root<'a> {
    /// The view of `tree`, whose inputs are among `bodies` from position `first` on. All inputs are opened.
    pub fn open(tree: &'a Tree, bodies: &'a ImageSet, first: usize) -> Result<Self, Error> {
        let nothing = Builder::new(bodies.inputs()).finish()?;
        Ok(Self {
            tree,
            bodies,
            first,
            inputs: Reader::open(nothing, bodies.paths())?,
            read: RefCell::default(),
        })
    }

    /// Where the bytes lie of all files that were read here, one after another in the order of their paths: a plan over the inputs of
    /// the bodies, for whoever asks what an initial RAM disk was made from.
    pub fn sources(&self) -> Result<Plan, Error> {
        let mut builder = Builder::new(self.bodies.inputs());
        for plan in self.read.borrow().values() {
            builder.plan(plan)?;
        }
        Ok(builder.finish()?)
    }

    /// A regular file as text; nothing if there is none.
    pub(crate) fn text(&self, path: &str, most: u64) -> Result<Option<String>, Error> {
        let Some(bytes) = self.content(path, most)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(|wrong| Error::Text {
            path: path.to_owned(),
            at: wrong.utf8_error().valid_up_to(),
        });
        text.map(Some)
    }

    /// The bytes of a regular file; nothing if there is none.
    pub(crate) fn content(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(plan) = self.plan(path, most)? else {
            return Ok(None);
        };
        let bytes = self.bytes(&plan)?;
        self.read.borrow_mut().insert(path.to_owned(), plan);
        Ok(Some(bytes))
    }

    /// Whether there is a regular file.
    pub(crate) fn has(&self, path: &str) -> Result<bool, Error> {
        let found = self.find(path)?;
        Ok(found.is_some_and(|(_, entry)| entry.kind.file_len().is_some()))
    }

    /// The names in the folder at `path` that are text, sorted, each with whether it is a folder; none if there is no such folder.
    pub(crate) fn names(&self, path: &str) -> Result<Vec<(String, bool)>, Error> {
        let Some((folder, _)) = self.find(path)? else {
            return Ok(Vec::new());
        };
        let mut names = Vec::new();
        for (name, _) in self.tree.children(&folder) {
            // All that is asked for here has names of ASCII.
            let Ok(name) = std::str::from_utf8(name) else {
                continue;
            };
            let found = self.find(&format!("{path}/{name}"))?;
            let folder = found.is_some_and(|(_, entry)| entry.kind == tree::Kind::Dir);
            names.push((name.to_owned(), folder));
        }
        Ok(names)
    }

    /// What is at `path` behind all links, and its own path.
    fn find(&self, path: &str) -> Result<Option<(Vec<u8>, &Entry)>, Error> {
        match self
            .tree
            .resolve(path.as_bytes(), true, "whoever makes an initrd")
        {
            Ok(path) => {
                let entry = self.tree.inode(&path);
                Ok(entry.map(|entry| (path, entry)))
            }
            // Something on the way is no folder: nothing is there.
            Err(tree::Error::NotADirectory { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn plan(&self, path: &str, most: u64) -> Result<Option<Plan>, Error> {
        if !self.has(path)? {
            return Ok(None);
        }
        let plan = self.tree.file(path, self.bodies, self.first)?;
        let len = plan.len();
        if len > most {
            let path = path.to_owned();
            return Err(Error::TooLong { path, len, most });
        }
        Ok(Some(plan))
    }

    fn bytes(&self, plan: &Plan) -> Result<Vec<u8>, Error> {
        let opened = self.inputs.inputs().iter();
        let opened = opened.map(|(name, file)| (name.clone(), file)).collect();
        let reader = Reader::new(plan.clone(), opened)?;
        let mut bytes = vec![0; as_usize(plan.len())];
        reader.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}
