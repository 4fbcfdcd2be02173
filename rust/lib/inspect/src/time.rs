//! Times as text, ISO 8601.

use std::fmt;

use base::date::Civil;
use serde::{Serialize, Serializer};

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds after that.
    pub nanoseconds: u32,
    /// Whether the seconds are those of an unknown local time, as FAT has them.
    pub local: bool,
}

impl Time {
    /// Whole seconds of UTC.
    pub(crate) fn utc(seconds: i64) -> Self {
        Self {
            seconds,
            ..Self::default()
        }
    }
}

impl fmt::Display for Time {
    /// `2024-02-29T23:59:59Z`, with nine digits of a second if it is not whole, without `Z` if the zone is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Civil::of(self.seconds))?;
        if self.nanoseconds != 0 {
            write!(f, ".{:09}", self.nanoseconds)?;
        }
        f.write_str(if self.local { "" } else { "Z" })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
            (-2_147_483_648, "1901-12-13T20:45:52Z"),
            (15_032_385_535, "2446-05-10T22:38:55Z"),
        ] {
            assert_eq!(Time::utc(seconds).to_string(), text);
        }
        let time = Time {
            seconds: 1,
            nanoseconds: 5,
            local: true,
        };
        assert_eq!(time.to_string(), "1970-01-01T00:00:01.000000005");
    }
}
