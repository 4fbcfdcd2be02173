//! Clients that mean no good: whatever bytes come, a connection ends without harm.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "tests"
)]

use plan::{Builder, Input, Reader};
use proptest::prelude::*;

use crate::handshake::{negotiate, Session};
use crate::proto::{self, command, flag, option};
use crate::server::offer;
use crate::transmission::transmit;
use crate::{Error, Overlay};

const LEN: u64 = 3 << 20;

/// A hole, then data from an input that is shorter than the plan says: reads of its end fail.
fn disk() -> Overlay<Vec<u8>> {
    let mut builder = Builder::new(vec![Input::of_len(1 << 20)]);
    builder.zero(1 << 20).unwrap();
    builder.source(0, 0, 1 << 20).unwrap();
    builder.zero(1 << 20).unwrap();
    let input = vec![5; (1 << 20) - 9];
    let reader = Reader::new(builder.finish().unwrap(), vec![("short".to_owned(), input)]);
    Overlay::throw_away(reader.unwrap()).unwrap()
}

fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = proto::IHAVEOPT.to_be_bytes().to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn request(number: u16, flags: u16, offset: u64, len: u32) -> Vec<u8> {
    let mut bytes = proto::REQUEST.to_be_bytes().to_vec();
    bytes.extend_from_slice(&flags.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(b"cookie!!");
    bytes.extend_from_slice(&offset.to_be_bytes());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes
}

/// What is answered to options sent after a proper greeting.
fn negotiated(sent: &[u8]) -> (Result<Option<Session>, Error>, Vec<u8>) {
    let input = [&3u32.to_be_bytes(), sent].concat();
    let mut answers = Vec::new();
    let result = negotiate(&mut &input[..], &mut answers, &offer(LEN, false));
    (result, answers)
}

fn transmitted(sent: &[u8], read_only: bool, session: Session) -> (Result<(), Error>, Vec<u8>) {
    let mut answers = Vec::new();
    let result = transmit(&mut &sent[..], &mut answers, &disk(), read_only, session);
    (result, answers)
}

const PLAIN: Session = Session {
    structured: false,
    allocation: false,
};
const FULL: Session = Session {
    structured: true,
    allocation: true,
};

/// The error of a simple reply.
fn error_of(sent: &[u8], read_only: bool) -> u32 {
    let (result, answers) = transmitted(sent, read_only, PLAIN);
    result.unwrap();
    assert_eq!(answers.len(), 16, "one simple reply");
    u32::from_be_bytes(answers[4..8].try_into().unwrap())
}

#[test]
fn requests_that_make_no_sense() {
    for (sent, read_only, want) in [
        (request(command::READ, 0, LEN, 1), false, 22),
        (request(command::READ, 0, u64::MAX, 1), false, 22),
        (request(command::READ, 0, 0, u32::MAX), false, 22),
        (request(command::READ, 1 << 4, 0, 1), false, 22),
        (request(command::READ, 0, (2 << 20) - 9, 9), false, 5),
        (request(command::TRIM, 0, LEN - 1, 2), false, 28),
        (request(command::TRIM, 0, 0, 1), true, 1),
        (request(command::WRITE_ZEROES, 0, 0, 1), true, 1),
        (request(command::WRITE_ZEROES, 0, 0, LEN as u32), false, 0),
        (request(command::BLOCK_STATUS, 0, 0, 1), false, 22),
        (request(command::FLUSH, 0, 0, 0), true, 0),
        (request(command::CACHE, 0, 0, 9), true, 0),
        (request(99, 0, 0, 0), false, 22),
        (
            [request(command::WRITE, 0, LEN, 3), vec![0; 3]].concat(),
            false,
            28,
        ),
        (
            [request(command::WRITE, 0, 0, 3), vec![0; 3]].concat(),
            true,
            1,
        ),
        (
            [request(command::WRITE, 0, 0, 33 << 20), vec![0; 33 << 20]].concat(),
            false,
            28,
        ),
    ] {
        assert_eq!(error_of(&sent, read_only), want, "{:?}", &sent[..28]);
    }
}

#[test]
fn a_refused_write_takes_its_data_away() {
    let sent = [
        request(command::WRITE, 0, LEN, 3),
        b"abc".to_vec(),
        request(command::FLUSH, 0, 0, 0),
        request(command::DISCONNECT, 0, 0, 0),
        b"junk".to_vec(),
    ]
    .concat();
    let (result, answers) = transmitted(&sent, false, PLAIN);
    result.unwrap();
    assert_eq!(answers.len(), 32);
}

#[test]
fn an_unreadable_input_is_an_error_chunk() {
    let sent = request(command::READ, 0, (1 << 20) - 69632, 1 << 20);
    let (result, answers) = transmitted(&sent, false, FULL);
    result.unwrap();
    // A hole comes first, then data up to the end of the readable part is fine.
    assert_eq!(answers[4..8], [0, 0, 0, 2]);
    assert_eq!(answers[20 + 12 + 4..20 + 12 + 8], [0, 1, 0, 1]);
    let sent = request(command::READ, flag::DONT_FRAGMENT, (2 << 20) - 100, 200);
    let (_, answers) = transmitted(&sent, false, FULL);
    assert_eq!(answers[4..8], [0, 1, 0x80, 1]);
    assert_eq!(answers[20..24], [0, 0, 0, 5]);
    assert!(String::from_utf8_lossy(&answers[26..]).contains("short became shorter"));
    let sent = request(command::READ, flag::DONT_FRAGMENT, 0, 2 << 20);
    let (_, answers) = transmitted(&sent, false, FULL);
    assert_eq!(answers[20..24], [0, 0, 0, 75]);
}

#[test]
fn options_that_make_no_sense() {
    // The kind of the one answer; the number is in the high bit and the low byte.
    for (sent, want) in [
        (option(option::GO, b""), 3),
        (option(option::GO, &[0xff; 8]), 3),
        (option(option::GO, &[0, 0, 0, 0, 0xff, 0xff]), 3),
        (option(option::INFO, &[0, 0, 0, 1, b'x', 0, 0]), 6),
        (option(option::LIST, b"x"), 3),
        (option(option::STRUCTURED_REPLY, b"x"), 3),
        (option(option::SET_META_CONTEXT, &[0; 8]), 3),
        (option(5, b""), 1),
        (option(77, b""), 1),
        (option(option::LIST, &[0; 65537]), 9),
    ] {
        let (result, answers) = negotiated(&sent);
        assert_eq!(result.unwrap(), None);
        assert_eq!(answers[18 + 12..18 + 16], [0x80, 0, 0, want], "{sent:?}");
    }
    let structured = option(option::STRUCTURED_REPLY, b"");
    let meta = option(
        option::SET_META_CONTEXT,
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    );
    let (_, answers) = negotiated(&[structured, meta].concat());
    assert_eq!(answers[18 + 20 + 12..18 + 20 + 16], [0x80, 0, 0, 3]);
    for broken in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        &option(option::EXPORT_NAME, b"other"),
        &option(option::LIST, b"")[..9],
    ] {
        assert!(negotiated(broken).0.is_err());
    }
    let (result, _) = negotiated(&option(option::ABORT, b""));
    assert_eq!(result.unwrap(), None);
}

