//! A disk image onto a drive: which drive is meant, who uses it, and in which order it is written.
//!
//! | to …                                                   | use                                   |
//! |--------------------------------------------------------|---------------------------------------|
//! | know a drive: size, model, and what stands against it  | [`System::drive`], [`Drive::refusals`] |
//! | open it for nobody else                                | [`Disk::open`]                        |
//! | write an image over it                                 | [`write`](write())                    |
//!
//! # A cut leaves nothing that looks whole
//!
//! | step | what is written                                                                  | the drive then                       |
//! |-----:|----------------------------------------------------------------------------------|--------------------------------------|
//! |    1 | zeros over its first and its last MiB                                             | has no partition table, neither the old one nor a copy of it |
//! |    2 | the image from its second MiB on, without the copy of its table; read back        | the same                             |
//! |    3 | the copy of the table, where the drive ends                                       | has a copy only                      |
//! |    4 | the first MiB but for its first 4 KiB                                             | the same                             |
//! |    5 | the first 4 KiB: protective MBR and the table's header                            | is whole                             |
//!
//! After each step the drive is flushed. All partitions are on the drive before step 3: they begin behind the first MiB. So a drive that was pulled, and a program that was ended, leave one that no firmware starts from and
//! no system takes for what it was; the same command again makes it whole.
//!
//! Between the image's end and the drive's nothing is written but the last MiB: it belongs to no partition.

mod disk;
mod drive;
mod error;
mod uses;
mod write;

pub use crate::disk::Disk;
pub use drive::{Drive, Number, System};
pub use error::Error;
pub use uses::Use;
pub use write::{on_disk, tail, write, Stage};
