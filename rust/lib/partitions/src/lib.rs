//! Partition tables written by hand as `partitions.csv`: parsing, checks, and where each partition starts.
//!
//! The format is described for people in `docs/formats/partitions.md`. In short: a header line
//! `name,start,size,type,uuid,description`, then one partition a line in the order of the table; `#` starts a comment
//! line; fields may be quoted as in RFC 4180 and are trimmed otherwise.
//!
//! | field         | meaning                                                                              |
//! |---------------|--------------------------------------------------------------------------------------|
//! | `name`        | PARTLABEL, at most 36 UTF-16 units (UEFI 2.10, table 5.6), unique                     |
//! | `start`       | empty: the next free MiB; `64M`: a multiple of 1 MiB; `34s`: that 512-byte sector      |
//! | `size`        | `512K`, `64M`, `2G`, `1T` (powers of 1024) or `100s` sectors                           |
//! | `type`        | an alias of [`TYPES`] or a GUID                                                        |
//! | `uuid`        | PARTUUID, unique                                                                       |
//! | `description` | for people                                                                             |
//!
//! [`Table::parse`] refuses what can't become a disk and names the line. [`Table::layout`] is a pure function: the same
//! table gives the same starts, whatever is put into the partitions.
//!
//! ```
//! let table = partitions::Table::parse(
//!     "name,start,size,type,uuid,description\n\
//!      esp,,64M,esp,b1a0a1c2-0000-4000-8000-000000000001,EFI system\n\
//!      A_root,,1G,root-x86-64,b1a0a1c2-0000-4000-8000-000000000002,\"system, slot A\"\n",
//! )?;
//! let layout = table.layout(None)?;
//! assert_eq!(layout.partitions[1].start, 65 << 20);
//! # Ok::<(), partitions::Error>(())
//! ```

mod csv;
mod error;
mod layout;
mod template;
mod types;

pub use csv::{Partition, Table, COLUMNS, MAX_PARTITIONS};
pub use error::{Error, Problem};
pub use layout::{Layout, Placed, MIB, SECTOR};
pub use template::{render, TemplateError, TemplateProblem};
pub use types::{parse_guid, type_alias, type_guid, TYPES};
