//! Debian packages, their sources, and base images.

use std::path::{Path, PathBuf};

use super::Writer;
use crate::error::Error;
use crate::image::Locked;
use crate::installed::{Base, Installed};
use crate::purl;
use crate::spdx::{Checksum, ExternalRef, Package};

impl Writer<'_> {
    pub(super) fn debian(&mut self, tar: &Path, name: &str) -> Result<String, Error> {
        let base = self.base_of(tar)?;
        let missing = || Error::NoPart {
            what: format!("the package {name}"),
        };
        let installed = base.packages.get(name).ok_or_else(missing)?.clone();
        let distro = base.distro.clone();
        let locked = self.locked(tar, &installed)?.clone();
        let id = self.ids.of(
            "deb",
            &format!(
                "{}-{}",
                installed.package.name, installed.package.architecture
            ),
        );
        let mut package = Package::new(id.clone(), &installed.package.name);
        package.version_info = Some(installed.package.version.clone());
        package.package_file_name = locked.path.rsplit('/').next().map(str::to_owned);
        package.supplier = installed.package.maintainer.as_deref().map(supplier);
        package.checksums = vec![Checksum::sha256(locked.sha256)];
        package.source_info = Some(format!(
            "built from: {} {}",
            installed.package.source, installed.package.source_version
        ));
        package.license_declared = installed
            .licence
            .expression
            .clone()
            .unwrap_or(package.license_declared);
        package.comment = locked.suite.map(|suite| format!("From the suite {suite}."));
        let purl = purl::debian(
            &installed.package.name,
            &installed.package.version,
            &installed.package.architecture,
            distro.as_deref(),
        );
        package.external_refs = vec![ExternalRef::purl(purl)];
        self.packages.push(package);
        for text in &installed.licence.texts {
            let entry = self.licences.entry(text.license_id.clone());
            entry.or_insert_with(|| text.clone());
        }
        let own = (&installed.package.source, &installed.package.source_version);
        let others = installed
            .package
            .built_using
            .iter()
            .map(|(name, version)| (name, version));
        for (name, version) in std::iter::once(own).chain(others) {
            let source = self.source(name, version, distro.as_deref());
            self.relate(&id, "GENERATED_FROM", &source);
        }
        Ok(id)
    }

    fn locked(&self, tar: &Path, installed: &Installed) -> Result<&Locked, Error> {
        let is = |locked: &&Locked| {
            locked.name == installed.package.name
                && locked.version == installed.package.version
                && locked.architecture == installed.package.architecture
        };
        let lock = self.facts.locks.get(tar);
        let found = lock.and_then(|lock| lock.packages.iter().find(is));
        found.ok_or_else(|| Error::NotLocked {
            lock: self
                .facts
                .image
                .parts
                .bases
                .get(tar)
                .map(|part| part.lock.clone())
                .unwrap_or_default(),
            tar: tar.to_owned(),
            name: installed.package.name.clone(),
            version: installed.package.version.clone(),
            architecture: installed.package.architecture.clone(),
        })
    }

    /// The source called so, which is entered if it is new.
    pub(super) fn source(&mut self, name: &str, version: &str, distro: Option<&str>) -> String {
        let key = (name.to_owned(), version.to_owned());
        if let Some(id) = self.sources.get(&key) {
            return id.clone();
        }
        let id = self.ids.of("source", &format!("{name}-{version}"));
        let mut package = Package::new(id.clone(), name);
        package.version_info = Some(version.to_owned());
        package.primary_package_purpose = Some("SOURCE".to_owned());
        package.external_refs = vec![ExternalRef::purl(purl::debian(
            name, version, "source", distro,
        ))];
        self.packages.push(package);
        self.sources.insert(key, id.clone());
        id
    }

    fn base_of(&self, tar: &Path) -> Result<&Base, Error> {
        self.facts.bases.get(tar).ok_or_else(|| Error::NoPart {
            what: format!("the base image {}", tar.display()),
        })
    }

    /// A base image as the source of what maintainer scripts wrote.
    pub(super) fn base(&mut self, tar: &PathBuf) -> Result<String, Error> {
        let part = self
            .facts
            .image
            .parts
            .bases
            .get(tar)
            .ok_or_else(|| Error::NoPart {
                what: format!("the base image {}", tar.display()),
            })?;
        let digest = std::fs::read_to_string(&part.digest).map_err(Error::read(&part.digest))?;
        let id = self.ids.of("base", &part.label);
        let mut package = Package::new(id.clone(), &part.label);
        package.version_info = Some(digest.trim().to_owned());
        package.primary_package_purpose = Some("CONTAINER".to_owned());
        package.comment = Some("A base image of Debian packages. Its own are the files that maintainer scripts wrote; its version is the digest that pins it.".to_owned());
        self.packages.push(package);
        Ok(id)
    }
}

/// Words in the names of maintainers that are no single person.
const MANY: [&str; 5] = ["team", "maintainers", "developers", "group", "packagers"];

/// `Organization: NAME (ADDRESS)` or `Person: …` of a maintainer, `NAME <ADDRESS>`.
fn supplier(maintainer: &str) -> String {
    let (name, address) = maintainer.split_once('<').unwrap_or((maintainer, ""));
    // Brackets would end the name.
    let name: String = name.trim().chars().filter(|c| !"()".contains(*c)).collect();
    let lower = name.to_lowercase();
    let kind = match MANY.iter().any(|word| lower.contains(word)) {
        true => "Organization",
        false => "Person",
    };
    match address.trim_end().strip_suffix('>') {
        Some(address) if !address.is_empty() => format!("{kind}: {name} ({address})"),
        _ => format!("{kind}: {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suppliers() {
        assert_eq!(
            supplier("Ann <ann@example.org>"),
            "Person: Ann (ann@example.org)"
        );
        assert_eq!(supplier("A Team (odd)"), "Organization: A Team odd");
    }
}
