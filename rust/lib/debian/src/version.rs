//! The order of Debian's versions: `[epoch:]upstream[-revision]` (Debian Policy 5.6.12).

use std::cmp::Ordering;

/// Which of two versions is newer, as `dpkg --compare-versions` says.
///
/// What is no version is ordered as well, by the same rules: no two texts make this fail.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    digits(a.epoch, b.epoch)
        .then_with(|| order(a.upstream, b.upstream))
        .then_with(|| order(a.revision, b.revision))
}

/// A version's three parts; one that is absent counts as `0`.
struct Parts<'a> {
    epoch: &'a str,
    upstream: &'a str,
    revision: &'a str,
}

impl<'a> Parts<'a> {
    fn of(version: &'a str) -> Self {
        let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        Self {
            epoch,
            upstream,
            revision,
        }
    }
}

/// Texts without digits and numbers in turn, from the left; the first pair that differs decides.
fn order(mut a: &str, mut b: &str) -> Ordering {
    while !(a.is_empty() && b.is_empty()) {
        let (text_a, rest_a) = split(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = split(b, |c| !c.is_ascii_digit());
        let (number_a, rest_a) = split(rest_a, |c| c.is_ascii_digit());
        let (number_b, rest_b) = split(rest_b, |c| c.is_ascii_digit());
        let found = texts(text_a, text_b).then_with(|| digits(number_a, number_b));
        if found != Ordering::Equal {
            return found;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

/// The longest beginning of such characters, and the rest.
fn split(text: &str, of: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !of(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Character by character: `~` before the end, the end before letters, letters before all others.
fn texts(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => (0, '\0'),
        None => (1, '\0'),
        Some(c) if c.is_ascii_alphabetic() => (2, c),
        Some(c) => (3, c),
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (x, y) = (a.next(), b.next());
        let found = weight(x).cmp(&weight(y));
        if found != Ordering::Equal || x.is_none() {
            return found;
        }
    }
}

/// As numbers of any length; none is 0.
fn digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const VERSIONS: [&str; 34] = [
        "0",
        "1",
        "1.0",
        "1.0-0",
        "1.0-1",
        "1.0-1~",
        "1.0-1~bpo1",
        "1.0-1+b1",
        "1.0-1+deb13u1",
        "1.0-1+deb13u10",
        "1.0-1+deb13u2",
        "1.0~rc1-1",
        "1.0~~",
        "1.0a",
        "1.0+git",
        "1.0.1",
        "1.00",
        "1.9",
        "1.10",
        "1:0.1",
        "2:0",
        "0:1.0",
        "10",
        "2.41-12+deb13u5",
        "2.41-12+deb13u4",
        "6.12.117-1",
        "6.12.99-1",
        "4.16.0-2+really2.41.5-0+deb13u1",
        "1.2-3-4",
        "1.2-3",
        "3.20260925.1~deb13u1",
        "3.20260925.1",
        "99999999999999999999999999-1",
        "99999999999999999999999998-1",
    ];

    /// The oracle is dpkg itself.
    #[test]
    fn as_dpkg_says() {
        let says = |a: &str, relation: &str, b: &str| {
            let status = Command::new("dpkg")
                .args(["--compare-versions", a, relation, b])
                .status();
            status.expect("dpkg starts").success()
        };
        let mut sorted = VERSIONS;
        sorted.sort_by(|a, b| compare_versions(a, b));
        // An order is right if each is right beside the next.
        for pair in sorted.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let relation = match compare_versions(a, b) {
                Ordering::Less => "lt",
                Ordering::Equal => "eq",
                Ordering::Greater => "gt",
            };
            assert!(says(a, relation, b), "{a} is not {relation} {b}");
            assert_eq!(compare_versions(b, a), compare_versions(a, b).reverse());
        }
    }

    #[test]
    fn any_text_has_an_order() {
        for (a, b) in [
            ("", "0"),
            ("é", "é"),
            ("-", "-"),
            (":", ":"),
            ("a:1", "a:1"),
        ] {
            assert_eq!(compare_versions(a, b), Ordering::Equal, "{a} {b}");
        }
    }
}
