//! EFI programs: PE32+ images read, a unified kernel image laid out over a stub, and what Secure Boot signs of an image.
//!
//! Specs: Microsoft *PE Format*; *Windows Authenticode Portable Executable Signature Format*, "Calculating the PE Image Hash"; UAPI
//! group, *UKI*. All integers little-endian. Offsets in bytes.
//!
//! | what                      | is read from                                  | and must be                                      |
//! |---------------------------|-----------------------------------------------|--------------------------------------------------|
//! | `MZ`, `e_lfanew`          | byte 0, byte 60                               | the PE header lies within [`MAX_HEAD`]           |
//! | PE header, file header    | `e_lfanew`, 24 bytes                          | `PE\0\0`                                         |
//! | optional header           | behind it, 112 bytes and 8 for each directory | PE32+ (magic 0x20b), at most 16 directories      |
//! | section table             | behind it, 40 bytes a section                 | within `SizeOfHeaders`, itself within the file   |
//! | sections' raw data        | `PointerToRawData`, `SizeOfRawData`           | within the file                                  |
//!
//! [`Image::read`] checks that much of any image. What is to be signed or is a stub ([`Signable`], [`uki`]) must besides be *tight*: the
//! sections' raw data follow each other and the headers without gap or overlap. Then Authenticode's digest is that of all bytes but
//! the checksum, the place of the certificate table and the table itself, and no two readers can see different images in one file.
//!
//! Nothing is written here: a unified kernel image is a [`plan::Plan`], with its headers and short texts held and stub, kernel and
//! initrd as ranges of inputs. The same inputs are the same bytes: the stub's time stamp stays, the checksum is 0, as `ukify` does.

mod append;
mod error;
mod headers;
mod image;
mod kernel;
mod sbat;
mod signable;
pub mod uki;

pub use error::Error;
pub use image::{Image, Section, MAX_HEAD};
pub use kernel::release;
pub use sbat::Sbat;
pub use signable::Signable;
