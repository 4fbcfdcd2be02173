//! Steps as lines of text.

use std::io::Write;

use crate::report::{Record, Status};
use crate::run::Watcher;

/// Writes a line for each step, and one for every tenth part of a long one:
///
/// ```text
/// [1/2] look: read /etc/hosts
/// [2/2] hash: verify a.img
///       hash: 10 %
/// [2/2] hash: failed
/// ```
///
/// Problems are not written: they belong to the end, where nobody overlooks them. A line that can't be written is lost.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    tenth: u64,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, tenth: 0 }
    }
}

impl<W: Write> Watcher for Lines<W> {
    fn begins(&mut self, number: usize, of: usize, name: &'static str, plan: &str) {
        self.tenth = 0;
        let _ = writeln!(self.out, "[{number}/{of}] {name}: {plan}");
    }

    fn progress(&mut self, name: &'static str, done: u64, of: u64) {
        let tenth = crate::parts_done(done, of, 10);
        if tenth > self.tenth && tenth < 10 {
            self.tenth = tenth;
            let _ = writeln!(self.out, "      {name}: {tenth}0 %");
        }
    }

    fn ends(&mut self, number: usize, of: usize, record: &Record) {
        let name = record.name;
        for note in &record.notes {
            let _ = writeln!(self.out, "      {name}: {note}");
        }
        let _ = match record.status {
            Status::Failed => writeln!(self.out, "[{number}/{of}] {name}: failed"),
            Status::NotReached => writeln!(self.out, "[{number}/{of}] {name}: not reached"),
            Status::Done | Status::WouldRun => Ok(()),
        };
    }
}
