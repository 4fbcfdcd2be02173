//! What dpkg wrote down of the packages in an image: `var/lib/dpkg/status`, and the names of its lists of files.
//!
//! | file                                     | here                                                                          |
//! |------------------------------------------|-------------------------------------------------------------------------------|
//! | `status`                                 | [`Status`]: the packages that have files in the image                         |
//! | `info/NAME.list`, `info/NAME:ARCH.list`  | [`List`]: whose list it is; what is in it are paths, one a line               |
//!
//! dpkg writes these files and nobody else does, so what is not as it writes them (dpkg(1), deb-control(5)) is an error, never a package less.

mod error;
mod field;
mod list;
mod status;

pub use error::Error;
pub use field::{installed_size, source};
pub use list::{List, INFO};
pub use status::{Package, Status, STATUS};
