//! Deterministic tar archives: index, write, pack a directory, unpack safely.
//!
//! Format: POSIX.1-2001 `pax` interchange (IEEE Std 1003.1, "pax", "ustar Interchange Format" and "pax Extended Header"),
//! with the GNU long-name records (`L`, `K`), base-256 numbers and files with holes understood when reading. Extended
//! attributes travel as `SCHILY.xattr.NAME` records, as GNU tar, bsdtar and Go write them. What an archive says of a file is
//! kept or refused; `docs/formats/rootfs-tar.md` has the list.
//!
//! - [`index`] says what an archive unpacks to, without reading file contents: each file is an offset and a length. [`list`]
//!   hands out its members as they stand, for who knows which ones there may be; [`Stream`] does so with their data, from what cannot seek.
//! - [`Writer`] writes the same bytes for the same entries: plain ustar headers, pax records only where needed; with
//!   [`Alignment::Page`], data of files begins at multiples of 4096 bytes (`docs/formats/rootfs-tar.md`). [`head`] gives
//!   the bytes before a member's data, for who puts the data there in another way.
//! - [`pack`] walks a directory in the order of raw path bytes; [`unpack`] is its inverse.
//!
//! An archive is hostile until shown otherwise. A path that is absolute, climbs with `..`, or leads through something that is
//! not a directory is refused, as is a hard link to anything but an earlier member. Nothing is allocated because a header
//! claims a size, memory and time are in proportion to the archive's length, and no input makes the reader panic.
//!
//! | bound | why |
//! |---|---|
//! | 1 MiB of extended headers and long names before a member | they are held in memory |
//! | 1 MiB of map of a file's holes | so is it |
//! | 4095 bytes of a path or a link's target, 255 of a name | Linux's own; a hard link to a link has its target again |
//! | 4096 folders that no member names, and 16 more for each member | readers make them up |

mod acl;
mod entry;
mod error;
mod foreign;
mod header;
mod index;
mod members;
mod names;
mod pack;
mod pax;
mod records;
mod sparse;
mod stream;
mod unpack;
mod write;
mod zeros;

pub use entry::{Entry, Kind, Piece};
pub use error::{Error, Reason};
pub use index::{index, list, List};
pub use pack::{pack, PackOptions};
pub use stream::Stream;
pub use unpack::{unpack, unpack_members, unpack_with, UnpackOptions};
pub use write::{head, Alignment, Writer, END};
