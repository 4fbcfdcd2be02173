//! The document: those parts of SPDX 2.3's JSON form that are used here, in the order in which they are written.
//!
//! Specification: SPDX 2.3, chapters 6 (document), 7 (package), 8 (file), 10 (other licences) and 11 (relationships), and its JSON schema.

use serde::{Deserialize, Serialize};

/// What stands where nothing is said.
pub const NOASSERTION: &str = "NOASSERTION";
/// The document itself, in relationships.
pub const DOCUMENT: &str = "SPDXRef-DOCUMENT";

/// A whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `SPDX-2.3`.
    pub spdx_version: String,
    /// Licence of the document itself.
    pub data_license: String,
    /// [`DOCUMENT`].
    #[serde(rename = "SPDXID")]
    pub spdx_id: String,
    /// What it is about.
    pub name: String,
    /// A URI that no other document has.
    pub document_namespace: String,
    /// Remarks for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// When and by what it was made.
    pub creation_info: CreationInfo,
    /// What the image consists of, and the image itself.
    pub packages: Vec<Package>,
    /// Every regular file.
    #[serde(default)]
    pub files: Vec<File>,
    /// Texts of licences that SPDX has no name for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub has_extracted_licensing_infos: Vec<ExtractedLicence>,
    /// What has to do with what.
    pub relationships: Vec<Relationship>,
}

/// When and by what a document was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationInfo {
    /// As `2026-01-01T00:00:00Z`.
    pub created: String,
    /// As `Tool: NAME-VERSION`.
    pub creators: Vec<String>,
}

/// A package: of Debian, a crate, a program, a source of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// Its name in the document.
    #[serde(rename = "SPDXID")]
    pub spdx_id: String,
    /// Name.
    pub name: String,
    /// Version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_info: Option<String>,
    /// File that it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_file_name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_package_purpose: Option<String>,
    /// Who is behind it, as `Organization: Debian`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    /// Where it can be had: no address is known here.
    pub download_location: String,
    /// Whether the document has its files.
    pub files_analyzed: bool,
    /// A digest over its files, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_verification_code: Option<VerificationCode>,
    /// Digests of what it came in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksums: Vec<Checksum>,
    /// What it was made from, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_info: Option<String>,
    /// What whoever put the document together holds to be its licence: nothing is said.
    pub license_concluded: String,
    /// What those who made it say of its licence.
    pub license_declared: String,
    /// Who has the rights: nothing is said.
    pub copyright_text: String,
    /// Its names elsewhere: package URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_refs: Vec<ExternalRef>,
    /// Remarks for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Package {
    /// A package of which nothing else is known.
    pub fn new(spdx_id: String, name: impl Into<String>) -> Self {
        Self {
            spdx_id,
            name: name.into(),
            download_location: NOASSERTION.to_owned(),
            license_concluded: NOASSERTION.to_owned(),
            license_declared: NOASSERTION.to_owned(),
            copyright_text: NOASSERTION.to_owned(),
            ..Self::default()
        }
    }

    /// Its package URL, if it has one.
    pub fn purl(&self) -> Option<&str> {
        let mut refs = self.external_refs.iter();
        let purl = refs.find(|one| one.reference_type == "purl");
        purl.map(|one| one.reference_locator.as_str())
    }
}

/// A digest over files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationCode {
    /// SHA-1 of the files' SHA-1 digests, sorted, one behind the other.
    pub package_verification_code_value: String,
}

/// A digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// `SHA1` or `SHA256`.
    pub algorithm: String,
    /// Lower-case hexadecimal digits.
    #[serde(rename = "checksumValue")]
    pub value: String,
}

impl Checksum {
    /// A SHA-256 digest.
    pub fn sha256(value: impl ToString) -> Self {
        Self {
            algorithm: "SHA256".to_owned(),
            value: value.to_string(),
        }
    }
}

/// A name elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalRef {
    /// `PACKAGE-MANAGER`.
    pub reference_category: String,
    /// `purl`.
    pub reference_type: String,
    /// The name.
    pub reference_locator: String,
}

impl ExternalRef {
    /// A package URL.
    pub fn purl(purl: String) -> Self {
        Self {
            reference_category: "PACKAGE-MANAGER".to_owned(),
            reference_type: "purl".to_owned(),
            reference_locator: purl,
        }
    }
}

/// A regular file of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Path, with `./` in front.
    pub file_name: String,
    /// Its name in the document.
    #[serde(rename = "SPDXID")]
    pub spdx_id: String,
    /// SHA-1, which SPDX wants, and SHA-256.
    pub checksums: Vec<Checksum>,
    /// Who has the rights: nothing is said.
    pub copyright_text: String,
    /// Which label it is, which package had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// The text of a licence that SPDX has no name for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractedLicence {
    /// `LicenseRef-…`.
    pub license_id: String,
    /// What it is called where it was found.
    pub name: String,
    /// The text.
    pub extracted_text: String,
}

/// What one thing has to do with another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Relationship {
    /// The one.
    pub spdx_element_id: String,
    /// As `CONTAINS`.
    pub relationship_type: String,
    /// The other.
    pub related_spdx_element: String,
}

impl Relationship {
    /// `one` has `kind` to do with `other`.
    pub fn new(one: &str, kind: &str, other: &str) -> Self {
        Self {
            spdx_element_id: one.to_owned(),
            relationship_type: kind.to_owned(),
            related_spdx_element: other.to_owned(),
        }
    }
}
