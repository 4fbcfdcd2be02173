//! Bundles that are right, and every way to be wrong: each refusal by its name.

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
use std::io::{self, Read};

use update::*;

const NOW: i64 = 1_800_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn keys(threshold: usize, allow_unsigned: bool) -> TrustedKeys {
    let key = |(id, seed): (&str, u8)| TrustedKey {
        id: id.to_owned(),
        ed25519: key(seed).public(),
    };
    TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold,
        allow_unsigned,
        keys: [("ann", 1), ("bob", 2), ("cleo", 3)].map(key).to_vec(),
    }
}

fn history(format: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([("history".to_owned(), format)])
}

fn node() -> Identity {
    Identity {
        format: Identity::FORMAT,
        os: "node".to_owned(),
        env: "prod".to_owned(),
        version: "1.2.0".parse().unwrap(),
        boot_limit: 3,
        data_formats: history(2),
    }
}

/// Bytes in which no block is like another.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// A bundle in parts, to be changed.
#[derive(Clone)]
struct Parts {
    manifest: Manifest,
    members: Vec<(String, Vec<u8>)>,
}

impl Parts {
    fn new() -> Self {
        let members = [
            (VERSION_TXT, b"1.2.3\n".to_vec()),
            (LOADER, noise(5000, 7)),
            (BOOT, noise(3 << 20, 8)),
            (ROOT, noise((2 << 20) + 4096, 9)),
        ];
        Self {
            manifest: Manifest {
                format: FORMAT,
                os: "node".to_owned(),
                env: "prod".to_owned(),
                version: "1.2.3".parse().unwrap(),
                minimum_version: Some("1.0".parse().unwrap()),
                expires: Some("2030-01-01".parse().unwrap()),
                data_formats: history(2),
                members: members
                    .iter()
                    .map(|(name, bytes)| Member::of(name, bytes))
                    .collect(),
            },
            members: members
                .map(|(name, bytes)| (name.to_owned(), bytes))
                .to_vec(),
        }
    }

    fn with(mut self, change: impl Fn(&mut Manifest)) -> Self {
        change(&mut self.manifest);
        self
    }

    fn signed_by(&self, seeds: &[u8]) -> Vec<u8> {
        let json = self.manifest.to_json().unwrap();
        let mut signatures = Signatures::default();
        for seed in seeds {
            let signature = key(*seed).sign(json.as_bytes());
            signatures
                .add(json.as_bytes(), signature, &keys(1, false))
                .unwrap();
        }
        self.tar(&json, &signatures.to_json().unwrap())
    }

    fn tar(&self, json: &str, signatures: &str) -> Vec<u8> {
        let mut members = vec![
            (MANIFEST, json.as_bytes()),
            (SIGNATURES, signatures.as_bytes()),
        ];
        members.extend(
            self.members
                .iter()
                .map(|(name, bytes)| (name.as_str(), &bytes[..])),
        );
        write(&members, 1, Vec::new()).unwrap()
    }
}

/// Hands out a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buffer.len());
        self.0.read(&mut buffer[..len])
    }
}

/// Name and content of what a bundle hands out.
type Got = Vec<(String, Vec<u8>)>;

fn read_with(tar: &[u8], len: Option<u64>, policy: &Policy) -> Result<(Got, Vec<String>), Error> {
    let mut bundle = Bundle::open(Slow(tar, 5000), len, policy)?;
    let mut got = Vec::new();
    while let Some(mut item) = bundle.next_member()? {
        let mut bytes = Vec::new();
        while let Some(chunk) = item.next_chunk(&Vec::new())? {
            assert_eq!(chunk.offset, u64::try_from(bytes.len()).unwrap());
            bytes.extend_from_slice(chunk.bytes);
        }
        got.push((item.member().name.clone(), bytes));
    }
    Ok((got, bundle.signers().to_vec()))
}

/// Of a node that takes signed bundles only.
fn policy<'a>(node: &'a Identity, keys: &'a TrustedKeys) -> Policy<'a> {
    Policy {
        node,
        keys,
        now: NOW,
        allow_unsigned: false,
        any_version: false,
    }
}

