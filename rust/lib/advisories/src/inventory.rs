//! What is in an image, from its bill of materials.

use std::collections::{BTreeMap, BTreeSet};

use sbom::purl::{self, Purl};
use sbom::spdx::{Document, Relationship};
use serde::Serialize;

use crate::error::Error;

/// Where a component is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// A source package of Debian.
    Debian,
    /// A crate.
    Crates,
}

impl Ecosystem {
    /// As OSV calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::Crates => "crates.io",
        }
    }
}

/// Something that advisories may be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Where it is from.
    pub ecosystem: Ecosystem,
    /// Name, of Debian that of the source.
    pub name: String,
    /// Version, of Debian that of the source.
    pub version: String,
    /// Of Debian the distribution, as the package URL names it: `debian-13` or `trixie`.
    pub distro: Option<String>,
    /// What is in the image of it: Debian packages, programs that link the crate; `PATH: NAME` in an image that it holds.
    pub in_image: BTreeSet<String>,
    /// Which images have it: [`ITSELF`], and paths of those that the image holds.
    pub within: BTreeSet<String>,
    /// Whether more than documents is there.
    pub is_code: bool,
}

/// What the image itself is called among those that have a component.
pub const ITSELF: &str = ".";

/// All that is in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The components, sorted by ecosystem, name and version.
    pub components: Vec<Component>,
    /// Files that are images with a bill of materials of their own, as disks that it carries, and that is not known here; programs of EFI have none.
    pub images: Vec<String>,
}

/// Releases of Debian: number and name.
const RELEASES: [(&str, &str); 4] = [
    ("11", "bullseye"),
    ("12", "bookworm"),
    ("13", "trixie"),
    ("14", "forky"),
];

impl Component {
    /// Whether advisories say the same of both.
    fn is(&self, other: &Self) -> bool {
        let key = |one: &Self| {
            (
                one.ecosystem,
                one.name.clone(),
                one.version.clone(),
                one.distro.clone(),
            )
        };
        key(self) == key(other)
    }

    /// Number and name of the Debian release that it is of; nothing if that is not known.
    pub(crate) fn release(&self) -> Option<(&'static str, &'static str)> {
        let distro = purl::release_of(self.distro.as_deref()?);
        let of = |release: &&(&str, &str)| {
            distro.strip_prefix("debian-") == Some(release.0) || distro == release.1
        };
        RELEASES.iter().find(of).copied()
    }
}

/// What the relationships say, both ways.
struct Relations<'a> {
    from: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
    to: BTreeMap<(&'a str, &'a str), Vec<&'a str>>,
}

impl<'a> Relations<'a> {
    fn of(all: &'a [Relationship]) -> Self {
        let (mut from, mut to) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for one in all {
            let (left, kind, right) = (
                &*one.spdx_element_id,
                &*one.relationship_type,
                &*one.related_spdx_element,
            );
            from.entry((left, kind)).or_default().push(right);
            to.entry((right, kind)).or_default().push(left);
        }
        Self { from, to }
    }

    fn from(&self, id: &'a str, kind: &'a str) -> &[&'a str] {
        self.from.get(&(id, kind)).map_or(&[], Vec::as_slice)
    }

    fn to(&self, id: &'a str, kind: &'a str) -> &[&'a str] {
        self.to.get(&(id, kind)).map_or(&[], Vec::as_slice)
    }
}

impl Inventory {
    /// Reads a bill of materials: the SPDX document of `image_sbom`.
    pub fn read(text: &str) -> Result<Self, Error> {
        let json = |source| Error::Json {
            what: "this is no SPDX document",
            source,
        };
        let document: Document = serde_json::from_str(text).map_err(json)?;
        if document.spdx_version != "SPDX-2.3" {
            return Err(Error::Other {
                got: document.spdx_version,
                want: "a document of SPDX-2.3",
            });
        }
        Ok(Self::of(&document))
    }

