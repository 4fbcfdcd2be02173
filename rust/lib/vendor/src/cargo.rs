//! Crates: cargo fetches them, by its own settings and mirrors, into a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use walkdir::WalkDir;

use crate::error::Error;
use crate::items::Item;

/// Cargo's folder of fetched crates.
#[derive(Debug)]
pub(crate) struct Crates {
    cache: PathBuf,
}

impl Crates {
    /// That of the cargo whose folder is `home`.
    pub(crate) fn of(home: &Path) -> Self {
        Self {
            cache: home.join("registry/cache"),
        }
    }

    /// Where a crate may be, one place for each registry that was used.
    pub(crate) fn places(&self, item: &Item) -> Vec<PathBuf> {
        let registries = WalkDir::new(&self.cache).min_depth(1).max_depth(1);
        registries
            .sort_by_file_name()
            .into_iter()
            .filter_map(Result::ok)
            .map(|registry| registry.path().join(item.crate_file()))
            .collect()
    }

    /// Has cargo fetch all that the lock beside `manifest` names. It speaks for itself on stderr.
    pub(crate) fn fetch(manifest: &Path) -> Result<(), Error> {
        Command::new("cargo")
            .args(["fetch", "--locked", "--manifest-path"])
            .arg(manifest)
            .status()
            .map_err(|source| Error::Program {
                program: "cargo",
                package: "it comes with Rust",
                source,
            })?;
        Ok(())
    }
}
