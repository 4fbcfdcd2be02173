//! A tree's list (`*.tree`): its manifest and what the manifest's inputs are, as one file.
//!
//! Text, a path a line: the manifest, then for each of its inputs, in its order, a file or the list of an image (`*.image`).
//! Two inputs may be the same file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use plan::{Builder, ImageSet, List, Plan};

use crate::error::Error;
use crate::tree::Tree;

impl Tree {
    /// Reads the list at `path`: the tree, and its inputs as images. Of files no more than the path is looked at: their lengths
    /// stand in the manifest.
    pub fn open_list(path: &Path) -> Result<(Self, ImageSet), Error> {
        let (list, tree) = open(path)?;
        let images = ImageSet::open_sized(&list.inputs, &lens(&tree));
        Ok((tree, images.map_err(|source| Error::listed(path, source))?))
    }

    /// As [`Tree::open_list`], of several lists: each tree with the position that its first input has among the images, which are over one list
    /// of inputs.
    pub fn open_lists(paths: &[&Path]) -> Result<(Vec<(Self, usize)>, ImageSet), Error> {
        Self::open_lists_and(paths, &[])
    }

    /// As [`Tree::open_lists`], with `images` besides, lists or files: they are the last of the images.
    pub fn open_lists_and(
        paths: &[&Path],
        images: &[&Path],
    ) -> Result<(Vec<(Self, usize)>, ImageSet), Error> {
        let mut trees = Vec::new();
        let (mut inputs, mut sizes) = (Vec::new(), Vec::new());
        for path in paths {
            let (list, tree) = open(path)?;
            let (given, want) = (list.inputs.len(), tree.inputs().len());
            if given != want {
                let reason = format!("{given} files are given for {want} inputs");
                let source = plan::Error::Inputs { reason };
                return Err(Error::listed(path, source));
            }
            let first = inputs.len();
            inputs.extend(list.inputs);
            sizes.extend(lens(&tree));
            trees.push((tree, first));
        }
        let images = ImageSet::open_sized_and(&inputs, &sizes, images);
        let path = paths.first().copied().unwrap_or(Path::new(""));
        Ok((trees, images.map_err(|source| Error::listed(path, source))?))
    }
}

impl Tree {
    /// The content of a regular file as a plan, symbolic links followed; `bodies` are the images that inputs stand for, this tree's from
    /// position `first` on.
    pub fn file(&self, path: &str, bodies: &ImageSet, first: usize) -> Result<Plan, Error> {
        let origin = "whoever takes a file";
        let bad = |reason: String| Error::NoFile {
            path: path.to_owned(),
            reason,
        };
        let resolved = path.trim_start_matches('/').as_bytes();
        let resolved = self.resolve(resolved, true, origin)?;
        let Some(entry) = self.inode(&resolved) else {
            return Err(bad("the tree has none".to_owned()));
        };
        let Some(len) = entry.kind.file_len() else {
            return Err(bad(format!("it is a {}", entry.kind.word())));
        };
        let build = || {
            let mut builder = Builder::new(bodies.inputs());
            for (at, source) in entry.kind.pieces() {
                builder.zero_to(at)?;
                // An input beyond all numbers is one that the list does not have, which is told there.
                let body = source.input.checked_add(first);
                let body = bodies.plan(body.unwrap_or(usize::MAX))?;
                builder.range(body, source.offset, source.len)?;
            }
            builder.zero_to(len)?;
            builder.finish()
        };
        build().map_err(|source| bad(source.to_string()))
    }
}

/// The list at `path`, and the tree of its manifest.
fn open(path: &Path) -> Result<(List, Tree), Error> {
    let list = List::read(path).map_err(|source| Error::listed(path, source))?;
    let action = format!("open {}", list.plan.display());
    let file = File::open(&list.plan).map_err(Error::io(action))?;
    let tree = Tree::read(BufReader::with_capacity(1 << 16, file))
        .map_err(|source| Error::manifest(&list.plan, source))?;
    Ok((list, tree))
}

fn lens(tree: &Tree) -> Vec<u64> {
    tree.inputs().iter().map(|input| input.len).collect()
}
