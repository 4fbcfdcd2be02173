//! What is refused, and in which words.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::Path;

use plan::{Builder, Canvas, Error, Input, Plan, Reader};
use sha2::{Digest, Sha256};

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn ranges() {
    let mut builder = Builder::new(vec![Input::of_len(10)]);
    assert_eq!(
        text(builder.source(1, 0, 1)),
        "the plan names input 1, but it has 1 inputs"
    );
    assert_eq!(
        text(builder.source(0, 5, 6)),
        "bytes 5+6 of input 0 lie outside its 10 bytes"
    );
    assert_eq!(
        text(builder.source(0, u64::MAX, 1)),
        "bytes 18446744073709551615+1 of input 0 lie outside its 10 bytes"
    );
    builder.zero(5).unwrap();
    let too_long = "the image would be longer than 2^63-1 bytes";
    assert_eq!(text(builder.zero(u64::MAX)), too_long);
    assert_eq!(text(builder.zero(i64::MAX.unsigned_abs() - 4)), too_long);
    assert_eq!(text(builder.repeat(&[1; 32], u64::MAX)), too_long);
    assert_eq!(text(builder.zero_to(4)), "two pieces overlap: 0+5 and 4+0");
    let plan = builder.finish().unwrap();
    assert_eq!(
        text(plan.slice(4, 2)),
        "bytes 4+2 lie outside the image of 5 bytes"
    );
    let mut other = Builder::new(vec![]);
    let mut source = Builder::new(vec![Input::of_len(1)]);
    source.source(0, 0, 1).unwrap();
    let source = source.finish().unwrap();
    assert_eq!(
        text(other.plan(&source)),
        "a plan over 1 inputs is put into an image over 0 others"
    );
}

#[test]
fn canvases() {
    assert!(matches!(Canvas::new(u64::MAX, vec![]), Err(Error::TooLong)));
    let mut canvas = Canvas::new(10, vec![Input::of_len(5)]).unwrap();
    assert_eq!(canvas.len(), 10);
    assert_eq!(
        text(canvas.inline(9, b"ab")),
        "bytes 9+2 lie outside the image of 10 bytes"
    );
    assert_eq!(
        text(canvas.source(u64::MAX, 0, 0, 2)),
        "bytes 18446744073709551615+2 lie outside the image of 10 bytes"
    );
    canvas.inline(6, b"abc").unwrap();
    canvas.source(4, 0, 0, 3).unwrap();
    assert_eq!(
        text(canvas.clone().finish()),
        "two pieces overlap: 4+3 and 6+3"
    );
    // Nothing is on no byte.
    let mut canvas = Canvas::new(10, vec![Input::of_len(5)]).unwrap();
    canvas.inline(0, b"0123456789").unwrap();
    canvas.inline(5, b"").unwrap();
    canvas.source(5, 0, 5, 0).unwrap();
    assert_eq!(canvas.finish().unwrap().inline_len(), 10);
    // An input's end is checked at the end.
    let mut canvas = Canvas::new(10, vec![Input::of_len(5)]).unwrap();
    canvas.source(0, 0, 0, 6).unwrap();
    assert_eq!(
        text(canvas.finish()),
        "bytes 0+6 of input 0 lie outside its 5 bytes"
    );
    // The zeros of a plan are pieces.
    let mut zeros = Builder::new(vec![]);
    zeros.zero(4).unwrap();
    let zeros = zeros.finish().unwrap();
    let mut canvas = Canvas::new(10, vec![]).unwrap();
    canvas.plan(0, &zeros).unwrap();
    canvas.plan(2, &zeros).unwrap();
    assert_eq!(text(canvas.finish()), "two pieces overlap: 0+4 and 2+4");
}

/// A plan of one input of 5 bytes, in a file; with the folder.
fn plan_file() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.plan").display().to_string();
    let mut builder = Builder::new(vec![Input::of_len(5)]);
    builder.source(0, 0, 5).unwrap();
    std::fs::write(&path, builder.finish().unwrap().encode()).unwrap();
    (dir, path)
}