    fn of(document: &Document) -> Self {
        let relations = Relations::of(&document.relationships);
        let files: BTreeMap<&str, &str> = document
            .files
            .iter()
            .map(|file| (&*file.spdx_id, &*file.file_name))
            .collect();
        let names: BTreeMap<&str, &str> = document
            .packages
            .iter()
            .map(|package| (&*package.spdx_id, &*package.name))
            .collect();
        let mut inventory = Self::default();
        for package in &document.packages {
            if package.spdx_id.starts_with("SPDXRef-image-") {
                let contained = relations.from(&package.spdx_id, "CONTAINS").iter();
                let own = contained.filter_map(|id| files.get(id));
                let own = own.filter(|name| !name.to_ascii_lowercase().ends_with(".efi"));
                inventory.images.extend(own.map(|name| (*name).to_owned()));
            }
            let Some(purl) = package.purl().and_then(Purl::read) else {
                continue;
            };
            let id = package.spdx_id.as_str();
            let is_source = purl.arch.as_deref() == Some("source");
            let (ecosystem, users) = match purl.kind.as_str() {
                "deb/debian" if is_source => {
                    (Ecosystem::Debian, relations.to(id, "GENERATED_FROM"))
                }
                "cargo" => (Ecosystem::Crates, relations.to(id, "STATIC_LINK")),
                _ => continue,
            };
            let is_code = |user: &&str| match ecosystem {
                Ecosystem::Crates => true,
                Ecosystem::Debian => {
                    let contained = relations.from(user, "CONTAINS");
                    let mut own = contained.iter().filter_map(|id| files.get(id));
                    own.any(|name| !is_document(name))
                        || !relations.to(user, "GENERATED_FROM").is_empty()
                        || !relations.to(user, "STATIC_LINK").is_empty()
                }
            };
            inventory.components.push(Component {
                ecosystem,
                name: purl.name,
                version: purl.version,
                distro: package.purl().and_then(distro),
                in_image: users
                    .iter()
                    .filter_map(|id| names.get(id))
                    .map(|name| (*name).to_owned())
                    .collect(),
                within: BTreeSet::from([ITSELF.to_owned()]),
                is_code: users.iter().any(is_code),
            });
        }
        inventory.sort();
        inventory
    }

    fn sort(&mut self) {
        let key = |one: &Component| (one.ecosystem, one.name.clone(), one.version.clone());
        self.components.sort_by_key(key);
    }

    /// Adds what is in an image that this one holds as the file `path`, which is as in this one's bill of materials: `data/guest-os.img`.
    pub fn hold(&mut self, path: &str, inner: Self) -> Result<(), Error> {
        let file = format!("./{path}");
        let Some(at) = self.images.iter().position(|image| *image == file) else {
            let have = self.images.iter();
            let have: Vec<&str> = have.map(|image| image.trim_start_matches("./")).collect();
            return Err(Error::NotHeld {
                got: path.to_owned(),
                have: match have.is_empty() {
                    true => "none, it holds no image".to_owned(),
                    false => have.join(", "),
                },
            });
        };
        self.images.remove(at);
        let deeper = inner.images.iter();
        self.images
            .extend(deeper.map(|image| format!("{file}: {image}")));
        for mut component in inner.components {
            let named = |name: &String| match name.as_str() {
                ITSELF => path.to_owned(),
                name => format!("{path}: {name}"),
            };
            component.within = component.within.iter().map(named).collect();
            component.in_image = component.in_image.iter().map(named).collect();
            match self.components.iter_mut().find(|one| one.is(&component)) {
                Some(same) => {
                    same.within.extend(component.within);
                    same.in_image.extend(component.in_image);
                    same.is_code |= component.is_code;
                }
                None => self.components.push(component),
            }
        }
        self.sort();
        Ok(())
    }
}

