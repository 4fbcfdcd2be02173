//! Patterns of modules' aliases, `*`, `?` and `[…]`, as kmod matches them with fnmatch(3) without flags.

/// Whether the whole text is one that the pattern stands for. `-` and `_` are the same outside of brackets, as for kmod.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on when a letter does not fit: behind the last star, one letter further on.
    let mut star = None;
    while let Some((letter, behind)) = text.split_first() {
        if let [b'*', after @ ..] = pattern {
            star = Some((after, text));
            pattern = after;
        } else if let Some(after) = one(pattern, *letter) {
            (pattern, text) = (after, behind);
        } else {
            let Some((after, [_, from @ ..])) = star else {
                return false;
            };
            star = Some((after, from));
            (pattern, text) = (after, from);
        }
    }
    pattern.iter().all(|letter| *letter == b'*')
}

/// What is left of a pattern whose first place a letter takes, if it may.
fn one(pattern: &[u8], letter: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'[', inner @ ..] => match class(inner, letter) {
            Some((fits, after)) => fits.then_some(after),
            None => (letter == b'[').then_some(inner),
        },
        [own, after @ ..] => (same(*own) == same(letter)).then_some(after),
        [] => None,
    }
}

fn same(letter: u8) -> u8 {
    if letter == b'-' {
        b'_'
    } else {
        letter
    }
}

/// Whether a class has the letter, and what comes behind the bracket that closes it; nothing if none does.
fn class(inner: &[u8], letter: u8) -> Option<(bool, &[u8])> {
    let (negated, inner) = match inner {
        [b'!' | b'^', inner @ ..] => (true, inner),
        _ => (false, inner),
    };
    // A bracket that comes first is one of the letters.
    let (_, behind) = inner.split_first()?;
    let end = behind.iter().position(|letter| *letter == b']')?;
    let after = behind.get(end..)?.get(1..)?;
    let mut letters = inner.get(..=end)?;
    let mut has = false;
    while let Some((first, rest)) = letters.split_first() {
        letters = match rest {
            [b'-', last, rest @ ..] => {
                has |= (*first..=*last).contains(&letter);
                rest
            }
            _ => {
                has |= *first == letter;
                rest
            }
        };
    }
    Some((has != negated, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_fnmatch_does() {
        for (pattern, text, want) in [
            ("virtio:d00000002v*", "virtio:d00000002v00001AF4", true),
            ("virtio:d00000002v*", "virtio:d00000001v00001AF4", false),
            (
                "pci:v*d*sv*sd*bc01sc08i02*",
                "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02",
                true,
            ),
            (
                "pci:v*d*sv*sd*bc01sc08i02*",
                "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc06i01",
                false,
            ),
            (
                "usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*",
                "usb:v46F4p0001d0000dc00dsc00dp00ic08isc06ip50in00",
                true,
            ),
            ("scsi:t-0x00*", "scsi:t-0x00", true),
            ("scsi:t_0x00*", "scsi:t-0x00", true),
            ("of:N[0-9]*T[!x]", "of:N4T1", true),
            ("of:N[0-9]*T[!x]", "of:N4Tx", false),
            ("of:N[0-9]*T[!x]", "of:NaT1", false),
            ("a[]]b", "a]b", true),
            ("a[b", "a[b", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
            ("**", "a", true),
            ("a", "", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    /// The same by trying every length of a star; slow, and plainly right.
    fn simple(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| simple(rest, &text[at..])),
            ([b'?', rest @ ..], [_, behind @ ..]) => simple(rest, behind),
            ([own, rest @ ..], [letter, behind @ ..]) => own == letter && simple(rest, behind),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_take_what_they_can(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &text), simple(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn any_pattern_ends(pattern in "\\PC{0,12}", text in "\\PC{0,12}") {
            matches(&pattern, &text);
        }
    }
}
