//! gzip, read: RFC 1952 around RFC 1951. Bazel compresses its profiles so, and nothing else here reads it, so it is no crate from outside.
//!
//! A stream is a header, blocks of literals and of references to what was written before, and a checksum with the length. Several streams one
//! behind the other are their contents one behind the other.

use base::{as_u64, as_usize};

/// The first bytes of a stream.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// More than this is no profile of a build: a few bytes can stand for any number of them.
const MOST: usize = 1 << 30;

/// Why a stream was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It ends before it is complete.
    #[error("it ends too early: whoever wrote it did not finish")]
    Short,
    /// No gzip, or a kind of it that nobody uses.
    #[error("byte {at}: no header of gzip")]
    Header {
        /// Where.
        at: usize,
    },
    /// A code that none was given, a reference to before the beginning, or a block of another kind.
    #[error("before byte {at}: its blocks are damaged")]
    Blocks {
        /// Where, or a few bytes before.
        at: usize,
    },
    /// What was decompressed is not what was compressed.
    #[error("its checksum is not that of what is in it")]
    Checksum,
    /// More than anybody means.
    #[error("it has more than {MOST} bytes in it")]
    Long,
}

/// Bits of a stream, from the lowest of each byte on.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Bits that were taken out of `bytes` and not used, and how many.
    held: u32,
    count: u32,
}

/// Lengths and distances: what the first code of each kind stands for, and how many bits follow the code (RFC 1951, section 3.2.5).
#[rustfmt::skip]
const LENGTHS: [(u16, u8); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2),
    (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5),
    (163, 5), (195, 5), (227, 5), (258, 0),
];
#[rustfmt::skip]
const DISTANCES: [(u16, u8); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3), (33, 4), (49, 4), (65, 5),
    (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10), (3073, 10),
    (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];
/// In which order lengths of the codes for lengths of codes come (section 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
/// The longest code.
const LONGEST: usize = 15;

impl Bits<'_> {
    fn byte(&mut self) -> Result<u8, Error> {
        let byte = *self.bytes.get(self.at).ok_or(Error::Short)?;
        self.at = step(self.at);
        Ok(byte)
    }

    /// The next `count` bits, 16 at most.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "fewer than 8 bits are held when 16 at most are asked for, so never more than 23 are"
    )]
    fn take(&mut self, count: u8) -> Result<u32, Error> {
        let count = u32::from(count);
        while self.count < count {
            self.held |= u32::from(self.byte()?) << self.count;
            self.count += 8;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Ok(bits)
    }

    /// Goes on with the next byte.
    fn align(&mut self) {
        (self.held, self.count) = (0, 0);
    }

    /// A number of two bytes.
    fn pair(&mut self) -> Result<u16, Error> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// A number of four bytes.
    fn word(&mut self) -> Result<u32, Error> {
        let bytes = [self.byte()?, self.byte()?, self.byte()?, self.byte()?];
        Ok(u32::from_le_bytes(bytes))
    }

    fn damaged(&self) -> Error {
        Error::Blocks { at: self.at }
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a place in a slice, which has fewer than 2^63 bytes"
)]
fn step(at: usize) -> usize {
    at + 1
}

/// Codes of up to 15 bits: those of one length are numbered one after another, behind those that are shorter.
struct Codes {
    /// How many have each length.
    counts: [u16; LONGEST + 1],
    /// What they stand for, in their order.
    symbols: Vec<u16>,
}

impl Codes {
    /// From the length of each symbol's code; 0: it has none.
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0u16; LONGEST + 1];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            for (symbol, _) in (0u16..)
                .zip(lengths)
                .filter(|(_, l)| usize::from(**l) == length)
            {
                symbols.push(symbol);
                *count = count.wrapping_add(1);
            }
        }
        Self { counts, symbols }
    }

    /// The symbol whose code comes next.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a code has 15 bits at most, and there are 288 symbols at most: all numbers are below 2^17 in size"
    )]
    fn next(&self, bits: &mut Bits<'_>) -> Result<u16, Error> {
        let (mut code, mut first, mut index) = (0i32, 0i32, 0i32);
        for count in self.counts.iter().skip(1) {
            code |= i32::try_from(bits.take(1)?).map_err(|_| bits.damaged())?;
            let count = i32::from(*count);
            if code - count < first {
                let place = usize::try_from(index + (code - first));
                let symbol = place.ok().and_then(|place| self.symbols.get(place));
                return symbol.copied().ok_or(bits.damaged());
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(bits.damaged())
    }
}

/// What the streams in `bytes` have in them.
pub(crate) fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bits = Bits {
        bytes,
        at: 0,
        held: 0,
        count: 0,
    };
    let mut out = Vec::new();
    loop {
        header(&mut bits)?;
        let start = out.len();
        inflate(&mut bits, &mut out, start)?;
        bits.align();
        let content = out.get(start..).unwrap_or_default();
        // The length is the last 32 bits of it.
        let len = as_u64(content.len()) & u64::from(u32::MAX);
        let (sum, said) = (bits.word()?, bits.word()?);
        if sum != crc32fast::hash(content) || u64::from(said) != len {
            return Err(Error::Checksum);
        }
        if bits.at == bytes.len() {
            return Ok(out);
        }
    }
}

