//! A tree's list (`*.tree`): its manifest and what the manifest's inputs are, as one file.
//!
//! Text, a path a line: the manifest, then for each of its inputs, in its order, a file or the list of an image (`*.image`).
//! Two inputs may be the same file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use plan::{ImageSet, List};

use crate::error::Error;
use crate::tree::Tree;

impl Tree {
    /// Reads the list at `path`: the tree, and its inputs as images. Of files no more than the path is looked at: their lengths
    /// stand in the manifest.
    pub fn open_list(path: &Path) -> Result<(Self, ImageSet), Error> {
        let list = List::read(path).map_err(|source| Error::listed(path, source))?;
        let action = format!("open {}", list.plan.display());
        let file = File::open(&list.plan).map_err(Error::io(action))?;
        let tree = Self::read(BufReader::with_capacity(1 << 16, file))
            .map_err(|source| Error::manifest(&list.plan, source))?;
        let lens: Vec<u64> = tree.inputs().iter().map(|input| input.len).collect();
        let images = ImageSet::open_sized(&list.inputs, &lens);
        Ok((tree, images.map_err(|source| Error::listed(path, source))?))
    }
}
