//! How bad something is: words, and scores of CVSS 3.
//!
//! Specification: CVSS 3.1, sections 7.1 (base metrics) and 7.4 (metric values), appendix A (rounding up).

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How bad a vulnerability is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not worth a fix, as Debian's `unimportant`.
    Negligible,
    /// Below 4 of 10.
    Low,
    /// Below 7.
    Medium,
    /// Below 9.
    High,
    /// From 9 on.
    Critical,
}

/// All with their names.
const NAMES: [(&str, Severity); 5] = [
    ("negligible", Severity::Negligible),
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
    ("critical", Severity::Critical),
];

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, severity)| severity == self);
        f.pad(name.map_or("", |(name, _)| name))
    }
}

/// A text that is no severity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("got {0:?}, want negligible, low, medium, high or critical")]
pub struct NoSeverity(String);

impl FromStr for Severity {
    type Err = NoSeverity;

    fn from_str(text: &str) -> Result<Self, NoSeverity> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        found
            .map(|(_, severity)| *severity)
            .ok_or_else(|| NoSeverity(text.to_owned()))
    }
}

impl Severity {
    /// Of a word that advisories use; nothing if they leave it open.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word.trim_end_matches('*').to_ascii_lowercase().as_str() {
            "unimportant" | "negligible" | "none" => Some(Self::Negligible),
            "low" => Some(Self::Low),
            "medium" | "moderate" => Some(Self::Medium),
            "high" | "important" => Some(Self::High),
            "critical" => Some(Self::Critical),
            _ => None,
        }
    }

    /// Of a vector of CVSS 3, `CVSS:3.1/AV:N/…`; nothing for another version's, or one that lacks a base metric.
    pub(crate) fn of_cvss(vector: &str) -> Option<Self> {
        let score = base_score(vector)?;
        Some(match score {
            _ if score < 0.1 => Self::Negligible,
            _ if score < 4.0 => Self::Low,
            _ if score < 7.0 => Self::Medium,
            _ if score < 9.0 => Self::High,
            _ => Self::Critical,
        })
    }
}

/// The base score.
fn base_score(vector: &str) -> Option<f64> {
    let metrics = vector
        .strip_prefix("CVSS:3.0/")
        .or_else(|| vector.strip_prefix("CVSS:3.1/"))?;
    let value = |name: &str| {
        let mut pairs = metrics.split('/').filter_map(|pair| pair.split_once(':'));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let of = |name: &str, values: &[(&str, f64)]| {
        let got = value(name)?;
        values
            .iter()
            .find(|(word, _)| *word == got)
            .map(|(_, number)| *number)
    };
    let changed = match value("S")? {
        "C" => true,
        "U" => false,
        _ => return None,
    };
    let privileges = match changed {
        true => [("N", 0.85), ("L", 0.68), ("H", 0.5)],
        false => [("N", 0.85), ("L", 0.62), ("H", 0.27)],
    };
    let loss = [("H", 0.56), ("L", 0.22), ("N", 0.0)];
    let whole = 1.0 - (1.0 - of("C", &loss)?) * (1.0 - of("I", &loss)?) * (1.0 - of("A", &loss)?);
    let impact = match changed {
        true => 7.52 * (whole - 0.029) - 3.25 * (whole - 0.02).powi(15),
        false => 6.42 * whole,
    };
    let exploitability = 8.22
        * of("AV", &[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)])?
        * of("AC", &[("L", 0.77), ("H", 0.44)])?
        * of("PR", &privileges)?
        * of("UI", &[("N", 0.85), ("R", 0.62)])?;
    let sum = match (impact <= 0.0, changed) {
        (true, _) => return Some(0.0),
        (false, true) => 1.08 * (impact + exploitability),
        (false, false) => impact + exploitability,
    };
    // Up to a tenth, where what floating point adds in the fifth digit does not count.
    let hundred_thousands = (sum.min(10.0) * 100_000.0).round();
    Some((hundred_thousands / 10_000.0).ceil() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores() {
        // Those of FIRST's calculator and its examples.
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
            ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ] {
            assert_eq!(base_score(vector), Some(score), "{vector}");
        }
        for bad in [
            "",
            "AV:N/AC:L/Au:N/C:P/I:P/A:P",
            "CVSS:3.1/AV:N",
            "CVSS:4.0/AV:N/AC:L",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:X/C:H/I:H/A:H",
        ] {
            assert_eq!(Severity::of_cvss(bad), None, "{bad}");
        }
        assert_eq!(
            Severity::of_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
            Some(Severity::Critical)
        );
    }

    #[test]
    fn words() {
        assert_eq!(Severity::of_word("low**"), Some(Severity::Low));
        assert_eq!(Severity::of_word("MODERATE"), Some(Severity::Medium));
        assert_eq!(Severity::of_word("not yet assigned"), None);
        assert_eq!("high".parse(), Ok(Severity::High));
        assert!("High".parse::<Severity>().is_err());
        assert!(Severity::Negligible < Severity::Critical);
        assert_eq!(format!("{:<6}|", Severity::Low), "low   |");
    }
}
