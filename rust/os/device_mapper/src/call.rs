//! What a call hands to the kernel: `struct dm_ioctl` of `linux/dm-ioctl.h`, and behind it a table of one target.

use std::fs::File;

use rustix::ioctl::{ioctl, opcode, Opcode, Updater};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::Error;

/// Version of the interface that this is written for; the kernel takes any with the same first number.
const VERSION: [u32; 3] = [4, 0, 0];
/// Bytes of a call: enough for a table of one target with long parameters; of its header, behind which the targets begin; and of what stands in
/// front of a target's parameters.
const CALL: u32 = 16 << 10;
const HEADER: u32 = 312;
const SPEC: usize = 40;
const DATA: usize = 16_072;
const _: () = assert!(
    size_of::<Header>() == 312 && size_of::<TargetSpec>() == SPEC && size_of::<Call>() == 16 << 10
);

/// The device can't be written to.
pub(crate) const READ_ONLY: u32 = 1;

/// The calls of the device mapper that are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Makes a device without a table.
    Create,
    /// Takes it away.
    Remove,
    /// With no flag: lets it run, with the table that was loaded.
    Resume,
    /// Gives it a table.
    Load,
}

/// `struct dm_ioctl`.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    version: [u32; 3],
    /// Bytes of the whole call.
    data_size: u32,
    /// Where the targets begin.
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_nr: u32,
    padding: u32,
    /// Number of the device, as the kernel writes it in 64 bits.
    dev: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

/// `struct dm_target_spec`; its parameters follow, with a zero behind them.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct TargetSpec {
    sector_start: u64,
    length: u64,
    status: i32,
    /// To the next target; there is none.
    next: u32,
    target_type: [u8; 16],
}

/// A call: the header with room behind it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Call {
    header: Header,
    data: [u8; DATA],
}

impl Call {
    /// A call about the device `name`.
    pub(crate) fn new(name: &str) -> Result<Box<Self>, Error> {
        let mut call = Box::new(Self::new_zeroed());
        call.header.version = VERSION;
        call.header.data_size = CALL;
        call.header.data_start = HEADER;
        put("name", &mut call.header.name, name)?;
        Ok(call)
    }

    /// Gives the device an identifier that udev's rules and other programs know it by.
    pub(crate) fn uuid(&mut self, uuid: &str) -> Result<(), Error> {
        put("uuid", &mut self.header.uuid, uuid)
    }

    pub(crate) fn flags(&mut self, flags: u32) {
        self.header.flags = flags;
    }

    /// A table of one target over the whole device.
    pub(crate) fn target(&mut self, kind: &str, sectors: u64, params: &str) -> Result<(), Error> {
        let mut spec = TargetSpec::new_zeroed();
        spec.length = sectors;
        put("kind", &mut spec.target_type, kind)?;
        let (head, rest) = self.data.split_at_mut(SPEC);
        head.copy_from_slice(spec.as_bytes());
        put("params", rest, params)?;
        self.header.target_count = 1;
        Ok(())
    }

    /// Number of the device, as the kernel answered.
    pub(crate) fn device(&self) -> u64 {
        self.header.dev
    }

    /// Makes the call.
    pub(crate) fn make(&mut self, control: &File, verb: Verb) -> Result<(), Error> {
        let done = match verb {
            Verb::Create => run::<{ number(3) }>(control, self),
            Verb::Remove => run::<{ number(4) }>(control, self),
            Verb::Resume => run::<{ number(6) }>(control, self),
            Verb::Load => run::<{ number(9) }>(control, self),
        };
        done.map_err(|error| Error::Call {
            verb: verb.text(),
            error: error.into(),
        })
    }
}

impl Verb {
    fn text(self) -> &'static str {
        match self {
            Self::Create => "make the device",
            Self::Remove => "remove the device",
            Self::Resume => "start the device",
            Self::Load => "load the table",
        }
    }
}

/// `_IOWR(DM_IOCTL, number, struct dm_ioctl)`.
const fn number(number: u8) -> Opcode {
    opcode::read_write::<Header>(0xfd, number)
}

#[allow(unsafe_code, reason = "ioctl(2) has no safe form")]
fn run<const OPCODE: Opcode>(control: &File, call: &mut Call) -> rustix::io::Result<()> {
    // SAFETY: the four opcodes above take a `struct dm_ioctl` and read and write `data_size` bytes from its start at most; that is the
    // length of `Call`, of which any bytes are a value.
    unsafe { ioctl(control, Updater::<OPCODE, Call>::new(call)) }
}

/// Puts a text into a field, in which a zero has to follow it.
fn put(field: &'static str, into: &mut [u8], text: &str) -> Result<(), Error> {
    let fault = |want| Error::Field {
        field,
        got: text.to_owned(),
        want,
    };
    if text.is_empty() || text.contains('\0') {
        return Err(fault("a text without a zero".to_owned()));
    }
    let most = into.len().saturating_sub(1);
    let room = into.get_mut(..text.len()).filter(|_| text.len() <= most);
    let room = room.ok_or_else(|| fault(format!("{most} bytes at most")))?;
    room.copy_from_slice(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_laid_out_as_the_kernel_reads_it() {
        let mut call = Call::new("root").unwrap();
        call.uuid("CRYPT-VERITY-1-root").unwrap();
        call.flags(READ_ONLY);
        call.target("verity", 8, "1 7:0").unwrap();
        let bytes = call.as_bytes();
        assert_eq!(bytes.len(), 16384);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        // version, data_size, data_start, target_count, flags
        assert_eq!(
            [0, 4, 8, 12, 16, 20, 28].map(word),
            [4, 0, 0, 16384, 312, 1, 1]
        );
        assert_eq!(&bytes[48..53], b"root\0");
        assert_eq!(&bytes[176..196], b"CRYPT-VERITY-1-root\0");
        // sector_start, length; target_type; parameters
        assert_eq!(
            &bytes[312..328],
            &[0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(&bytes[336..343], b"verity\0");
        assert_eq!(&bytes[352..358], b"1 7:0\0");
    }

    #[test]
    fn the_numbers_are_those_of_the_header() {
        // DM_DEV_CREATE and DM_TABLE_LOAD as a C program prints them on x86-64.
        assert_eq!(number(3), 0xc138_fd03);
        assert_eq!(number(9), 0xc138_fd09);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(128);
        let error = Call::new(&long).err().unwrap().to_string();
        assert_eq!(error, format!("name: got {long:?}, want 127 bytes at most"));
        assert!(Call::new(&long[1..]).is_ok());
        assert!(Call::new("").is_err());
        assert!(Call::new("a\0b").is_err());
        let mut call = Call::new("root").unwrap();
        assert!(call.target("verity", 8, &"x".repeat(DATA - SPEC)).is_err());
        assert!(call
            .target("verity", 8, &"x".repeat(DATA - SPEC - 1))
            .is_ok());
        assert!(call.target("0123456789abcdef", 8, "x").is_err());
    }
}
