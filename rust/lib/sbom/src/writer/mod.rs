//! The document of an image, from what is known of it.

mod debian;
mod programs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base::date::Civil;
use base::Sha256Digest;
use sha1::{Digest, Sha1};

use crate::error::Error;
use crate::ids::{self, Ids};
use crate::image::{Contents, Facts};
use crate::owners::Owner;
use crate::spdx::{
    Checksum, CreationInfo, Document, ExtractedLicence, File, Package, Relationship,
    VerificationCode, DOCUMENT, NOASSERTION,
};

/// What is being written.
struct Writer<'a> {
    facts: &'a Facts<'a>,
    ids: Ids,
    packages: Vec<Package>,
    relationships: BTreeSet<Relationship>,
    /// By identifier.
    licences: BTreeMap<String, ExtractedLicence>,
    owners: BTreeMap<Owner, String>,
    /// By name and version.
    sources: BTreeMap<(String, String), String>,
    /// By label.
    crates: BTreeMap<String, String>,
    /// By version.
    compilers: BTreeMap<String, String>,
    /// Packages of the toolchain that programs link.
    libraries: Vec<String>,
}

/// The image itself.
const IMAGE: &str = "SPDXRef-image";

/// Writes the document.
pub(crate) fn write(facts: &Facts<'_>) -> Result<Document, Error> {
    let mut writer = Writer {
        facts,
        ids: Ids::default(),
        packages: Vec::new(),
        relationships: BTreeSet::new(),
        licences: BTreeMap::new(),
        owners: BTreeMap::new(),
        sources: BTreeMap::new(),
        crates: BTreeMap::new(),
        compilers: BTreeMap::new(),
        libraries: Vec::new(),
    };
    writer.image();
    writer.whole_bases()?;
    let files = writer.files()?;
    writer.disks()?;
    writer.boot_programs()?;
    writer.files_of_packages();
    writer
        .packages
        .sort_by(|a, b| (a.spdx_id != IMAGE, &a.spdx_id).cmp(&(b.spdx_id != IMAGE, &b.spdx_id)));
    let image = facts.image;
    let mut document = Document {
        spdx_version: "SPDX-2.3".to_owned(),
        data_license: "CC0-1.0".to_owned(),
        spdx_id: DOCUMENT.to_owned(),
        name: format!("{}-{}", image.name, image.version),
        document_namespace: String::new(),
        comment: Some(summary(facts.contents)),
        creation_info: CreationInfo {
            created: time(image.timestamp)?,
            creators: vec![format!("Tool: {}", image.tool)],
        },
        packages: writer.packages,
        files,
        has_extracted_licensing_infos: writer.licences.into_values().collect(),
        relationships: writer.relationships.into_iter().collect(),
    };
    document.document_namespace = namespace(&document)?;
    Ok(document)
}

/// A name that only this content has: a UUID of version 8 (RFC 9562) from its SHA-256.
fn namespace(document: &Document) -> Result<String, Error> {
    let digest = Sha256Digest::of(serde_json::to_vec(document)?).to_string();
    let digits: String = digest
        .chars()
        .zip(0..32)
        .map(|(digit, at)| match at {
            12 => '8',
            16 => '8',
            _ => digit,
        })
        .collect();
    let mut parts = Vec::new();
    let mut rest = digits.as_str();
    for len in [8, 4, 4, 4, 12] {
        let (part, more) = rest.split_at_checked(len).unwrap_or((rest, ""));
        parts.push(part);
        rest = more;
    }
    Ok(format!("urn:uuid:{}", parts.join("-")))
}

