//! Text for people: as much of what an input said as a message needs.

use std::borrow::Cow;

/// The longest text that [`shorten`] leaves alone, in bytes.
const MOST: usize = 200;
/// What is left of each end of a longer one.
const END: usize = 90;

/// `text`, or if it is long its two ends with ` … ` between: for messages about an input, where a path may have 4096 bytes and a line
/// any number.
pub fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST {
        return Cow::Borrowed(text);
    }
    // The whole characters nearest to where the ends are to be; of the text's own ends one always is.
    let cut = |mut places: std::ops::Range<usize>| places.find(|at| text.is_char_boundary(*at));
    let head = cut(END..text.len()).and_then(|at| text.get(..at));
    let tail = cut(text.len().abs_diff(END)..text.len()).and_then(|at| text.get(at..));
    let (head, tail) = (head.unwrap_or_default(), tail.unwrap_or_default());
    Cow::Owned(format!("{head} … {tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_left() {
        for short in ["", "a", &"x".repeat(MOST)] {
            assert_eq!(shorten(short), short);
        }
        let long = format!("/begin/{}/end", "x".repeat(4000));
        let short = shorten(&long);
        assert!(short.starts_with("/begin/xxx") && short.ends_with("xxx/end"));
        assert!(short.len() <= MOST && short.contains("x … x"));
        // Characters stay whole, wherever they lie.
        for before in 0..4 {
            let long = format!("{}{}", "x".repeat(before), "\u{1f980}".repeat(99));
            let short = shorten(&long);
            assert!(short.len() <= MOST && short.ends_with("\u{1f980}"));
        }
    }
}