#[test]
fn inputs_on_disk() {
    let (dir, path) = plan_file();
    let plan = Plan::open(Path::new(&path)).unwrap();
    let input = dir.path().join("input");
    let name = input.display();
    let open = |paths: &[&Path]| Reader::open(plan.clone(), paths);
    assert_eq!(
        text(open(&[])),
        "the plan was made over 1 inputs, but 0 are given"
    );
    assert_eq!(text(open(&[&input])), format!("cannot read {name}"));
    std::fs::write(&input, b"abcd").unwrap();
    assert_eq!(
        text(open(&[&input])),
        format!("{name} has 4 bytes, but the plan was made over 5")
    );
    assert_eq!(
        text(open(&[dir.path()])),
        format!("{} is not a regular file", dir.path().display())
    );
    std::fs::write(&input, b"abcde").unwrap();
    let reader = open(&[&input]).unwrap();
    let mut bytes = [0; 3];
    reader.read_at(&mut bytes, 1).unwrap();
    assert_eq!(&bytes, b"bcd");
    assert_eq!(
        text(reader.read_at(&mut bytes, 3)),
        "bytes 3+3 lie outside the image of 5 bytes"
    );
    std::fs::write(&input, b"ab").unwrap();
    assert_eq!(
        text(reader.read_at(&mut bytes, 1)),
        format!("{name} became shorter while it was read")
    );
}

