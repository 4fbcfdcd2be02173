//! QEMU driver: start a guest from a disk image, read its console, talk to it, stop it.
//!
//! One [`Vm`] is one QEMU process. Its serial console and its QMP monitor are socket pairs handed over as file
//! descriptors 0 and 1, so there is nothing to clean up in a file system and no race about a socket's name; the disk is opened
//! through a throw-away overlay. A disk that exists as a plan only is served from its inputs by a thread of this process
//! ([`Drive::served`]). The guest never outlives the [`Vm`]: dropping it kills QEMU, and should this process die without
//! unwinding, the kernel does (`setpriv --pdeathsig KILL`). That signal is tied to the *thread* that called [`VmConfig::start`], which
//! must therefore live as long as the guest.
//!
//! ```no_run
//! use std::time::Duration;
//! use vm::{AccelChoice, Deadline, VmConfig};
//!
//! # fn main() -> Result<(), vm::VmError> {
//! let accel = AccelChoice::Auto.resolve(vm::firmware::find()?.as_ref())?.accel;
//! let vm = VmConfig::new(vm::firmware::find()?, accel).disk("disk.img").forward(0, 22).start()?;
//! let boot = Deadline::scaled(Duration::from_secs(60), accel);
//! let shell = vm.login("root", "root", boot)?;
//! assert_eq!(shell.run("uname -s", boot)?.text, "Linux");
//! vm.qmp()?.powerdown()?;
//! assert!(vm.wait_exit(boot)?.success());
//! # Ok(())
//! # }
//! ```
//!
//! Waiting is always bounded by a [`Deadline`]; lengths are written for a machine with KVM and stretched when the guest
//! is emulated ([`Deadline::scaled`]).

mod accel;
mod ansi;
mod config;
mod console;
mod deadline;
mod disk;
mod drive;
mod error;
pub mod firmware;
mod folder;
pub mod medium;
pub mod ports;
mod process;
mod remember;
mod secure_boot;
mod shell;
mod tpm;
mod vm;

pub use accel::{Accel, AccelChoice, Choice};
pub use ansi::Stripper;
pub use base::shell::quote;
pub use config::{Forward, VmConfig, QEMU};
pub use console::{Console, FATAL_TEXTS};
pub use deadline::Deadline;
pub use disk::create_overlay;
pub use drive::{Drive, Elsewhere, Servers};
pub use error::VmError;
pub use folder::{private_folder, test_outputs};
pub use process::run_on_terminal;
pub use qmp::{Event, Qmp};
pub use secure_boot::Keys;
pub use shell::{Output, Shell};
pub use tpm::Tpm;
pub use vm::Vm;

/// The result of everything here.
pub type Result<T, E = VmError> = std::result::Result<T, E>;
