//! FAT's dates (section 6.4 of the specification).

use base::date::Civil;

/// A time and a date as a record holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Hour, minute and half seconds in 5, 6 and 5 bits.
    pub(crate) time: u16,
    /// Years after 1980, month and day in 7, 4 and 5 bits.
    pub(crate) date: u16,
}

/// The first moment that FAT can say.
const FIRST: i64 = 315_532_800;

impl Moment {
    /// 1980-01-01 00:00.
    pub(crate) const FIRST: Self = Self { time: 0, date: 33 };

    /// `seconds` since 1970 in UTC; times before 1980 become its first moment, after 2107 there is none.
    pub(crate) fn of(seconds: i64) -> Option<Self> {
        let civil = Civil::of(seconds.max(FIRST));
        let year = u16::try_from(civil.year).ok()?.checked_sub(1980)?;
        let year = Some(year).filter(|year| *year < 128)?;
        let part = u16::from;
        Some(Self {
            time: (part(civil.hour) << 11) | (part(civil.minute) << 5) | part(civil.second / 2),
            date: (year << 9) | (part(civil.month) << 5) | part(civil.day),
        })
    }
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
