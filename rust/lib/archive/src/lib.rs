//! Deterministic tar archives: index, write, pack a directory, unpack safely.
//!
//! Format: POSIX.1-2001 `pax` interchange (IEEE Std 1003.1, "pax", "ustar Interchange Format" and "pax Extended Header"),
//! with the GNU long-name records (`L`, `K`) and base-256 numbers understood when reading. Extended attributes travel as
//! `SCHILY.xattr.NAME` records, as GNU tar, bsdtar and Go write them.
//!
//! - [`index`] lists an archive without reading file contents: each file is an offset and a length.
//! - [`Writer`] writes the same bytes for the same entries: plain ustar headers, pax records only where needed; with
//!   [`Alignment::Page`], data of files begins at multiples of 4096 bytes (`docs/formats/rootfs-tar.md`). [`head`] gives
//!   the bytes before a member's data, for who puts the data there in another way.
//! - [`pack`] walks a directory in the order of raw path bytes; [`unpack`] is its inverse.
//!
//! An archive is hostile until shown otherwise. A path that is absolute, climbs with `..`, repeats, or leads through
//! something that is not a directory is refused, as is a hard link to anything but an earlier member. Nothing is
//! allocated because a header claims a size, and no input makes the reader panic.

mod entry;
mod error;
mod header;
mod index;
mod members;
mod names;
mod pack;
mod pax;
mod unpack;
mod write;

pub use entry::{Entry, Kind};
pub use error::{Error, Reason};
pub use index::index;
pub use pack::{pack, PackOptions, Packed};
pub use unpack::{unpack, unpack_with, UnpackOptions, Unpacked};
pub use write::{head, Alignment, Writer, END};
