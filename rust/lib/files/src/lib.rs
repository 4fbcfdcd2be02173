//! Files as programs here use them: inputs that may be many, outputs that are whole or absent.
//!
//! | to …                                             | use           |
//! |--------------------------------------------------|---------------|
//! | read files, more of them than may be open at once | [`InputFile`] |
//! | write a file that has its name only when whole    | [`NewFile`]   |

mod input;
mod new;
mod pool;

pub use input::{Changed, InputFile, Stamp};
pub use new::{sync_folder, NewFile};
