//! Images for container engines and registries: layers from trees, archives, and the pins of base images.
//!
//! Spec: OCI Image Format 1.1, `layer.md` and `image-layout.md`; the documents are crate `oci`'s. Layers and archives are plans: [`layer()`] and
//! [`archive()`] read no file's content, and say the same for the same trees and digests.
//!
//! | to …                                                  | use                          |
//! |-------------------------------------------------------|------------------------------|
//! | make a layer of what a tree has beyond an archive      | [`layer()`]                  |
//! | make one file of an image                              | [`archive()`]                |
//! | lay an image out in a folder, for a registry           | [`index`], [`LAYOUT`]        |
//! | say which base image a tree is built on                | [`Pin`], [`Built`]           |
//! | see whether an image that was fetched is the right one | [`verify`]                   |

mod error;
mod layer;
mod layout;
mod pin;
mod published;

pub use error::Error;
pub use layer::layer;
pub use layout::{archive, index, Layer, LAYOUT};
pub use pin::{Built, Pin, Repository};
pub use published::verify;
