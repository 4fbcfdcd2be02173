//! How far an installation is, for who looks at a terminal, and for a program that asks for it.

use std::io::{self, IsTerminal as _, Write};

use update::Manifest;

/// Counts bytes that were written and read back, and shows it on a terminal, in one line that is written over, or in lines.
pub(crate) struct Progress {
    total: u64,
    done: u64,
    shown: Option<u64>,
    terminal: bool,
    lines: bool,
}

impl Progress {
    /// Of the installation of both images; with `lines`, each percent is one.
    pub(crate) fn of(manifest: &Manifest, lines: bool) -> Self {
        let images = [update::BOOT, update::ROOT];
        let sizes = images.map(|name| manifest.member(name).map_or(0, |member| member.size));
        Self {
            // Written, then read: for show, and images have at most 2^48 bytes.
            total: sizes
                .into_iter()
                .fold(0, u64::saturating_add)
                .saturating_mul(2),
            done: 0,
            shown: None,
            terminal: io::stderr().is_terminal(),
            lines,
        }
    }

    /// So many more.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes);
        let percent = self.done.saturating_mul(100).checked_div(self.total);
        if percent == self.shown {
            return;
        }
        self.shown = percent;
        let percent = percent.unwrap_or(100);
        if self.lines {
            eprintln!("{percent} %");
        } else if self.terminal {
            eprint!("\r{percent} %");
        }
    }

    /// Ends the line on `terminal`, which is what errors are told on.
    pub(crate) fn end(&self, mut terminal: impl Write) {
        if self.shown.is_some() && self.terminal && !self.lines {
            // As nobody hears of a percent that can't be shown.
            let _ = terminal.write_all(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_begun_is_ended() {
        for (shown, terminal, lines, want) in [
            (Some(7), true, false, &b"\n"[..]),
            (None, true, false, b""),
            (Some(7), false, false, b""),
            (Some(7), true, true, b""),
        ] {
            let progress = Progress {
                total: 1,
                done: 0,
                shown,
                terminal,
                lines,
            };
            let mut out = Vec::new();
            progress.end(&mut out);
            assert_eq!(out, want);
        }
    }
}
