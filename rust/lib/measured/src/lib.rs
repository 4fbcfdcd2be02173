//! What a TPM's registers hold after our boot chain has handed over to the kernel, computed from the chain's files: SHA-256 bank.
//!
//! Specs: TCG, *PC Client Platform Firmware Profile*, sections 3.3.4 and 10.4; TPM 2.0, part 1, *Extend of a PCR*; UAPI group, *Linux TPM PCR
//! Registry*; systemd-stub(7). A register starts as zeros, and each measurement of bytes makes it
//! `SHA-256(register || SHA-256(bytes))`. [`Prediction`] is all of it as a document.
//!
//! | PCR | measured by  | in this order                                                                                       |
//! |----:|--------------|-----------------------------------------------------------------------------------------------------|
//! |   4 | firmware     | [`STARTS`], a separator, the Authenticode digest of each program that it loads: loader, kernel image |
//! |   7 | firmware     | variables SecureBoot, PK, KEK, db, dbx; a separator; the certificate that let the programs in        |
//! |  11 | systemd-stub | of each of [`SECTIONS`] that the kernel image has: its name with a zero behind it, its content       |
//! |  12 | systemd-stub | the profile's number, unless it is 0; what somebody else adds to the command line, which here is nothing |
//!
//! A separator is four zeros. Only what firmware does that finds its first boot entry in order is predicted: one that tried another
//! before has measured that, too. With Secure Boot off the kernel inside of the image is measured into PCR 4 besides, and PCR 7 is another;
//! both are of use with Secure Boot only. systemd extends PCR 11 later on (`systemd-pcrphase`), but only in a system with the TSS library: the
//! images here have none.

mod error;
mod event;
mod prediction;
mod register;
mod uki;
mod variables;

pub use error::Error;
pub use event::{Event, Pcr};
pub use prediction::{Prediction, Started};
pub use register::Register;
pub use uki::{authenticode, parameters, profiles, Profile, SECTIONS};
pub use variables::{secure_boot, Enrolled, Owner};

use base::Sha256Digest;

/// What firmware measures before it starts a boot entry.
pub const STARTS: &str = "Calling EFI Application from Boot Option";

/// PCR 4, when firmware has loaded programs with these Authenticode digests ([`authenticode`]): loaders in this order, then a kernel image.
pub fn loaded(loaders: &[Sha256Digest], kernel: &Sha256Digest) -> Vec<Event> {
    let mut events = vec![
        Event::of(format!("the text {STARTS:?}"), STARTS.as_bytes()),
        Event::separator(),
    ];
    let loaders = loaders.iter();
    events.extend(loaders.map(|digest| Event::new("the boot loader, Authenticode", *digest)));
    events.push(Event::new("the kernel image, Authenticode", *kernel));
    events
}
