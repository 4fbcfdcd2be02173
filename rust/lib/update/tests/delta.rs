//! Differences of images: what comes out is the new image, or nothing.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use update::delta::{self, Image};
use update::*;

fn make(old: &[u8], new: &[u8]) -> Vec<u8> {
    let image = |bytes: &[u8]| (bytes.to_vec(), u64::try_from(bytes.len()).unwrap());
    let (old, new) = (image(old), image(new));
    let mut out = Vec::new();
    let of = |image: &'static (Vec<u8>, u64)| Image {
        reader: &image.0,
        len: image.1,
    };
    let (old, new): (&'static _, &'static _) = (Box::leak(Box::new(old)), Box::leak(Box::new(new)));
    delta::make(of(old), of(new), 3, &mut out).unwrap();
    out
}

fn apply(difference: &[u8], old: &[u8], len: usize, step: usize) -> Result<Vec<u8>, delta::Error> {
    let mut apply = delta::Apply::open(difference, u64::try_from(len).unwrap())?;
    let mut new = vec![0xaa; len];
    for part in new.chunks_mut(step) {
        apply.fill(part, &old.to_vec())?;
    }
    apply.end()?;
    Ok(new)
}

fn blocks(of: &[u8], last: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = of.iter().flat_map(|byte| vec![*byte; 4096]).collect();
    bytes.truncate(bytes.len().saturating_sub(last));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_was_made_is_applied(
        old in proptest::collection::vec(0u8..6, 0..40),
        new in proptest::collection::vec(0u8..8, 1..40),
        (cut_old, cut_new) in (0usize..4096, 0usize..4096),
        step in 1usize..20_000,
    ) {
        let (old, new) = (blocks(&old, cut_old), blocks(&new, cut_new));
        let difference = make(&old, &new);
        prop_assert_eq!(apply(&difference, &old, new.len(), step).unwrap(), new);
    }

    #[test]
    fn damage_is_an_error_or_harmless(at in 0usize..1000, with in any::<u8>(), cut in any::<bool>()) {
        let (old, new) = (blocks(&[1, 2, 3, 4], 0), blocks(&[4, 0, 9, 1, 2, 7], 100));
        let mut difference = make(&old, &new);
        let at = at % difference.len();
        if cut {
            difference.truncate(at);
        } else {
            difference[at] ^= with;
        }
        // The head's digest is looked at by `check_base`; all else is under zstd's checksum or is checked.
        let touched = !(24..56).contains(&at) && (cut || with != 0);
        match apply(&difference, &old, new.len(), 5000) {
            Ok(got) => prop_assert!(!cut && (got == new || touched)),
            Err(delta::Error::Fault { .. }) => {}
            Err(other) => prop_assert!(matches!(other, delta::Error::Base { .. }), "{}", other),
        }
    }
}

