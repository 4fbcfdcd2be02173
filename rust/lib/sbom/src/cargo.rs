//! What Cargo's files say of a crate: its manifest, as Cargo writes it for the registry, and the lock.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;

/// SHA-256 of registry crates by name and version.
pub(crate) type Checksums = BTreeMap<(String, String), String>;

/// The value of `key = "value"` in line `line`.
fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
    value.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The licence that the manifest names in its section `package`.
pub(crate) fn license(manifest: &str) -> Option<&str> {
    let lines = manifest
        .lines()
        .skip_while(|line| line.trim() != "[package]")
        .skip(1);
    let mut own = lines.take_while(|line| !line.starts_with('['));
    own.find_map(|line| quoted(line, "license"))
}

/// Reads a Cargo.lock.
pub(crate) fn read_lock(path: &Path) -> Result<Checksums, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
    let mut checksums = Checksums::new();
    for block in text.split("[[package]]").skip(1) {
        let value = |key| {
            block
                .lines()
                .find_map(|line| quoted(line, key))
                .map(str::to_owned)
        };
        if let (Some(name), Some(version), Some(checksum)) =
            (value("name"), value("version"), value("checksum"))
        {
            checksums.insert((name, version), checksum);
        }
    }
    match checksums.is_empty() {
        true => Err(Error::Bad {
            path: path.to_owned(),
            reason: "got no crate with a checksum, want a Cargo.lock".to_owned(),
        }),
        false => Ok(checksums),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests() {
        let text = "# written by Cargo\n[package]\nname = \"x\"\nlicense-file = \"COPYING\"\nlicense = \"MIT OR Apache-2.0\"\n\n[lib]\nlicense = \"no\"\n";
        assert_eq!(license(text), Some("MIT OR Apache-2.0"));
        assert_eq!(
            license("[package]\nname = \"x\"\n[lib]\nlicense = \"no\"\n"),
            None
        );
        assert_eq!(license("license = \"no\"\n"), None);
    }

    #[test]
    fn locks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Cargo.lock");
        let text = "version = 4\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"x\"\nversion = \"1.0\"\nsource = \"registry\"\nchecksum = \"ab\"\n";
        std::fs::write(&path, text).unwrap();
        let want = Checksums::from([(("x".to_owned(), "1.0".to_owned()), "ab".to_owned())]);
        assert_eq!(read_lock(&path).unwrap(), want);
        std::fs::write(&path, "{}").unwrap();
        let error = read_lock(&path).unwrap_err().to_string();
        assert!(error.ends_with("want a Cargo.lock"), "{error}");
    }
}
