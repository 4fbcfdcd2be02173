//! What a TPM's registers hold after our boot chain has handed over to the kernel, computed from the chain's files: SHA-256 bank.
//!
//! Specs: TCG, *PC Client Platform Firmware Profile*, sections 3.3.4 and 10.4; TPM 2.0, part 1, *Extend of a PCR*; UAPI group, *Linux TPM PCR
//! Registry*; systemd-stub(7). A register starts as zeros, and each measurement of bytes makes it
//! `SHA-256(register || SHA-256(bytes))`.
//!
//! | PCR | measured by  | in this order                                                                                       |
//! |----:|--------------|-----------------------------------------------------------------------------------------------------|
//! |   4 | firmware     | [`STARTS`], a separator, the Authenticode digest of each program that it loads: loader, kernel image |
//! |   7 | firmware     | variables SecureBoot, PK, KEK, db, dbx; a separator; the certificate that let the programs in        |
//! |  11 | systemd-stub | of each of [`SECTIONS`] that the kernel image has: its name with a zero behind it, its content       |
//! |  12 | systemd-stub | what somebody else adds to the command line, by SMBIOS strings for instance; nothing: zeros          |
//!
//! A separator is four zeros. Only what firmware does that finds its first boot entry in order is predicted: one that tried another
//! before has measured that, too. With Secure Boot off the kernel inside of the image is measured into PCR 4 besides, and PCR 7 is another;
//! both are of use with Secure Boot only. The initrd's systemd extends nothing: the images here have no `systemd-pcrphase`.

mod error;
mod register;
mod uki;
mod variables;

pub use error::Error;
pub use register::Register;
pub use uki::{authenticode, kernel_image, SECTIONS};
pub use variables::{secure_boot, Enrolled};

use base::Sha256Digest;

/// What firmware measures before it starts a boot entry.
pub const STARTS: &str = "Calling EFI Application from Boot Option";

/// What stands between what firmware says of itself and what it starts.
pub(crate) const SEPARATOR: [u8; 4] = [0; 4];

/// PCR 4, when firmware has loaded programs with these Authenticode digests ([`authenticode`]), in this order.
pub fn loaded(programs: &[Sha256Digest]) -> Register {
    let start = Register::default()
        .measure(STARTS.as_bytes())
        .measure(&SEPARATOR);
    programs.iter().fold(start, Register::extend)
}