#[test]
fn the_same_bytes_each_time() {
    let (old, new) = (blocks(&[1, 2, 3], 0), blocks(&[3, 2, 5, 0], 0));
    assert_eq!(make(&old, &new), make(&old, &new));
    // Half of it is there already: the rest alone is held.
    let noise: Vec<u8> = (0..1_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    let (a, b) = noise.split_at(122 * 4096);
    let swapped = [&b[..100 * 4096], a].concat();
    assert!(make(&noise, &swapped).len() < 1000);
}

fn fault(difference: &[u8], want: &str) {
    let old = blocks(&[1, 2], 0);
    let error = apply(difference, &old, 3 * 4096, 4096)
        .unwrap_err()
        .to_string();
    assert!(error.contains(want), "{error}, want {want}");
}

#[test]
fn faults() {
    let head = &make(&blocks(&[1, 2], 0), &blocks(&[1, 2, 3], 0))[..64];
    let with = |operations: &[u8]| [head, &zstd::encode_all(operations, 1).unwrap()].concat();
    let op = |kind: u8, numbers: &[u64]| {
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        std::iter::once(kind).chain(numbers).collect::<Vec<u8>>()
    };
    let fine = op(1, &[3]);
    assert_eq!(
        apply(&with(&fine), &[], 3 * 4096, 7).unwrap(),
        vec![0; 3 * 4096]
    );
    fault(b"IMGDELTA", "byte 8: it ends within its head");
    fault(&[0; 64], "byte 0: it does not begin with IMGDELTA");
    for (at, want) in [(8, "version"), (12, "blocks of"), (57, "it makes")] {
        let mut other = with(&fine);
        other[at] ^= 1;
        fault(&other, want);
    }
    fault(&with(&[]), "byte 0: it ends too early");
    fault(&with(&op(4, &[1])), "byte 0: operation 4");
    fault(&with(&op(1, &[0])), "byte 0: 0 blocks");
    fault(&with(&op(1, &[u64::MAX])), "18446744073709551615 blocks");
    fault(&with(&op(1, &[4])), "behind the end of the image");
    fault(
        &with(&op(2, &[1, 2])),
        "blocks 1+2 lie outside the old image of 8192 bytes",
    );
    fault(&with(&op(2, &[u64::MAX, 1])), "lie outside");
    fault(
        &with(&[op(3, &[3]), vec![1; 4096]].concat()),
        "byte 4105: it ends too early",
    );
    fault(
        &with(&[fine.clone(), fine.clone()].concat()),
        "behind the end of the image",
    );
    fault(
        &[with(&fine), vec![0]].concat(),
        "behind the end of the image",
    );
    fault(&[head, b"no zstd"].concat(), "byte 0: ");
}

/// A bundle of differences, of a system whose images are known.
#[test]
fn in_a_bundle() {
    let (old_boot, old_root) = (blocks(&[1, 2, 3], 0), blocks(&[5; 700], 0));
    let (boot, root) = (blocks(&[1, 9, 3, 4], 0), blocks(&[5, 6, 5, 0, 7], 100));
    let key = SigningKey::from_bytes(&[1; 32]);
    let keys = TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold: 1,
        allow_unsigned: false,
        keys: vec![TrustedKey {
            id: "ann".to_owned(),
            ed25519: key.public(),
        }],
    };
    let manifest = Manifest {
        format: FORMAT,
        os: "node".to_owned(),
        env: "prod".to_owned(),
        version: "2".parse().unwrap(),
        minimum_version: None,
        expires: None,
        data_formats: BTreeMap::new(),
        members: vec![
            Member::of(VERSION_TXT, b"2\n"),
            Member::of(LOADER, b"MZ"),
            Member::of(BOOT, &boot),
            Member::of(ROOT, &root),
        ],
    };
    let json = manifest.to_json().unwrap();
    let mut signatures = Signatures::default();
    signatures
        .add(json.as_bytes(), key.sign(json.as_bytes()), &keys)
        .unwrap();
    let signatures = signatures.to_json().unwrap();
    let (boot_delta, root_delta) = (make(&old_boot, &boot), make(&old_root, &root));
    let members: [(&str, &[u8]); 6] = [
        (MANIFEST, json.as_bytes()),
        (SIGNATURES, signatures.as_bytes()),
        (VERSION_TXT, b"2\n"),
        (LOADER, b"MZ"),
        (BOOT_DELTA, &boot_delta),
        (ROOT_DELTA, &root_delta),
    ];
    let tar = write(&members, 1, Vec::new()).unwrap();
    let node = Identity {
        format: Identity::FORMAT,
        os: "node".to_owned(),
        env: "prod".to_owned(),
        version: "1".parse().unwrap(),
        boot_limit: 3,
        data_formats: BTreeMap::new(),
    };
    let policy = Policy {
        node: &node,
        keys: &keys,
        now: 0,
        allow_unsigned: false,
        any_version: false,
    };
    let len = u64::try_from(tar.len()).unwrap();
    for bytes in [&tar, &zstd::encode_all(&tar[..], 1).unwrap()] {
        verify(&bytes[..], Some(len), &policy).unwrap();
        let mut bundle = Bundle::open(&bytes[..], Some(len), &policy).unwrap();
        let mut loader = bundle.next_member().unwrap().unwrap();
        assert_eq!(
            loader.next_chunk(&Vec::new()).unwrap().unwrap().bytes,
            b"MZ"
        );
        for (name, old, new) in [(BOOT, &old_boot, &boot), (ROOT, &old_root, &root)] {
            let mut item = bundle.next_member().unwrap().unwrap();
            assert_eq!(item.member().name, name);
            assert_eq!(
                item.delta().unwrap().base_len,
                u64::try_from(old.len()).unwrap()
            );
            item.check_base(old).unwrap();
            let mut other = old.clone();
            other[5000] ^= 1;
            let refusal = item.check_base(&other).unwrap_err();
            assert!(refusal.is_refusal());
            let text = refusal.to_string();
            assert!(
                text.contains(&name.replace(".img", ".delta"))
                    && text.contains("install the whole bundle"),
                "{text}"
            );
            let mut got = Vec::new();
            while let Some(chunk) = item.next_chunk(old).unwrap() {
                got.extend_from_slice(chunk.bytes);
            }
            assert_eq!(got, *new);
        }
        assert!(bundle.next_member().unwrap().is_none());
    }
    // Another old image gives other bytes, and those are not handed out.
    let mut bundle = Bundle::open(&tar[..], None, &policy).unwrap();
    // The boot loader.
    bundle.next_member().unwrap();
    let mut item = bundle.next_member().unwrap().unwrap();
    let error = item.next_chunk(&vec![7; old_boot.len()]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("member boot.img: the chunk at byte 0"),
        "{error}"
    );
    // A difference that is none says which member.
    let mut damaged = members;
    let bad = [&boot_delta[..64], b"xxxx"].concat();
    damaged[4].1 = &bad;
    let tar = write(&damaged, 1, Vec::new()).unwrap();
    let mut bundle = Bundle::open(&tar[..], None, &policy).unwrap();
    // The boot loader.
    bundle.next_member().unwrap();
    let mut item = bundle.next_member().unwrap().unwrap();
    let error = item.next_chunk(&old_boot).unwrap_err();
    assert!(
        error.is_refusal() && error.to_string().starts_with("member boot.delta: byte 0"),
        "{error}"
    );
}
