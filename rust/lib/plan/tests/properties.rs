//! Plans against byte arrays: whatever is put together, cut and read is what the same steps do to bytes.

#![allow(
    missing_docs,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fmt::Write;

use plan::{Builder, Canvas, Input, Plan, Reader};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const INPUTS: [u64; 3] = [0, 700, 50_000];

/// A piece of an image.
#[derive(Clone, Debug)]
enum Part {
    Zero(usize),
    Inline(Vec<u8>),
    Repeat([u8; 32], usize),
    Source { input: usize, at: usize, len: usize },
}

/// A byte of an image: known, or of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Byte {
    Known(u8),
    Of(usize, usize),
}

fn inputs() -> Vec<Input> {
    INPUTS.map(Input::of_len).to_vec()
}

fn input_bytes() -> Vec<Vec<u8>> {
    let bytes = |n: usize, len: u64| {
        (0..len)
            .map(|i| (i * 7 + n as u64 + i / 251) as u8)
            .collect()
    };
    INPUTS
        .iter()
        .enumerate()
        .map(|(n, len)| bytes(n, *len))
        .collect()
}

impl Part {
    fn bytes(&self) -> Vec<Byte> {
        match self {
            Self::Zero(len) => vec![Byte::Known(0); *len],
            Self::Inline(bytes) => bytes.iter().copied().map(Byte::Known).collect(),
            Self::Repeat(pattern, len) => {
                let bytes = pattern.iter().copied().cycle().take(*len);
                bytes.map(Byte::Known).collect()
            }
            Self::Source { input, at, len } => {
                (*at..at + len).map(|n| Byte::Of(*input, n)).collect()
            }
        }
    }

    fn put(&self, builder: &mut Builder) {
        match self {
            Self::Zero(len) => builder.zero(*len as u64),
            Self::Inline(bytes) => builder.inline(bytes),
            Self::Repeat(pattern, len) => builder.repeat(pattern, *len as u64),
            Self::Source { input, at, len } => {
                builder.source(*input as u32, *at as u64, *len as u64)
            }
        }
        .unwrap();
    }

    fn put_at(&self, start: u64, canvas: &mut Canvas) {
        match self {
            // What nobody puts is zero.
            Self::Zero(_) => Ok(()),
            Self::Inline(bytes) => canvas.inline(start, bytes),
            Self::Repeat(pattern, len) => {
                let mut builder = Builder::new(vec![]);
                builder.repeat(pattern, *len as u64).unwrap();
                canvas.plan(start, &builder.finish().unwrap())
            }
            Self::Source { input, at, len } => {
                canvas.source(start, *input as u32, *at as u64, *len as u64)
            }
        }
        .unwrap();
    }
}

fn build(parts: &[Part]) -> Plan {
    let mut builder = Builder::new(inputs());
    parts.iter().for_each(|part| part.put(&mut builder));
    builder.finish().unwrap()
}

fn model(parts: &[Part]) -> Vec<Byte> {
    parts.iter().flat_map(Part::bytes).collect()
}

fn resolve(bytes: &[Byte]) -> Vec<u8> {
    let inputs = input_bytes();
    let resolved = bytes.iter().map(|byte| match *byte {
        Byte::Known(byte) => byte,
        Byte::Of(input, at) => inputs[input][at],
    });
    resolved.collect()
}

fn reader(plan: &Plan) -> Reader<Vec<u8>> {
    let named = input_bytes()
        .into_iter()
        .map(|bytes| ("x".to_owned(), bytes));
    Reader::new(plan.clone(), named.collect()).unwrap()
}

fn read(plan: &Plan) -> Vec<u8> {
    let mut bytes = vec![0xaa; plan.len() as usize];
    reader(plan).read_at(&mut bytes, 0).unwrap();
    bytes
}

