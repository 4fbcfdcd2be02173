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
//! | `boot_cycle` found | slot booted | `boot_cycle` left | meaning                                      |
//! |--------------------|-------------|-------------------|----------------------------------------------|
//! | `install`          | named       | `stable`          | first boot ever                              |
//! | `first_boot`       | named       | `failsafe_check`  | first try of an upgrade                      |
//! | `failsafe_check`   | **other**   | `stable`          | the try was never confirmed: back, for good  |
//! | `stable`           | named       | `stable`          | normal                                       |
//!
//! "Named" is `boot_alternative`, which is changed to the slot booted. [`next_boot`] is this table.

mod block;
mod boot;

pub use block::{Block, Error, SIGNATURE, SIZE};
pub use boot::{next_boot, BootState, Cycle, Slot, UnknownSlot, ALTERNATIVE, CYCLE};
