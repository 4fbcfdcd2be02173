//! Wrapping, shortening, and text that is not to be trusted.

use super::*;

fn screen(lines: &[(&'static str, &str)]) -> Screen {
    let mut screen = Screen::default();
    for (section, text) in lines {
        screen.add(section, Style::Plain, text);
    }
    screen
}

fn texts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.text.as_str()).collect()
}

#[test]
fn words_are_kept_whole_where_they_fit() {
    assert_eq!(wrap("", 10), [""]);
    assert_eq!(wrap("one two three", 9), ["one two", "  three"]);
    assert_eq!(wrap("a  b", 9), ["a  b"]);
    assert_eq!(
        wrap("x abcdefghijklmnop y", 6),
        ["x", "  abcd", "  efgh", "  ijkl", "  mnop", "  y"]
    );
    // Groups stay together where a row has room for them.
    assert_eq!(wrap("a b  c d  e f", 9), ["a b  c d", "  e f"]);
    assert_eq!(
        wrap("a b  cc dd ee ff  e", 9),
        ["a b  cc", "  dd ee", "  ff  e"]
    );
    for width in 5..80 {
        for row in wrap("! some/very/long/path/without/spaces.ini:12: x  y z", width) {
            assert!(row.len() <= width, "{width}: {row}");
        }
    }
}

#[test]
fn the_longest_sections_give_way() {
    let mut lines = vec![("Config", "one"), ("Config", "two")];
    lines.extend([("Drives", "d"); 30]);
    lines.extend([("Network", "n"); 9]);
    let all = screen(&lines);
    assert_eq!(all.rows(None, WIDTH).len(), 41);
    for most in 8..50 {
        let rows = all.rows(Some(most), WIDTH);
        assert!(rows.len() <= most, "{most}: {}", rows.len());
        let shown = |c: &str| {
            let ends = |text: &&&str| text.ends_with(&format!(" {c}"));
            texts(&rows).iter().filter(ends).count()
        };
        let told = |section: &str, all: usize| {
            let found = texts(&rows);
            let start = found.iter().position(|t| t.starts_with(section)).unwrap();
            let more = found[start..].iter().find(|t| t.contains(" more rows"));
            let number = more.map_or(0, |t| {
                let mut words = t.split_whitespace().skip_while(|w| *w != "...");
                words.nth(1).unwrap().parse().unwrap()
            });
            (number, all)
        };
        if most < 41 {
            let (missing, all) = told("Drives", 30);
            assert_eq!(missing + shown("d"), all, "{most}");
        }
    }
    let rows = all.rows(Some(12), WIDTH);
    assert_eq!(
        texts(&rows)[..3],
        ["Config   one", "         two", "Drives   d"]
    );
}

#[test]
fn nothing_moves_the_cursor() {
    let rows = screen(&[("Config", "a\x1b[2J\nb\u{202e}c")]).rows(None, WIDTH);
    assert_eq!(texts(&rows), ["Config   a?[2J?b?c"]);
}

#[test]
fn sizes() {
    for (bytes, want) in [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1_500_000_000, "1.3 GiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(size(bytes), want);
    }
}
