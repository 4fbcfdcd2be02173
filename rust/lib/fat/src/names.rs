//! Which trees FAT can hold: the names and kinds of their entries.

use std::collections::BTreeMap;

use tree::{Kind, Tree};

use crate::error::Error;

/// Longest file: its length field has 32 bits.
const MAX_LEN: u64 = 0xffff_ffff;

/// Refuses the first entry in byte order that FAT cannot hold.
pub(crate) fn check(tree: &Tree) -> Result<(), Error> {
    let mut folded: BTreeMap<String, &[u8]> = BTreeMap::new();
    for (path, _) in tree.entries().iter().filter(|(path, _)| !path.is_empty()) {
        let refuse = |reason: &str| Error::Unrepresentable {
            path: tree::display(path),
            reason: reason.to_owned(),
        };
        match tree.inode(path).map(|entry| &entry.kind) {
            Some(Kind::Dir) => {}
            Some(kind) if kind.file_len().is_some_and(|len| len > MAX_LEN) => {
                return Err(refuse("a file of 4 GiB or more"))
            }
            Some(Kind::File(_) | Kind::Sparse(_)) => {}
            Some(kind) => return Err(refuse(&format!("a {}", kind.word()))),
            None => return Err(refuse("a hard link to nothing")),
        }
        let text = std::str::from_utf8(path).map_err(|_| refuse("its name is not UTF-8"))?;
        let name = text.rsplit('/').next().unwrap_or(text);
        if let Some(reason) = fault(name) {
            return Err(refuse(reason));
        }
        // Readers compare by capital letters, as the specification does.
        let key: String = text.chars().flat_map(char::to_uppercase).collect();
        if let Some(first) = folded.insert(key, path) {
            return Err(Error::CaseClash {
                first: tree::display(first),
                second: tree::display(path),
            });
        }
    }
    Ok(())
}

/// What is wrong with a long name (section 7 of the specification).
fn fault(name: &str) -> Option<&'static str> {
    if name
        .chars()
        .any(|c| c.is_control() || "\\:*?\"<>|".contains(c))
    {
        return Some("its name has a control character or one of \\ : * ? \" < > |");
    }
    if name.encode_utf16().count() > 255 {
        return Some("its name has more than 255 UTF-16 units");
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Some("its name begins with a space, or ends in a dot or space");
    }
    None
}
