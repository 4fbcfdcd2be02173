//! The image's version, as `/opt/ic/share/version.txt` says it.

use std::path::Path;

pub use base::version::read;

/// What programs say where no version can be known.
pub const UNKNOWN: &str = "unknown";

/// As [`read`]; what went wrong goes to the log, because a program should run without knowing its version.
pub fn read_or_unknown(path: &Path) -> String {
    read(path).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "version file not readable");
        UNKNOWN.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_read_and_one_that_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        std::fs::write(&path, "1.2.3-rc1\nmore\n").unwrap();
        assert_eq!(read_or_unknown(&path), "1.2.3-rc1");
        assert_eq!(read_or_unknown(&dir.path().join("absent")), UNKNOWN);
        std::fs::write(&path, "a b\n").unwrap();
        assert_eq!(read_or_unknown(&path), UNKNOWN);
    }
}