#[test]
fn the_oldest_way_in() {
    let sent = [&[0; 4], &option(option::EXPORT_NAME, b"")[..]].concat();
    let mut answers = Vec::new();
    let session = negotiate(&mut &sent[..], &mut answers, &offer(LEN, true)).unwrap();
    assert_eq!(session, Some(PLAIN));
    assert_eq!(answers.len(), 18 + 8 + 2 + 124);
    assert_eq!(answers[18..26], LEN.to_be_bytes());
}

fn junk() -> impl Strategy<Value = Vec<u8>> {
    let request = (
        0u16..9,
        0u16..32,
        prop_oneof![0..LEN, any::<u64>()],
        any::<u32>(),
    );
    let small = (0u16..9, 0u16..32, 0..LEN, 0u32..5000);
    let option = (0u32..12, prop::collection::vec(any::<u8>(), 0..40));
    let piece = prop_oneof![
        request.prop_map(|(number, flags, at, len)| self::request(number, flags, at, len)),
        small.prop_map(|(number, flags, at, len)| self::request(number, flags, at, len)),
        option.prop_map(|(number, data)| self::option(number, &data)),
        prop::collection::vec(any::<u8>(), 0..60),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_do_harm(bytes in junk(), read_only: bool, full: bool) {
        let session = if full { FULL } else { PLAIN };
        let (_, answers) = transmitted(&bytes, read_only, session);
        // A request is answered by 32 MiB at most, and there are a few.
        prop_assert!(answers.len() < (8 * LEN as usize) * 2);
        let _ = negotiated(&bytes);
    }
}
