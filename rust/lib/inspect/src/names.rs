//! Names and other bytes as text.
//!
//! In JSON they stand as in a tree manifest ([`tree::display`]). A line of text has spaces between its words, so there a space,
//! a control character and everything else that could be mistaken for something is `\xNN` as well.

use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};

/// Bytes that are mostly text: a path, a label, a link's target.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub Vec<u8>);

impl Name {
    /// As one word of a line: UTF-8 without spaces, control characters and backslashes stands as it is, any other byte is
    /// `\xNN`, a backslash `\\`. Nothing is `""`.
    pub fn word(&self) -> String {
        if self.0.is_empty() {
            return "\"\"".to_owned();
        }
        let mut out = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    c if c.is_control() || c.is_whitespace() || is_format(c) => {
                        let mut utf8 = [0; 4];
                        escape(c.encode_utf8(&mut utf8).as_bytes(), &mut out);
                    }
                    c => out.push(c),
                }
            }
            escape(chunk.invalid(), &mut out);
        }
        // So that it is not mistaken for nothing.
        if out == "\"\"" {
            return "\\x22\\x22".to_owned();
        }
        out
    }

    /// The bytes that [`Name::word`] or [`tree::display`] show as `text`; `None` if they never write it.
    pub fn parse(text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((byte, after)) = rest.split_first() {
            rest = match (byte, after) {
                (b'\\', [b'\\', after @ ..]) => {
                    out.push(b'\\');
                    after
                }
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let digits = [*high, *low];
                    let digits = std::str::from_utf8(&digits).ok()?;
                    out.push(u8::from_str_radix(digits, 16).ok()?);
                    after
                }
                (b'\\', _) => return None,
                _ => {
                    out.push(*byte);
                    after
                }
            };
        }
        Some(out)
    }
}

/// Characters that change how others are shown: a terminal or a reviewer must not be fooled by them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn escape(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "\\x{byte:02x}");
    }
}

/// UTF-16 as UTF-8; half a pair becomes the three bytes that it would have, which are no UTF-8.
fn from_utf16(units: impl Iterator<Item = u16>) -> Vec<u8> {
    let mut out = Vec::new();
    for c in char::decode_utf16(units) {
        match c {
            Ok(c) => out.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(half) => {
                let [high, low] = half.unpaired_surrogate().to_be_bytes();
                // 1110xxxx 10xxxxxx 10xxxxxx.
                out.push(0xe0 | (high >> 4));
                out.push(0x80 | ((high & 0x0f) << 2) | (low >> 6));
                out.push(0x80 | (low & 0x3f));
            }
        }
    }
    out
}

/// UTF-16, little-endian, in a field: up to the first zero.
pub(crate) fn from_utf16_field(field: &[u8]) -> Vec<u8> {
    let pairs = field.chunks_exact(2).filter_map(|pair| pair.first_chunk());
    let units = pairs.map(|pair| u16::from_le_bytes(*pair));
    from_utf16(units.take_while(|unit| *unit != 0))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&tree::display(&self.0))
    }
}

/// Bytes that are mostly no text: the value of an extended attribute. A word in a line, base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value(pub Vec<u8>);

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Name(self.0.clone()).word())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base::base64::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (bytes, word) in [
            (&b""[..], "\"\""),
            (b"\"\"", "\\x22\\x22"),
            (b"/a/b", "/a/b"),
            (b"a b\n", "a\\x20b\\x0a"),
            (b"\\x20", "\\\\x20"),
            ("é\u{202e}".as_bytes(), "é\\xe2\\x80\\xae"),
            (b"\xe9", "\\xe9"),
        ] {
            assert_eq!(Name(bytes.to_vec()).word(), word);
            if !bytes.is_empty() {
                assert_eq!(Name::parse(word.as_bytes()).unwrap(), bytes);
            }
        }
        assert_eq!(Name::parse(b"a\\"), None);
        assert_eq!(Name::parse(b"\\xg0"), None);
    }
}
