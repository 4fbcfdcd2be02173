//! FAT's dates (section 6.4 of the specification).

/// A time and a date as a record holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Hour, minute and half seconds in 5, 6 and 5 bits.
    pub(crate) time: u16,
    /// Years after 1980, month and day in 7, 4 and 5 bits.
    pub(crate) date: u16,
}

const DAY: i64 = 86400;

impl Moment {
    /// `seconds` since 1970 in UTC; times before 1980 become its first moment, after 2107 there is none.
    pub(crate) fn of(seconds: i64) -> Option<Self> {
        // 1980-01-01, counted from 1970: ten years, two of them leap years.
        let seconds = seconds.max(3652i64.checked_mul(DAY)?);
        let second = seconds.rem_euclid(DAY);
        let (year, month, day) = civil(seconds.div_euclid(DAY))?;
        let part = |value: i64| u16::try_from(value).ok();
        let year = part(year)?.checked_sub(1980).filter(|year| *year < 128)?;
        let date = (year << 9) | (part(month)? << 5) | part(day)?;
        let hour = part(second.div_euclid(3600))?;
        let minute = part(second.rem_euclid(3600).div_euclid(60))?;
        let half = part(second.rem_euclid(60).div_euclid(2))?;
        let time = (hour << 11) | (minute << 5) | half;
        Some(Self { time, date })
    }
}

/// Year, month and day of a day after 1970-01-01: whole eras of 400 years, counted from March of year 0.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let days = days.checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    // Leap days of the era so far: one each 4 years, but for centuries.
    let leap = |n: i64| day.div_euclid(n);
    let year = day
        .checked_sub(leap(1460))?
        .checked_add(leap(36_524))?
        .checked_sub(leap(146_096))?
        .div_euclid(365);
    let before = year
        .checked_mul(365)?
        .checked_add(year.div_euclid(4))?
        .checked_sub(year.div_euclid(100))?;
    let day = day.checked_sub(before)?;
    // Months from March in groups of 153 days for five.
    let month = day.checked_mul(5)?.checked_add(2)?.div_euclid(153);
    let start = month.checked_mul(153)?.checked_add(2)?.div_euclid(5);
    let day = day.checked_sub(start)?.checked_add(1)?;
    let (month, later) = match month {
        0..=9 => (month.checked_add(3)?, 0),
        _ => (month.checked_sub(9)?, 1),
    };
    let year = era.checked_mul(400)?.checked_add(year)?;
    Some((year.checked_add(later)?, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::arithmetic_side_effects, reason = "test code")]
    fn dates() {
        let cases = [
            (0, "1980-1-1 0:0:0"),
            (-5, "1980-1-1 0:0:0"),
            (315_532_800, "1980-1-1 0:0:0"),
            (951_782_399, "2000-2-28 23:59:58"),
            (951_782_400, "2000-2-29 0:0:0"),
            (951_868_800, "2000-3-1 0:0:0"),
            (1_767_225_599, "2025-12-31 23:59:58"),
            (4_354_819_198, "2107-12-31 23:59:58"),
        ];
        for (seconds, text) in cases {
            let Moment { time: t, date: d } = Moment::of(seconds).unwrap();
            let day = format!("{}-{}-{}", 1980 + (d >> 9), (d >> 5) & 15, d & 31);
            let got = format!("{day} {}:{}:{}", t >> 11, (t >> 5) & 63, (t & 31) * 2);
            assert_eq!(got, text);
        }
        assert!(Moment::of(4_354_819_200).is_none());
        assert!(Moment::of(i64::MAX).is_none());
    }
}
