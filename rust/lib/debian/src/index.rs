//! The `Packages` index of a suite (Debian Policy, deb822): the fields a lock needs.

use std::collections::{BTreeMap, BTreeSet};

use deb822_fast::borrowed::BorrowedParser;

use crate::error::Error;
use crate::lock::Package;

/// All packages of a suite.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_path: BTreeMap<String, Package>,
    /// Real and virtual names.
    names: BTreeSet<String>,
}

impl Index {
    /// Adds the paragraphs of one index file.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), Error> {
        for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
            self.paragraph(paragraph)?;
        }
        Ok(())
    }

    fn paragraph(&mut self, text: &str) -> Result<(), Error> {
        let parsed = BorrowedParser::new(text).parse_all();
        let parsed = parsed.map_err(|e| Error::Index(e.to_string()))?;
        let Some(fields) = parsed.first() else {
            return Ok(());
        };
        let field = |name: &str| {
            let missing =
                || Error::Index(format!("paragraph without {name}: {}", first_line(text)));
            fields.get_single(name).map(str::trim).ok_or_else(missing)
        };
        let bad = |name: &str| Error::Index(format!("bad {name}: {}", first_line(text)));
        let package = Package {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            architecture: field("Architecture")?.to_owned(),
            size: field("Size")?.parse().map_err(|_| bad("Size"))?,
            sha256: field("SHA256")?.parse().map_err(|_| bad("SHA256"))?,
            path: field("Filename")?.trim_start_matches("./").to_owned(),
        };
        self.names.insert(package.name.clone());
        if let Some(provides) = fields.get_single("Provides") {
            let provided = provides
                .split(',')
                .filter_map(|p| p.split_whitespace().next());
            self.names.extend(provided.map(str::to_owned));
        }
        self.by_path.insert(package.path.clone(), package);
        Ok(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    pub(crate) fn by_path(&self, path: &str) -> Option<&Package> {
        self.by_path.get(path)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use base::Sha256Digest;

    use super::*;

    #[test]
    fn fields() {
        let digest = Sha256Digest::of("mawk");
        let text = format!("Package: mawk\nVersion: 1.3\nArchitecture: amd64\nProvides: awk, x (= 1)\n\
                    Description: text\n more\nFilename: pool/main/m/mawk/mawk_1.3_amd64.deb\nSize: 12\nSHA256: {digest}\n");
        let mut index = Index::default();
        index
            .read(&format!("{text}\n{}", text.replace("mawk", "nawk")))
            .unwrap();
        assert!(index.has("mawk") && index.has("awk") && index.has("x") && index.has("nawk"));
        let package = index
            .by_path("pool/main/m/nawk/nawk_1.3_amd64.deb")
            .unwrap();
        assert_eq!((package.name.as_str(), package.size), ("nawk", 12));
        assert_eq!(package.sha256, digest);
        for (bad, want) in [
            (
                "Package: x\nVersion: 1\n",
                "paragraph without Architecture: Package: x",
            ),
            (
                &text.replace("Size: 12", "Size: -1"),
                "bad Size: Package: mawk",
            ),
            (
                &text.replace("SHA256: ", "SHA256: 0"),
                "bad SHA256: Package: mawk",
            ),
        ] {
            let error = index.read(bad).unwrap_err().to_string();
            assert_eq!(error, format!("package index: {want}"));
        }
    }
}
