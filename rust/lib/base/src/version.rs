//! Version files: of a build, and of an image, which says it in `/opt/ic/share/version.txt`.
//!
//! Builders and running systems read them by the same rule, so that no file is one version here and another one there.

use std::io::{self, Read};
use std::path::Path;

use crate::text::shorten;

/// The longest version, in bytes.
pub const MAX_LEN: usize = 128;
/// What is read of a file: nothing behind it can belong to the first line of one that is right.
const MAX_FILE: u64 = 4096;

/// The version in the file at `path`: its first line, blanks around it left out. It has 1 to [`MAX_LEN`] printable ASCII characters and no
/// blank among them; anything else is an error of kind `InvalidData`.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE).read_to_string(&mut text)?;
    let line = text.lines().next().map_or("", str::trim);
    let good = (1..=MAX_LEN).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_graphic());
    if good {
        return Ok(line.to_owned());
    }
    let got = shorten(line);
    let reason = format!(
        "the first line is {got:?}, want a version: 1 to {MAX_LEN} printable characters without blanks"
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        let long = "1".repeat(MAX_LEN);
        for (text, want) in [
            ("1.2.3-rc1\nmore\n", "1.2.3-rc1"),
            ("1.2", "1.2"),
            (" 1.2\t\r\n", "1.2"),
            (&long, &long),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), want, "{text:?}");
        }
        for bad in ["", "\n1\n", "a b\n", "\"\u{1b}\n", "\u{e4}", &(long + "1")] {
            std::fs::write(&path, bad).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bad:?}");
            let line = bad.lines().next().unwrap_or("");
            let said = format!("the first line is {line:?}, want a version: ");
            assert!(error.to_string().starts_with(&said), "{error}");
        }
        let error = read(&dir.path().join("absent")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
