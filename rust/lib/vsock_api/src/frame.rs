//! Greeting and frames.
//!
//! All integers are little-endian. The client greets first, the server answers with a greeting of its own, 16 bytes each:
//!
//! | offset | size | field |
//! |-------:|-----:|-------|
//! | 0 | 8 | magic `HOSTAPI\0` |
//! | 8 | 2 | version that is spoken from here on; 0 from the client, and from a server that knows none of the client's |
//! | 10 | 2 | lowest version that the sender speaks, 1 at least |
//! | 12 | 2 | highest version that the sender speaks |
//! | 14 | 2 | zero |
//!
//! A frame is its length as 4 bytes, 1 at least, and so many bytes. Nothing is allocated by a length that was only announced.

use std::io::{self, Read, Write};

use base::as_u64;

use crate::error::Error;

/// What both greetings begin with.
pub const MAGIC: [u8; 8] = *b"HOSTAPI\0";
/// The lowest version that is spoken here.
pub const LOWEST: u16 = 1;
/// The highest version that is spoken here.
pub const HIGHEST: u16 = 1;
/// Bytes of a greeting.
pub const GREETING: usize = 16;
/// Most bytes of a request.
pub const MOST_REQUEST: u32 = 16 * 1024;
/// Most bytes of a reply.
pub const MOST_REPLY: u32 = 1024 * 1024;

const WANT: &str =
    "`HOSTAPI` and a zero byte, a version, the lowest and the highest, and two zeros";

/// A greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greeting {
    /// The version that is spoken from here on; 0: none yet, or none at all.
    pub chosen: u16,
    /// The lowest version that the sender speaks.
    pub lowest: u16,
    /// The highest version that the sender speaks.
    pub highest: u16,
}

impl Greeting {
    /// Of this program as a client.
    pub const OURS: Self = Self {
        chosen: 0,
        lowest: LOWEST,
        highest: HIGHEST,
    };

    /// Of this program as a server, to a client's: the highest version that both speak.
    pub fn answer(theirs: &Self) -> Self {
        let highest = theirs.highest.min(HIGHEST);
        let chosen = match highest >= theirs.lowest.max(LOWEST) {
            true => highest,
            false => 0,
        };
        Self {
            chosen,
            ..Self::OURS
        }
    }

    /// That the two sides have no version in common.
    pub fn no_version(&self) -> Error {
        Error::NoVersion {
            lowest: self.lowest,
            highest: self.highest,
            own_lowest: LOWEST,
            own_highest: HIGHEST,
        }
    }

    /// The 16 bytes.
    pub fn to_bytes(self) -> [u8; GREETING] {
        let [m0, m1, m2, m3, m4, m5, m6, m7] = MAGIC;
        let [c0, c1] = self.chosen.to_le_bytes();
        let [l0, l1] = self.lowest.to_le_bytes();
        let [h0, h1] = self.highest.to_le_bytes();
        [m0, m1, m2, m3, m4, m5, m6, m7, c0, c1, l0, l1, h0, h1, 0, 0]
    }

    /// Reads 16 bytes.
    pub fn from_bytes(bytes: [u8; GREETING]) -> Result<Self, Error> {
        let [m0, m1, m2, m3, m4, m5, m6, m7, c0, c1, l0, l1, h0, h1, z0, z1] = bytes;
        let greeting = Self {
            chosen: u16::from_le_bytes([c0, c1]),
            lowest: u16::from_le_bytes([l0, l1]),
            highest: u16::from_le_bytes([h0, h1]),
        };
        let is_ours = [m0, m1, m2, m3, m4, m5, m6, m7] == MAGIC && [z0, z1] == [0, 0];
        let is_range = 0 < greeting.lowest && greeting.lowest <= greeting.highest;
        match is_ours && is_range {
            true => Ok(greeting),
            false => Err(Error::NoGreeting {
                got: bytes,
                want: WANT,
            }),
        }
    }

