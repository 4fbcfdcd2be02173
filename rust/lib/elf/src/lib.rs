//! ELF programs and libraries: what the dynamic loader reads of one, and whether an image has what its programs ask for.
//!
//! Specs: *System V ABI*, chapters 4 and 5 (program headers, dynamic section); *Linux Standard Base*, "Symbol Versioning"; ld.so(8) for
//! where libraries are looked for. Headers and tables are read by crate `object`; versions here, since that crate finds them by
//! section headers, which the loader does not read and a program need not have.
//!
//! | what                                  | is read from                                     | used for                              |
//! |---------------------------------------|--------------------------------------------------|---------------------------------------|
//! | class, byte order, machine, type      | ELF header                                       | whether it runs there at all          |
//! | interpreter                           | `PT_INTERP`                                      | the loader that must be in the image  |
//! | libraries, search path, own name      | `PT_DYNAMIC`: `DT_NEEDED`, `DT_RPATH`, `DT_RUNPATH`, `DT_SONAME` | which libraries, and where |
//! | versions wanted, of which library     | `DT_VERNEED`                                     | what the libraries must have          |
//! | versions had                          | `DT_VERDEF`                                      | what they have                        |
//! | names of symbols of a wanted version  | sections `.dynsym` and `.gnu.version`, if there  | messages alone                        |
//!
//! [`Program::read`] reads one file, [`Cache::read`] the list of libraries that `ldconfig` leaves, and [`check()`] looks at every program that was
//! laid late over a [`tree::Tree`]: it loads each as the loader would, from the tree's own files, and says what is missing.
//! Programs of the tree below, of which such a library may replace one, are not looked at.
//! Numbers in a file are not believed: every range is checked, and each walk over a list ends with the bytes that it is in.

mod cache;
mod error;
mod fit;
mod misfit;
mod read;
mod sections;
mod versions;

pub use cache::Cache;
pub use error::Error;
pub use fit::{check, Checked, How};
pub use misfit::{Misfit, Reason};
pub use read::{is_elf, Machine, Program, Type};
pub use sections::{sections, Section};
pub use versions::Wanted;
