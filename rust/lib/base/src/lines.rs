//! What a program prints, as lines, while it comes in pieces of any size.

/// Puts pieces together into lines. Work and memory are bounded whatever comes: each byte is moved once at most, and a line longer
/// than the limit comes in several.
#[derive(Debug)]
pub struct Lines {
    /// The beginning of a line whose end has not come.
    pending: Vec<u8>,
    longest: usize,
}

impl Lines {
    /// None of the lines will be longer than `longest` bytes (at least one).
    pub fn new(longest: usize) -> Self {
        Self {
            pending: Vec::new(),
            longest: longest.max(1),
        }
    }

    /// Takes the next piece; `each` gets every line that ends in it, without its newline.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while !bytes.is_empty() {
            // What is pending is never longer.
            let room = self.longest.abs_diff(self.pending.len());
            match bytes.iter().take(room).position(|byte| *byte == b'\n') {
                Some(end) => {
                    let (line, rest) = bytes.split_at(end);
                    self.emit(line, &mut each);
                    bytes = rest.strip_prefix(b"\n").unwrap_or(rest);
                }
                None => match bytes.split_at_checked(room) {
                    // A newline directly behind the longest line is that line's.
                    Some((line, rest)) if !rest.is_empty() => {
                        self.emit(line, &mut each);
                        bytes = rest.strip_prefix(b"\n").unwrap_or(rest);
                    }
                    _ => {
                        self.pending.extend_from_slice(bytes);
                        return;
                    }
                },
            }
        }
    }

    /// No more comes; `each` gets a last line without a newline, if there is one.
    pub fn end(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.pending.is_empty() {
            self.emit(b"", &mut each);
        }
    }

    fn emit(&mut self, last: &[u8], each: &mut impl FnMut(&[u8])) {
        if self.pending.is_empty() {
            each(last);
        } else {
            self.pending.extend_from_slice(last);
            each(&self.pending);
            self.pending.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(longest: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(longest);
        let mut got = Vec::new();
        let mut each = |line: &[u8]| got.push(String::from_utf8(line.to_vec()).unwrap());
        for piece in pieces {
            lines.push(piece, &mut each);
        }
        lines.end(&mut each);
        got
    }

    #[test]
    fn pieces_become_lines() {
        assert_eq!(
            lines(9, &[b"on", b"e\n\ntwo\nth", b"ree"]),
            ["one", "", "two", "three"]
        );
        assert_eq!(lines(9, &[b"a\n", b""]), ["a"]);
        assert_eq!(lines(9, &[]), [""; 0]);
    }

    #[test]
    fn long_lines_come_in_several() {
        assert_eq!(lines(3, &[b"abc\nabcdefgh\n"]), ["abc", "abc", "def", "gh"]);
        assert_eq!(lines(3, &[b"ab", b"cdefg"]), ["abc", "def", "g"]);
        assert_eq!(lines(0, &[b"ab\n"]), ["a", "b"]);
    }

    proptest! {
        /// How the bytes are cut makes no difference, and none is lost.
        #[test]
        fn cuts_do_not_matter(text in "[a\n]{0,40}", longest in 1_usize..6, cut in 0_usize..40) {
            let bytes = text.as_bytes();
            let (one, two) = bytes.split_at(cut.min(bytes.len()));
            let whole = lines(longest, &[bytes]);
            prop_assert_eq!(&whole, &lines(longest, &[one, two]));
            prop_assert!(whole.iter().all(|line| line.len() <= longest));
            let letters = text.replace('\n', "");
            prop_assert_eq!(whole.concat(), letters);
        }
    }
}