/// RFC 1952, section 2.3.
fn header(bits: &mut Bits<'_>) -> Result<(), Error> {
    let at = bits.at;
    let start = [bits.byte()?, bits.byte()?, bits.byte()?];
    let flags = bits.byte()?;
    if start != [MAGIC[0], MAGIC[1], 8] || flags & 0xe0 != 0 {
        return Err(Error::Header { at });
    }
    // Time, level, system.
    for _ in 0..6 {
        bits.byte()?;
    }
    if flags & 4 != 0 {
        for _ in 0..bits.pair()? {
            bits.byte()?;
        }
    }
    // A name, a remark.
    for flag in [8, 16] {
        while flags & flag != 0 && bits.byte()? != 0 {}
    }
    if flags & 2 != 0 {
        bits.pair()?;
    }
    Ok(())
}

/// Blocks up to the last one.
fn inflate(bits: &mut Bits<'_>, out: &mut Vec<u8>, start: usize) -> Result<(), Error> {
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align();
                let (len, complement) = (bits.pair()?, bits.pair()?);
                if len != !complement {
                    return Err(bits.damaged());
                }
                for _ in 0..len {
                    push(out, bits.byte()?)?;
                }
            }
            1 => {
                let mut lengths = [8; 288];
                for (range, length) in [(144..256, 9), (256..280, 7)] {
                    lengths.get_mut(range).unwrap_or_default().fill(length);
                }
                block(
                    bits,
                    out,
                    start,
                    &Codes::new(&lengths),
                    &Codes::new(&[5; 30]),
                )?;
            }
            2 => {
                let (literals, distances) = dynamic(bits)?;
                block(bits, out, start, &literals, &distances)?;
            }
            _ => return Err(bits.damaged()),
        }
        if last {
            return Ok(());
        }
    }
}

/// The codes that a block brings along.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "numbers of 7 bits at most and constants below 300"
)]
fn dynamic(bits: &mut Bits<'_>) -> Result<(Codes, Codes), Error> {
    let literals = as_usize(bits.take(5)?) + 257;
    let distances = as_usize(bits.take(5)?) + 1;
    let count = as_usize(bits.take(4)?) + 4;
    let mut of_lengths = [0; ORDER.len()];
    for place in ORDER.iter().take(count) {
        if let Some(length) = of_lengths.get_mut(*place) {
            *length = u8::try_from(bits.take(3)?).map_err(|_| bits.damaged())?;
        }
    }
    let codes = Codes::new(&of_lengths);
    let mut lengths: Vec<u8> = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match codes.next(bits)? {
            16 => {
                let last = lengths.last().copied().ok_or(bits.damaged())?;
                (last, bits.take(2)? + 3)
            }
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (u8::try_from(length).map_err(|_| bits.damaged())?, 1),
        };
        lengths.extend(std::iter::repeat_n(length, as_usize(times)));
    }
    match lengths.split_at_checked(literals) {
        Some((first, rest)) if rest.len() == distances => Ok((Codes::new(first), Codes::new(rest))),
        _ => Err(bits.damaged()),
    }
}

/// Literals and references up to the end of a block.
fn block(
    bits: &mut Bits<'_>,
    out: &mut Vec<u8>,
    start: usize,
    literals: &Codes,
    distances: &Codes,
) -> Result<(), Error> {
    loop {
        let symbol = literals.next(bits)?;
        if let Ok(byte) = u8::try_from(symbol) {
            push(out, byte)?;
            continue;
        }
        let Some(kind) = symbol.checked_sub(257) else {
            return Ok(());
        };
        let len = number(bits, LENGTHS.get(usize::from(kind)))?;
        let kind = distances.next(bits)?;
        let distance = number(bits, DISTANCES.get(usize::from(kind)))?;
        for _ in 0..len {
            let from = out
                .len()
                .checked_sub(distance)
                .filter(|from| *from >= start);
            let byte = from.and_then(|from| out.get(from).copied());
            push(out, byte.ok_or(bits.damaged())?)?;
        }
    }
}

