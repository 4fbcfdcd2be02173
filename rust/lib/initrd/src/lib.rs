//! An initial RAM disk of one program and the kernel modules that it needs, from the tree of a root file system.
//!
//! Specs: the kernel's *initramfs buffer format* (`driver-api/early-userspace/buffer-format`) and *The Linux Microcode Loader*
//! (`arch/x86/microcode`); modprobe.d(5), modules.dep(5) and modules-load.d(5) for the texts; RFC 8878 for zstd.
//! `docs/formats/initrd.md` says what is in it.
//!
//! | part                        | what it is                                                                           |
//! |-----------------------------|--------------------------------------------------------------------------------------|
//! | microcode, if asked for     | an archive that is not packed: the kernel looks for it before it can unpack anything |
//! | program, modules, firmware  | an archive, one zstd frame with a window of 8 MiB at most                            |
//!
//! [`Root`] is the view of a root file system, [`Name::list`] reads the lists of wanted modules, [`build`] chooses what follows from
//! them and gives the bytes. [`Archive`] is the writer alone.
//!
//! The same tree, program and lists are the same bytes: entries are sorted, times and owners are 0, numbers of inodes count from 1.
//! The order of lists does not count, but for modules that are loaded at once: these stand in the order in which they are given.
//!
//! What a tree has is not believed. These are the bounds:
//!
//! | what                                        | most                                  | beyond it                   |
//! |---------------------------------------------|---------------------------------------|-----------------------------|
//! | a list of modules in the tree               | 16 MiB                                | refused                     |
//! | a module or a file of firmware, unpacked    | 64 MiB                                | refused                     |
//! | memory for unpacking xz, window of zstd     | 66 MiB, 128 MiB                       | refused                     |
//! | all files together                          | 512 MiB                               | refused                     |

mod choose;
mod cpio;
mod error;
mod firmware;
mod image;
mod index;
mod microcode;
mod modinfo;
mod names;
mod pack;
mod root;
mod unpack;

pub use cpio::Archive;
pub use error::Error;
pub use image::{build, Request};
pub use names::Name;
pub use root::Root;
