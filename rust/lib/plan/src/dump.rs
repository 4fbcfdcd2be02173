//! A plan as text: different plans, different text.

use std::io::{self, Write};

use base::hex::encode as hex;
use sha2::{Digest, Sha256};

use crate::plan::{Kind, Plan, PERIOD_LEN};

/// Inline bytes up to this number are shown, more are named by their digest.
const SHOWN: usize = 64;

impl Plan {
    /// Writes the plan as text, one thing a line.
    ///
    /// ```text
    /// plan 3
    /// length 1052672
    /// input 0 1734
    /// input 1 512
    /// 0 512 inline hex:eb58…
    /// 512 3584 zero
    /// 4096 1734 source 0 0
    /// 5830 262144 repeat hex:35a1…
    /// ```
    ///
    /// Inline bytes beyond 64 stand there as `sha256:…`, so text is as different as plans are, but for collisions of SHA-256.
    pub fn dump(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "plan {}", crate::VERSION)?;
        writeln!(out, "length {}", self.len())?;
        for (position, input) in self.inputs().iter().enumerate() {
            writeln!(out, "input {position} {}", input.len)?;
        }
        for stored in &self.extents {
            write!(out, "{} {} ", stored.start, stored.len())?;
            match stored.kind {
                Kind::Zero => writeln!(out, "zero")?,
                Kind::Source { input, offset } => writeln!(out, "source {input} {offset}")?,
                Kind::Repeat { at } => {
                    writeln!(out, "repeat hex:{}", hex(self.held(at, 0, PERIOD_LEN)))?;
                }
                Kind::Inline { at } => match self.held(at, 0, stored.len()) {
                    short if short.len() <= SHOWN => writeln!(out, "inline hex:{}", hex(short))?,
                    long => writeln!(out, "inline sha256:{}", hex(&Sha256::digest(long)))?,
                },
            }
        }
        Ok(())
    }
}
