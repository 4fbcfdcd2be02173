//! Short names (section 7.3 of the specification): eight capital letters, a dot and three more.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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

/// `basis` with `~number` behind at most `stem` of its letters.
fn tailed(basis: Short, stem: usize, number: u32) -> Short {
    let tail = format!("~{number}");
    let mut short = basis;
    let used = basis.iter().take(8).take_while(|b| **b != b' ').count();
    let places = short.iter_mut().take(8).skip(used.min(stem));
    for (to, from) in places.zip(tail.bytes()) {
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
/// first number that is free, in order. Nothing if more names are alike than there are numbers: a million, more than a directory holds.
pub(crate) fn assign(names: &[&str]) -> Option<Vec<Names>> {
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
        let short = numbers.free(basis, &mut taken)?;
        out.push(Names { short, long: true });
    }
    Some(out)
}

/// The short name of one more entry of a directory, in which short names are taken already. Nothing if all that it could have are.
pub(crate) fn beside(name: &str, mut taken: BTreeSet<Short>) -> Option<Names> {
    let (basis, lost) = basis(name);
    if !lost && taken.insert(basis) {
        let long = name.bytes().any(|b| b.is_ascii_lowercase());
        return Some(Names { short: basis, long });
    }
    let short = Numbers::default().free(basis, &mut taken)?;
    Some(Names { short, long: true })
}

/// The numbers by how many digits they have, and how many letters of the stem they leave.
const FORMS: [(usize, Range<u32>); 6] = [
    (6, 1..10),
    (5, 10..100),
    (4, 100..1000),
    (3, 1000..10_000),
    (2, 10_000..100_000),
    (1, 100_000..1_000_000),
];

/// Which numbers names may still have, for every form they take: the same for all bases that are cut to one stem, so that a
/// directory of names that begin alike costs no more than any other.
#[derive(Default)]
struct Numbers(BTreeMap<Short, Range<u32>>);

impl Numbers {
    /// The name of `basis` with the first number that is free, which is taken then.
    fn free(&mut self, basis: Short, taken: &mut BTreeSet<Short>) -> Option<Short> {
        FORMS.into_iter().find_map(|(stem, numbers)| {
            // The form of a number of so many digits is known by its smallest.
            let form = tailed(basis, stem, numbers.start);
            let left = self.0.entry(form).or_insert(numbers);
            left.map(|number| tailed(basis, stem, number))
                .find(|short| taken.insert(*short))
        })
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
            .unwrap()
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
                .map(|number: u32| {
                    let digits = number.to_string().len();
                    tailed(basis, 7_usize.checked_sub(digits).unwrap(), number)
                })
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
            let got: Vec<Short> = assign(&names).unwrap().iter().map(|names| names.short).collect();
            proptest::prop_assert_eq!(got, naive(&names));
        }
    }

    /// As many as a directory can have, no two with one basis, and all cut to one stem.
    #[test]
    fn many_bases_of_one_stem() {
        let names: Vec<String> = (0..60_000).map(|i| format!("aaa{i:05} x")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let all: BTreeSet<Short> = assign(&names)
            .unwrap()
            .iter()
            .map(|names| names.short)
            .collect();
        assert_eq!(all.len(), names.len());
    }

    #[test]
    fn many_alike() {
        let names: Vec<String> = (0..1500)
            .map(|i| format!("same-beginning-{i:04}.txt"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let got = assign(&names).unwrap();
        let all: BTreeSet<Short> = got.iter().map(|n| n.short).collect();
        assert_eq!(all.len(), 1500);
        assert_eq!(&got[1499].short, b"SAM~1500TXT");
    }
}
