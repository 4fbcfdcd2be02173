//! The image's version, as `/opt/ic/share/version.txt` says it.

use std::io::{self, Read};
use std::path::Path;

/// What programs say where no version can be known.
pub const UNKNOWN: &str = "unknown";

/// First line of `path`; an empty or odd line is an error.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(4096)
        .read_to_string(&mut text)?;
    let good =
        |line: &&str| (1..=128).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_graphic());
    let line = text.lines().next().map(str::trim).filter(good);
    line.map(str::to_owned).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the first line is not a version",
        )
    })
}

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
    fn first_line_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        std::fs::write(&path, "1.2.3-rc1\nmore\n").unwrap();
        assert_eq!(read(&path).unwrap(), "1.2.3-rc1");
        for bad in ["", "\n", "a b\n", "\"\u{1b}\n"] {
            std::fs::write(&path, bad).unwrap();
            assert!(read(&path).is_err(), "{bad:?}");
        }
        assert_eq!(read_or_unknown(&dir.path().join("absent")), UNKNOWN);
    }
}
