//! The order of semantic versions (semver.org 2.0.0, section 11), as crates have them.

use std::cmp::Ordering;

/// Which of two versions is newer. What is no such version is ordered as well: a part that is no number comes after those that are.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let ((core_a, pre_a), (core_b, pre_b)) = (parts(a), parts(b));
    let core = dotted(core_a, core_b, true);
    core.then_with(|| match (pre_a, pre_b) {
        (None, None) => Ordering::Equal,
        // What comes before a release is older than it.
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(a), Some(b)) => dotted(a, b, false),
    })
}

/// The version proper, and what says that it comes before a release; what is behind a plus has no part in the order.
fn parts(version: &str) -> (&str, Option<&str>) {
    let version = version.split('+').next().unwrap_or(version);
    match version.split_once('-') {
        Some((core, pre)) => (core, Some(pre)),
        None => (version, None),
    }
}

/// Identifiers between dots, in turn; `zeros` says whether those that are absent are 0, or come before all.
fn dotted(a: &str, b: &str, zeros: bool) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (one, other) = (a.next(), b.next());
        let found = match (one, other, zeros) {
            (None, None, _) => return Ordering::Equal,
            (_, _, true) => identifier(one.unwrap_or("0"), other.unwrap_or("0")),
            (None, Some(_), false) => Ordering::Less,
            (Some(_), None, false) => Ordering::Greater,
            (Some(one), Some(other), false) => identifier(one, other),
        };
        if found != Ordering::Equal {
            return found;
        }
    }
}

/// Numbers by their value, before text by its bytes.
fn identifier(a: &str, b: &str) -> Ordering {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number(a), is_number(b)) {
        (true, true) => {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_specification_says() {
        let sorted = [
            "0.0.0-0",
            "0.9.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "2.0.0",
            "2.1.0",
            "2.1.1",
            "99999999999999999999999.0.0",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("1.0.0+a", "1.0.0+b"), Ordering::Equal);
        assert_eq!(compare("1", "1.0.0"), Ordering::Equal);
        assert_eq!(compare("", ""), Ordering::Equal);
    }
}
