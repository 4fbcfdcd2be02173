//! A suite's release file: when it was made.

use base::date::Civil;

use crate::error::Error;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The field `Date` of a release file, signed inline or not, as `2026-11-21T09:15:44Z`.
pub(crate) fn date(text: &str) -> Result<String, Error> {
    let line = text.lines().find_map(|line| line.strip_prefix("Date:"));
    let line = line.ok_or_else(|| Error::Release("no Date".to_owned()))?;
    let civil = rfc_2822(line.trim()).ok_or_else(|| {
        Error::Release(format!(
            "Date `{}`, want one such as `Sat, 21 Nov 2026 09:15:44 UTC`",
            line.trim()
        ))
    })?;
    Ok(format!("{civil}Z"))
}

/// Whether it is the release file of `suite`. apt only warns where an archive gives that of another one, whose signature is as good.
pub(crate) fn is_of(text: &str, suite: &str) -> bool {
    let names = text.lines().filter_map(|line| {
        let name = line.strip_prefix("Suite:");
        name.or_else(|| line.strip_prefix("Codename:"))
    });
    names.map(str::trim).any(|name| name == suite)
}

/// Only in UTC, which is what Debian's archives write.
fn rfc_2822(text: &str) -> Option<Civil> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, day, month, year, time, zone] = words[..] else {
        return None;
    };
    let number = (1_u8..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    let parts: Vec<&str> = time.split(':').collect();
    let [hour, minute, second] = parts[..] else {
        return None;
    };
    let civil = Civil {
        year: year.parse().ok()?,
        month: number,
        day: day.parse().ok()?,
        hour: hour.parse().ok()?,
        minute: minute.parse().ok()?,
        second: second.parse().ok()?,
    };
    civil.seconds()?;
    ["UTC", "GMT", "+0000"].contains(&zone).then_some(civil)
}

/// Whether a text is a time as [`date`] writes it.
pub(crate) fn is_date(text: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit();
    let shape: String = text
        .chars()
        .map(|c| if digits(c) { '0' } else { c })
        .collect();
    shape == "0000-00-00T00:00:00Z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites() {
        let text = "Origin: Debian\nSuite: stable-security\nCodename: trixie-security\nDate: x\n";
        assert!(is_of(text, "trixie-security") && is_of(text, "stable-security"));
        for other in ["trixie", "security", "", "Debian"] {
            assert!(!is_of(text, other), "{other}");
        }
    }

    #[test]
    fn dates() {
        let signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Debian\nDate: Sat, 01 Nov 2026 09:15:04 UTC\n";
        assert_eq!(date(signed).unwrap(), "2026-11-01T09:15:04Z");
        assert!(is_date("2026-11-01T09:15:04Z"));
        for bad in [
            "",
            "2026-11-01",
            "2026-11-01T09:15:04",
            "2026-11-01T09:15:04z",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
        for (bad, want) in [
            ("Origin: Debian\n", "release file: no Date"),
            ("Date: yesterday", "release file: Date `yesterday`, want"),
            (
                "Date: Sat, 31 Feb 2026 09:15:04 UTC",
                "release file: Date `Sat, 31",
            ),
            (
                "Date: Sat, 01 Nov 2026 09:15:04 CET",
                "release file: Date `Sat, 01",
            ),
        ] {
            let error = date(bad).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }
}