fn read(tar: &[u8]) -> Result<(Got, Vec<String>), Error> {
    let (node, keys) = (node(), keys(1, false));
    let policy = policy(&node, &keys);
    read_with(tar, u64::try_from(tar.len()).ok(), &policy)
}

fn refusal(tar: &[u8]) -> Refusal {
    match read(tar).unwrap_err() {
        Error::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// The refusal's text has these words, and so it has a name, a place and a remedy.
#[track_caller]
fn says(refusal: &Refusal, words: &[&str]) {
    let mut text = refusal.to_string();
    let mut source = std::error::Error::source(refusal);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
}

#[test]
fn what_is_right() {
    let parts = Parts::new();
    let tar = parts.signed_by(&[2, 1]);
    let (got, signers) = read(&tar).unwrap();
    assert_eq!(got, parts.members[1..]);
    assert_eq!(signers, ["ann", "bob"]);
    let (node, keys) = (node(), keys(1, false));
    let policy = policy(&node, &keys);
    let compressed = zstd::encode_all(&tar[..], 3).unwrap();
    for (bytes, len) in [(&tar, None), (&compressed, None), (&compressed, Some(1))] {
        assert_eq!(read_with(bytes, len, &policy).unwrap().0, got);
        assert_eq!(verify(&bytes[..], len, &policy).unwrap(), parts.manifest);
    }
    // Two frames, as programs for many cores write them, and a table behind them that zstd passes over.
    let (front, back) = tar.split_at(1 << 20);
    let mut frames = zstd::encode_all(front, 1).unwrap();
    frames.extend(zstd::encode_all(back, 1).unwrap());
    frames.extend([0x5e, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
    assert_eq!(read_with(&frames, None, &policy).unwrap().0, got);
    // No boot loader.
    let mut without = parts.with(|manifest| drop(manifest.members.remove(1)));
    without.members.remove(1);
    assert_eq!(read(&without.signed_by(&[3])).unwrap().0, got[1..]);
}

#[test]
fn whom_it_is_for() {
    let parts = Parts::new;
    let other_os = parts().with(|m| m.os = "host".to_owned()).signed_by(&[1]);
    says(
        &refusal(&other_os),
        &[
            "for os host",
            "this node is os node",
            "get the bundle of node",
        ],
    );
    assert!(matches!(
        refusal(&other_os),
        Refusal::Other { what: "os", .. }
    ));
    let other_env = parts().with(|m| m.env = "dev".to_owned()).signed_by(&[1]);
    says(
        &refusal(&other_env),
        &["for env dev", "this node is env prod"],
    );
    let older = parts()
        .with(|m| m.version = "1.1.9".parse().unwrap())
        .signed_by(&[1]);
    assert!(matches!(refusal(&older), Refusal::Older { .. }));
    says(&refusal(&older), &["1.1.9", "1.2.0", "rollback"]);
    // As old as what runs: it can be installed again.
    let mut same = parts().with(|m| m.version = "1.2+again".parse().unwrap());
    same.members[0].1 = b"1.2+again".to_vec();
    same.manifest.members[0] = Member::of(VERSION_TXT, b"1.2+again");
    read(&same.signed_by(&[1])).unwrap();
    let far = parts()
        .with(|m| m.minimum_version = Some("1.2.1".parse().unwrap()))
        .signed_by(&[1]);
    assert!(matches!(refusal(&far), Refusal::TooOldToCome { .. }));
    says(&refusal(&far), &["1.2.3", "from 1.2.1", "1.2.0", "between"]);
    let late = parts()
        .with(|m| m.expires = Some("2027-01-15T08:00:00Z".parse().unwrap()))
        .signed_by(&[1]);
    assert!(matches!(refusal(&late), Refusal::Expired { now: NOW, .. }));
    says(
        &refusal(&late),
        &[
            "1.2.3",
            "expired at 2027-01-15T08:00:00Z",
            "it is 2027-01-15T08:00:00Z here",
        ],
    );
    let old_data = parts()
        .with(|m| m.data_formats = history(1))
        .signed_by(&[1]);
    assert!(matches!(refusal(&old_data), Refusal::OlderData { .. }));
    says(
        &refusal(&old_data),
        &["1.2.3", "history is kept in format 2", "knows up to 1"],
    );
    let no_data = parts().with(|m| m.data_formats.clear()).signed_by(&[1]);
    says(&refusal(&no_data), &["history", "knows up to 0"]);
    let new_data = parts().with(|m| m.data_formats = history(3));
    read(&new_data.signed_by(&[1])).unwrap();
    let old = node();
    let change = older_formats(&new_data.manifest.data_formats, &old.data_formats);
    assert_eq!(
        change,
        [FormatChange {
            name: "history".to_owned(),
            from: 3,
            to: 2
        }]
    );
}

/// A version that follows from inputs is not older and not newer than any other one: somebody has to say that it is right.
#[test]
fn versions_without_order() {
    let of = |text: &str| Version::of_inputs(&base::Sha256Digest::of(text));
    let bundle = |version: &Version, minimum: Option<&str>| {
        let text = format!("{version}\n").into_bytes();
        let mut parts = Parts::new().with(|m| {
            m.version = version.clone();
            m.minimum_version = minimum.map(|text| text.parse().unwrap());
            m.members[0] = Member::of(VERSION_TXT, &text);
        });
        parts.members[0].1 = text.clone();
        parts.signed_by(&[1])
    };
    let (keys, given) = (keys(1, false), node());
    let derived = Identity {
        version: of("a"),
        ..node()
    };
    let read = |node: &Identity, tar: &[u8], any_version| {
        let policy = Policy {
            any_version,
            ..policy(node, &keys)
        };
        match read_with(tar, u64::try_from(tar.len()).ok(), &policy) {
            Ok(_) => None,
            Err(Error::Refused(refusal)) => Some(refusal),
            Err(other) => panic!("{other}"),
        }
    };
    // (what runs, the bundle, its minimum, whether it is taken: as it is, with --any-version).
    for (node, version, minimum, plain, any) in [
        (&derived, of("a"), None, true, true),
        (&derived, of("b"), None, false, true),
        (&derived, "9.0".parse().unwrap(), None, false, true),
        (&derived, "9.0".parse().unwrap(), Some("1.0"), false, false),
        (&derived, of("b"), Some(of("a").as_str()), false, true),
        (&derived, of("b"), Some(of("c").as_str()), false, false),
        (&given, of("a"), None, false, true),
        (&given, of("a"), Some("1.0"), false, true),
        (&given, of("a"), Some("1.3"), false, false),
        // What is older stays so, whatever is said.
        (&given, "1.1".parse().unwrap(), None, false, false),
        (&given, "1.2".parse().unwrap(), None, true, true),
    ] {
        let tar = bundle(&version, minimum);
        let got = [false, true].map(|any| read(node, &tar, any).is_none());
        assert_eq!(
            got,
            [plain, any],
            "{} to {version}, from {minimum:?} on",
            node.version
        );
    }
    let refusal = read(&derived, &bundle(&of("b"), None), false).unwrap();
    assert!(matches!(refusal, Refusal::NoOrder { .. }), "{refusal}");
    let (ours, theirs) = (of("a"), of("b"));
    says(&refusal, &[ours.as_str(), theirs.as_str(), "--any-version"]);
    let refusal = read(&derived, &bundle(&of("b"), Some("1.0")), true).unwrap();
    assert!(matches!(refusal, Refusal::TooOldToCome { .. }), "{refusal}");
}

#[test]
fn who_signed() {
    let parts = Parts::new();
    let json = parts.manifest.to_json().unwrap();
    let (node, two) = (node(), keys(2, false));
    let policy = policy(&node, &two);
    let by_one = parts.signed_by(&[1]);
    let Err(Error::Refused(few)) = read_with(&by_one, None, &policy) else {
        panic!("one of two");
    };
    says(&few, &["signed by ann", "ann, bob, cleo", "want 2 of them"]);
    assert_eq!(
        read_with(&parts.signed_by(&[1, 3]), None, &policy)
            .unwrap()
            .1,
        ["ann", "cleo"]
    );
    // Nobody, and a stranger.
    says(
        &refusal(&parts.tar(&json, "[]")),
        &["signed by nobody", "want 1"],
    );
    let stranger = Signature {
        key_id: "zoe".to_owned(),
        signature: key(9).sign(json.as_bytes()),
    };
    let stranger = Signatures(vec![stranger]).to_json().unwrap();
    says(
        &refusal(&parts.tar(&json, &stranger)),
        &["signed by nobody", "zoe signed too", "docs/signing.md"],
    );
    // A stranger under a known name, beside one who is known.
    let ann = Signature {
        key_id: "ann".to_owned(),
        signature: key(1).sign(json.as_bytes()),
    };
    let bob = Signature {
        key_id: "bob".to_owned(),
        signature: key(9).sign(json.as_bytes()),
    };
    let forged = Signatures(vec![ann, bob]).to_json().unwrap();
    let forged = refusal(&parts.tar(&json, &forged));
    assert!(matches!(&forged, Refusal::BadSignature { key_id } if key_id == "bob"));
    // Signed, and then altered: the signature counts before anything in the manifest is looked at.
    let signed = Signatures(vec![Signature {
        key_id: "ann".to_owned(),
        signature: key(1).sign(json.as_bytes()),
    }]);
    let signed = signed.to_json().unwrap();
    for altered in [
        json.replace("1.2.3", "1.2.4"),
        "{".to_owned(),
        String::new() + &json + " ",
    ] {
        let altered = refusal(&parts.tar(&altered, &signed));
        says(&altered, &["key ann", "altered"]);
    }
    let one: Signatures = serde_json::from_str(&signed).unwrap();
    let twice = serde_json::to_string(&[&one.0[0], &one.0[0]]).unwrap();
    assert!(matches!(
        refusal(&parts.tar(&json, &twice)),
        Refusal::Document(_)
    ));
    // A signature from outside.
    let mut signatures = Signatures::default();
    let error = signatures
        .add(json.as_bytes(), key(9).sign(json.as_bytes()), &two)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("none of the keys ann, bob, cleo"),
        "{error}"
    );
}

#[test]
fn unsigned_in_development_only() {
    let parts = Parts::new();
    let tar = parts.tar(&parts.manifest.to_json().unwrap(), "[]");
    let node = node();
    for (allowed, asked) in [(true, true), (true, false), (false, true)] {
        let keys = keys(1, allowed);
        let policy = Policy {
            node: &node,
            keys: &keys,
            now: NOW,
            allow_unsigned: asked,
            any_version: false,
        };
        let got = read_with(&tar, None, &policy);
        match (allowed, asked, got) {
            (true, true, Ok((got, signers))) => {
                assert_eq!((got.len(), signers.len()), (3, 0));
            }
            (true, false, Err(Error::Refused(Refusal::TooFewSigners { .. }))) => {}
            (false, true, Err(Error::Refused(refusal @ Refusal::NeverUnsigned { .. }))) => {
                says(&refusal, &["--allow-unsigned", "env prod"]);
            }
            (_, _, got) => panic!("{allowed} {asked} {got:?}"),
        }
    }
}

#[test]
fn members_of_another_bundle() {
    let parts = Parts::new();
    // One byte of any chunk of any member.
    for (member, at) in [
        (1, 0),
        (2, 0),
        (2, (3 << 20) - 1),
        (3, 1 << 20),
        (3, 2 << 20),
    ] {
        let mut altered = parts.clone();
        altered.members[member].1[at] ^= 1;
        let refusal = refusal(&altered.signed_by(&[1]));
        let Refusal::Chunk {
            member: name,
            offset,
            ..
        } = &refusal
        else {
            panic!("{refusal}");
        };
        assert_eq!(
            (name, usize::try_from(*offset).unwrap()),
            (&parts.members[member].0, at >> 20 << 20)
        );
        says(
            &refusal,
            &[&parts.members[member].0, "SHA-256", "get it anew"],
        );
    }
    let mut longer = parts.clone();
    longer.members[3].1.push(0);
    says(
        &refusal(&longer.signed_by(&[1])),
        &["longer than it was made"],
    );
    let mut longer = parts.clone();
    longer.members[1].1.push(0);
    says(
        &refusal(&longer.signed_by(&[1])),
        &["loader.efi has 5001 bytes", "says 5000"],
    );
    let mut version = parts.clone();
    version.members[0].1 = b"1.2.4\n".to_vec();
    says(
        &refusal(&version.signed_by(&[1])),
        &["VERSION.TXT", "chunk at byte 0"],
    );
    version.manifest.members[0] = Member::of(VERSION_TXT, b"1.2.4\n");
    says(
        &refusal(&version.signed_by(&[1])),
        &["VERSION.TXT says \"1.2.4\"", "says 1.2.3"],
    );
    let mut swapped = parts.clone();
    swapped.members.swap(2, 3);
    says(
        &refusal(&swapped.signed_by(&[1])),
        &["member root.img comes where boot.img should"],
    );
    let mut twice = parts.clone();
    twice.members.insert(3, parts.members[2].clone());
    let refused = refusal(&twice.signed_by(&[1]));
    says(&refused, &["longer than it was made"]);
    let mut missing = parts.clone();
    missing.members.remove(1);
    says(
        &refusal(&missing.signed_by(&[1])),
        &["member boot.img comes where loader.efi should"],
    );
}

#[test]
fn the_order_of_all_members() {
    let (node, keys) = (node(), keys(1, false));
    let policy = policy(&node, &keys);
    let parts = Parts::new();
    let refused = |parts: &Parts| match read_with(&parts.signed_by(&[1]), None, &policy) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let mut more = parts.clone();
    more.members.push(("extra".to_owned(), vec![1]));
    says(
        &refused(&more),
        &["member extra comes behind the last one, root.img"],
    );
    let mut twice = parts.clone();
    twice.members.push(parts.members[3].clone());
    says(
        &refused(&twice),
        &["member root.img comes behind the last one, root.img"],
    );
    let mut missing = parts.clone();
    missing.members.pop();
    says(&refused(&missing), &["ends before member root.img"]);
    // Not the manifest first.
    let tar = write(&[("boot.img", b"x")], 1, Vec::new()).unwrap();
    let old = read_with(&tar, None, &policy).unwrap_err();
    assert_eq!(old.to_string(), "member boot.img comes where manifest.json should: the bundle was put together of others; get it anew");
}

#[test]
fn a_byte_more_or_less() {
    let parts = Parts::new();
    let tar = parts.signed_by(&[1]);
    let len = tar.len();
    for at in [
        0,
        1,
        511,
        512,
        5000,
        10_000,
        1 << 20,
        len - 3000,
        len - 1025,
        len - 1024,
        len - 513,
    ] {
        let cut = &tar[..at];
        assert!(matches!(read(cut), Err(Error::Refused(_))), "{at}");
        // A stream of unknown length, and a compressed one.
        let (node, keys) = (node(), keys(1, false));
        let policy = policy(&node, &keys);
        assert!(
            matches!(read_with(cut, None, &policy), Err(Error::Refused(_))),
            "{at}"
        );
        let compressed = zstd::encode_all(cut, 1).unwrap();
        assert!(
            matches!(
                read_with(&compressed, None, &policy),
                Err(Error::Refused(_))
            ),
            "{at}"
        );
        let whole = zstd::encode_all(&tar[..], 1).unwrap();
        let cut = &whole[..at.min(whole.len() - 1)];
        assert!(
            matches!(read_with(cut, None, &policy), Err(Error::Refused(_))),
            "{at}"
        );
    }
    for more in [&b"\0"[..], b"x", b"hello"] {
        let longer = [&tar[..], more].concat();
        says(
            &refusal(&longer),
            &[&longer.len().to_string(), &len.to_string(), "longer"],
        );
    }
    let (node, keys) = (node(), keys(1, false));
    let policy = policy(&node, &keys);
    let longer = [&tar[..], b"x"].concat();
    let Err(Error::Refused(refusal @ Refusal::Archive(_))) = read_with(&longer, None, &policy)
    else {
        panic!("read past its end");
    };
    says(
        &refusal,
        &[
            "no tar that `mkbundle` made",
            "other things than zeros follow",
        ],
    );
    // Zeros without end, which compress well.
    let endless =
        zstd::encode_all(io::Read::chain(&tar[..], io::repeat(0).take(1 << 28)), 1).unwrap();
    assert!(endless.len() < 2 * len);
    let Err(Error::Refused(Refusal::TooLong { .. })) = read_with(&endless, None, &policy) else {
        panic!("read without end");
    };
}

#[test]
fn reading_fails() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }
    let tar = Parts::new().signed_by(&[1]);
    let compressed = zstd::encode_all(&tar[..], 1).unwrap();
    let (node, keys) = (node(), keys(1, false));
    let policy = policy(&node, &keys);
    for bytes in [&tar, &compressed] {
        for at in [0, 3, 100, 20_000, 2 << 20] {
            let error = verify(bytes[..at].chain(Broken), None, &policy).unwrap_err();
            assert!(!error.is_refusal(), "{at}: {error}");
        }
    }
}

#[test]
fn a_frame_that_wants_much_memory() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    io::copy(&mut &Parts::new().signed_by(&[1])[..], &mut encoder).unwrap();
    let bytes = encoder.finish().unwrap();
    says(
        &refusal(&bytes),
        &["can't be decompressed", "more than 8 MiB"],
    );
}

