//! What a program inside an image has to do with whoever started it, and with what it starts itself.
//!
//! | to …                                          | use      |
//! |-----------------------------------------------|----------|
//! | say a line on stdout                          | [`say`]  |
//! | tell how another program ended, and its words | [`said`] |
//! | end a program that takes too long             | [`end`]  |

mod child;

use std::io::Write;

use anyhow::Context;

pub use child::{end, said};

/// Says a line on stdout. What can't be said is an error: somebody waits for it.
pub fn say(line: &str) -> anyhow::Result<()> {
    to(&mut std::io::stdout().lock(), line)
}

fn to(out: &mut impl Write, line: &str) -> anyhow::Result<()> {
    writeln!(out, "{line}").context("cannot write to stdout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_and_one_that_is_lost_is_an_error() {
        let mut out = Vec::new();
        to(&mut out, "a").unwrap();
        to(&mut out, "").unwrap();
        assert_eq!(out, b"a\n\n");
        let mut full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let error = to(&mut full, "a").unwrap_err();
        // By which `cli::run` knows the exit status.
        assert!(error.chain().any(|cause| cause.is::<std::io::Error>()));
        assert!(
            format!("{error:#}").starts_with("cannot write to stdout: No space left"),
            "{error:#}"
        );
    }
}
