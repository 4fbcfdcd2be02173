//! What can go wrong between a disk image and a running guest.

use std::io;
use std::path::PathBuf;

/// An error of this library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VmError {
    /// A program this library starts is not installed.
    #[error("{program} is not installed: it comes with the package {package} (apt-get install {package})")]
    MissingProgram {
        /// Name looked up in `PATH`.
        program: String,
        /// Debian package that has it.
        package: &'static str,
    },
    /// No firmware image was found.
    #[error("no OVMF firmware at {}: it comes with the package ovmf (apt-get install ovmf), or name one with --firmware", wanted.display())]
    MissingFirmware {
        /// First place looked at.
        wanted: PathBuf,
    },
    /// A disk or medium is not there.
    #[error("cannot open image {}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A drive cannot be served.
    #[error("cannot serve image {}", path.display())]
    Serve {
        /// The image.
        path: PathBuf,
        /// Why.
        source: nbd::Error,
    },
    /// Another program listens on the port that the guest should be reached by.
    #[error("port {port} on this host is in use: choose another one with {flag}")]
    PortBusy {
        /// Host port.
        port: u16,
        /// Flag (with a hint of its value) that changes it.
        flag: String,
    },
    /// A port forwarding was not understood.
    #[error("forwarding `{text}` is not HOST_PORT:GUEST_PORT")]
    BadForward {
        /// What was given.
        text: String,
    },
    /// KVM was asked for by name and does not work.
    #[error("KVM does not work on this machine: {reason}; --accel tcg emulates the guest instead, slowly")]
    KvmUnusable {
        /// What was seen.
        reason: String,
    },
    /// The firmware started while a command ran that does not restart the guest.
    #[error("the machine restarted during `{command}`")]
    Restarted {
        /// What was typed.
        command: String,
    },
    /// A program ended with an error.
    #[error("{program} failed ({status}): {detail}")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
        /// Last lines of its standard error.
        detail: String,
    },
    /// Text was awaited on the console and did not come in time.
    #[error("no {wanted} on the console within {seconds} s; it ends with:\n{tail}")]
    Timeout {
        /// The texts awaited.
        wanted: String,
        /// Time allowed.
        seconds: u64,
        /// Last lines of the console.
        tail: String,
    },
    /// A text that means the guest is lost came instead of the awaited one.
    #[error(
        "the guest printed `{found}` while {wanted} was awaited; the console ends with:\n{tail}"
    )]
    Fatal {
        /// The text that ends all hope.
        found: String,
        /// The texts awaited.
        wanted: String,
        /// Last lines of the console.
        tail: String,
    },
    /// The guest stopped while text was awaited.
    #[error(
        "the guest stopped while {wanted} was awaited ({reason}); the console ends with:\n{tail}"
    )]
    Stopped {
        /// The texts awaited.
        wanted: String,
        /// How it stopped.
        reason: String,
        /// Last lines of the console.
        tail: String,
    },
    /// The guest refused the login.
    #[error("login as {user} was refused on the console")]
    LoginRefused {
        /// User name.
        user: String,
    },
    /// A command is too long for a terminal line.
    #[error("command line of {len} bytes: a terminal takes {limit} bytes a line")]
    LineTooLong {
        /// Length of the longest line.
        len: usize,
        /// Most that fits.
        limit: usize,
    },
    /// QEMU's monitor did not do what it was asked for.
    #[error(transparent)]
    Qmp(#[from] qmp::Error),
    /// A guest that was started without a monitor was to be asked something.
    #[error("this guest was started without QMP")]
    NoQmp,
    /// QEMU did not end in time.
    #[error("QEMU still runs after {seconds} s; the console ends with:\n{tail}")]
    StillRunning {
        /// Time allowed.
        seconds: u64,
        /// Last lines of the console.
        tail: String,
    },
    /// The medium's content does not fit or its folder cannot be read.
    #[error("cannot make the medium from {}: {detail}", path.display())]
    Medium {
        /// Folder or file in question.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Reading or writing failed.
    #[error("cannot {action}")]
    Io {
        /// What was being done, as a verb phrase.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl VmError {
    /// An I/O error while doing `action`; for `map_err`.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