/// A length or a distance: what its code stands for, and what the bits behind that add.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "two numbers of 16 bits at most"
)]
fn number(bits: &mut Bits<'_>, kind: Option<&(u16, u8)>) -> Result<usize, Error> {
    let (first, more) = kind.ok_or(bits.damaged())?;
    Ok(usize::from(*first) + as_usize(bits.take(*more)?))
}

fn push(out: &mut Vec<u8>, byte: u8) -> Result<(), Error> {
    if out.len() == MOST {
        return Err(Error::Long);
    }
    out.push(byte);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What the program gzip makes of `bytes`.
    pub(crate) fn gzip(bytes: &[u8], level: &str) -> Vec<u8> {
        let mut process = Command::new("gzip")
            .args(["-c", level])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
        let done = process.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(done.status.success());
        done.stdout
    }

    /// Text that repeats, text that does not, and bytes that cannot be compressed.
    fn samples() -> Vec<Vec<u8>> {
        let text: String = (0..40_000u64)
            .map(|n| format!("{{\"ts\":{},\"name\":\"action {}\"}},\n", n * 7919, n % 97))
            .collect();
        let mut state = 1u64;
        let noise = (0..200_000).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        });
        vec![
            Vec::new(),
            b"a".to_vec(),
            vec![0; 300_000],
            text.into_bytes(),
            noise.collect(),
            (0..=255).collect(),
        ]
    }

    #[test]
    fn what_gzip_writes() {
        for bytes in samples() {
            for level in ["-1", "-6", "-9"] {
                assert!(
                    gunzip(&gzip(&bytes, level)).unwrap() == bytes,
                    "{} bytes, {level}",
                    bytes.len()
                );
            }
        }
        // Codes that the format itself gives, of `zlib.compressobj(strategy=zlib.Z_FIXED)`; with a name.
        let fixed = [
            0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, b'n', 0, 0x4b, 0x4c, 0x4a, 0x4e, 0x84, 0x20, 0x00,
            0x5d, 0x0b, 0x9d, 0xfb, 10, 0, 0, 0,
        ];
        assert_eq!(
            gunzip(&fixed).map(|bytes| String::from_utf8(bytes).unwrap()),
            Ok("abcabcabca".to_owned())
        );
    }

    #[test]
    fn two_streams() {
        let both = [gzip(b"one, ", "-9"), gzip(b"two", "-9")].concat();
        assert_eq!(gunzip(&both).unwrap(), b"one, two");
    }

    #[test]
    fn damage() {
        let good = gzip(b"abcabcabcabc", "-9");
        for len in 0..good.len() {
            assert_eq!(gunzip(&good[..len]), Err(Error::Short), "{len}");
        }
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            gunzip(&bytes)
        };
        assert_eq!(changed(0, 0), Err(Error::Header { at: 0 }));
        assert_eq!(changed(2, 7), Err(Error::Header { at: 0 }));
        // The third kind of block, which there is none of.
        assert_eq!(changed(10, 7), Err(Error::Blocks { at: 11 }));
        assert_eq!(changed(good.len() - 1, 9), Err(Error::Checksum));
        assert_eq!(
            changed(good.len() - 5, good[good.len() - 5] ^ 1),
            Err(Error::Checksum)
        );
        let more = [good.as_slice(), b"more of it"].concat();
        assert_eq!(gunzip(&more), Err(Error::Header { at: good.len() }));
    }

    proptest! {
        /// No bytes make it panic, hang, or say what was not there.
        #[test]
        fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 10usize..60, byte: u8) {
            bytes.splice(0..0, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
            prop_assert!(gunzip(&bytes).is_err());
            static GOOD: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let text = b"{\"traceEvents\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}";
            let mut good = GOOD.get_or_init(|| gzip(text, "-9")).clone();
            if at < good.len() - 8 && good[at] != byte {
                good[at] = byte;
                // Some bits belong to nothing.
                if let Ok(got) = gunzip(&good) {
                    prop_assert_eq!(&got, text);
                }
            }
        }
    }
}
