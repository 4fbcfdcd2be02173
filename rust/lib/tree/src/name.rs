//! Paths of a tree: relative, without `.` and `..`; and their text form, which keeps every byte.

pub use base::path::text as display;

/// [`display`], of a long path both ends: for messages.
pub(crate) fn shown(bytes: &[u8]) -> String {
    base::text::shorten(&display(bytes)).into_owned()
}

/// The bytes that [`display`] would write as `text`; nothing for a text it never writes.
pub(crate) fn parse(text: &str) -> Option<Vec<u8>> {
    if !text.contains('\\') {
        return Some(text.as_bytes().to_vec());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = match (byte, tail) {
            (b'\\', [b'\\', tail @ ..]) => {
                out.push(b'\\');
                tail
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok()?);
                tail
            }
            (b'\\', _) => return None,
            (byte, tail) => {
                out.push(*byte);
                tail
            }
        };
    }
    // One text per name, so that equal manifests are equal bytes.
    (display(&out) == text).then_some(out)
}

/// What is wrong with `path` as a path of a tree (the root is the empty path).
pub(crate) fn fault(path: &[u8]) -> Option<&'static str> {
    if path.is_empty() {
        return None;
    }
    if path.contains(&0) {
        return Some("has a NUL byte");
    }
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" => return Some("has an empty component"),
            b"." => return Some("has a '.' component"),
            b".." => return Some("has a '..' component"),
            part if part.len() > 255 => return Some("has a component of more than 255 bytes"),
            _ => {}
        }
    }
    None
}

/// What is wrong with the text of a symbolic link.
pub(crate) fn link_fault(target: &[u8]) -> Option<&'static str> {
    if target.is_empty() {
        return Some("has an empty target");
    }
    if target.contains(&0) {
        return Some("has a NUL byte in its target");
    }
    // PATH_MAX with its NUL: the longest that a kernel takes.
    (target.len() > 4095).then_some("has a target of more than 4095 bytes")
}

/// A path as people write it (`/etc/x`, `etc/x/`) as a path of a tree; the reason if it cannot be one.
pub fn relative(path: &[u8]) -> Result<Vec<u8>, &'static str> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    match fault(path) {
        Some(reason) => Err(reason),
        None => Ok(path.to_vec()),
    }
}

/// The folder that holds `path`; nothing for the root.
pub(crate) fn parent(path: &[u8]) -> Option<&[u8]> {
    if path.is_empty() {
        return None;
    }
    let mut parts = path.rsplitn(2, |b| *b == b'/').skip(1);
    Some(parts.next().unwrap_or(b""))
}

/// `dir/name`, or `name` in the root.
pub(crate) fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = dir.to_vec();
    if !out.is_empty() {
        out.push(b'/');
    }
    out.extend_from_slice(name);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_every_byte() {
        let cases: [(&[u8], &str); 5] = [
            (b"usr/bin/x", "usr/bin/x"),
            ("caf\u{e9}".as_bytes(), "caf\u{e9}"),
            (b"caf\xe9", "caf\\xe9"),
            (b"a\\x41", "a\\\\x41"),
            (b"new\nline", "new\nline"),
        ];
        for (bytes, text) in cases {
            assert_eq!(display(bytes), text);
            assert_eq!(parse(text).as_deref(), Some(bytes));
        }
        // A name has one text only.
        for text in ["\\x41", "\\xC3", "\\", "\\x4", "\\n", "\\xc3\\xa9", "\\x+f"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn written_paths() {
        assert_eq!(relative(b"/etc/x").unwrap(), b"etc/x");
        assert_eq!(relative(b"etc/x/").unwrap(), b"etc/x");
        assert_eq!(relative(b"/").unwrap(), b"");
        assert_eq!(relative(b"/a/../b"), Err("has a '..' component"));
        assert_eq!(relative(b"//a"), Err("has an empty component"));
        assert_eq!(relative(b"./a"), Err("has a '.' component"));
        assert_eq!(relative(b"a\0"), Err("has a NUL byte"));
        assert!(relative(&[b'x'; 256]).is_err());
    }

    #[test]
    fn family() {
        assert_eq!(parent(b""), None);
        assert_eq!(parent(b"a"), Some(&b""[..]));
        assert_eq!(parent(b"a/b"), Some(&b"a"[..]));
    }
}
