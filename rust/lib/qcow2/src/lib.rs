//! A disk image as QEMU's qcow2, without copying it: the plan of the disk becomes the plan of the qcow2 file.
//!
//! Spec: QEMU's `docs/interop/qcow2.rst`. All integers big-endian. Clusters are 64 KiB; those of the disk that hold nothing but
//! zeros, by the plan, are not in the file. One disk, one file: nothing is chosen.
//!
//! | clusters     | what                 | we write                                                                      |
//! |-------------:|----------------------|-------------------------------------------------------------------------------|
//! |            1 | header               | version 3                                                                     |
//! |            … | refcount table       | 8 bytes each: where a refcount block lies                                     |
//! |            … | refcount blocks      | 2 bytes each: 1 for every cluster of the file                                 |
//! |            … | level 1 table        | 8 bytes each: where a level 2 table lies, or 0 if there is none; bit 63 set   |
//! |            … | level 2 tables       | 8 bytes each: where a cluster of the disk lies, or 0 if it is zero; bit 63 set |
//! |            … | clusters of the disk | in the disk's order                                                           |

mod error;
mod layout;
mod write;

pub use error::Error;
pub use layout::MAX_LEN;
pub use write::image;
