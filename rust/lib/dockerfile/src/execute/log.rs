//! What a build shows: its steps, what they print, each line with the step's number.

use std::io::{self, Write};

use base::lines::Lines;

/// Longest step line shown.
const MAX_SHOWN: usize = 100;
/// Longest line of output shown in one piece.
const LONGEST_LINE: usize = 64 << 10;
/// What a step prints beyond this is not shown: a step in a loop must not fill the log. As much as BuildKit shows.
pub(crate) const MOST_SHOWN: usize = 2 << 20;

/// Numbers steps and shows them.
pub(crate) struct Log<'a> {
    to: &'a mut dyn Write,
    step: u64,
    lines: Lines,
    /// How much of this step's output may still be shown; nothing when there was too much.
    left: Option<usize>,
    /// Lines that are written together: a write for each is most of the work of a step that prints many.
    buffer: Vec<u8>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Self {
            to,
            step: 0,
            lines: Lines::new(LONGEST_LINE),
            left: Some(MOST_SHOWN),
            buffer: Vec::new(),
        }
    }

    /// Shows the beginning of the next step.
    pub(crate) fn begin(&mut self, text: &str) {
        self.step = self.step.wrapping_add(1); // nobody writes 2^64 steps
        self.left = Some(MOST_SHOWN);
        let mut shown: String = text.chars().take(MAX_SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        self.line(&shown.replace('\n', " "));
    }

    /// Shows one line of our own.
    pub(crate) fn line(&mut self, line: &str) {
        append(&mut self.buffer, self.step, "", line);
        self.flush();
    }

    /// Shows what the step printed.
    pub(crate) fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self {
            step,
            lines,
            left,
            buffer,
            ..
        } = self;
        lines.push(bytes, |line| add(buffer, *step, left, line));
        self.flush();
        Ok(())
    }

    /// Nothing more comes of the step's command.
    pub(crate) fn end_output(&mut self) {
        let Self {
            step,
            lines,
            left,
            buffer,
            ..
        } = self;
        lines.end(|line| add(buffer, *step, left, line));
        self.flush();
    }

    /// A reader that is gone stops nothing.
    fn flush(&mut self) {
        let _ = self.to.write_all(&self.buffer);
        self.buffer.clear();
    }
}

/// Adds a line of output, unless there were too many.
fn add(buffer: &mut Vec<u8>, step: u64, left: &mut Option<usize>, line: &[u8]) {
    let Some(before) = *left else { return };
    // It is shown with a newline.
    let after = before.checked_sub(line.len());
    *left = after.and_then(|after| after.checked_sub(1));
    if left.is_none() {
        let text = format!("(what it prints beyond {MOST_SHOWN} bytes is not shown)");
        append(buffer, step, "| ", &text);
        return;
    }
    let text = String::from_utf8_lossy(line);
    append(buffer, step, "| ", text.trim_end_matches('\r'));
}

fn append(buffer: &mut Vec<u8>, step: u64, mark: &str, line: &str) {
    buffer.extend_from_slice(format!("#{step} {mark}{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts writes.
    #[derive(Default)]
    struct Writes {
        count: usize,
        text: Vec<u8>,
    }

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.count = self.count.checked_add(1).unwrap();
            self.text.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(pieces: &[&[u8]]) -> (usize, String) {
        let mut to = Writes::default();
        let mut log = Log::new(&mut to);
        log.begin("RUN a\nb");
        for piece in pieces {
            log.output(piece).unwrap();
        }
        log.end_output();
        (to.count, String::from_utf8(to.text).unwrap())
    }

    #[test]
    fn lines_have_the_number_of_the_step() {
        let (_, text) = shown(&[b"one\r\ntw", b"o\n\xff", b"\n\nend"]);
        assert_eq!(
            text,
            "#1 RUN a b\n#1 | one\n#1 | two\n#1 | \u{fffd}\n#1 | \n#1 | end\n"
        );
    }

    #[test]
    fn a_piece_is_one_write_however_many_lines_it_has() {
        let piece = b"y\n".repeat(32 << 10);
        let (writes, text) = shown(&[&piece, &piece]);
        assert_eq!(text.lines().count(), 1 + (64 << 10));
        // The step's line, the two pieces, and the end.
        assert!(writes <= 4, "{writes}");
    }

    #[test]
    fn a_step_in_a_loop_does_not_fill_the_log() {
        let piece = b"line\n".repeat(10_000);
        let (_, text) = shown(&vec![&piece[..]; 100]);
        assert!(text.len() < 3 * MOST_SHOWN, "{}", text.len());
        assert!(text.ends_with("#1 | (what it prints beyond 2097152 bytes is not shown)\n"));
        assert_eq!(text.matches("not shown").count(), 1);
        let endless = vec![b'x'; 1 << 20];
        let (_, text) = shown(&[&endless[..]; 5]);
        assert!(text.len() < 2 * MOST_SHOWN);
    }
}
