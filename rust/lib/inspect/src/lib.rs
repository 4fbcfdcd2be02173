//! Looking into disk and file-system images: everything in them as text that can be compared, and their files.
//!
//! [`dump()`] reads an [`Image`] into data ([`Dump`]), [`write_text`] writes that as text, serde as JSON; `docs/formats/imgdump.md`
//! describes both. Different images give different dumps: what has no meaning here is in a digest. [`Files`] finds files by
//! their [`Place`], [`extract()`] copies them out. [`Locator`] says of a byte which structures it is in.
//!
//! | in the image                                  | read by            | after                                          |
//! |-----------------------------------------------|--------------------|------------------------------------------------|
//! | protective MBR, GPT, backup GPT               | `gpt`              | UEFI 2.10, chapter 5                           |
//! | ext2, ext3, ext4                              | `ext4`             | the kernel's `filesystems/ext4` pages          |
//! | FAT12, FAT16, FAT32                           | `fat`              | Microsoft's overview, 1.03                     |
//! | dm-verity behind a file system                | crate `verity`     |                                                |
//! | GRUB environment block, alone or as a file    | crate `grubenv`    |                                                |
//! | tar, as update bundles are                    | `locate` (members) |                                                |
//! | anything else                                 | name and digest    | `formats`                                      |
//!
//! # Hostile images
//!
//! Nothing in an image is believed. It is read through a window that ends where the image ends; a block or cluster belongs to one
//! file, a directory is entered once. Work and memory are bounded by how much is *stored* for the image (`bounds`), not by its length,
//! which a sparse file or a plan has for nothing: what is known to be zero is passed over, names and attributes have a budget. What is
//! wrong becomes a line of the dump, and what follows is still read; what is right and not read here becomes another line
//! (`formats`, [`Content::unread`]). Only a failing read ends a dump, and an image that shows the same bytes again and again.
//!
//! The readers are none of ours that write these formats, and share nothing with them.

mod body;
mod bounds;
mod bytes;
mod claims;
mod content;
mod digest;
mod dump;
mod error;
mod ext4;
mod extract;
mod fat;
mod files;
mod formats;
mod gpt;
mod grubenv;
mod image;
mod listing;
mod locate;
mod model;
mod names;
mod show;
mod span;
mod text;
mod time;
mod verity;

pub use body::Body;
pub use content::{volume, Volume};
pub use dump::{dump, Options};
pub use error::Error;
pub use extract::{extract, Notes};
pub use files::{partition, partitions, table, Files, Place};
pub use image::Image;
pub use locate::{Found, Locator, Step, What};
pub use model::*;
pub use names::{Name, Value};
pub use show::{long, stat};
pub use text::write as write_text;
pub use time::Time;