/// An encoding: inputs' lengths, extents, held bytes.
fn encoding(len: u64, inputs: &[u64], extents: &[(u64, u32, u32, u64)], held: &[u8]) -> Vec<u8> {
    let mut bytes = b"IMGPLAN\0\x03\0\0\0".to_vec();
    bytes.extend_from_slice(&u32::try_from(inputs.len()).unwrap().to_le_bytes());
    let count = |n: usize| u64::try_from(n).unwrap();
    for number in [len, count(extents.len()), count(held.len())] {
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
    bytes.extend_from_slice(held);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// The same with another body, and the right digest.
fn with_body(encoding: &[u8], body: &[u8]) -> Vec<u8> {
    let bytes = [&encoding[..40], body].concat();
    [&bytes[..], Sha256::digest(&bytes).as_slice()].concat()
}

/// Bodies that are no frame, or a frame of something else; bombs.
#[test]
fn packed_bodies() {
    let rows: Vec<_> = (0..1000).map(|n| (5 + n % 3, 2, 0, 100 * n)).collect();
    let len = rows.iter().map(|row| row.0).sum();
    let plain = encoding(len, &[1 << 40], &rows, &[]);
    let plan = Plan::decode(&plain).unwrap();
    let (body, want) = (&plain[40..plain.len() - 32], 8 + 24 * 1000);
    let pack = |body: &[u8]| zstd::bulk::compress(body, 19).unwrap();
    let packed = pack(body);
    assert!(Plan::decode(&with_body(&plain, &packed)).unwrap() == plan);

    let refused = |body: &[u8]| {
        let text = text(Plan::decode(&with_body(&plain, body)));
        let start = "not a valid image plan: at byte 40: ";
        text.strip_prefix(start).unwrap_or(&text).to_owned()
    };
    let more = [body, b"x"].concat();
    assert_eq!(
        refused(&pack(&more)),
        format!("the packed body has more than {want} bytes")
    );
    assert_eq!(
        refused(&pack(&body[1..])),
        format!("the packed body has {} bytes, want {want}", want - 1)
    );
    let behind = [&packed[..], b"x"].concat();
    assert_eq!(
        refused(&behind),
        format!("the packed body has more than {want} bytes")
    );
    assert!(refused(&packed[..packed.len() - 3]).starts_with("the packed body"));
    assert!(refused(&body[1..]).starts_with("the packed body: "));
    // Where somebody changed what is packed, the plan is checked as any other.
    let mut other = body.to_vec();
    other[8 + 8] = 4;
    let text_of = text(Plan::decode(&with_body(&plain, &pack(&other))));
    assert_eq!(
        text_of,
        "not a valid image plan: at byte 72: an extent of kind 4"
    );

    // Ten gigabytes of extents, said in a kilobyte.
    let mut bomb = plain[..40].to_vec();
    bomb[24..32].copy_from_slice(&(10u64 << 30).to_le_bytes());
    let frame = pack(&vec![0; 1 << 24]);
    assert!(frame.len() < 4096);
    let text_of = text(Plan::decode(&with_body(&bomb, &frame)));
    let claims = 8 + 24 * (10u64 << 30);
    assert_eq!(
        text_of,
        format!(
            "not a valid image plan: at byte 40: {} bytes are to be a packed body of {claims}: at most 512 times as many are believed",
            frame.len()
        )
    );
    bomb[24..32].copy_from_slice(&[255; 8]);
    assert!(text(Plan::decode(&with_body(&bomb, &frame))).contains("don't make up"));
}

#[test]
fn encodings() {
    let good = encoding(5, &[5], &[(5, 2, 0, 0)], &[]);
    let plan = Plan::decode(&good).unwrap();
    assert_eq!(Plan::decode(&plan.encode()).unwrap(), plan);
    let zeros = [0u8; 600];
    let ones = [1u8; 16384];
    let cases: [(Vec<u8>, &str); 22] = [
        (vec![], "at byte 0: it ends too early"),
        (b"IMGPLAN\0".to_vec(), "at byte 8: it ends too early"),
        (
            b"IMGPLAN\0\x02\0\0\0".to_vec(),
            "at byte 8: version 2, want 3",
        ),
        (
            good[..72].to_vec(),
            "at byte 40: the digest is another one: damaged",
        ),
        (
            [&good[..], b"x"].concat(),
            "at byte 12: 1 inputs, 1 extents and 0 inline bytes don't make up 105 bytes",
        ),
        (
            {
                let mut bad = good.clone();
                bad[20] ^= 1;
                bad
            },
            "at byte 72: the digest is another one: damaged",
        ),
        (
            encoding(6, &[5], &[(5, 2, 0, 0)], &[]),
            "at byte 16: the extents make up 5 bytes",
        ),
        (
            encoding(5, &[5], &[(5, 4, 0, 0)], &[]),
            "at byte 72: an extent of kind 4",
        ),
        (
            encoding(0, &[5], &[(0, 2, 0, 0)], &[]),
            "at byte 72: an extent of no bytes",
        ),
        (
            encoding(5, &[], &[(5, 0, 1, 0)], &[]),
            "at byte 64: an extent of kind 0",
        ),
        (
            encoding(5, &[], &[(5, 0, 0, 1)], &[]),
            "at byte 64: an extent of kind 0",
        ),
        (
            encoding(1, &[], &[(1, 1, 0, 1)], b"x"),
            "at byte 64: an extent of kind 1",
        ),
        (
            encoding(2, &[], &[(2, 1, 0, 0)], b"x"),
            "at byte 64: it ends too early",
        ),
        (
            encoding(1, &[], &[(1, 1, 0, 0)], b"xy"),
            "at byte 65: inline bytes that no extent takes",
        ),
        (
            encoding(2, &[], &[(1, 1, 0, 0), (1, 1, 0, 0)], b"xy"),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(2, &[], &[(1, 0, 0, 0), (1, 0, 0, 0)], b""),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(1, &[], &[(1, 1, 0, 0)], b"\0"),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(600, &[], &[(600, 1, 0, 0)], &zeros),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(10, &[10], &[(5, 2, 0, 0), (5, 2, 0, 5)], &[]),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(16384, &[], &[(16384, 1, 0, 0)], &ones),
            "at byte 40: the extents are not in canonical form",
        ),
        (
            encoding(16383, &[], &[(16383, 3, 0, 0)], &ones[..32]),
            "at byte 64: an extent of kind 3",
        ),
        (
            encoding(16384, &[], &[(16384, 3, 0, 0)], &zeros[..32]),
            "at byte 96: zeros that are repeated",
        ),
    ];
    for (bytes, want) in cases {
        assert_eq!(
            text(Plan::decode(&bytes)),
            format!("not a valid image plan: {want}")
        );
    }
    let sources = [
        (
            encoding(6, &[5], &[(6, 2, 0, 0)], &[]),
            "bytes 0+6 of input 0 lie outside its 5 bytes",
        ),
        (
            encoding(5, &[5], &[(5, 2, 1, 0)], &[]),
            "the plan names input 1, but it has 1 inputs",
        ),
        (
            encoding(5, &[5], &[(5, 2, 0, u64::MAX)], &[]),
            "bytes 18446744073709551615+5 of input 0 lie outside its 5 bytes",
        ),
        (
            encoding(5, &[], &[(u64::MAX, 0, 0, 0)], &[]),
            "the image would be longer than 2^63-1 bytes",
        ),
        (
            encoding(5, &[], &[(u64::MAX, 3, 0, 0)], &ones[..32]),
            "the image would be longer than 2^63-1 bytes",
        ),
    ];
    for (bytes, want) in sources {
        assert_eq!(text(Plan::decode(&bytes)), want);
    }
    assert!(Plan::decode(&encoding(1 << 60, &[], &[(1 << 60, 3, 0, 0)], &ones[..32])).is_ok());
}
