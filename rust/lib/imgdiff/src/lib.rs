//! What differs between two images, from the outside in: partition table, partitions, file systems, hash trees, packages, files,
//! and what is in them.
//!
//! [`compare()`] reads two images and gives a [`Report`]; [`text::write`] writes that for a terminal, [`html::write`] as a page that needs
//! nothing else, serde as JSON. `docs/formats/imgdiff.md` describes all three.
//!
//! | in the images                     | is read by                 | is shown                                                    |
//! |-----------------------------------|----------------------------|-------------------------------------------------------------|
//! | tables, file systems, hash trees  | crate `inspect`            | each parameter that changed                                 |
//! | files                             | the same                   | type, mode, owner, size, time, target, attributes           |
//! | `/var/lib/dpkg/status`            | [`packages`](mod@packages) | packages that came, went, or have another version           |
//! | archives (tar), update bundles    | crate `archive`            | members, as files                                           |
//! | text                              | [`content`]                | a unified diff                                              |
//! | ELF                               | crate `elf`                | sections, the build's id                                    |
//! | EFI programs, kernel images       | crate `pe`                 | sections; kernel arguments word by word                     |
//! | initial RAM disks                 | [`cpio`](mod@cpio)         | files, also within zstd                                     |
//! | differences of update bundles     | [`content`]                | what they are to, and what they make the image of           |
//! | anything else                     |                            | first byte that differs, and how many do                    |
//!
//! Two images are *identical* only if all their bytes are, whatever has been read of them: the bytes are compared first. If nothing above differs
//! and bytes do, the report says what these bytes are ([`inspect::Locator`]).
//!
//! Images are as hostile here as to `inspect`: contents are taken into memory up to a bound, what is packed is unpacked up to one, and
//! the depth of images in images is bounded.

mod bytes;
mod compare;
pub mod content;
pub mod cpio;
mod error;
mod files;
mod formats;
pub mod html;
mod model;
pub mod packages;
pub mod text;
mod view;

pub use compare::{compare, Options};
pub use error::Error;
pub use model::*;
