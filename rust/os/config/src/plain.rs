//! Plain files in places where somebody else may have put something of their name.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// What has the name of a file and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPlain {
    /// A link.
    #[error("a link, want a plain file")]
    Link,
    /// Something else that is no file.
    #[error("a folder or device, want a plain file")]
    Other,
}

impl NotPlain {
    /// The one in an error of [`open`], if that is why.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

/// Opens a plain file for reading. A link in its place is refused, not followed, and a pipe that nobody writes to is refused, not waited for.
///
/// Links among the folders of its path are followed.
pub fn open(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path);
    let file = match opened {
        Err(error) if error.raw_os_error().map(Errno::from_raw) == Some(Errno::ELOOP) => {
            return Err(io::Error::other(NotPlain::Link))
        }
        opened => opened?,
    };
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other(NotPlain::Other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn plain_files_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        let why = |name| {
            let error = open(&path(name)).unwrap_err();
            (NotPlain::of(&error), error.kind())
        };
        assert_eq!(why("file"), (None, io::ErrorKind::NotFound));
        std::fs::write(path("file"), "x").unwrap();
        let mut text = String::new();
        open(&path("file"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "x");
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert_eq!(why("link").0, Some(NotPlain::Link));
        std::fs::create_dir(path("folder")).unwrap();
        assert_eq!(why("folder").0, Some(NotPlain::Other));
        // Nobody writes to it, and nothing waits.
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert_eq!(why("pipe").0, Some(NotPlain::Other));
        let error = open(&path("link")).unwrap_err();
        assert_eq!(error.to_string(), "a link, want a plain file");
    }
}