/// Whether a file is there to be read by people alone: `./PARTITION/usr/share/doc/…`.
fn is_document(name: &str) -> bool {
    let path = name
        .strip_prefix("./")
        .and_then(|name| name.split_once('/'));
    path.is_some_and(|(_, path)| path.starts_with("usr/share/doc/"))
}

/// The distribution that a package URL names.
fn distro(purl: &str) -> Option<String> {
    let (_, qualifiers) = purl.split_once('?')?;
    let mut pairs = qualifiers.split('&');
    pairs
        .find_map(|pair| pair.strip_prefix("distro="))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_within() {
        let text = r#"{"spdxVersion": "SPDX-2.3", "dataLicense": "x", "SPDXID": "x", "name": "x", "documentNamespace": "x",
            "creationInfo": {"created": "x", "creators": []},
            "packages": [PACKAGES],
            "files": [FILES],
            "relationships": [RELATIONSHIPS]}"#;
        let (mut packages, mut files, mut relations) = (Vec::new(), Vec::new(), Vec::new());
        for (id, name) in [
            ("image", "./root/a"),
            ("image-guest", "./data/guest-os.img"),
            ("image-loader", "./esp/EFI/BOOT/BOOTX64.EFI"),
            ("image-kernel", "./boot/uki.efi"),
        ] {
            packages.push(format!(r#"{{"SPDXID": "SPDXRef-{id}", "name": "x", "downloadLocation": "x", "filesAnalyzed": true, "licenseConcluded": "x", "licenseDeclared": "x", "copyrightText": "x"}}"#));
            files.push(format!(r#"{{"fileName": "{name}", "SPDXID": "SPDXRef-file-{id}", "checksums": [], "copyrightText": "x"}}"#));
            relations.push(format!(r#"{{"spdxElementId": "SPDXRef-{id}", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-file-{id}"}}"#));
        }
        let text = text
            .replace("PACKAGES", &packages.join(","))
            .replace("FILES", &files.join(","))
            .replace("RELATIONSHIPS", &relations.join(","));
        let mut inventory = Inventory::read(&text).unwrap();
        assert_eq!(inventory.images, ["./data/guest-os.img"]);
        let error = inventory.hold("guest-os.img", Inventory::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            "the image holds no image \"guest-os.img\", want one of: data/guest-os.img"
        );
        let inner = Inventory::read(&text).unwrap();
        inventory.hold("data/guest-os.img", inner).unwrap();
        assert_eq!(
            inventory.images,
            ["./data/guest-os.img: ./data/guest-os.img"]
        );
    }

    /// A component without what the tests do not look at.
    fn component(name: &str, version: &str, user: &str, is_code: bool) -> Component {
        Component {
            ecosystem: Ecosystem::Debian,
            name: name.to_owned(),
            version: version.to_owned(),
            distro: Some("debian-13".to_owned()),
            in_image: BTreeSet::from([user.to_owned()]),
            within: BTreeSet::from([ITSELF.to_owned()]),
            is_code,
        }
    }

    #[test]
    fn what_is_held() {
        let mut outer = Inventory {
            components: vec![component("openssl", "1", "libssl3", false)],
            images: vec!["./data/a.img".to_owned()],
        };
        let inner = Inventory {
            components: vec![
                component("openssl", "1", "openssl", true),
                component("openssl", "2", "openssl", true),
            ],
            images: Vec::new(),
        };
        outer.hold("data/a.img", inner).unwrap();
        assert!(outer.images.is_empty());
        let found: Vec<_> = outer
            .components
            .iter()
            .map(|one| {
                let all =
                    |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(",");
                format!(
                    "{} {} {} {}",
                    one.version,
                    all(&one.within),
                    all(&one.in_image),
                    one.is_code
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "1 .,data/a.img data/a.img: openssl,libssl3 true",
                "2 data/a.img data/a.img: openssl true",
            ]
        );
        let error = outer.hold("data/a.img", Inventory::default()).unwrap_err();
        assert!(
            error.to_string().ends_with("none, it holds no image"),
            "{error}"
        );
    }
}
