//! Text that came from anywhere, as a part of a page.

use std::borrow::Cow;

/// `text` as content of an element or as the value of an attribute in quotes. What XML knows no spelling for, and what changes how
/// other characters are shown, becomes U+FFFD.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let plain = |c: char| matches!(spelled(c), Spelled::Itself);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match spelled(c) {
            Spelled::Itself => out.push(c),
            Spelled::As(other) => out.push_str(other),
        }
    }
    Cow::Owned(out)
}

/// How a character stands on a page.
enum Spelled {
    Itself,
    As(&'static str),
}

fn spelled(c: char) -> Spelled {
    match c {
        '&' => Spelled::As("&amp;"),
        '<' => Spelled::As("&lt;"),
        '>' => Spelled::As("&gt;"),
        '"' => Spelled::As("&quot;"),
        '\'' => Spelled::As("&#39;"),
        '\n' | '\t' => Spelled::Itself,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {
            Spelled::As("\u{fffd}")
        }
        c if c.is_control() => Spelled::As("\u{fffd}"),
        _ => Spelled::Itself,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_markup_and_what_hides() {
        for (text, want) in [
            ("", ""),
            ("plain, ünd\tso\n", "plain, ünd\tso\n"),
            ("\"><script>'&", "&quot;&gt;&lt;script&gt;&#39;&amp;"),
            ("&amp;", "&amp;amp;"),
            (
                "a\u{7}\u{202e}b\r\u{2067}\u{ffff}\u{85}",
                "a\u{fffd}\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
            ),
        ] {
            assert_eq!(escaped(text), want, "{text:?}");
        }
    }

    proptest! {
        /// No text adds markup, and text without controls comes back by the five entities.
        #[test]
        fn text_stays_text(text in "\\PC*") {
            let out = escaped(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'']));
            let back = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            if !text.contains(|c: char| ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)) {
                prop_assert_eq!(back, text);
            }
        }
    }
}
