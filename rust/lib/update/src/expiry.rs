//! The second from which on a bundle is not installed any more.

use std::fmt;
use std::str::FromStr;

use base::date::Civil;
use base::text;
use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

/// A second in RFC 3339, as `2027-01-31T00:00:00Z`. A date alone, `2027-01-31`, is its first second; what is written is always whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(i64);

/// A text that is no such second.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expiry {got:?}: want a date, as 2027-01-31, or a second, as 2027-01-31T00:00:00Z")]
pub struct NoExpiry {
    /// The text, or its ends if it is long.
    pub got: String,
}

impl Expiry {
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

/// A second as people write it.
pub(crate) fn shown(seconds: i64) -> String {
    format!("{}Z", Civil::of(seconds))
}

/// The number that so many digits make.
fn number<T: FromStr>(text: &str, digits: usize) -> Option<T> {
    let right = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    right.then(|| text.parse().ok())?
}

fn parse(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let (mut date, mut time) = (date.split('-'), time.split(':'));
    let civil = Civil {
        year: number(date.next()?, 4)?,
        month: number(date.next()?, 2)?,
        day: number(date.next()?, 2)?,
        hour: number(time.next()?, 2)?,
        minute: number(time.next()?, 2)?,
        second: number(time.next()?, 2)?,
    };
    let all = date.next().is_none() && time.next().is_none();
    all.then(|| civil.seconds())?
}

impl FromStr for Expiry {
    type Err = NoExpiry;

    fn from_str(text: &str) -> Result<Self, NoExpiry> {
        parse(text).map(Self).ok_or_else(|| NoExpiry {
            got: text::shorten(text).into_owned(),
        })
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0))
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_seconds() {
        for (text, seconds, whole) in [
            ("1970-01-02", 86_400, "1970-01-02T00:00:00Z"),
            (
                "2024-02-29T23:59:59Z",
                1_709_251_199,
                "2024-02-29T23:59:59Z",
            ),
        ] {
            let expiry: Expiry = text.parse().unwrap();
            assert_eq!(expiry.seconds(), seconds);
            assert_eq!(expiry.to_string(), whole);
        }
        for bad in [
            "",
            "2024",
            "2024-02-30",
            "2024-2-01",
            "2024-02-01T00:00:00",
            "2024-02-01T24:00:00Z",
            "2024-02-01T00:00:00Z ",
            "2024-02-01-01",
            "2024-02-01T00:00:00+00:00",
            "+024-02-01",
        ] {
            assert_eq!(bad.parse::<Expiry>().unwrap_err().got, bad);
        }
    }
}