/// Who checks chunks elsewhere gets them as they come, with their places, and knows the bad ones all the same.
#[test]
fn chunks_are_checked_by_whoever_took_them() {
    let parts = Parts::new();
    let mut tar = parts.signed_by(&[1]);
    let root = &parts.members[3].1;
    let start = tar.windows(64).position(|bytes| bytes == &root[..64]);
    let bad = (1 << 20) + 5;
    tar[start.unwrap() + bad] ^= 1;
    let (node, keys) = (node(), keys(1, false));
    let mut bundle = Bundle::open(Slow(&tar, 5000), None, &policy(&node, &keys)).unwrap();
    let (mut refused, mut places) = (Vec::new(), Vec::new());
    while let Some(mut item) = bundle.next_member().unwrap() {
        let member = item.member().clone();
        let expected: Vec<Place> = member.places().map(|(place, _)| place).collect();
        let mut buffer = vec![0; 1 << 20];
        let mut got = Vec::new();
        while let Some(place) = item.read_chunk(&Vec::new(), &mut buffer).unwrap() {
            let bytes = &buffer[..place.len];
            if let Err(refusal) = member.check_chunk(place.offset, bytes) {
                refused.push(refusal.to_string());
            }
            got.push(place);
        }
        assert_eq!(got, expected);
        places.push(got.last().map(|place| (place.offset, place.len)).unwrap());
    }
    assert_eq!(places, [(0, 5000), (2 << 20, 1 << 20), (2 << 20, 4096)]);
    assert_eq!(refused.len(), 1);
    assert!(
        refused[0].contains(ROOT) && refused[0].contains("1048576"),
        "{refused:?}"
    );

    let mut bundle = Bundle::open(&tar[..], None, &policy(&node, &keys)).unwrap();
    let mut loader = bundle.next_member().unwrap().unwrap();
    let error = loader.read_chunk(&Vec::new(), &mut [0; 4999]).unwrap_err();
    assert!(
        matches!(error, Error::Read(source) if source.to_string() == "a buffer of 4999 bytes, want 5000 for a chunk")
    );
}
