//! Files of a lock, found by content.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use base::Sha256Digest;

use crate::error::Error;
use crate::lock::Lock;

/// The file of each package of the lock, in its order, found by SHA-256; any that lacks one, or is no package's, is named.
///
/// Of several files with the same content one is taken.
pub fn match_debs(lock: &Lock, files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut by_digest: BTreeMap<Sha256Digest, &Path> = BTreeMap::new();
    for file in files {
        by_digest.insert(sha256_file(file)?, file);
    }
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for package in &lock.packages {
        match by_digest.remove(&package.sha256) {
            Some(file) => found.push(file.to_path_buf()),
            None => {
                let named = |f: &&PathBuf| f.file_name().is_some_and(|n| n == package.file_name());
                let hint = match files.iter().find(named) {
                    Some(file) => format!(" ({} has other content)", file.display()),
                    None => String::new(),
                };
                missing.push(format!("{} {}{hint}", package.name, package.version));
            }
        }
    }
    if missing.is_empty() && by_digest.is_empty() {
        return Ok(found);
    }
    Err(Error::Mismatch {
        missing,
        foreign: by_digest
            .values()
            .map(|f| f.display().to_string())
            .collect(),
    })
}

fn sha256_file(path: &Path) -> Result<Sha256Digest, Error> {
    let digest = File::open(path).and_then(Sha256Digest::of_reader);
    digest.map_err(Error::io(format!("read {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Package;

    #[test]
    fn content_decides() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("renamed.deb"), "one").unwrap();
        std::fs::write(path("b_1_all.deb"), "damaged").unwrap();
        let package = |name: &str, content: &str| Package {
            name: name.to_owned(),
            version: "1".to_owned(),
            architecture: "all".to_owned(),
            suite: "s".to_owned(),
            source: name.to_owned(),
            source_version: "1".to_owned(),
            size: 3,
            sha256: Sha256Digest::of(content),
            path: format!("pool/{name}_1_all.deb"),
        };
        let mut lock = Lock::new("a", vec![]);
        lock.packages.push(package("a", "one"));
        assert_eq!(
            match_debs(&lock, &[path("renamed.deb")]).unwrap(),
            [path("renamed.deb")]
        );
        lock.packages.push(package("b", "two"));
        let damaged = path("b_1_all.deb").display().to_string();
        assert_eq!(
            match_debs(&lock, &[path("renamed.deb"), path("b_1_all.deb")]).unwrap_err().to_string(),
            format!("no file has the content locked for b 1 ({damaged} has other content); not in the lock: {damaged}")
        );
    }
}
