//! The documents of an image.

use std::collections::BTreeMap;

use base::date::Civil;
use base::Hasher;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::{IMAGE_CONFIG, IMAGE_MANIFEST};

/// What a blob is and how to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Length of its bytes.
    pub size: u64,
}

impl Descriptor {
    /// Describes some bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        Self::from_hasher(media_type, hasher)
    }

    /// Describes what a hasher has seen.
    pub fn from_hasher(media_type: &str, hasher: Hasher) -> Self {
        Self {
            media_type: media_type.to_owned(),
            size: hasher.count(),
            digest: hasher.finish().into(),
        }
    }
}

/// What a container of the image starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// User.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Variables, each `NAME=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Working folder.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// What the image says of itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that ends a container.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
}

/// The layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    pub r#type: String,
    /// Digests of the uncompressed layers, the lowest first.
    pub diff_ids: Vec<Digest>,
}

/// How a layer came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, in RFC 3339.
    pub created: String,
    /// By what.
    pub created_by: String,
}

/// The image configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Architecture in Go's terms, which are Debian's for `amd64` and `arm64`.
    pub architecture: String,
    /// Always `linux`.
    pub os: String,
    /// What a container starts with.
    #[serde(default)]
    pub config: ContainerConfig,
    /// The layers.
    pub rootfs: RootFs,
    /// Their history.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
}

impl ImageConfig {
    /// An image of these layers, dated `created` (seconds since 1970).
    pub fn new(architecture: &str, created: i64, diff_ids: Vec<Digest>) -> Self {
        Self {
            created: Some(rfc3339(created)),
            architecture: architecture.to_owned(),
            os: "linux".to_owned(),
            config: ContainerConfig {
                env: vec![
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
                ],
                cmd: vec!["/bin/sh".to_owned()],
                ..ContainerConfig::default()
            },
            rootfs: RootFs {
                r#type: "layers".to_owned(),
                diff_ids,
            },
            history: Vec::new(),
        }
    }

    /// The document.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        to_json("image configuration", self)
    }

    /// Reads a document.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let config: Self = from_json("image configuration", bytes)?;
        expect("os", &config.os, "linux")?;
        expect("rootfs.type", &config.rootfs.r#type, "layers")?;
        Ok(config)
    }
}

/// The manifest of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`IMAGE_MANIFEST`].
    #[serde(default)]
    pub media_type: String,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

impl Manifest {
    /// A manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: IMAGE_MANIFEST.to_owned(),
            config,
            layers,
        }
    }

    /// The document.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        to_json("manifest", self)
    }

    /// Reads a document.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let manifest: Self = from_json("manifest", bytes)?;
        expect("schemaVersion", &manifest.schema_version.to_string(), "2")?;
        // Optional before 1.1.
        if !manifest.media_type.is_empty() {
            expect("mediaType", &manifest.media_type, IMAGE_MANIFEST)?;
        }
        expect(
            "config.mediaType",
            &manifest.config.media_type,
            IMAGE_CONFIG,
        )?;
        Ok(manifest)
    }
}

/// Seconds since 1970 as RFC 3339 text; times before 1970 count as that.
fn rfc3339(seconds: i64) -> String {
    format!("{}Z", Civil::of(seconds.max(0)))
}

fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Json { what, source })
}

fn from_json<T: for<'de> Deserialize<'de>>(what: &'static str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what, source })
}

fn expect(what: &'static str, got: &str, want: &str) -> Result<(), Error> {
    if got == want {
        return Ok(());
    }
    Err(Error::Kind {
        what,
        got: got.to_owned(),
        want: want.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LAYER_TAR;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (-5, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }

    #[test]
    fn documents() {
        let layer = Descriptor::of(LAYER_TAR, b"");
        let config = ImageConfig::new("amd64", 0, vec![layer.digest.clone()]);
        let json = config.to_json().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&json),
            concat!(
                r#"{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Env":["PATH="#,
                r#"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":["/bin/sh"]},"rootfs":{"type":"#,
                r#""layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#
            )
        );
        assert_eq!(ImageConfig::from_json(&json).unwrap(), config);
        let manifest = Manifest::new(Descriptor::of(IMAGE_CONFIG, &json), vec![layer]);
        let json = manifest.to_json().unwrap();
        assert!(json.starts_with(
            br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"#
        ));
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
    }

    #[test]
    fn other_documents() {
        let error = Manifest::from_json(b"{}").unwrap_err().to_string();
        assert!(
            error.starts_with("manifest: missing field `schemaVersion`"),
            "{error}"
        );
        let layer = Descriptor::of(LAYER_TAR, b"");
        let mut manifest = Manifest::new(layer, vec![]);
        manifest.schema_version = 1;
        let error = Manifest::from_json(&manifest.to_json().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "schemaVersion: got 1, want 2");
        let bad = br#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"md5:0","size":1},"layers":[]}"#;
        let error = Manifest::from_json(bad).unwrap_err().to_string();
        assert!(error.contains("`md5:0` is not a digest"), "{error}");
    }
}
