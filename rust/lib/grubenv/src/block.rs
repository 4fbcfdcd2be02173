//! The block's bytes.

/// Size of the block that GRUB makes and that its manual names.
pub const SIZE: usize = 1024;
/// First line of every block.
pub const SIGNATURE: &[u8] = b"# GRUB Environment Block\n";

/// Why bytes are no environment block, or a variable does not go into one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Wrong length.
    #[error("environment block of {got} bytes, want {SIZE}")]
    Size {
        /// Length found.
        got: usize,
    },
    /// No signature at the start.
    #[error("environment block does not start with \"# GRUB Environment Block\"")]
    Signature,
    /// A line that is neither a comment nor a variable.
    #[error("no = in the line at byte {offset} of the environment block")]
    NoEquals {
        /// Where the line starts.
        offset: usize,
    },
    /// The last line is cut off, or the padding is not made of `#`.
    #[error("the line at byte {offset} of the environment block does not end")]
    Unterminated {
        /// Where the line starts.
        offset: usize,
    },
    /// A name that GRUB's scripts could not use.
    #[error("{name:?} is no variable name, want letters, digits and _ and no digit first")]
    Name {
        /// The name.
        name: String,
    },
    /// The variables are too long together.
    #[error("the environment block is full: {need} bytes needed, it has {SIZE}")]
    Full {
        /// Length of signature and lines.
        need: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// Without its newline.
    Comment(Vec<u8>),
    /// Unescaped.
    Variable(Vec<u8>, Vec<u8>),
}

/// An environment block, with its comments and the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    lines: Vec<Line>,
}

impl Block {
    /// A block without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a block.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() != SIZE {
            return Err(Error::Size { got: bytes.len() });
        }
        let mut rest = bytes.strip_prefix(SIGNATURE).ok_or(Error::Signature)?;
        let mut lines = Vec::new();
        while !rest.is_empty() {
            // What is left is the end of the block.
            let offset = SIZE.abs_diff(rest.len());
            if rest.iter().all(|b| *b == b'#') {
                break;
            }
            let (line, after) = split_line(rest).ok_or(Error::Unterminated { offset })?;
            rest = after;
            if line.starts_with(b"#") {
                lines.push(Line::Comment(line.to_vec()));
            } else if !line.is_empty() {
                let equals = line.iter().position(|b| *b == b'=');
                let (name, value) = equals
                    .and_then(|at| line.split_at_checked(at))
                    // A newline before the `=` can only be an escaped one: GRUB would take it for part of the name.
                    .filter(|(name, _)| !name.contains(&b'\n'))
                    .ok_or(Error::NoEquals { offset })?;
                let value = value.strip_prefix(b"=").unwrap_or(value);
                lines.push(Line::Variable(name.to_vec(), unescape(value)));
            }
        }
        Ok(Self { lines })
    }

    /// The 1024 bytes; GRUB and [`Block::parse`] read the same variables from them.
    pub fn to_bytes(&self) -> Result<[u8; SIZE], Error> {
        let mut bytes = SIGNATURE.to_vec();
        for line in &self.lines {
            match line {
                Line::Comment(text) => bytes.extend_from_slice(text),
                Line::Variable(name, value) => {
                    bytes.extend_from_slice(name);
                    bytes.push(b'=');
                    escape(value, &mut bytes);
                }
            }
            bytes.push(b'\n');
        }
        let need = bytes.len();
        if need < SIZE {
            bytes.resize(SIZE, b'#');
        }
        bytes.try_into().map_err(|_| Error::Full { need })
    }

    /// The value of `name`; of two, the last, as GRUB has it after `load_env`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.variables()
            .filter(|(known, _)| *known == name.as_bytes())
            .last()
            .map(|(_, value)| value)
    }

    /// Every variable in the order of the block.
    pub fn variables(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().filter_map(|line| match line {
            Line::Variable(name, value) => Some((name.as_slice(), value.as_slice())),
            Line::Comment(_) => None,
        })
    }

    /// Sets `name` in its place, or at the end. Refused, nothing changes.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        check_name(name)?;
        let mut changed = self.clone();
        let new = Line::Variable(name.as_bytes().to_vec(), value.to_vec());
        let is_name = |line: &Line| matches!(line, Line::Variable(n, _) if n == name.as_bytes());
        match changed.lines.iter().position(is_name) {
            None => changed.lines.push(new),
            Some(first) => {
                let mut seen = false;
                changed
                    .lines
                    .retain(|line| !is_name(line) || !std::mem::replace(&mut seen, true));
                if let Some(line) = changed.lines.get_mut(first) {
                    *line = new;
                }
            }
        }
        changed.to_bytes()?;
        *self = changed;
        Ok(())
    }

    /// Removes every value of `name`.
    pub fn unset(&mut self, name: &str) {
        self.lines
            .retain(|line| !matches!(line, Line::Variable(n, _) if n == name.as_bytes()));
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let first = chars.next();
    if first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        Ok(())
    } else {
        Err(Error::Name {
            name: name.to_owned(),
        })
    }
}

