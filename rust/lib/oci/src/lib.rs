//! OCI images of few layers: image configuration and manifest as deterministic JSON.
//!
//! Specs: OCI Image Format 1.1, `config.md`, `manifest.md`, `descriptor.md`. A digest is `sha256:` and 64 lower-case
//! hexadecimal digits. JSON is compact, with fields in the order of the structs below and without a line end, so the same
//! image has the same bytes, and the manifest's digest, which names the image, says what is in it.
//!
//! ```
//! let layer = oci::Descriptor::of(oci::LAYER_TAR, b"a tar archive");
//! let config = oci::ImageConfig::new("amd64", 1_700_000_000, vec![layer.digest.clone()]);
//! let config = config.to_json()?;
//! let manifest = oci::Manifest::new(oci::Descriptor::of(oci::IMAGE_CONFIG, &config), vec![layer]);
//! let digest = oci::Digest::of(&manifest.to_json()?);
//! # Ok::<(), oci::Error>(())
//! ```

mod digest;
mod error;
mod image;

pub use base::Hasher;
pub use digest::Digest;
pub use error::Error;
pub use image::{ContainerConfig, Descriptor, History, ImageConfig, Manifest, RootFs};

/// Media type of an uncompressed layer.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// Media type of an image configuration.
pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of a manifest.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
