//! Crates: cargo fetches them, by its own settings and mirrors, into a folder of its own.

use std::io;
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
    pub(crate) fn places(&self, item: &Item) -> Result<Vec<PathBuf>, Error> {
        let registries = WalkDir::new(&self.cache).min_depth(1).max_depth(1);
        let mut places = Vec::new();
        for registry in registries.sort_by_file_name() {
            match registry.map_err(io::Error::from) {
                Ok(registry) => places.push(registry.path().join(item.crate_file())),
                // No crate was ever fetched.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let what = format!("look for crates in {}", self.cache.display());
                    return Err(Error::io(what)(error));
                }
            }
        }
        Ok(places)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_crates() {
        let items = {
            let mut items = crate::items::Items::default();
            let sum = "a".repeat(64);
            let lock = format!("# by cargo\nversion = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://example.org/index\"\nchecksum = \"{sum}\"\n");
            items.add_crates("Cargo.lock", &lock).unwrap();
            items
        };
        let item = items.iter().next().unwrap();
        let home = tempfile::tempdir().unwrap();
        let crates = Crates::of(home.path());
        assert_eq!(crates.places(item).unwrap(), Vec::<PathBuf>::new());
        let registry = home.path().join("registry/cache/one");
        std::fs::create_dir_all(&registry).unwrap();
        assert_eq!(
            crates.places(item).unwrap(),
            [registry.join(item.crate_file())]
        );
        // A folder that can't be read is not one without crates.
        let odd = tempfile::tempdir().unwrap();
        std::fs::write(odd.path().join("registry"), "").unwrap();
        let error = Crates::of(odd.path()).places(item).unwrap_err().to_string();
        assert!(error.starts_with("cannot look for crates in "), "{error}");
    }
}
