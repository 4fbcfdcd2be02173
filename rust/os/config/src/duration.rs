//! Times on command lines: `250ms`, `5s`, `2min`; a bare number is seconds, as in systemd's own files.

use std::time::Duration;

/// Reads a time; the message says what was wanted.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "min" => 60_000,
        _ => return Err(wanted()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(wanted)
}

/// As [`parse`], and more than nothing.
pub fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("want more than 0".to_owned()),
        duration => Ok(duration),
    }
}

fn wanted() -> String {
    "want a time such as 250ms, 5s or 2min".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, ms) in [
            ("250ms", 250),
            ("5s", 5000),
            ("7", 7000),
            ("2min", 120_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in [
            "",
            "s",
            "-1s",
            "1.5s",
            "1h",
            "99999999999999999999s",
            "18446744073709551615min",
        ] {
            assert_eq!(parse(bad), Err(wanted()), "{bad}");
        }
        assert_eq!(parse_positive("0s"), Err("want more than 0".to_owned()));
    }
}
