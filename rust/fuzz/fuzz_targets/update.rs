//! Update bundles: any archive, any manifest, any difference.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use update::{delta, Bundle, Identity, Manifest, Policy, SigningKey, TrustedKey, TrustedKeys};

/// More than this is right and takes long.
const MANY: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind % 4 {
        0 => bundle(rest),
        1 => {
            if let Ok(manifest) = Manifest::parse(rest) {
                assert_eq!(manifest.to_json().unwrap().as_bytes(), rest);
            }
            let _ = update::Signatures::parse(rest);
            let _ = TrustedKeys::parse(rest);
            let _ = Identity::parse(rest);
        }
        2 => difference(rest, 3 * 4096 + 7),
        _ => {
            // Operations, behind the head of a difference that is right.
            let (old, new) = (vec![1; 3 * 4096], vec![2; 5 * 4096]);
            let image = |bytes| delta::Image {
                reader: bytes,
                len: 3 * 4096,
            };
            let mut made = Vec::new();
            let new = delta::Image {
                reader: &new,
                len: 5 * 4096,
            };
            delta::make(image(&old), new, 1, &mut made).unwrap();
            made.truncate(64);
            made.extend(zstd::encode_all(rest, 1).unwrap());
            difference(&made, 5 * 4096);
        }
    }
});

fn bundle(bytes: &[u8]) {
    let keys = TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold: 1,
        allow_unsigned: true,
        keys: vec![TrustedKey {
            id: "a".to_owned(),
            ed25519: SigningKey::from_bytes(&[1; 32]).public(),
        }],
    };
    let node = Identity {
        format: Identity::FORMAT,
        os: "a".to_owned(),
        env: "a".to_owned(),
        version: "1".parse().unwrap(),
        boot_limit: 3,
        data_formats: BTreeMap::new(),
    };
    let policy = Policy {
        node: &node,
        keys: &keys,
        now: 0,
        allow_unsigned: true,
        any_version: false,
    };
    let Ok(mut bundle) = Bundle::open(bytes, u64::try_from(bytes.len()).ok(), &policy) else {
        return;
    };
    let base = vec![1; 3 * 4096];
    while let Ok(Some(mut item)) = bundle.next_member() {
        let member = item.member().clone();
        while let Ok(Some(chunk)) = item.next_chunk(&base) {
            member.check_chunk(chunk.offset, chunk.bytes).unwrap();
            if chunk.offset > MANY as u64 {
                break;
            }
        }
    }
}

fn difference(bytes: &[u8], len: usize) {
    let Ok(mut apply) = delta::Apply::open(bytes, len as u64) else {
        return;
    };
    // The head may claim any length: the base ends before.
    let _ = apply.head().check_base("a.img", &vec![1; 3 * 4096]);
    let mut image = vec![0; len];
    if apply.fill(&mut image, &vec![1; 3 * 4096]).is_ok() {
        let _ = apply.end();
    }
}