    /// Reads a greeting from a stream.
    pub fn read(reader: &mut impl Read) -> Result<Self, Error> {
        let mut bytes = [0; GREETING];
        match reader.read_exact(&mut bytes) {
            Ok(()) => Self::from_bytes(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Error::Closed {
                want: "a greeting of 16 bytes",
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads a frame; nothing when the stream ends where one would begin.
pub fn read(reader: &mut impl Read, most: u32) -> Result<Option<Vec<u8>>, Error> {
    let mut head = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut head)?;
    let head: [u8; 4] = match head.as_slice() {
        [] => return Ok(None),
        [a, b, c, d] => [*a, *b, *c, *d],
        _ => {
            return Err(Error::Closed {
                want: "the 4 bytes of a frame's length",
            })
        }
    };
    let len = u32::from_le_bytes(head);
    check(u64::from(len), most)?;
    let mut body = Vec::new();
    reader.take(u64::from(len)).read_to_end(&mut body)?;
    match as_u64(body.len()) == u64::from(len) {
        true => Ok(Some(body)),
        false => Err(Error::Closed {
            want: "all bytes of a frame",
        }),
    }
}

/// The bytes of a frame around `body`.
pub fn frame(body: &[u8], most: u32) -> Result<Vec<u8>, Error> {
    let len = check(as_u64(body.len()), most)?;
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// Writes a frame by one call, so that it goes out in one piece.
pub fn write(writer: &mut impl Write, body: &[u8], most: u32) -> Result<(), Error> {
    writer.write_all(&frame(body, most)?)?;
    writer.flush()?;
    Ok(())
}

fn check(got: u64, most: u32) -> Result<u32, Error> {
    let len = u32::try_from(got).ok();
    len.filter(|len| 0 < *len && *len <= most)
        .ok_or(Error::FrameLength { got, most })
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn greetings_have_the_bytes_of_the_table() {
        let greeting = Greeting {
            chosen: 0x0201,
            lowest: 0x0003,
            highest: 0x0504,
        };
        let bytes = *b"HOSTAPI\0\x01\x02\x03\0\x04\x05\0\0";
        assert_eq!(greeting.to_bytes(), bytes);
        assert_eq!(Greeting::from_bytes(bytes).unwrap(), greeting);
        for (at, value) in [(0, b'h'), (7, 1), (14, 1), (15, 1), (10, 0)] {
            let mut other = bytes;
            other[at] = value;
            let error = Greeting::from_bytes(other).unwrap_err();
            assert!(matches!(error, Error::NoGreeting { .. }), "{at}: {error}");
        }
    }

    #[test]
    fn the_highest_version_of_both_is_spoken() {
        let of = |lowest, highest| Greeting {
            chosen: 0,
            lowest,
            highest,
        };
        for (theirs, chosen) in [
            (of(1, 1), 1),
            (of(1, 9), 1),
            (of(2, 9), 0),
            (of(u16::MAX, u16::MAX), 0),
        ] {
            let answer = Greeting::answer(&theirs);
            assert_eq!(answer.chosen, chosen, "{theirs:?}");
            assert_eq!((answer.lowest, answer.highest), (LOWEST, HIGHEST));
        }
        let error = of(2, 9).no_version().to_string();
        assert_eq!(
            error,
            "the other side speaks versions 2 to 9 of the protocol, this one 1 to 1: upgrade the older one"
        );
    }

    #[test]
    fn lengths_are_refused_unread() {
        for (head, got) in [
            ([0, 0, 0, 0], 0),
            ([11, 0, 0, 0], 11),
            ([0xff; 4], u64::from(u32::MAX)),
        ] {
            let mut rest: &[u8] = &[&head[..], b"0123456789x"].concat();
            let error = read(&mut rest, 10).unwrap_err();
            let want = format!("a frame of {got} bytes, want 1 to 10");
            assert_eq!(error.to_string(), want);
            assert_eq!(rest.len(), 11, "the body is not read");
        }
        let error = frame(&[0; 11], 10).unwrap_err().to_string();
        assert_eq!(error, "a frame of 11 bytes, want 1 to 10");
        assert!(frame(b"", 10).is_err());
    }

    proptest! {
        /// What is written is read, however it comes, and what is cut off is told from what is not there.
        #[test]
        fn there_and_back(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..4), cut in any::<proptest::sample::Index>()) {
            let mut bytes = Vec::new();
            let mut ends = vec![0];
            for body in &bodies {
                write(&mut bytes, body, 60).unwrap();
                ends.push(bytes.len());
            }
            let mut reader = Slow(&bytes);
            for body in &bodies {
                let got = read(&mut reader, 60).unwrap();
                prop_assert_eq!(got.as_ref(), Some(body));
            }
            prop_assert!(read(&mut reader, 60).unwrap().is_none());

            let cut = cut.index(bytes.len() + 1);
            let mut reader = Slow(&bytes[..cut]);
            let end = loop {
                match read(&mut reader, 60) {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            };
            match end {
                Ok(_) => prop_assert!(ends.contains(&cut)),
                Err(error) => {
                    let closed = matches!(error, Error::Closed { .. });
                    prop_assert!(closed && !ends.contains(&cut));
                }
            }
        }

        #[test]
        fn no_bytes_are_a_fault_of_ours(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = read(&mut bytes.as_slice(), 32);
            if let Ok(greeting) = Greeting::read(&mut bytes.as_slice()) {
                prop_assert_eq!(&greeting.to_bytes()[..], &bytes[..GREETING]);
            }
        }
    }
}