/// As `2026-01-01T00:00:00Z`.
fn time(seconds: i64) -> Result<String, Error> {
    let at = Civil::of(seconds);
    if !(1970..=9999).contains(&at.year) {
        return Err(Error::Time(seconds));
    }
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = at;
    Ok(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// How many files there are, and whose they are.
fn summary(contents: &Contents) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &contents.files {
        let kind = match file.found.owner {
            Owner::Debian { .. } => "of Debian packages",
            Owner::Step { .. } => "made by steps of Dockerfiles",
            Owner::Base { .. } => "made when a base image was configured",
            Owner::Whole { .. } => "of other archives and partitions",
            Owner::Program { .. } => "programs built here",
            Owner::Late { .. } => "laid over the root file system",
            Owner::Image { .. } => "images within the image",
        };
        let count = counts.entry(kind).or_default();
        *count = base::past(*count, 1);
    }
    let counts = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let disks = match contents.disks.len() {
        0 => String::new(),
        count => {
            format!(" Disks as files, which are packages: {count}.")
        }
    };
    format!("{} regular files, each with an owner: {counts}. Folders, links and devices are not listed.{disks}", contents.files.len())
}

impl Writer<'_> {
    fn relate(&mut self, one: &str, kind: &str, other: &str) {
        self.relationships
            .insert(Relationship::new(one, kind, other));
    }

    fn image(&mut self) {
        let image = self.facts.image;
        let mut package = Package::new(IMAGE.to_owned(), image.name);
        package.version_info = Some(image.version.to_owned());
        package.primary_package_purpose = Some("OPERATING_SYSTEM".to_owned());
        package.checksums = match image.artifacts.len() {
            1 => image
                .artifacts
                .values()
                .map(|digest| Checksum::sha256(digest.sha256))
                .collect(),
            _ => Vec::new(),
        };
        package.package_file_name = match image.artifacts.len() {
            1 => image.artifacts.keys().next().cloned(),
            _ => None,
        };
        self.packages.push(package);
        self.relate(DOCUMENT, "DESCRIBES", IMAGE);
    }

    /// All packages that are installed in the root file systems of partitions, whether they have files left or not.
    fn whole_bases(&mut self) -> Result<(), Error> {
        for rootfs in &self.facts.contents.roots {
            let Some(base) = self
                .facts
                .notes
                .rootfs
                .get(rootfs)
                .map(|rootfs| rootfs.base.clone())
            else {
                continue;
            };
            let names = self
                .facts
                .bases
                .get(&base)
                .into_iter()
                .flat_map(|base| base.packages.keys());
            for name in names.cloned().collect::<Vec<_>>() {
                let base = base.clone();
                self.owner(&Owner::Debian { base, name })?;
            }
        }
        Ok(())
    }

    /// What the bytes of an image within the image come from.
    fn generated_from(&mut self, id: &str, from: &[Owner]) -> Result<(), Error> {
        for owner in from {
            let owner = self.owner(owner)?;
            self.relate(id, "GENERATED_FROM", &owner);
        }
        Ok(())
    }

    /// Disks as files: packages, whose digest somebody has taken already.
    fn disks(&mut self) -> Result<(), Error> {
        let mut names: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for disk in &self.facts.contents.disks {
            let id = self.owner(&disk.owner)?;
            self.generated_from(&id, &disk.from)?;
            self.relate(IMAGE, "CONTAINS", &id);
            let names = names.entry(id.clone()).or_default();
            names.push(&disk.name);
            let mut packages = self.packages.iter_mut();
            if let Some(package) = packages.find(|package| package.spdx_id == id) {
                package.primary_package_purpose = Some("OPERATING_SYSTEM".to_owned());
                package.checksums = vec![Checksum::sha256(disk.digest.sha256)];
                package.package_file_name = names.first().map(|&name| name.to_owned());
                package.comment = Some(format!(
                    "A disk as a file: {}. What is in it is for a document of its own to say.",
                    names.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// The files, with what they have to do with their owners.
    fn files(&mut self) -> Result<Vec<File>, Error> {
        let mut files = Vec::new();
        for file in &self.facts.contents.files {
            let id = ids::of_file(&file.name);
            let owner = self.owner(&file.found.owner)?;
            self.relate(&owner, "CONTAINS", &id);
            self.generated_from(&owner, &file.from)?;
            let sha1 = Checksum {
                algorithm: "SHA1".to_owned(),
                value: file.digests.sha1.clone(),
            };
            files.push(File {
                file_name: file.name.clone(),
                spdx_id: id,
                checksums: vec![sha1, Checksum::sha256(file.digests.sha256)],
                copyright_text: NOASSERTION.to_owned(),
                comment: file.found.comment.clone(),
            });
        }
        Ok(files)
    }

    /// Where only parts of a root file system are in the image, as the boot loader's: what it was made from are the packages that were asked
    /// for there.
    fn boot_programs(&mut self) -> Result<(), Error> {
        for owner in self.owners.clone().into_keys() {
            let Owner::Step { rootfs, .. } = &owner else {
                continue;
            };
            let Some(notes) = self
                .facts
                .notes
                .rootfs
                .get(rootfs)
                .filter(|_| !self.facts.contents.roots.contains(rootfs))
            else {
                continue;
            };
            let asked: Vec<String> = match (
                self.facts.bases.get(&notes.base),
                self.facts.locks.get(&notes.base),
            ) {
                (Some(base), Some(lock)) => {
                    let asked = lock
                        .requested
                        .iter()
                        .filter(|name| base.packages.contains_key(*name));
                    asked.cloned().collect()
                }
                _ => Vec::new(),
            };
            let id = self.owner(&owner)?;
            for name in asked {
                let base = notes.base.clone();
                let from = self.owner(&Owner::Debian { base, name })?;
                self.relate(&id, "GENERATED_FROM", &from);
            }
        }
        Ok(())
    }

    /// What follows from the files that a package has: whether it is in the image, and the digest over them.
    fn files_of_packages(&mut self) {
        let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for file in &self.facts.contents.files {
            if let Some(owner) = self.owners.get(&file.found.owner) {
                of.entry(owner).or_default().push(&file.digests.sha1);
            }
        }
        let mut relations = Vec::new();
        let used: BTreeSet<&str> = self
            .relationships
            .iter()
            .filter(|one| one.relationship_type == "GENERATED_FROM")
            .map(|one| one.related_spdx_element.as_str())
            .collect();
        for (owner, id) in &self.owners {
            let Some(package) = self
                .packages
                .iter_mut()
                .find(|package| package.spdx_id == *id)
            else {
                continue;
            };
            let Some(digests) = of.get_mut(id.as_str()) else {
                if let (Owner::Debian { .. }, false) = (owner, used.contains(id.as_str())) {
                    package.comment = Some(
                        "None of its files is left in the image: its programs helped to make it."
                            .to_owned(),
                    );
                    relations.push(Relationship::new(id, "BUILD_DEPENDENCY_OF", IMAGE));
                }
                continue;
            };
            digests.sort_unstable();
            package.files_analyzed = true;
            package.package_verification_code = Some(VerificationCode {
                package_verification_code_value: base::hex::encode(&Sha1::digest(digests.concat())),
            });
            relations.push(Relationship::new(IMAGE, "CONTAINS", id));
        }
        self.relationships.extend(relations);
    }

    /// The name of an owner, which is entered if it is new.
    fn owner(&mut self, owner: &Owner) -> Result<String, Error> {
        if let Some(id) = self.owners.get(owner) {
            return Ok(id.clone());
        }
        let id = match owner {
            Owner::Debian { base, name } => self.debian(base, name)?,
            Owner::Step { rootfs, number } => self.step(rootfs, *number)?,
            Owner::Base { base } => self.base(base)?,
            Owner::Program { label } => self.program(label)?,
            Owner::Whole { label } => self.made_here(
                "content",
                label,
                "FILE",
                "Content that is known by its label alone.",
            ),
            Owner::Late { by } => self.made_here(
                "late",
                by,
                "FILE",
                "Files laid over the root file system; each says which label it is.",
            ),
            Owner::Image { label } => {
                self.made_here("image", label, "FILE", "An image within the image.")
            }
        };
        self.owners.insert(owner.clone(), id.clone());
        Ok(id)
    }

    /// What is made by the build that asks for the document.
    fn made_here(&mut self, kind: &str, name: &str, purpose: &str, comment: &str) -> String {
        let id = self.ids.of(kind, name);
        let mut package = Package::new(id.clone(), name);
        package.version_info = Some(self.facts.image.version.to_owned());
        package.primary_package_purpose = Some(purpose.to_owned());
        package.comment = Some(comment.to_owned());
        if let Some(licence) = self.facts.image.licence {
            package.license_declared = licence.to_owned();
        }
        self.packages.push(package);
        id
    }

    fn step(&mut self, rootfs: &Path, number: usize) -> Result<String, Error> {
        let missing = || Error::NoPart {
            what: format!("step {number} of {}", rootfs.display()),
        };
        let notes = self.facts.notes.rootfs.get(rootfs).ok_or_else(missing)?;
        let step = notes.steps.get(number).ok_or_else(missing)?;
        let name = format!("{} line {}", notes.dockerfile, step.line);
        let text = format!("A step of a Dockerfile: {}", step.text);
        let id = self.made_here("step", &name, "FILE", &text);
        let base = self.owner(&Owner::Base {
            base: notes.base.clone(),
        })?;
        self.relate(&id, "GENERATED_FROM", &base);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(time(1_767_225_600).unwrap(), "2026-01-01T00:00:00Z");
        assert!(time(i64::MAX).is_err() && time(-1).is_err());
    }
}
