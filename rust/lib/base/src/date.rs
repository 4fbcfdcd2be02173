//! Dates of the Gregorian calendar and the time of a day, without zones and leap seconds, to and from seconds since 1970.
//!
//! The method is Howard Hinnant's (`days_from_civil` and `civil_from_days`): years begin in March, so that a leap day is a year's
//! last, and 400 years have 146097 days.

use std::fmt;

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// Days of 400 years.
const ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// A year further away than that of any number of seconds in an `i64`.
const LAST_YEAR: i64 = 300_000_000_000;

/// A second, in the way people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// The year; 0 is the one before 1.
    pub year: i64,
    /// 1 is January.
    pub month: u8,
    /// The first is 1.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Civil {
    /// `seconds` after the beginning of 1970.
    pub fn of(seconds: i64) -> Self {
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let of_day = seconds.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: small(of_day / 3600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
        }
    }

    /// Seconds since the beginning of 1970: [`Civil::of`] the other way round. Nothing for what is no date or no time of a day (13th
    /// month, 30 February, 24:00), or does not fit.
    pub fn seconds(&self) -> Option<i64> {
        let (hour, minute, second) = (self.hour, self.minute, self.second);
        if !self.is_date() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let minutes = i64::from(hour)
            .checked_mul(60)?
            .checked_add(minute.into())?;
        let of_day = minutes.checked_mul(60)?.checked_add(second.into())?;
        let days = days(self.year, self.month, self.day);
        // Before 1970 the beginning of the day may not fit where the second does.
        let all = i128::from(days).checked_mul(DAY.into())?;
        i64::try_from(all.checked_add(of_day.into())?).ok()
    }

    fn is_date(&self) -> bool {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&self.day) && (-LAST_YEAR..=LAST_YEAR).contains(&self.year)
    }
}

impl fmt::Display for Civil {
    /// `2024-02-29T23:59:59`, as ISO 8601 and RFC 3339 have it; who knows the zone adds it (`Z`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year, month, day, ..
        } = self;
        let Self {
            hour,
            minute,
            second,
            ..
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

/// Year, month and day of a day counted from 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "days of seconds in an i64 are within 2^47, so no term here reaches 2^57"
)]
fn date(days: i64) -> (i64, u8, u8) {
    let days = days + EPOCH;
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    // Leap days so far: one each 4 years, but not each 100, but each 400.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    // Months from March on come in fives of 153 days.
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + later, small(month), small(day))
}

/// The day of a date, counted from 1970-01-01.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "year is within LAST_YEAR: days are within 2^47"
)]
fn days(year: i64, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA + 365 * of_era + of_era / 4 - of_era / 100 + of_year - EPOCH
}

#[expect(
    clippy::expect_used,
    reason = "months, days, hours, minutes and seconds are below 60"
)]
fn small(number: i64) -> u8 {
    u8::try_from(number).expect("a part of a date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (-1, "1969-12-31T23:59:59"),
            (951_827_696, "2000-02-29T12:34:56"),
            (1_709_251_199, "2024-02-29T23:59:59"),
            (4_102_444_800, "2100-01-01T00:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (-2_147_483_648, "1901-12-13T20:45:52"),
            (15_032_385_535, "2446-05-10T22:38:55"),
            (-62_167_219_200, "0000-01-01T00:00:00"),
            (i64::MAX, "292277026596-12-04T15:30:07"),
            (i64::MIN, "-292277022657-01-27T08:29:52"),
        ] {
            let civil = Civil::of(seconds);
            assert_eq!(civil.to_string(), text);
            assert_eq!(civil.seconds(), Some(seconds));
        }
    }

    #[test]
    fn every_day_of_a_thousand_years() {
        let mut before = Civil::of(-200_001 * DAY);
        for day in -200_000..200_000 {
            let civil = Civil::of(day * DAY);
            assert_eq!(civil.seconds(), Some(day * DAY));
            assert!(civil > before && civil.is_date());
            before = civil;
        }
    }

    #[test]
    fn what_is_no_date() {
        let good = Civil::of(951_827_696);
        for bad in [
            Civil { month: 0, ..good },
            Civil { month: 13, ..good },
            Civil { day: 0, ..good },
            Civil { day: 30, ..good },
            Civil {
                month: 4,
                day: 31,
                ..good
            },
            Civil { year: 1900, ..good },
            Civil { hour: 24, ..good },
            Civil { minute: 60, ..good },
            Civil { second: 60, ..good },
            Civil {
                year: i64::MIN,
                ..good
            },
            Civil {
                year: LAST_YEAR,
                ..good
            },
        ] {
            assert_eq!(bad.seconds(), None, "{bad}");
        }
    }
}
