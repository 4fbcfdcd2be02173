//! GRUB's environment block, and the A/B boot table that lives in it.
//!
//! The block is described in the GRUB manual, "Environment block"; GRUB itself writes it in place by block list, so its size
//! never changes:
//!
//! | bytes        | what                                                                          |
//! |--------------|-------------------------------------------------------------------------------|
//! | 25           | `# GRUB Environment Block\n`                                                  |
//! | lines        | `name=value\n`, or a comment `#…\n`; in a value `\` precedes `\` and newline  |
//! | up to 1024   | `#`                                                                           |
//!
//! [`Block::parse`] takes any bytes and either understands all of them or says at which offset it stopped.
//!
//! The table of a start; N is [`Limit`], k is `boot_tries`, which counts the starts of the slot since it was last confirmed:
//!
//! | `boot_cycle` found | and                            | slot started | `boot_cycle` left | `boot_tries` left |
//! |--------------------|--------------------------------|--------------|-------------------|-------------------|
//! | `install`          |                                | named        | `stable`          | 1                 |
//! | `first_boot`       |                                | named        | `failsafe_check`  | 1                 |
//! | `failsafe_check`   | k < N                          | named        | `failsafe_check`  | k + 1             |
//! | `failsafe_check`   | k ≥ N                          | **other**    | `stable`          | 1                 |
//! | `stable`           | k < N                          | named        | `stable`          | k + 1             |
//! | `stable`           | k ≥ N, the other is usable     | **other**    | `stable`          | 1                 |
//! | `stable`           | k ≥ N, the other is not        | named        | `stable`          | 1                 |
//!
//! "Named" is `boot_alternative`, which is changed to the slot started. Who runs there and is content writes `stable` and 0
//! ([`BootState::confirmed`]). Usable is a slot that is complete and not barred ([`BARRED`]). A slot that does not load is left for the other
//! one, if that is usable, in the same start.
//!
//! The state is saved before anything is started. If it can't be, a second block takes it, the spare one, beside the values that
//! the main one had: it is in force until the main one has others ([`BootState::in_force`]). Who runs reads both, and
//! writes the main one alone, so that it has others ([`BootState::decide`]). An upgrade is not tried when neither takes it, unless the
//! other slot does not load.
//!
//! [`BootState::after_start`] is this table, [`Disk::start`] a whole start, and [`grub_script`] writes both as a script for GRUB.

mod bar;
mod block;
mod boot;
mod files;
mod script;
mod start;

pub use bar::{Bar, BARRED};
pub use block::{Block, Error, SIGNATURE, SIZE};
pub use boot::{
    next_boot, spare_holds, BootState, Cycle, Limit, Slot, Tries, UnknownSlot, ALTERNATIVE, CYCLE,
    TRIES,
};
pub use files::{read_block, Blocks, FileError};
pub use script::{grub_script, LIMIT_KEY};
pub use start::{Disk, Env, System};
