//! Shell patterns as fnmatch(3) reads them with `FNM_NOESCAPE`: `*`, `?` and `[...]`.

/// Whether all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    // Where to go on after a mismatch: behind the last star, one byte further in the text.
    let mut back: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (p.split_first(), t.split_first()) {
            (Some((b'*', rest)), _) => {
                back = Some((rest, t));
                p = rest;
                continue;
            }
            (None, None) => return true,
            (Some((b'?', rest)), Some((_, tail))) => Some((rest, tail)),
            (Some((b'[', rest)), Some((byte, tail))) => match class(rest, *byte) {
                Some((true, rest)) => Some((rest, tail)),
                Some((false, _)) => None,
                None => (*byte == b'[').then_some((rest, tail)),
            },
            (Some((wanted, rest)), Some((byte, tail))) => (wanted == byte).then_some((rest, tail)),
            _ => None,
        };
        match (step, back) {
            (Some(next), _) => (p, t) = next,
            (None, Some((rest, from))) => {
                let Some((_, further)) = from.split_first() else {
                    return false;
                };
                back = Some((rest, further));
                (p, t) = (rest, further);
            }
            (None, None) => return false,
        }
    }
}

/// Whether `byte` is in the class that begins behind `[`, and what follows `]`; nothing if the class has no end.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut rest) = match pattern.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, pattern),
    };
    let mut found = false;
    let mut first = true;
    loop {
        rest = match rest {
            [b']', after @ ..] if !first => return Some((found != negated, after)),
            [b'[', b':', after @ ..] => {
                let end = after.windows(2).position(|pair| pair == b":]")?;
                let (name, after) = after.split_at_checked(end)?;
                found |= named(name, byte);
                after.get(2..)?
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                found |= (*low..=*high).contains(&byte);
                after
            }
            [one, after @ ..] => {
                found |= *one == byte;
                after
            }
            [] => return None,
        };
        first = false;
    }
}

fn named(name: &[u8], byte: u8) -> bool {
    match name {
        b"alpha" => byte.is_ascii_alphabetic(),
        b"digit" => byte.is_ascii_digit(),
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"upper" => byte.is_ascii_uppercase(),
        b"lower" => byte.is_ascii_lowercase(),
        b"punct" => byte.is_ascii_punctuation(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_fnmatch() {
        let cases = [
            ("*", "", true),
            ("*", "a.service", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[[:digit:]a]", "7", true),
            ("a[b", "a[b", true),
            ("a\\*", "a\\xx", true),
            ("", "", true),
            ("", "a", false),
            ("**a", "bba", true),
        ];
        for (pattern, text, want) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                want,
                "{pattern} {text}"
            );
        }
    }
}
