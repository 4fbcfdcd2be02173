//! Short names (section 7.3 of the specification): eight capital letters, a dot and three more.

use std::collections::{BTreeMap, BTreeSet};

/// A short name as its record holds it, padded with spaces.
pub(crate) type Short = [u8; 11];

/// The short name that `name` comes to, and whether anything but the case of letters was lost.
fn basis(name: &str) -> (Short, bool) {
    let bare = name.trim_start_matches('.');
    let (stem, extension) = bare.rsplit_once('.').unwrap_or((bare, ""));
    let mut lost = bare.len() != name.len();
    let mut short = [b' '; 11];
    let parts = short.split_at_mut(8);
    for (to, from) in [(parts.0, stem), (parts.1, extension)] {
        let mut slots = to.iter_mut();
        for c in from.chars() {
            let code = match u8::try_from(c) {
                Ok(b) if b.is_ascii_alphanumeric() => b.to_ascii_uppercase(),
                Ok(b) if b"$%'-_@~`!(){}^#&".contains(&b) => b,
                Ok(b' ' | b'.') => {
                    lost = true;
                    continue;
                }
                _ => {
                    lost = true;
                    b'_'
                }
            };
            match slots.next() {
                Some(slot) => *slot = code,
                None => {
                    lost = true;
                    break;
                }
            }
        }
    }
    (short, lost)
}

/// `basis` with its stem cut so that `~number` fits behind it.
fn tailed(basis: Short, number: u32) -> Short {
    let tail = format!("~{number}");
    let mut short = basis;
    let stem = basis.iter().take(8).take_while(|b| **b != b' ').count();
    let at = stem.min(8usize.saturating_sub(tail.len()));
    for (to, from) in short.iter_mut().take(8).skip(at).zip(tail.bytes()) {
        *to = from;
    }
    short
}

/// A file's names in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) short: Short,
    /// Whether the short name alone would not give the name back.
    pub(crate) long: bool,
}

/// Short names for the entries of one directory, in their order. Names that fit keep their place; the others get the
/// first number that is free, in order.
pub(crate) fn assign(names: &[&str]) -> Vec<Names> {
    let bases: Vec<(Short, bool)> = names.iter().map(|name| basis(name)).collect();
    let fitting = bases.iter().filter(|(_, lost)| !lost);
    let mut taken: BTreeSet<Short> = fitting.map(|(short, _)| *short).collect();
    let mut numbers = Numbers::default();
    let mut out = Vec::with_capacity(names.len());
    for (name, (basis, lost)) in names.iter().zip(bases) {
        if !lost {
            let long = name.bytes().any(|b| b.is_ascii_lowercase());
            out.push(Names { short: basis, long });
            continue;
        }
        let short = numbers.free(basis, &mut taken);
        out.push(Names { short, long: true });
    }
    out
}

/// Up to which number names are taken, for every form they take: the same for all bases that are cut to one stem, so that a
/// directory of names that begin alike costs no more than any other.
#[derive(Default)]
struct Numbers(BTreeMap<Short, u32>);

impl Numbers {
    /// The name of `basis` with the first number that is free, which is taken then.
    fn free(&mut self, basis: Short, taken: &mut BTreeSet<Short>) -> Short {
        let mut short = basis;
        for first in [1, 10, 100, 1000, 10_000, 100_000] {
            // The form of a number of so many digits is known by its smallest.
            let next = self.0.entry(tailed(basis, first)).or_insert(first);
            while *next / 10 < first {
                short = tailed(basis, *next);
                *next = next.saturating_add(1);
                if taken.insert(short) {
                    return short;
                }
            }
        }
        // Not reached: a directory has fewer than 2^16 files.
        short
    }
}

/// The sum that ties long-name records to their short name.
pub(crate) fn checksum(short: &Short) -> u8 {
    let step = |sum: u8, byte: &u8| sum.rotate_right(1).wrapping_add(*byte);
    short.iter().fold(0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_short() {
        let names = [
            "BOOTX64.EFI",
            "grub.cfg",
            "some-long-name.cfg",
            "some-longer-name.cfg",
            ".profile",
            "a.b.c",
            "caf\u{e9}",
            "SOME-L~1.CFG",
            "x+y",
        ];
        let got: Vec<(String, bool)> = assign(&names)
            .iter()
            .map(|n| (String::from_utf8(n.short.to_vec()).unwrap(), n.long))
            .collect();
        let want = [
            ("BOOTX64 EFI", false),
            ("GRUB    CFG", true),
            ("SOME-L~2CFG", true),
            ("SOME-L~3CFG", true),
            ("PROFIL~1   ", true),
            ("AB~1    C  ", true),
            ("CAF_~1     ", true),
            ("SOME-L~1CFG", false),
            ("X_Y~1      ", true),
        ];
        for ((short, long), want) in got.iter().zip(want) {
            assert_eq!((short.as_str(), *long), want);
        }
    }

    /// Number by number, for each name from 1 on.
    fn naive(names: &[&str]) -> Vec<Short> {
        let bases: Vec<_> = names.iter().map(|name| basis(name)).collect();
        let fitting = bases.iter().filter(|(_, lost)| !lost);
        let mut taken: BTreeSet<Short> = fitting.map(|(short, _)| *short).collect();
        let free = |basis: Short, lost: bool| match lost {
            false => basis,
            true => (1..)
                .map(|number| tailed(basis, number))
                .find(|short| taken.insert(*short))
                .unwrap(),
        };
        let mut free = free;
        bases
            .iter()
            .map(|(basis, lost)| free(*basis, *lost))
            .collect()
    }

    proptest::proptest! {
        /// Few letters, so that many are cut to one stem, and some names look like numbered ones.
        #[test]
        fn the_first_free_number(names in proptest::collection::vec("[a-b~1]{1,9}( [a-b]?)?(\\.[ab]{0,1})?", 0..400)) {
            let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let names: Vec<&str> = names.into_iter().collect();
            let got: Vec<Short> = assign(&names).iter().map(|names| names.short).collect();
            proptest::prop_assert_eq!(got, naive(&names));
        }
    }

    /// As many as a directory can have, no two with one basis, and all cut to one stem.
    #[test]
    fn many_bases_of_one_stem() {
        let names: Vec<String> = (0..60_000).map(|i| format!("aaa{i:05} x")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all: BTreeSet<Short> = assign(&names).iter().map(|names| names.short).collect();
        assert_eq!(all.len(), names.len());
    }

    #[test]
    fn many_alike() {
        let names: Vec<String> = (0..1500)
            .map(|i| format!("same-beginning-{i:04}.txt"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let got = assign(&names);
        let all: BTreeSet<Short> = got.iter().map(|n| n.short).collect();
        assert_eq!(all.len(), 1500);
        assert_eq!(&got[1499].short, b"SAM~1500TXT");
    }
}
