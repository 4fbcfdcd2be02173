//! Debian's binary packages (`.deb`), read without dpkg.
//!
//! Format: deb(5). A package is an archive of `ar` (the common format: ar(5)) whose members stand in this order:
//!
//! | member                | content                                                                                 |
//! |-----------------------|-----------------------------------------------------------------------------------------|
//! | `debian-binary`       | the version of the format, `2.` and a number, in a line                                 |
//! | `_…`                  | anything; passed over                                                                   |
//! | `control.tar`         | what dpkg is to know: `control` itself, scripts, lists; [`Control`]                      |
//! | `_…`                  | anything; passed over                                                                   |
//! | `data.tar`            | the files, as an archive that [`archive`] unpacks; [`Deb::data`]                          |
//! | any other             | of formats to come; passed over                                                         |
//!
//! Both archives may be packed, which their names tell: `.gz`, `.xz`, `.zst`. (dpkg also knows `.bz2` and `.lzma`, which Debian's
//! archive no longer takes: they are refused by name.)
//!
//! A package is hostile until shown otherwise. Its members are found by their headers, whose sizes the file must have room for; of a
//! packed archive no more is in memory than its packing needs, and that is bounded, too:
//!
//! | bound | why |
//! |---|---|
//! | 66 MiB for xz, 128 MiB for zstd | what `xz -9` and `zstd --ultra -22` need: a header may ask for 4 GiB |
//! | 16 MiB and 4096 files of `control.tar` | they are held in memory; the largest in Debian have one |
//! | 64 headers of members | Debian's packages have three |

mod ar;
mod control;
mod error;
mod packing;
mod read;

pub use control::{Control, ControlFile};
pub use error::{Error, Part};
pub use packing::Packing;
pub use read::{Data, Deb};