fn dump(plan: &Plan) -> String {
    let mut text = Vec::new();
    plan.dump(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The dump of the canonical plan of `bytes`, straight from the words of docs/formats/plan.md.
fn canonical(bytes: &[Byte]) -> String {
    let mut text = format!("plan 3\nlength {}\n", bytes.len());
    for (n, len) in INPUTS.iter().enumerate() {
        writeln!(text, "input {n} {len}").unwrap();
    }
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let same_kind = |(n, byte): (usize, &Byte)| match (rest[0], *byte) {
            (Byte::Known(_), Byte::Known(_)) => true,
            (Byte::Of(input, from), Byte::Of(same, here)) => same == input && here == from + n,
            _ => false,
        };
        let len = rest
            .iter()
            .enumerate()
            .take_while(|pair| same_kind(*pair))
            .count();
        match rest[0] {
            Byte::Of(input, from) => writeln!(text, "{at} {len} source {input} {from}").unwrap(),
            Byte::Known(_) => known_run(&mut text, at, &resolve(&rest[..len])),
        }
        at += len;
    }
    text
}

fn known_run(text: &mut String, start: usize, run: &[u8]) {
    if run.iter().all(|byte| *byte == 0) {
        return writeln!(text, "{start} {} zero", run.len()).unwrap();
    }
    let mut at = 0;
    let mut held = 0;
    while at < run.len() {
        let zeros = run[at..].iter().take_while(|byte| **byte == 0).count();
        if zeros >= 512 {
            stretch(text, start + held, &run[held..at]);
            writeln!(text, "{} {zeros} zero", start + at).unwrap();
            held = at + zeros;
        }
        at += zeros.max(1);
    }
    stretch(text, start + held, &run[held.min(run.len())..]);
}

fn stretch(text: &mut String, start: usize, bytes: &[u8]) {
    let repeats = |at: usize| -> usize {
        let new = bytes[(at + 32).min(bytes.len())..].iter();
        32 + new.zip(&bytes[at..]).take_while(|(a, b)| a == b).count()
    };
    let (mut at, mut held) = (0, 0);
    let inline = |text: &mut String, from: usize, to: usize| {
        let (bytes, at) = (&bytes[from..to], start + from);
        match bytes.len() {
            0 => Ok(()),
            len @ ..=64 => writeln!(text, "{at} {len} inline hex:{}", hex(bytes)),
            len => writeln!(
                text,
                "{at} {len} inline sha256:{}",
                hex(&Sha256::digest(bytes))
            ),
        }
        .unwrap();
    };
    while at + (16 << 10) <= bytes.len() {
        let len = repeats(at);
        if len >= 16 << 10 {
            inline(text, held, at);
            let pattern = hex(&bytes[at..at + 32]);
            writeln!(text, "{} {len} repeat hex:{pattern}", start + at).unwrap();
            at += len;
            held = at;
        } else {
            // Nothing before the place where the period breaks repeats any longer than this.
            at += (len - 32).max(1);
        }
    }
    inline(text, held, bytes.len());
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    let mut bytes = Vec::new();
    while bytes.len() < len {
        match next() % 12 {
            0 => bytes.resize(bytes.len() + 505 + next() % 14, 0),
            1 => bytes.resize(bytes.len() + next() % 40, 0),
            2 => {
                let pattern: Vec<u8> = (0..32)
                    .map(|n| if n < 29 { next() as u8 } else { 0 })
                    .collect();
                let count = (16 << 10) - 40 + next() % 80;
                bytes.extend(pattern.iter().cycle().take(count));
            }
            3 => bytes.resize(bytes.len() + (16 << 10) - 8 + next() % 50, 0xff),
            _ => bytes.extend((0..next() % 300).map(|_| next() as u8)),
        }
    }
    bytes.truncate(len);
    bytes
}

fn part() -> impl Strategy<Value = Part> {
    let pattern = (any::<[u8; 32]>(), 0..32usize).prop_map(|(mut pattern, zeros)| {
        pattern[32 - zeros..].fill(0);
        pattern
    });
    prop_oneof![
        1 => prop_oneof![0..20usize, 500..520usize, 0..20_000usize].prop_map(Part::Zero),
        2 => (0..2000usize, any::<u64>()).prop_map(|(len, seed)| Part::Inline(noise(len, seed))),
        2 => (0..50_000usize, any::<u64>()).prop_map(|(len, seed)| Part::Inline(noise(len, seed))),
        1 => (pattern, 0..60_000usize).prop_map(|(pattern, len)| Part::Repeat(pattern, len)),
        1 => Just(Part::Inline(vec![0xff; 9000])),
        2 => (1..3usize, 0..50_000usize, 0..5000usize).prop_map(|(input, at, len)| {
            let have = INPUTS[input] as usize;
            let at = at.min(have);
            Part::Source { input, at, len: len.min(have - at) }
        }),
    ]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    prop::collection::vec(part(), 0..8)
}

/// The same image in other pieces.
fn recut(bytes: &[Byte], seed: u64) -> Vec<Part> {
    let mut state = seed | 1;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let most = [1, 40, 700, 20_000, 100_000][next(5)];
        let len = (1 + next(most)).min(bytes.len() - at);
        let (taken, part) = match bytes[at] {
            Byte::Of(input, from) => {
                let along = (0..len).take_while(|n| bytes[at + n] == Byte::Of(input, from + n));
                let len = along.count();
                (
                    len,
                    Part::Source {
                        input,
                        at: from,
                        len,
                    },
                )
            }
            Byte::Known(_) => {
                let known = bytes[at..at + len].iter().map_while(|byte| match byte {
                    Byte::Known(byte) => Some(*byte),
                    Byte::Of(..) => None,
                });
                let known: Vec<u8> = known.collect();
                let zeros = known.iter().take_while(|byte| **byte == 0).count();
                match zeros {
                    1.. if next(2) == 0 => (zeros, Part::Zero(zeros)),
                    _ => (known.len(), Part::Inline(known)),
                }
            }
        };
        parts.push(part);
        at += taken;
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn an_image_is_its_bytes(parts in parts(), start in any::<prop::sample::Index>(), len in any::<prop::sample::Index>()) {
        let (plan, bytes) = (build(&parts), model(&parts));
        prop_assert_eq!(plan.len(), bytes.len() as u64);
        let resolved = resolve(&bytes);
        prop_assert!(read(&plan) == resolved);
        let start = start.index(resolved.len() + 1);
        let len = len.index(resolved.len() - start + 1);
        let mut range = vec![0xaa; len];
        reader(&plan).read_at(&mut range, start as u64).unwrap();
        prop_assert!(range == resolved[start..start + len]);
        let mut at = start as u64;
        for extent in plan.extents_in(at, len as u64).unwrap() {
            prop_assert_eq!(extent.start, at);
            prop_assert!(extent.len > 0);
            at = extent.end();
        }
        prop_assert_eq!(at, (start + len) as u64);
    }

    #[test]
    fn there_is_one_plan_of_an_image(parts in parts(), seed in any::<u64>()) {
        let bytes = model(&parts);
        let plan = build(&parts);
        prop_assert_eq!(dump(&plan), canonical(&bytes));
        let other = build(&recut(&bytes, seed));
        prop_assert!(plan == other);
        prop_assert!(plan.encode() == other.encode());
    }

    #[test]
    fn slices_make_up_the_image(parts in parts(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (plan, bytes) = (build(&parts), model(&parts));
        let (a, b) = (a.index(bytes.len() + 1), b.index(bytes.len() + 1));
        let (a, b) = (a.min(b), a.max(b));
        let slice = |from: usize, to: usize| plan.slice(from as u64, (to - from) as u64).unwrap();
        prop_assert_eq!(dump(&slice(a, b)), canonical(&bytes[a..b]));
        let mut builder = Builder::new(inputs());
        for (from, to) in [(0, a), (a, b), (b, bytes.len())] {
            builder.plan(&slice(from, to)).unwrap();
        }
        prop_assert!(builder.finish().unwrap() == plan);
        prop_assert!(plan.slice(a as u64, (bytes.len() - a) as u64 + 1).is_err());
    }

    #[test]
    fn a_canvas_takes_any_order(parts in parts(), order in any::<u64>(), more in 0..2000usize) {
        let mut placed = Vec::new();
        let mut at = 0;
        for part in &parts {
            placed.push((at, part));
            at += part.bytes().len() as u64;
        }
        let len = at + more as u64;
        placed.sort_by_key(|(at, _)| at.wrapping_mul(order | 1));
        let mut canvas = Canvas::new(len, inputs()).unwrap();
        for (at, part) in placed {
            part.put_at(at, &mut canvas);
        }
        let mut whole = parts.clone();
        whole.push(Part::Zero(more));
        let plan = canvas.finish().unwrap();
        prop_assert!(plan == build(&whole));

        // In a larger one, which has more inputs.
        let mut canvas = Canvas::new(len + 300, [inputs(), inputs()].concat()).unwrap();
        canvas.plan(100, &plan).unwrap();
        let mut builder = Builder::new([inputs(), inputs()].concat());
        builder.zero(100).unwrap();
        builder.plan(&plan).unwrap();
        builder.zero(200).unwrap();
        let (canvas, builder) = (canvas.finish().unwrap(), builder.finish().unwrap());
        prop_assert!(canvas == builder);
        let named: Vec<_> = [input_bytes(), input_bytes()].concat().into_iter().map(|b| (String::new(), b)).collect();
        let mut bytes = vec![0; plan.len() as usize];
        Reader::new(canvas, named).unwrap().read_at(&mut bytes, 100).unwrap();
        prop_assert!(bytes == read(&plan));
    }

    #[test]
    fn overlaps_are_found(a in 0..50u64, a_len in 1..50u64, b in 0..50u64, b_len in 1..50u64) {
        let mut canvas = Canvas::new(100, inputs()).unwrap();
        canvas.inline(a, &vec![1; a_len as usize]).unwrap();
        canvas.source(b, 2, 0, b_len).unwrap();
        let overlap = a < b + b_len && b < a + a_len;
        match canvas.finish() {
            Ok(_) => prop_assert!(!overlap),
            Err(error) => {
                prop_assert!(overlap);
                prop_assert!(matches!(error, plan::Error::Overlap { .. }), "{}", error);
            }
        }
    }

    #[test]
    fn encodings_come_back(parts in parts()) {
        let plan = build(&parts);
        let bytes = plan.encode();
        prop_assert!(Plan::decode(&bytes).unwrap() == plan);
        let mut written = Vec::new();
        plan.write(&mut written).unwrap();
        prop_assert!(written == bytes);
    }

    /// A damaged plan is refused; one that is wrong in itself is refused or canonical.
    #[test]
    fn no_encoding_panics(parts in parts(), at in any::<prop::sample::Index>(), new in prop::collection::vec(any::<u8>(), 1..9), cut in any::<prop::sample::Index>()) {
        let good = build(&parts).encode();
        prop_assert!(Plan::decode(&good[..cut.index(good.len())]).is_err());
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        let len = new.len().min(bytes.len() - at);
        bytes[at..at + len].copy_from_slice(&new[..len]);
        prop_assert!(bytes == good || Plan::decode(&bytes).is_err());
        check(seal(&bytes[..bytes.len() - 32]));
        // The same behind the digest, and in what is packed.
        let mut body = unpacked(&good);
        if !body.is_empty() {
            let at = at % body.len();
            let len = new.len().min(body.len() - at);
            body[at..at + len].copy_from_slice(&new[..len]);
            check(seal(&[&good[..40], &body].concat()));
            let packed = zstd::bulk::compress(&body, 1).unwrap();
            check(seal(&[&good[..40], &packed].concat()));
        }
    }

    /// Heads of mostly small numbers.
    #[test]
    fn no_table_panics(
        len in number(),
        inputs in prop::collection::vec(number(), 0..3),
        extents in prop::collection::vec((number(), 0..5u32, 0..3u32, number()), 0..6),
        held in prop::collection::vec(prop_oneof![Just(0u8), Just(1u8)], 0..200),
    ) {
        let mut bytes = b"IMGPLAN\0\x03\0\0\0".to_vec();
        bytes.extend_from_slice(&(inputs.len() as u32).to_le_bytes());
        for number in [len, extents.len() as u64, held.len() as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for len in inputs {
            bytes.extend_from_slice(&len.to_le_bytes());
        }
        for (len, kind, input, offset) in extents {
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(&kind.to_le_bytes());
            bytes.extend_from_slice(&input.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
        }
        bytes.extend_from_slice(&held);
        check(seal(&bytes));
    }

    #[test]
    fn different_plans_have_different_text(parts in prop::collection::vec(parts(), 2..5)) {
        let mut texts = BTreeMap::new();
        for parts in parts {
            let plan = build(&parts);
            let (text, bytes) = (dump(&plan), plan.encode());
            if let Some(before) = texts.insert(text, bytes.clone()) {
                prop_assert!(before == bytes);
            }
        }
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 0..20u64,
        2 => prop::sample::select(vec![511, 512, 513, 16383, 16384, 16385, 1 << 40]),
        1 => prop::sample::select(vec![i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX, u64::MAX - 16]),
    ]
}

/// `bytes` with the right digest behind them.
fn seal(bytes: &[u8]) -> Vec<u8> {
    [bytes, Sha256::digest(bytes).as_slice()].concat()
}

/// What is taken is canonical: its body is what the plan's own encoding has, packed or not.
fn check(bytes: Vec<u8>) {
    if let Ok(plan) = Plan::decode(&bytes) {
        let own = plan.encode();
        assert!(own[..40] == bytes[..40]);
        assert!(unpacked(&own) == unpacked(&bytes));
        assert!(Plan::decode(&own).unwrap() == plan);
    }
}

/// The body of an encoding.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let inputs = u64::from(u32::from_le_bytes(bytes[12..16].try_into().unwrap()));
    let want = (8 * inputs + 24 * number(24) + number(32)) as usize;
    let stored = &bytes[40..bytes.len() - 32];
    match stored.len() == want {
        true => stored.to_vec(),
        false => zstd::bulk::decompress(stored, want).unwrap(),
    }
}

/// Extents and inodes that are much alike, as those of a file system.
#[test]
fn alike_is_packed() {
    let mut builder = Builder::new(vec![Input::of_len(1 << 40)]);
    for n in 0..10_000u64 {
        builder.source(0, n * 12288, 4096 * (n % 3 + 1)).unwrap();
        let inode = [&n.to_le_bytes()[..], &(n / 7).to_le_bytes(), &[1; 100]].concat();
        builder.inline(&inode).unwrap();
    }
    let plan = builder.finish().unwrap();
    let bytes = plan.encode();
    let whole = 40 + 8 + 24 * 20_000 + 116 * 10_000 + 32;
    assert!(bytes.len() * 8 < whole, "{}", bytes.len());
    assert!(Plan::decode(&bytes).unwrap() == plan);
    assert!(plan.encode() == bytes);
    let body = unpacked(&bytes);
    assert_eq!(body.len(), whole - 72);
    let as_it_is = seal(&[&bytes[..40], &body].concat());
    assert!(Plan::decode(&as_it_is).unwrap() == plan);
}

/// Pieces that end around the places where repeats are looked for.
#[test]
fn a_piece_ends_anywhere() {
    let unlike = |n: u32| n.wrapping_mul(0x9e37_79b9).to_be_bytes()[0] | 1;
    for len in [
        16 << 10,
        (24 << 10) - 32,
        (24 << 10) - 31,
        (24 << 10) - 1,
        24 << 10,
    ] {
        let parts = [
            Part::Inline((0..len).map(unlike).collect()),
            Part::Repeat([2; 32], 20_000),
        ];
        assert_eq!(dump(&build(&parts)), canonical(&model(&parts)), "{len}");
    }
}

#[test]
fn long_repeats_are_cheap() {
    let mut builder = Builder::new(vec![]);
    builder.inline(b"before").unwrap();
    builder.repeat(&[7; 32], 1 << 40).unwrap();
    builder.inline(b"behind").unwrap();
    let plan = builder.finish().unwrap();
    assert_eq!(plan.len(), (1 << 40) + 12);
    assert!(plan.encode().len() < 300);
    assert!(Plan::decode(&plan.encode()).unwrap() == plan);
    let mut canvas = Canvas::new(1 << 41, vec![]).unwrap();
    canvas.plan(1 << 39, &plan).unwrap();
    let wide = canvas.finish().unwrap();
    assert!(wide.encode().len() < 400);
    let no_inputs = Vec::<(String, Vec<u8>)>::new();
    let reader = Reader::new(wide, no_inputs).unwrap();
    let mut bytes = [0; 12];
    reader.read_at(&mut bytes, (1 << 39) + (1 << 40)).unwrap();
    assert_eq!(bytes, *b"\x07\x07\x07\x07\x07\x07behind");
}
