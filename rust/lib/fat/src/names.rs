//! Which trees FAT can hold: the names and kinds of their entries.

use std::collections::BTreeMap;

use tree::{Kind, Tree};

use crate::error::Error;

/// An entry of a tree that FAT can hold.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) path: &'a str,
    /// The file; nothing for a directory.
    pub(crate) file: Option<File<'a>>,
}

/// A file whose length fits the 32 bits that a record has for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) len: u32,
}

/// All entries in byte order; refuses the first that FAT cannot hold.
pub(crate) fn check(tree: &Tree) -> Result<Vec<Entry<'_>>, Error> {
    let mut folded: BTreeMap<String, &[u8]> = BTreeMap::new();
    let mut out = Vec::with_capacity(tree.entries().len());
    for path in tree.entries().keys() {
        let refuse = |reason: &str| Error::Unrepresentable {
            path: tree::display(path),
            reason: reason.to_owned(),
        };
        let inode = tree.inode(path);
        let kind = &inode.ok_or_else(|| refuse("a hard link to nothing"))?.kind;
        let file = match kind.file_len() {
            Some(len) => Some(File {
                kind,
                len: u32::try_from(len).map_err(|_| refuse("a file of 4 GiB or more"))?,
            }),
            None if *kind == Kind::Dir => None,
            None => return Err(refuse(&format!("a {}", kind.word()))),
        };
        let text = std::str::from_utf8(path).map_err(|_| refuse("its name is not UTF-8"))?;
        out.push(Entry { path: text, file });
        if let Some(reason) = fault(split(text).1) {
            return Err(refuse(reason));
        }
        let key: String = text.chars().map(capital).collect();
        if let Some(first) = folded.insert(key, path) {
            return Err(Error::CaseClash {
                first: tree::display(first),
                second: tree::display(path),
            });
        }
    }
    Ok(out)
}

/// The directory that a path lies in, and its name there.
pub(crate) fn split(path: &str) -> (&str, &str) {
    // Without a slash it lies in the root, whose path is empty.
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The capital letter of `c` by which readers compare names: one for one, as Windows (with a table of 65536 UTF-16 units) and mtools
/// (with `towupper`) do it, so that `ß` is no `SS`. Linux makes capitals of fewer letters: what differs here differs there.
pub(crate) fn capital(c: char) -> char {
    let mut capitals = c.to_uppercase();
    let pair = |by: u32| u32::from(c).checked_add(by).and_then(char::from_u32);
    match (capitals.next(), capitals.next()) {
        // A letter of two UTF-16 units is compared unit by unit.
        _ if c.len_utf16() > 1 => c,
        (Some(capital), None) => capital,
        // Greek letters with a iota below: two capitals where texts are compared, one in the table of single letters.
        _ => match c {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                pair(8).unwrap_or(c)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => pair(9).unwrap_or(c),
            _ => c,
        },
    }
}

/// What is wrong with a long name (section 7 of the specification).
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    if name.chars().any(|c| c < ' ' || "\\:*?\"<>|".contains(c)) {
        return Some("its name has a control character or one of \\ : * ? \" < > |");
    }
    if name.encode_utf16().count() > 255 {
        return Some("its name has more than 255 UTF-16 units");
    }
    if name.ends_with(['.', ' ']) {
        return Some("its name ends in a dot or space");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_one_capital() {
        for (letters, capitals) in [
            ("stra\u{df}e", "STRA\u{df}E"),
            ("\u{e9}\u{3c9}\u{44f}", "\u{c9}\u{3a9}\u{42f}"),
            // Ligatures, and what has no capital of its own.
            (
                "\u{fb01}\u{149}\u{1f0}\u{390}",
                "\u{fb01}\u{149}\u{1f0}\u{390}",
            ),
            ("\u{1f80}\u{1fa7}\u{1ff3}", "\u{1f88}\u{1faf}\u{1ffc}"),
            // Deseret: beyond the first 65536.
            ("\u{10428}", "\u{10428}"),
        ] {
            let got: String = letters.chars().map(capital).collect();
            assert_eq!(got, capitals);
        }
    }

    /// As the C library has it, by which mtools compares.
    #[test]
    fn capitals_of_the_c_library() {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let letters: Vec<char> = ('\u{80}'..='\u{ffff}')
            .filter(|c| !c.is_control())
            .collect();
        let mut sed = Command::new("sed")
            .arg("s/.*/\\U&/")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let text: String = letters.iter().map(|c| format!("{c}\n")).collect();
        let mut stdin = sed.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
        let output = sed.wait_with_output().unwrap();
        writer.join().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut changed = 0;
        for (c, theirs) in letters.iter().zip(lines.lines()) {
            // It may know fewer letters than we do, but none otherwise.
            if theirs != c.to_string() {
                assert_eq!(capital(*c).to_string(), theirs, "{c:?}");
                changed += 1;
            }
        }
        assert!(changed > 1000, "{changed}");
    }
}
