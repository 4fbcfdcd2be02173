//! Digests of images, for those who state them.

use std::collections::BTreeMap;

pub use plan::Digest;

use crate::{Error, NamedFile};

/// The digests of `files` by their names, each of which is given once; `flag` is what they were given with.
pub fn by_name(flag: &'static str, files: &[NamedFile]) -> Result<BTreeMap<String, Digest>, Error> {
    let mut digests = BTreeMap::new();
    for NamedFile { name, path } in files {
        let digest = Digest::open(path)?;
        if digests.insert(name.clone(), digest).is_some() {
            let name = name.clone();
            return Err(Error::NameTwice { flag, name });
        }
    }
    Ok(digests)
}

/// The text of a `SHA256SUMS` that `sha256sum -c` accepts: digest, two spaces, name; in the order of the names' bytes.
pub fn sha256sums(digests: &BTreeMap<String, Digest>) -> String {
    digests
        .iter()
        .map(|(name, digest)| format!("{digest}  {name}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("raw"), b"abc").unwrap();
        let digest = Digest::open(&at("raw")).unwrap();
        std::fs::write(at("x.digest"), digest.to_file()).unwrap();
        let named = |name: &str, file: &str| NamedFile {
            name: name.to_owned(),
            path: at(file),
        };
        let digests = by_name("--image", &[named("b", "raw"), named("a", "x.digest")]).unwrap();
        assert_eq!(sha256sums(&digests), format!("{digest}  a\n{digest}  b\n"));
        let error = by_name("--image", &[named("a", "raw"), named("a", "x.digest")]).unwrap_err();
        assert_eq!(error.to_string(), "--image: \"a\" was given already");
    }
}
