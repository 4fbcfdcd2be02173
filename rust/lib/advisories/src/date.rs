//! Days, as lists of what is allowed have them.

use std::fmt;
use std::str::FromStr;

use base::date::Civil;

/// A day of the calendar: `2026-12-31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(Civil);

impl Date {
    /// The day, UTC, that is `seconds` after the beginning of 1970.
    pub fn of(seconds: i64) -> Self {
        Self(Civil {
            hour: 0,
            minute: 0,
            second: 0,
            ..Civil::of(seconds)
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil {
            year, month, day, ..
        } = self.0;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A text that is no day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("got {0:?}, want a day as 2026-12-31")]
pub struct NoDate(String);

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let parse = || {
            let mut parts = text.split('-');
            let mut part = |len: usize| {
                parts
                    .next()
                    .filter(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))
            };
            let civil = Civil {
                year: part(4)?.parse().ok()?,
                month: part(2)?.parse().ok()?,
                day: part(2)?.parse().ok()?,
                hour: 0,
                minute: 0,
                second: 0,
            };
            civil.seconds()?;
            parts.next().is_none().then_some(Self(civil))
        };
        parse().ok_or_else(|| NoDate(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        let date: Date = "2026-12-31".parse().unwrap();
        assert_eq!(date.to_string(), "2026-12-31");
        assert!(date < "2027-01-01".parse().unwrap());
        assert_eq!(Date::of(1_767_225_600 + 5), "2026-01-01".parse().unwrap());
        for bad in [
            "",
            "2026-02-30",
            "2026-13-01",
            "26-01-01",
            "2026-1-01",
            "2026-01-01-01",
            "2026-01-+1",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }
}
