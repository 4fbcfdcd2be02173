//! Versions, and which of two is the newer one.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use base::{text, Sha256Digest};
use serde::{de, Deserialize, Deserializer, Serialize};

/// The longest version, in bytes.
pub const MAX_VERSION: usize = 128;

/// What a version begins with that follows from an image's inputs.
const OF_INPUTS: &str = "0.0.0-inputs.";
/// How many hexadecimal digits of their digest it has.
const DIGITS: usize = 12;

/// A version: a digit, then letters, digits and any of `. - _ +`.
///
/// Two texts may be of one age, so there is no `Ord`: [`Version::age`] compares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version(String);

/// A text that is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("version {got:?}: want a digit, then letters, digits and any of . - _ +, at most {MAX_VERSION} characters in all")]
pub struct NoVersion {
    /// The text, or its ends if it is long.
    pub got: String,
}

impl Version {
    /// The version that nobody gave and that follows from the digest of the list of an image's inputs.
    pub fn of_inputs(list: &Sha256Digest) -> Self {
        let digits: String = list.to_string().chars().take(DIGITS).collect();
        Self(format!("{OF_INPUTS}{digits}"))
    }

    /// Whether this is a version as [`Version::of_inputs`] makes it: it names a build and says nothing of when it was made.
    pub fn is_of_inputs(&self) -> bool {
        self.0.starts_with(OF_INPUTS)
    }

    /// Whether this version is older than `other` (`Less`), newer, or of the same age. `None`: there is no telling, because one of them
    /// follows from an image's inputs and the other is not the very same.
    ///
    /// The rule is that of Semantic Versioning 2.0, section 11, for any number of parts. What follows the first `+` says how it was
    /// built and does not count; what follows the first `-` before it makes a version that comes before the one without. Parts lie
    /// between dots: numbers compare as numbers and come before words, words as their bytes. Parts that a release leaves
    /// out are 0; of two that begin alike before a release, the one with more parts is the newer one.
    pub fn age(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        if self.is_of_inputs() || other.is_of_inputs() {
            return None;
        }
        Some(self.age_of_given(other))
    }

    fn age_of_given(&self, other: &Self) -> Ordering {
        let ((a, a_before), (b, b_before)) = (self.split(), other.split());
        let parts = a.split('.').count().max(b.split('.').count());
        let filled = |text| str::split(text, '.').chain(std::iter::repeat("0"));
        let release = filled(a)
            .zip(filled(b))
            .take(parts)
            .map(|(a, b)| part(a, b))
            .find(|order| order.is_ne());
        release.unwrap_or_else(|| match (a_before, b_before) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => before(a, b),
        })
    }

    /// The version's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The release, and what stands between `-` and `+`.
    fn split(&self) -> (&str, Option<&str>) {
        let text = self.0.split_once('+').map_or(&*self.0, |(text, _)| text);
        text.split_once('-')
            .map_or((text, None), |(release, before)| (release, Some(before)))
    }
}

/// The parts of two texts, one by one.
fn before(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => {
                let order = part(a, b);
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Numbers of any length by what they are worth, before words.
fn part(a: &str, b: &str) -> Ordering {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (number(a), number(b)) {
        (true, true) => {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            (a.len(), a).cmp(&(b.len(), b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, NoVersion> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte);
        let first = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_digit());
        match first && text.len() <= MAX_VERSION && text.bytes().all(good) {
            true => Ok(Self(text.to_owned())),
            false => Err(NoVersion {
                got: text::shorten(text).into_owned(),
            }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_older_than_the_next() {
        let in_order = [
            "0.0.9",
            "0.1.0-1",
            "0.1.0-2",
            "0.1.0-10",
            "0.1.0-alpha",
            "0.1.0-alpha.1",
            "0.1.0-alpha.beta",
            "0.1.0-beta.2",
            "0.1.0-beta.11",
            "0.1.0-dev",
            "0.1.0-rc.1",
            "0.1.0",
            "0.1.0.1",
            "0.2.x",
            "1.2.3",
            "1.10.0",
            "2026.11.29",
            "99999999999999999999999999999999999999",
            "100000000000000000000000000000000000000",
        ];
        let versions = in_order.map(|text| text.parse::<Version>().unwrap());
        for (a, first) in versions.iter().enumerate() {
            for (b, second) in versions.iter().enumerate() {
                assert_eq!(first.age(second), Some(a.cmp(&b)), "{first} and {second}");
            }
        }
    }

    #[test]
    fn of_one_age() {
        for (a, b) in [
            ("1", "1.0.0"),
            ("1.0", "1.0.0+build.7"),
            ("01.2", "1.02"),
            ("1.0-rc.01", "1.0.0-rc.1+x-y"),
        ] {
            let (a, b): (Version, Version) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(a.age(&b), Some(Ordering::Equal), "{a} and {b}");
            assert_ne!(a, b);
        }
    }

    #[test]
    fn of_inputs_there_is_no_older_one() {
        let of = |text: &str| Version::of_inputs(&Sha256Digest::of(text));
        // printf abc | sha256sum
        assert_eq!(of("abc").as_str(), "0.0.0-inputs.ba7816bf8f01");
        let read: Version = of("abc").as_str().parse().unwrap();
        assert_eq!(
            (read.is_of_inputs(), read.age(&of("abc"))),
            (true, Some(Ordering::Equal))
        );
        for other in [
            "0.0.0",
            "0.0.0-a",
            "0.0.0-inputs",
            "1.0",
            "0.0.0-inputs.ba7816bf8f01+x",
        ] {
            let other: Version = other.parse().unwrap();
            assert_eq!(
                (read.age(&other), other.age(&read)),
                (None, None),
                "{other}"
            );
        }
        assert_eq!(of("abc").age(&of("abd")), None);
        assert!(!"0.0.0-a".parse::<Version>().unwrap().is_of_inputs());
    }

    #[test]
    fn what_is_no_version() {
        let long = "1".repeat(MAX_VERSION);
        assert_eq!(long.parse::<Version>().unwrap().as_str(), long);
        for bad in ["", "v1", "1 2", "1\n", "-1", "1/2", "ä", &(long + "1")] {
            let error = bad.parse::<Version>().unwrap_err();
            assert_eq!(error.got, bad);
        }
    }
}
