//! Update bundles, of whole images and of differences to those of a running system.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod support;

use support::{report, told};
use update::delta::{self, Image};

/// Blocks of these bytes.
fn blocks(of: &[u8]) -> Vec<u8> {
    of.iter().flat_map(|byte| [*byte; 4096]).collect()
}

/// What makes `new` of `old`.
fn difference(old: &[u8], new: &[u8]) -> Vec<u8> {
    let (old, new) = (old.to_vec(), new.to_vec());
    let image = |reader| {
        let reader: &Vec<u8> = reader;
        let len = u64::try_from(reader.len()).unwrap();
        Image { reader, len }
    };
    let mut out = Vec::new();
    delta::make(image(&old), image(&new), 3, &mut out).unwrap();
    out
}

/// A bundle whose root is this member.
fn bundle(version: &str, root: (&str, &[u8])) -> Vec<u8> {
    let manifest = format!("{{\n  \"version\": \"{version}\"\n}}\n");
    let line = format!("{version}\n");
    let members = [
        ("manifest.json", manifest.as_bytes()),
        ("manifest.json.sig", b"[]\n"),
        ("VERSION.TXT", line.as_bytes()),
        root,
    ];
    update::write(&members, 1, Vec::new()).unwrap()
}

/// What is told of the roots of two bundles that are differences, each with its size.
fn of_differences(old: &[u8], new: &[u8]) -> String {
    let (old, new) = (("root.delta", old), ("root.delta", new));
    let report = report(&bundle("1.0", old), &bundle("1.0", new));
    let text = support::told_of(&report, "/root.delta");
    let (first, rest) = text.split_once('\n').unwrap();
    assert_eq!(
        first, "  update-delta difference of an update changed",
        "{text}"
    );
    rest.to_owned()
}

#[test]
fn differences_to_another_image_of_another_length() {
    let (a, b) = (blocks(&[1, 2, 3]), blocks(&[1, 2, 9, 9]));
    let sum = |bytes: &[u8]| base::Sha256Digest::of(bytes).to_string();
    let (sum_a, sum_b) = (sum(&a), sum(&b));
    let old = difference(&a, &blocks(&[3, 2, 1, 0]));
    // The last block is half a block.
    let new = difference(&b, &blocks(&[0, 0, 9, 2, 7, 7])[..5 * 4096 + 2048]);
    let want = format!(
        "    base-length: 12288 -> 16384\n    base-sha256: {sum_a} -> {sum_b}\n    target-length: 16384 -> 22528\n\
         \x20   blocks-zero: 1 -> 2\n    blocks-of-base: 3 -> 2\n    blocks-held: 0 -> 2\n"
    );
    let text = of_differences(&old, &new);
    let inside = text.strip_prefix(&want);
    let inside = inside.unwrap_or_else(|| panic!("{text}"));
    assert!(
        inside.starts_with("    inside (zstd):\n      bytes: "),
        "{text}"
    );
}

#[test]
fn differences_that_make_something_else_of_the_same() {
    let a = blocks(&[1, 2, 3]);
    let delta = |of: &[u8]| difference(&a, &blocks(of));
    // A block of the old image from another place: a byte of the operations, whatever that does to what is packed.
    assert_eq!(
        of_differences(&delta(&[3, 1]), &delta(&[2, 1])),
        "    inside (zstd):\n      bytes: 1 differ, the first at 1, in 1 stretch of blocks\n"
    );
    // A byte of a block that the old image does not have: behind the kind and the count.
    let mut other = blocks(&[7, 1]);
    other[100] = 8;
    assert_eq!(
        of_differences(&delta(&[7, 1]), &difference(&a, &other)),
        "    inside (zstd):\n      bytes: 1 differ, the first at 109, in 1 stretch of blocks\n"
    );
}

/// Operations that are none are compared all the same, and not counted.
#[test]
fn differences_that_are_damaged() {
    let a = blocks(&[1, 2, 3]);
    let delta = difference(&a, &blocks(&[3, 1]));
    let packed = |operations: &[u8]| {
        let frame = zstd::encode_all(operations, 3).unwrap();
        [&delta[..64], &frame].concat()
    };
    let number = |number: u64| number.to_le_bytes();
    let zero = |count: u64| [&[1][..], &number(count)].concat();
    for operations in [
        vec![4],
        zero(1),
        zero(2)[..8].to_vec(),
        [zero(u64::MAX), zero(u64::MAX)].concat(),
        [&[3][..], &number(2)].concat(),
    ] {
        let text = of_differences(&delta, &packed(&operations));
        assert!(
            text.starts_with("    blocks-zero: 0 -> none\n    blocks-of-base: 2 -> none\n    blocks-held: 0 -> none\n    inside (zstd):\n"),
            "{operations:?}: {text}"
        );
    }
    let text = of_differences(&delta, &packed(&zero(2)));
    assert!(
        text.starts_with("    blocks-zero: 0 -> 2\n    blocks-of-base: 2 -> 0\n    inside"),
        "{text}"
    );
    // The same operations, packed otherwise; and with something behind them, which no reader takes.
    let operations = zstd::decode_all(&delta[64..]).unwrap();
    let frame = zstd::encode_all(&operations[..], 19).unwrap();
    let otherwise = [&delta[..64], &frame].concat();
    assert_ne!(delta, otherwise);
    assert_eq!(
        of_differences(&delta, &otherwise),
        "    packed in another way (zstd), and the same inside\n"
    );
    let text = of_differences(&delta, &[&delta, &b"behind"[..]].concat());
    assert!(
        text.contains("    blocks-of-base: 2 -> none\n")
            && text.ends_with("    bytes: one is the beginning of the other\n"),
        "{text}"
    );
}

#[test]
fn the_rest_of_a_bundle() {
    let root = blocks(&[1]);
    let delta = difference(&root, &root);
    let old = bundle("1.0", ("root.img", &root));
    let new = bundle("1.1", ("root.delta", &delta));
    let want = format!(
        "image as a whole changed\n  length: 21504 -> 17920\nfile /VERSION.TXT changed\n  @@ -1 +1 @@\n  -1.0\n  +1.1\n\
         file /manifest.json changed\n  @@ -1,3 +1,3 @@\n   {{\n  -  \"version\": \"1.0\"\n  +  \"version\": \"1.1\"\n   }}\n\
         file /root.delta added\n  type file, size {}, mode 0644, owner 0:0, mtime 1.000000000\n\
         file /root.img removed\n  type file, size 4096, mode 0644, owner 0:0, mtime 1.000000000\n",
        delta.len()
    );
    assert_eq!(told(&report(&old, &new)), want);
}

/// A head that is cut off, or only begins as one: bytes, and no values of what is not there.
#[test]
fn what_only_begins_as_a_difference() {
    let mut whole = difference(&blocks(&[1]), &blocks(&[2]));
    for len in [16, 24, 56, 63] {
        // No text.
        whole[len - 2] = 0;
        let old = &whole[..len];
        let mut new = old.to_vec();
        new[len - 1] ^= 1;
        let text = told(&report(
            &bundle("1", ("root.delta", old)),
            &bundle("1", ("root.delta", &new)),
        ));
        let at = len - 1;
        assert_eq!(
            text,
            format!("file /root.delta changed\n  bytes: 1 differ, the first at {at}, in 1 stretch of blocks\n")
        );
    }
}
