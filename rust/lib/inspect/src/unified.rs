//! Two texts, line by line: what differs, as `diff -u` shows it.
//!
//! Lines of a dump hardly ever repeat, so lines that both texts have exactly once are what the comparison hangs on ("patience
//! diff"): linear but for a sort, and the result reads well.

use std::collections::BTreeMap;
use std::fmt::Write;

/// A line of the result: of both, of the old or of the new text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line<'a> {
    Both(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// What differs between `old` and `new`, with `context` lines around it. Empty if nothing does.
pub fn unified(names: (&str, &str), old: &str, new: &str, context: usize) -> String {
    let mut lines = Vec::new();
    compare(&lines_of(old), &lines_of(new), &mut lines);
    let changed: Vec<usize> = (0..)
        .zip(&lines)
        .filter(|(_, line)| !matches!(line, Line::Both(_)))
        .map(|(index, _)| index)
        .collect();
    if changed.is_empty() {
        return String::new();
    }
    let mut out = format!("--- {}\n+++ {}\n", names.0, names.1);
    // (lines of the old text, lines of the new text) before each line.
    let mut at = Vec::with_capacity(lines.len());
    let (mut before_old, mut before_new) = (0usize, 0usize);
    for line in &lines {
        at.push((before_old, before_new));
        before_old = before_old.saturating_add(usize::from(!matches!(line, Line::New(_))));
        before_new = before_new.saturating_add(usize::from(!matches!(line, Line::Old(_))));
    }
    for (start, end) in hunks(&changed, lines.len(), context) {
        let hunk = lines.get(start..end).unwrap_or_default();
        let (old_at, new_at) = at.get(start).copied().unwrap_or_default();
        header(hunk, old_at, new_at, &mut out);
        for line in hunk {
            let (sign, text) = match line {
                Line::Both(text) => (' ', text),
                Line::Old(text) => ('-', text),
                Line::New(text) => ('+', text),
            };
            let _ = writeln!(out, "{sign}{text}");
        }
    }
    out
}

/// Lines without their ends; a text whose last line has none is another text.
fn lines_of(text: &str) -> Vec<&str> {
    match text.strip_suffix('\n') {
        Some(text) => text.split('\n').collect(),
        None if text.is_empty() => Vec::new(),
        None => text
            .split('\n')
            .chain(["\\ No newline at end of file"])
            .collect(),
    }
}

fn hunks(changed: &[usize], len: usize, context: usize) -> Vec<(usize, usize)> {
    let mut hunks: Vec<(usize, usize)> = Vec::new();
    for index in changed {
        let start = index.saturating_sub(context);
        let end = index.saturating_add(context).saturating_add(1).min(len);
        match hunks.last_mut() {
            Some((_, last)) if start <= *last => *last = end,
            _ => hunks.push((start, end)),
        }
    }
    hunks
}

fn header(hunk: &[Line<'_>], old_at: usize, new_at: usize, out: &mut String) {
    let old = hunk
        .iter()
        .filter(|line| !matches!(line, Line::New(_)))
        .count();
    let new = hunk
        .iter()
        .filter(|line| !matches!(line, Line::Old(_)))
        .count();
    // An empty range is named by the line before it.
    let first = |at: usize, len: usize| at.saturating_add(usize::from(len > 0));
    let _ = writeln!(
        out,
        "@@ -{},{old} +{},{new} @@",
        first(old_at, old),
        first(new_at, new)
    );
}

fn compare<'a>(old: &[&'a str], new: &[&'a str], out: &mut Vec<Line<'a>>) {
    let mut todo = vec![(old, new)];
    // A stack of what is left, front first; no recursion, however deep it would go.
    while let Some((old, new)) = todo.pop() {
        let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        out.extend(old.iter().take(same).map(|line| Line::Both(line)));
        let (old, new) = (
            old.get(same..).unwrap_or_default(),
            new.get(same..).unwrap_or_default(),
        );
        let anchors = anchors(old, new);
        if anchors.is_empty() {
            out.extend(old.iter().map(|line| Line::Old(line)));
            out.extend(new.iter().map(|line| Line::New(line)));
            continue;
        }
        // Each part ends in front of an anchor, which begins the next one.
        let (mut old_at, mut new_at) = (0, 0);
        let mut parts = Vec::with_capacity(anchors.len());
        for (in_old, in_new) in anchors.into_iter().chain([(old.len(), new.len())]) {
            let part = (old.get(old_at..in_old), new.get(new_at..in_new));
            parts.push((part.0.unwrap_or_default(), part.1.unwrap_or_default()));
            (old_at, new_at) = (in_old, in_new);
        }
        todo.extend(parts.into_iter().rev());
    }
}

/// Lines that both texts have once, in an order that both have: pairs of positions.
fn anchors(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    // How often and where last, in the old and in the new text.
    let mut seen: BTreeMap<&str, (u8, usize, u8, usize)> = BTreeMap::new();
    for (index, line) in old.iter().enumerate() {
        let entry = seen.entry(line).or_default();
        (entry.0, entry.1) = (entry.0.saturating_add(1), index);
    }
    for (index, line) in new.iter().enumerate() {
        let entry = seen.entry(line).or_default();
        (entry.2, entry.3) = (entry.2.saturating_add(1), index);
    }
    let once = seen.into_values().filter(|(a, _, b, _)| (*a, *b) == (1, 1));
    let mut pairs: Vec<(usize, usize)> = once.map(|(_, a, _, b)| (a, b)).collect();
    pairs.sort_unstable();
    increasing(&pairs)
}

/// The longest part of `pairs` in which the second numbers rise, by patience sorting.
fn increasing(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // Indices into `pairs`: the top of each pile, and for each pair the top of the pile before it.
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |index: usize| pairs.get(index).map_or(0, |pair| pair.1);
    for (index, pair) in pairs.iter().enumerate() {
        let pile = tops.partition_point(|top| second(*top) < pair.1);
        before.push(pile.checked_sub(1).and_then(|pile| tops.get(pile)).copied());
        match tops.get_mut(pile) {
            Some(top) => *top = index,
            None => tops.push(index),
        }
    }
    let mut out = Vec::with_capacity(tops.len());
    let mut next = tops.last().copied();
    while let Some(index) = next {
        out.extend(pairs.get(index));
        next = before.get(index).copied().flatten();
    }
    out.reverse();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            "--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a\n"
        );
        assert_ne!(unified(("x", "y"), "a\n", "a", 0), "");
    }

    proptest! {
        #[test]
        fn both_texts_are_in_it(
            old in prop::collection::vec("[a-e]", 0..30), new in prop::collection::vec("[a-e]", 0..30)) {
            let mut lines = Vec::new();
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            let new: Vec<&str> = new.iter().map(String::as_str).collect();
            compare(&old, &new, &mut lines);
            let of = |skip: fn(&Line<'_>) -> bool| -> Vec<&str> {
                lines.iter().filter(|line| !skip(line)).map(|line| match line {
                    Line::Both(text) | Line::Old(text) | Line::New(text) => *text,
                }).collect()
            };
            prop_assert_eq!(of(|line| matches!(line, Line::New(_))), old);
            prop_assert_eq!(of(|line| matches!(line, Line::Old(_))), new);
        }
    }
}
