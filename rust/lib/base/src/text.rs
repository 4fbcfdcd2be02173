//! Text for people: as much of what an input said as a message needs, what somebody probably meant, what differs.

use std::borrow::Cow;

use similar::{Algorithm, ChangeTag, TextDiff};

/// The longest text that [`shorten`] leaves alone, in characters.
const MOST: usize = 200;
/// What is left of each end of a longer one.
const END: usize = 90;

/// `text`, or if it is long its two ends with ` … ` between: for messages about an input, where a path may have 4096 bytes and a line
/// any number.
pub fn shorten(text: &str) -> Cow<'_, str> {
    if text.chars().nth(MOST).is_none() {
        return Cow::Borrowed(text);
    }
    let mut tail: Vec<char> = text.chars().rev().take(END).collect();
    tail.reverse();
    let head = text.chars().take(END);
    Cow::Owned(head.chain(" … ".chars()).chain(tail).collect())
}

/// The last `count` lines of `text`, parted by newlines: of what a program said, usually the reason.
pub fn last_lines(text: &str, count: usize) -> String {
    let mut lines: Vec<&str> = text.lines().rev().take(count).collect();
    lines.reverse();
    lines.join("\n")
}

/// A number of bytes as drives are sold by: `512 B`, `7.8 MB`, `31.9 GB`; cut, not rounded, so that nothing looks larger than it is.
/// What is added up of numbers that an input says is a `u128`, which so many of them as there is memory for don't fill.
pub fn bytes(number: impl Into<u128>) -> String {
    const UNITS: [(&str, u128); 5] = [
        ("EB", 1_000_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    let number: u128 = number.into();
    for (unit, size) in UNITS {
        // Tenths of a unit: the sizes are multiples of ten.
        if let Some(tenths @ 10..) = number.checked_div(size / 10) {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{number} B")
}

/// `text` without line ends and other controls at its ends, and with a space for each inside: what a program said, for a place that
/// takes one line.
pub fn one_line(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_control() || c == ' ');
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    spaced.collect()
}

/// How many slips of the finger lie between two words: a letter more, less or another one, two exchanged.
pub fn slips(a: &str, b: &str) -> usize {
    strsim::osa_distance(a, b)
}

/// The one of `known` that `got` nearly is: another case, `-` or a space for `_`, an extension too many, or a slip of one or two
/// letters.
pub fn nearest<'a>(got: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let whole = plain(got);
    // `admin.pub.txt`, `admin.pub`, `admin`.
    let ends = whole.char_indices().filter(|(_, c)| *c == '.');
    let stems = ends.filter_map(|(at, _)| whole.get(..at));
    let tries: Vec<&str> = stems.chain([whole.as_str()]).collect();
    let slips_to = |name: &str| {
        let name = plain(name);
        tries.iter().map(|text| slips(&name, text)).min()
    };
    known
        .iter()
        .filter_map(|name| Some((slips_to(name)?, *name)))
        // One letter is much of a short name.
        .filter(|(slips, name)| *slips <= if name.len() < 5 { 1 } else { 2 })
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean NAME?`, or nothing.
pub fn hint(got: &str, known: &[&str]) -> String {
    nearest(got, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// What differs between two texts, as `diff -u` shows it, with `context` lines around; empty if nothing does. A line ends at `\n`,
/// there as here: a `\r`, alone or before it, is part of a line like any other character.
///
/// Lines that both texts have exactly once are what the comparison hangs on ("patience diff"): of long texts whose lines hardly
/// repeat, such as dumps of images, the result reads well and takes little time.
pub fn unified(names: (&str, &str), old: &str, new: &str, context: usize) -> String {
    let lines = |text| str::split_inclusive(text, '\n').collect();
    let (old, new): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
    let mut config = TextDiff::configure();
    let diff = config
        .algorithm(Algorithm::Patience)
        .diff_slices(&old, &new);
    let mut out = String::new();
    for hunk in diff.unified_diff().context_radius(context).iter_hunks() {
        if out.is_empty() {
            out = format!("--- {}\n+++ {}\n", names.0, names.1);
        }
        out.push_str(&hunk.header().to_string());
        out.push('\n');
        for change in hunk.iter_changes() {
            out.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            out.push_str(change.value());
            if !change.value().ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (31_914_983_424, "31.9 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(2 * u128::from(u64::MAX)), "36.8 EB");
    }

    #[test]
    fn lines_become_one() {
        for (text, want) in [
            ("a\nb\r\n", "a b"),
            ("\u{1b}[1m x\u{9b}", "[1m x"),
            ("\n \t", ""),
        ] {
            assert_eq!(one_line(text), want);
        }
    }

    #[test]
    fn ends_of_texts() {
        for (count, want) in [
            (0, ""),
            (1, "c"),
            (2, "\nc"),
            (3, "a\n\nc"),
            (usize::MAX, "a\n\nc"),
        ] {
            assert_eq!(last_lines("a\n\nc\n", count), want);
        }
        assert_eq!(last_lines("", 3), "");
    }

    #[test]
    fn near() {
        assert_eq!(slips("systemd", "sytsemd"), 1);
        let users = ["admin", "readonly", "backup"];
        for (got, want) in [
            ("Admin", Some("admin")),
            ("admin.txt", Some("admin")),
            ("ADMIN.PUB.txt", Some("admin")),
            ("admni", Some("admin")),
            ("amdni", Some("admin")),
            ("read-only", Some("readonly")),
            ("backups", Some("backup")),
            ("root", None),
            ("", None),
            (".txt", None),
        ] {
            assert_eq!(nearest(got, &users), want, "{got}");
        }
        assert_eq!(nearest("sgn", &["sign", "x"]), Some("sign"));
        assert_eq!(nearest("sg", &["sign", "x"]), None);
        assert_eq!(hint("Admin", &users), "; did you mean admin?");
        assert_eq!(hint("root", &users), "");
    }

    #[test]
    fn hunks_as_diff_makes_them() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = "a\nB\nc\nd\ne\nf\nh\ni\n";
        assert_eq!(unified(("x", "y"), old, old, 3), "");
        assert_eq!(
            unified(("x", "y"), old, new, 1),
            "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -6,3 +6,3 @@\n f\n-g\n h\n+i\n"
        );
        assert_eq!(
            unified(("x", "y"), "", "a\n", 0),
            "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n"
        );
        assert_eq!(
            unified(("x", "y"), "a\n", "a", 0),
            "--- x\n+++ y\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn carriage_returns_end_no_line() {
        assert_eq!(
            unified(("x", "y"), "a\rb\nc\r\nd\r", "a\rB\nc\nd\r", 3),
            "--- x\n+++ y\n@@ -1,3 +1,3 @@\n-a\rb\n-c\r\n+a\rB\n+c\n d\r\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn both_ends_are_left() {
        for short in ["", "a", &"x".repeat(MOST)] {
            assert_eq!(shorten(short), short);
        }
        let long = format!("/begin/{}/end", "x".repeat(4000));
        let short = shorten(&long);
        assert!(short.starts_with("/begin/xxx") && short.ends_with("xxx/end"));
        assert_eq!(short.chars().count(), 2 * END + 3);
        assert!(short.contains("x … x"));
        let crabs = "\u{1f980}".repeat(MOST);
        assert_eq!(shorten(&crabs), crabs);
        assert!(shorten(&(crabs + "\u{1f980}")).chars().count() < MOST);
    }
}
