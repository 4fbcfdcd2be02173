//! A device of the kernel's device mapper, over one read-only target: what `dmsetup create --readonly` does, without udev.
//!
//! The calls are those of `linux/dm-ioctl.h`, on the control device `/dev/mapper/control`. No library is needed for them, nor a daemon: the
//! kernel makes the node `/dev/dm-N` itself, where devtmpfs is mounted. This is the only crate with unsafe code, one line of it.

mod call;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use call::{Call, Verb, READ_ONLY};

/// Where the kernel listens, as soon as the module `dm_mod` is there.
pub const CONTROL: &str = "/dev/mapper/control";

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that the kernel's fields don't hold.
    #[error("{field}: got {got:?}, want {want}")]
    Field {
        /// The field.
        field: &'static str,
        /// The text.
        got: String,
        /// What fits.
        want: String,
    },
    /// The control device can't be opened.
    #[error("cannot open {}: is the module dm_mod loaded?", path.display())]
    Control {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The kernel refused. It says more on its console.
    #[error("the kernel does not {verb}")]
    Call {
        /// What was asked for.
        verb: &'static str,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// One target over a whole device.
#[derive(Clone, Debug)]
pub struct Target<'a> {
    /// Its kind, as `verity`.
    pub kind: &'a str,
    /// Length in sectors of 512 bytes.
    pub sectors: u64,
    /// Its parameters, as the kernel's documentation of the kind has them.
    pub params: &'a str,
}

/// Makes the device `name`, which can't be written to, and says where it is: `/dev/dm-N`. After an error there is none.
pub fn create_read_only(
    control: &Path,
    name: &str,
    uuid: &str,
    target: &Target<'_>,
) -> Result<PathBuf, Error> {
    let open = File::options().read(true).write(true).open(control);
    let path = control.to_owned();
    let control = open.map_err(|error| Error::Control { path, error })?;
    let mut call = Call::new(name)?;
    call.uuid(uuid)?;
    let mut table = Call::new(name)?;
    table.flags(READ_ONLY);
    table.target(target.kind, target.sectors, target.params)?;

    call.make(&control, Verb::Create)?;
    let started = table.make(&control, Verb::Load).and_then(|()| {
        let mut call = Call::new(name)?;
        call.flags(READ_ONLY);
        call.make(&control, Verb::Resume)
    });
    if let Err(error) = started {
        // Whoever tries again finds the name free. That this fails, too, would say less than the first error.
        let _ = Call::new(name).and_then(|mut call| call.make(&control, Verb::Remove));
        return Err(error);
    }
    Ok(PathBuf::from(format!("/dev/dm-{}", minor(call.device()))))
}

/// The minor number of a device's, of which the kernel writes the lower eight bits first and the others behind the major one's twelve.
fn minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xfff_ff00)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_number_has_two_places() {
        for (device, want) in [
            (0xfd00, 0),
            (0xfd01, 1),
            (0xfdff, 255),
            (0x10_fd02, 258),
            (0xfff0_fdff, 0xfffff),
        ] {
            assert_eq!(minor(device), want, "{device:x}");
        }
    }

    #[test]
    fn no_control_device_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target {
            kind: "verity",
            sectors: 8,
            params: "1",
        };
        let path = folder.path().join("control");
        let error = create_read_only(&path, "root", "x", &target).unwrap_err();
        assert!(matches!(error, Error::Control { .. }), "{error}");
        // A file that is no such device.
        std::fs::write(&path, "").unwrap();
        let error = create_read_only(&path, "root", "x", &target).unwrap_err();
        assert_eq!(error.to_string(), "the kernel does not make the device");
    }
}
