//! SBAT: which component of which generation an image has, so that a generation can be revoked as a whole.
//!
//! Spec: shim's `SBAT.md`: comma-separated lines, of which the first is the table's own; `component,generation,vendor,package,version,url`.

use crate::error::Error;

/// The table's own line.
const OWN: &str = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";
/// Fields of every line.
const FIELDS: usize = 6;

/// The lines of one or more tables, the first line of each left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sbat {
    lines: Vec<String>,
}

impl Sbat {
    /// Adds the lines of a table of an image: its section's content.
    pub fn add_section(&mut self, of: &str, bytes: &[u8]) -> Result<(), Error> {
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let Ok(text) = std::str::from_utf8(text) else {
            return Err(bad(of, 1, "it is no text"));
        };
        if !text.starts_with("sbat,") {
            return Err(bad(of, 1, "the first line is not that of `sbat`"));
        }
        for (at, line) in (1..).zip(text.lines()).skip(1) {
            self.add(of, at, line)?;
        }
        Ok(())
    }

    /// Adds lines that somebody wrote: all but empty ones and those that begin with `#`.
    pub fn add_text(&mut self, of: &str, text: &str) -> Result<(), Error> {
        for (at, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                self.add(of, at, line)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, of: &str, at: usize, line: &str) -> Result<(), Error> {
        if let Some(got) = line.chars().find(|c| !c.is_ascii() || c.is_ascii_control()) {
            let reason = format!("{got:?}, want printable ASCII");
            return Err(bad(of, at, reason));
        }
        let fields: Vec<&str> = line.split(',').collect();
        let [component, generation, _, _, _, _] = fields[..] else {
            let reason = format!("{} fields, want {FIELDS}", fields.len());
            return Err(bad(of, at, reason));
        };
        if component.is_empty() || component == "sbat" {
            let reason = format!("component {component:?}, want the name of one");
            return Err(bad(of, at, reason));
        }
        if generation.parse::<u32>().ok().filter(|g| *g > 0).is_none() {
            let reason = format!("generation {generation:?} of {component}, want a number from 1");
            return Err(bad(of, at, reason));
        }
        self.lines.push(line.to_owned());
        Ok(())
    }

    /// Component and generation of each line.
    pub fn generations(&self) -> impl Iterator<Item = (&str, u32)> {
        self.lines.iter().filter_map(|line| {
            let mut fields = line.split(',');
            let component = fields.next()?;
            Some((component, fields.next()?.parse().ok()?))
        })
    }

    /// The content of a section, as `ukify` writes it.
    pub fn section(&self) -> Vec<u8> {
        let mut text = format!("{OWN}\n{}", self.lines.join("\n"));
        text.push_str("\n\0");
        text.into_bytes()
    }
}

fn bad(of: &str, line: usize, reason: impl Into<String>) -> Error {
    Error::Sbat {
        of: of.to_owned(),
        line,
        reason: reason.into(),
    }
}
