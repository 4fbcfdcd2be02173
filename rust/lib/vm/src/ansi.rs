//! Terminal output as plain text.
//!
//! Removes escape sequences as ECMA-48 (section 5.4, control sequences; 5.6, control strings) delimits them, without interpreting them:
//!
//! | sequence | form | example |
//! |---|---|---|
//! | CSI | `ESC [`, parameters 0x20–0x3f, final 0x40–0x7e | colours, cursor moves |
//! | OSC, DCS, … | `ESC ]`, `P`, `X`, `^`, `_` up to BEL or `ESC \` | window titles |
//! | two-byte with intermediate | `ESC` 0x20–0x2f … final | character sets |
//! | other | `ESC` and one byte | reset |
//!
//! Carriage returns, NUL, BEL, backspace and delete are dropped, too: what stays is text, tabs and line feeds.

/// Longest control string that is waited for; a longer one is taken for a stray introducer.
const LONGEST_STRING: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Intermediate,
    Csi,
    /// So many bytes of it are waited for.
    String {
        left: usize,
    },
    StringEscape {
        left: usize,
    },
}

/// A filter that keeps its place between chunks.
#[derive(Debug)]
pub struct Stripper {
    state: State,
}

impl Default for Stripper {
    fn default() -> Self {
        Self { state: State::Text }
    }
}

impl Stripper {
    /// Appends the text in `bytes` to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            if let Some(text) = self.step(*byte) {
                out.push(text);
            }
        }
    }

    /// Takes one byte; gives it back when it is text.
    fn step(&mut self, byte: u8) -> Option<u8> {
        self.state = match (self.state, byte) {
            (State::StringEscape { .. }, b'\\') => State::Text,
            (State::StringEscape { left }, _) => State::String { left },
            (State::String { .. }, 0x07) => State::Text,
            (State::String { left }, byte) => match (left.checked_sub(1), byte) {
                (None, _) => State::Text,
                (Some(left), 0x1b) => State::StringEscape { left },
                (Some(left), _) => State::String { left },
            },
            (_, 0x1b) => State::Escape,
            (State::Escape, b'[') => State::Csi,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String {
                left: LONGEST_STRING,
            },
            (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
            (State::Escape | State::Intermediate, _) => State::Text,
            (State::Csi, 0x20..=0x3f) => State::Csi,
            (State::Csi, _) => State::Text,
            (State::Text, 0x00 | 0x07 | 0x08 | b'\r' | 0x7f) => State::Text,
            (State::Text, _) => return Some(byte),
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strip(text: &str) -> String {
        let mut out = Vec::new();
        Stripper::default().push(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_vanish_and_text_stays() {
        for (input, want) in [
            ("plain\r\n", "plain\n"),
            ("[\x1b[0;32m  OK  \x1b[0m] Reached\n", "[  OK  ] Reached\n"),
            ("\x1b[2J\x1b[001;001H\x1b[=3hBdsDxe: x\r\n", "BdsDxe: x\n"),
            ("\x1b]0;root@host: ~\x07# ", "# "),
            ("\x1b]3008;start=1;type=x\x1b\\login: ", "login: "),
            ("\x1b(B\x1b[mname", "name"),
            ("\x1bca\x1b7b", "ab"),
            ("ab\x08 \tc\0", "ab \tc"),
            ("ümlaut ✓", "ümlaut ✓"),
        ] {
            assert_eq!(strip(input), want, "{input:?}");
        }
    }

    #[test]
    fn an_unclosed_string_ends_sometime() {
        let text = format!("\x1b]{}end", "x".repeat(2 * LONGEST_STRING));
        assert!(strip(&text).ends_with("xend"));
        let text = format!("\x1b]{}end", "\x1bx".repeat(2 * LONGEST_STRING));
        assert!(strip(&text).ends_with("end"));
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let (mut whole, mut parts) = (Vec::new(), Vec::new());
            Stripper::default().push(&bytes, &mut whole);
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let mut stripper = Stripper::default();
            stripper.push(head, &mut parts);
            stripper.push(tail, &mut parts);
            prop_assert_eq!(&whole, &parts);
            prop_assert!(!whole.contains(&0x1b));
        }
    }
}