/// The bytes before the first newline that no backslash precedes, and those after it. In comments nothing is escaped.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let comment = bytes.starts_with(b"#");
    let mut escaped = false;
    let end = bytes.iter().position(|b| {
        let end = *b == b'\n' && !escaped;
        escaped = *b == b'\\' && !escaped && !comment;
        end
    })?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, rest.strip_prefix(b"\n")?))
}

fn unescape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut escaped = false;
    for byte in value {
        if *byte == b'\\' && !escaped {
            escaped = true;
        } else {
            out.push(*byte);
            escaped = false;
        }
    }
    out
}

fn escape(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        if matches!(byte, b'\\' | b'\n') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(body: &[u8]) -> Vec<u8> {
        let mut bytes = [SIGNATURE, body].concat();
        bytes.resize(SIZE, b'#');
        bytes
    }

    #[test]
    fn what_grub_writes_is_read() {
        let bytes = block(
            b"# WARNING: Do not edit\nboot_alternative=B\n\nx=a\\\\b\\\nc\\d\nempty=\nx=2\na#=#\n",
        );
        let read = Block::parse(&bytes).unwrap();
        assert_eq!(read.get("boot_alternative"), Some(&b"B"[..]));
        assert_eq!(read.get("x"), Some(&b"2"[..]));
        assert_eq!(read.variables().nth(1).unwrap().1, b"a\\b\ncd");
        assert_eq!(read.get("empty"), Some(&b""[..]));
        assert_eq!(read.get("a#"), Some(&b"#"[..]));
        assert_eq!(read.get("none"), None);
    }

    #[test]
    fn set_keeps_place_and_comments() {
        let mut read = Block::parse(&block(b"# note\na=1\nb=2\na=3\n")).unwrap();
        read.set("a", b"new\nline").unwrap();
        read.set("c", b"").unwrap();
        read.unset("b");
        assert_eq!(
            read.to_bytes().unwrap().to_vec(),
            block(b"# note\na=new\\\nline\nc=\n")
        );
    }

    #[test]
    fn damage_is_told() {
        let cases: &[(&[u8], Error)] = &[
            (b"garbage\nfoo=bar\n", Error::NoEquals { offset: 25 }),
            (b"a=1\ngar\\\nbage=bar\n", Error::NoEquals { offset: 29 }),
            (b"a=1\nx=no end", Error::Unterminated { offset: 29 }),
            (b"#####\0##", Error::Unterminated { offset: 25 }),
        ];
        for (body, error) in cases {
            assert_eq!(Block::parse(&block(body)).as_ref(), Err(error));
        }
        assert_eq!(Block::parse(&[0; SIZE]), Err(Error::Signature));
        assert_eq!(Block::parse(&[]), Err(Error::Size { got: 0 }));
        assert_eq!(
            Block::parse(&block(b"")[1..]),
            Err(Error::Size { got: 1023 })
        );
    }

    #[test]
    fn full_block() {
        let mut block = Block::new();
        // 25 of the signature, 2 of `x=`, 1 newline.
        block.set("x", &[b'v'; SIZE - 28]).unwrap();
        assert_eq!(block.to_bytes().unwrap()[SIZE - 1], b'\n');
        assert_eq!(Block::parse(&block.to_bytes().unwrap()), Ok(block.clone()));
        let before = block.clone();
        assert_eq!(
            block.set("x", &[b'v'; SIZE - 27]),
            Err(Error::Full { need: SIZE + 1 })
        );
        assert_eq!(block.set("y", b""), Err(Error::Full { need: SIZE + 3 }));
        assert_eq!(block, before);
        for name in ["", "a=b", "a b", "1a", "a\n", "ä", "#a"] {
            assert!(matches!(block.set(name, b""), Err(Error::Name { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(
            prop_oneof![Just(b'#'), Just(b'\n'), Just(b'='), Just(b'\\'), any::<u8>()], 0..SIZE - 25)) {
            if let Ok(read) = Block::parse(&block(&body)) {
                // Blank lines go, nothing else.
                let again = read.to_bytes().unwrap();
                prop_assert_eq!(Block::parse(&again), Ok(read));
            }
        }

        #[test]
        fn values_come_back(values in prop::collection::btree_map(
            "[a-z_][a-z0-9_]{0,8}", prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut written = Block::new();
            for (name, value) in &values {
                written.set(name, value).unwrap();
            }
            let read = Block::parse(&written.to_bytes().unwrap()).unwrap();
            for (name, value) in &values {
                prop_assert_eq!(read.get(name), Some(value.as_slice()));
            }
        }
    }
}
