//! Access control lists: the text that archives hold, as the bytes that Linux keeps in an extended attribute.
//!
//! The text is that of `acl_to_text(3)`: entries `TAG:WHO:PERMISSIONS`, parted by commas or line ends; star and bsdtar add
//! `:NUMBER` behind a name. The attribute, as `getxattr` shows it: version 2 (4 bytes), then entries of tag (2),
//! permissions (2) and number (4), little-endian, sorted.

use crate::records::parse_number;

/// Attribute of the list that says who may do what.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";
/// Attribute of the list that new files of a folder get.
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";

const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
/// The number of an entry that is about nobody by name.
const NOBODY: u32 = u32::MAX;

/// A list, never without entries for user, group and other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl {
    /// (tag, number) and permissions, sorted.
    entries: Vec<(u16, u32, u16)>,
    /// The nine bits of the mode of a file that has this list.
    mode: u16,
}

impl Acl {
    /// Reads the text, or says what is wrong with it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut entries = Vec::new();
        for line in text.split(|b| matches!(b, b',' | b'\n')) {
            let line = line.split(|b| *b == b'#').next().unwrap_or(line);
            let line = line.trim_ascii();
            if !line.is_empty() {
                entries.push(entry(line)?);
            }
        }
        entries.sort_unstable();
        let same = |(a, b): (&(u16, u32, u16), &(u16, u32, u16))| (a.0, a.1) == (b.0, b.1);
        if entries.iter().zip(entries.iter().skip(1)).any(same) {
            return Err("has an entry twice");
        }
        let of = |wanted| entries.iter().find(|(tag, ..)| *tag == wanted);
        let (Some((.., user)), Some((.., group)), Some((.., other))) =
            (of(USER_OBJ), of(GROUP_OBJ), of(OTHER))
        else {
            return Err("lacks an entry for user, group or other");
        };
        let mask = of(MASK).map(|(.., mask)| mask);
        if mask.is_none() && (of(USER).is_some() || of(GROUP).is_some()) {
            return Err("has entries for names but no mask");
        }
        let mode = (user << 6) | (mask.unwrap_or(group) << 3) | other;
        Ok(Self { entries, mode })
    }

    /// Whether it says no more than a mode does.
    pub(crate) fn is_mode(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.all(|(tag, ..)| matches!(*tag, USER_OBJ | GROUP_OBJ | OTHER))
    }

    /// The nine bits of the mode of a file that has this list.
    pub(crate) fn mode(&self) -> u32 {
        self.mode.into()
    }

    /// The attribute's value.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = 2_u32.to_le_bytes().to_vec();
        for (tag, number, permissions) in &self.entries {
            out.extend_from_slice(&tag.to_le_bytes());
            out.extend_from_slice(&permissions.to_le_bytes());
            out.extend_from_slice(&number.to_le_bytes());
        }
        out
    }
}

fn entry(line: &[u8]) -> Result<(u16, u32, u16), &'static str> {
    let mut parts = line.split(|b| *b == b':');
    let mut part = || parts.next().map(<[u8]>::trim_ascii);
    let (Some(word), Some(who), Some(permissions)) = (part(), part(), part()) else {
        return Err("has an entry that is not TAG:WHO:PERMISSIONS");
    };
    let number = part();
    let named = !who.is_empty();
    let tag = match (word, named) {
        (b"user" | b"u", false) => USER_OBJ,
        (b"user" | b"u", true) => USER,
        (b"group" | b"g", false) => GROUP_OBJ,
        (b"group" | b"g", true) => GROUP,
        (b"mask" | b"m", false) => MASK,
        (b"other" | b"o", false) => OTHER,
        _ => return Err("has an entry that is not of user, group, mask or other"),
    };
    let number = match (named, number) {
        (false, _) => NOBODY,
        // A name is what the maker's machine calls a number.
        (true, number) => decimal(number.unwrap_or(who))
            .ok_or("names somebody by name: make the archive with numbers (tar --numeric-owner)")?,
    };
    let mut bits = 0;
    for letter in permissions {
        bits |= match letter {
            b'r' => 4,
            b'w' => 2,
            b'x' => 1,
            b'-' => 0,
            _ => return Err("has permissions that are not of r, w, x and -"),
        };
    }
    Ok((tag, number, bits))
}

fn decimal(text: &[u8]) -> Option<u32> {
    let number = u32::try_from(parse_number(text)?).ok()?;
    (number != NOBODY).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let gnu = b"user::rw-\ngroup::r--\nuser:1001:r-x\t#effective:r--\nmask::r--\nother::---\n";
        let star = b"user::rw-,group::r--,user:lisa:r-x:1001,mask::r--,other::---";
        let acl = Acl::parse(gnu).unwrap();
        assert_eq!(Acl::parse(star).unwrap(), acl);
        assert_eq!((acl.mode(), acl.is_mode()), (0o640, false));
        let mut want = vec![2, 0, 0, 0];
        for (tag, bits, number) in [
            (1, 6, None),
            (2, 5, Some(1001_u32)),
            (4, 4, None),
            (16, 4, None),
            (32, 0, None),
        ] {
            want.extend_from_slice(&[tag, 0, bits, 0]);
            want.extend_from_slice(&number.unwrap_or(NOBODY).to_le_bytes());
        }
        assert_eq!(acl.to_bytes(), want);
        assert!(Acl::parse(b"u::rwx,g::r-x,o::r-x").unwrap().is_mode());
    }

    #[test]
    fn bad_texts() {
        for (text, want) in [
            (
                &b"user::rw-,user:lisa:r--,group::r--,mask::r--,other::r--"[..],
                "by name",
            ),
            (b"user::rw-,group::r--", "lacks"),
            (b"user::rw-,user:5:r--,group::r--,other::r--", "no mask"),
            (b"user::rw-,user::rwx,group::r--,other::r--", "twice"),
            (b"user::rw-,group::r--,other::q", "r, w, x"),
            (b"user::rw-,group::r--,other", "TAG:WHO"),
            (b"owner@::rw-", "not of user"),
            (b"user:4294967295:r--", "by name"),
            (b"user:+5:r--", "by name"),
            (b"", "lacks"),
        ] {
            let error = Acl::parse(text).unwrap_err();
            assert!(error.contains(want), "{}: {error}", text.escape_ascii());
        }
    }
}
