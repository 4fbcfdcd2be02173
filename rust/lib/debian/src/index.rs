//! The `Packages` indexes of suites (Debian Policy, deb822): the fields a lock needs.

use std::collections::{BTreeMap, BTreeSet};

use deb822_fast::borrowed::BorrowedParser;

use crate::error::Error;
use crate::lock::Package;

/// A package that an archive offers.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) package: Package,
    /// What it takes when it is installed, in bytes, as its maintainer reckons.
    pub(crate) installed: Option<u64>,
}

/// All packages of all suites.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// By the whole address of the file.
    by_address: BTreeMap<String, Offer>,
    /// Addresses by the name of the package.
    by_name: BTreeMap<String, Vec<String>>,
    /// Names that packages provide beside their own.
    provided: BTreeSet<String>,
}

impl Index {
    /// Adds the paragraphs of one index file of `suite`; `root` is the address that paths are below, with a slash at its end.
    ///
    /// What two suites have is the first one's.
    pub(crate) fn read(&mut self, text: &str, suite: &str, root: &str) -> Result<(), Error> {
        for paragraph in text.split("\n\n").filter(|p| !p.trim().is_empty()) {
            self.paragraph(paragraph, suite, root)?;
        }
        Ok(())
    }

    fn paragraph(&mut self, text: &str, suite: &str, root: &str) -> Result<(), Error> {
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
        let (name, version) = (field("Package")?, field("Version")?);
        let source = dpkg::source(fields.get_single("Source"), name, version);
        let (source, source_version) = source.ok_or_else(|| bad("Source"))?;
        let installed = match fields.get_single("Installed-Size") {
            Some(size) => Some(dpkg::installed_size(size).ok_or_else(|| bad("Installed-Size"))?),
            None => None,
        };
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: field("Architecture")?.to_owned(),
            suite: suite.to_owned(),
            source: source.to_owned(),
            source_version: source_version.to_owned(),
            size: field("Size")?.parse().map_err(|_| bad("Size"))?,
            sha256: field("SHA256")?.parse().map_err(|_| bad("SHA256"))?,
            path: field("Filename")?.trim_start_matches("./").to_owned(),
        };
        if let Some(provides) = fields.get_single("Provides") {
            let provided = provides
                .split(',')
                .filter_map(|p| p.split_whitespace().next());
            self.provided.extend(provided.map(str::to_owned));
        }
        let address = format!("{root}{}", package.path);
        if !self.by_address.contains_key(&address) {
            let addresses = self.by_name.entry(package.name.clone()).or_default();
            addresses.push(address.clone());
            self.by_address
                .insert(address, Offer { package, installed });
        }
        Ok(())
    }

    /// Whether it is the name of a package, or of what one provides.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name) || self.provided.contains(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name
            .keys()
            .chain(&self.provided)
            .map(String::as_str)
    }

    pub(crate) fn by_address(&self, address: &str) -> Option<&Offer> {
        self.by_address.get(address)
    }

    /// All versions of a package.
    pub(crate) fn offers(&self, name: &str) -> impl Iterator<Item = &Offer> {
        let addresses = self.by_name.get(name).into_iter().flatten();
        addresses.filter_map(|address| self.by_address.get(address))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use base::Sha256Digest;

    use super::*;

    const TEXT: &str = "Package: mawk\nVersion: 1.3\nArchitecture: amd64\nProvides: awk, x (= 1)\n\
        Description: text\n more\nFilename: pool/main/m/mawk/mawk_1.3_amd64.deb\nSize: 12\nSHA256: DIGEST\n";

    /// A paragraph, and the digest in it.
    fn paragraph() -> (String, Sha256Digest) {
        let digest = Sha256Digest::of("mawk");
        (TEXT.replace("DIGEST", &digest.to_string()), digest)
    }

    #[test]
    fn fields() {
        let (text, digest) = paragraph();
        let mut index = Index::default();
        let other = text.replace("mawk", "nawk");
        let built = format!("Source: awk (1.3-0)\nInstalled-Size: 2\n{}", other.trim());
        index
            .read(&format!("{text}\n{built}\n"), "trixie", "http://a/debian/")
            .unwrap();
        assert!(index.has("mawk") && index.has("awk") && index.has("x") && index.has("nawk"));
        let address = "http://a/debian/pool/main/m/nawk/nawk_1.3_amd64.deb";
        let offer = index.by_address(address).unwrap();
        let package = &offer.package;
        assert_eq!((package.name.as_str(), package.size), ("nawk", 12));
        assert_eq!(package.sha256, digest);
        assert_eq!(offer.installed, Some(2048));
        let source = |p: &Package| (p.source.clone(), p.source_version.clone());
        assert_eq!(source(package), ("awk".to_owned(), "1.3-0".to_owned()));
        let mawk = &index.offers("mawk").next().unwrap().package;
        assert_eq!(source(mawk), ("mawk".to_owned(), "1.3".to_owned()));
        // The same file in a second suite, and another root with a newer version.
        index
            .read(&text, "trixie-updates", "http://a/debian/")
            .unwrap();
        let newer = text.replace("1.3", "1.4");
        index
            .read(&newer, "trixie-security", "http://a/security/")
            .unwrap();
        let offers = index
            .offers("mawk")
            .map(|o| (o.package.version.as_str(), o.package.suite.as_str()));
        let offers: Vec<_> = offers.collect();
        assert_eq!(offers, [("1.3", "trixie"), ("1.4", "trixie-security")]);
    }

    #[test]
    fn bad_fields() {
        let (text, _) = paragraph();
        let mut index = Index::default();
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
            (
                &text.replace("Provides:", "Source: awk (1\nProvides:"),
                "bad Source: Package: mawk",
            ),
            (
                &text.replace(
                    "Provides:",
                    "Installed-Size: 18446744073709551615\nProvides:",
                ),
                "bad Installed-Size: Package: mawk",
            ),
        ] {
            let error = index.read(bad, "trixie", "").unwrap_err().to_string();
            assert_eq!(error, format!("package index: {want}"));
        }
    }
}
