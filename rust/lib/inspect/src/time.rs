//! Times as text, ISO 8601.

use std::fmt;

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

    /// Days since 1970 of a date of the Gregorian calendar.
    pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
        // Howard Hinnant's days_from_civil: years begin in March, 400 of them have 146097 days.
        let year = year.saturating_sub(i64::from(month <= 2));
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let month = month.saturating_add(9) % 12;
        let of_year = month
            .saturating_mul(153)
            .saturating_add(2)
            .div_euclid(5)
            .saturating_add(day)
            .saturating_sub(1);
        let day = of_era
            .saturating_mul(365)
            .saturating_add(of_era / 4)
            .saturating_sub(of_era / 100)
            .saturating_add(of_year);
        era.saturating_mul(146_097)
            .saturating_add(day)
            .saturating_sub(719_468)
    }

    /// Year, month and day: [`Time::days`] the other way round.
    fn date(days: i64) -> (i64, i64, i64) {
        let days = days.saturating_add(719_468);
        let era = days.div_euclid(146_097);
        let day = days.rem_euclid(146_097);
        let year = day
            .saturating_sub(day / 1460)
            .saturating_add(day / 36_524)
            .saturating_sub(day / 146_096)
            .div_euclid(365);
        let before = year
            .saturating_mul(365)
            .saturating_add(year / 4)
            .saturating_sub(year / 100);
        let of_year = day.saturating_sub(before);
        let from_march = of_year.saturating_mul(5).saturating_add(2).div_euclid(153);
        let gone = from_march
            .saturating_mul(153)
            .saturating_add(2)
            .div_euclid(5);
        let day = of_year.saturating_sub(gone).saturating_add(1);
        let month = if from_march < 10 {
            from_march.saturating_add(3)
        } else {
            from_march.saturating_sub(9)
        };
        let year = era.saturating_mul(400).saturating_add(year);
        (year.saturating_add(i64::from(month <= 2)), month, day)
    }
}

impl fmt::Display for Time {
    /// `2024-02-29T23:59:59Z`, with nine digits of a second if it is not whole, without `Z` if the zone is not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = Self::date(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
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
        for days in -200_000..200_000 {
            let (year, month, day) = Time::date(days);
            assert_eq!(Time::days(year, month, day), days);
        }
    }
}
