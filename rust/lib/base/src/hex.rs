//! Bytes as hexadecimal digits, two a byte.

/// `bytes` in lower-case digits.
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // Each is below 16, so each has a digit.
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// The bytes whose digits, in either case, are `text`.
pub fn decode(text: &str) -> Result<Vec<u8>, Error> {
    if let Some((at, got)) = text.char_indices().find(|(_, c)| !c.is_ascii_hexdigit()) {
        return Err(Error::Digit { at, got });
    }
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((value(*high)? << 4) | value(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    // All are digits, so it is the last one that has no other.
    bytes.ok_or(Error::Odd { digits: text.len() })
}

/// As [`decode`], for as many bytes as an array has.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], Error> {
    let bytes = decode(text)?;
    let got = bytes.len();
    let wrong = |_| Error::Length { got, want: N };
    bytes.try_into().map_err(wrong)
}

fn value(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Why a text is not bytes in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A character that is no digit.
    #[error("{got:?} at byte {at} is no hexadecimal digit")]
    Digit {
        /// Its place in the text.
        at: usize,
        /// The character.
        got: char,
    },
    /// A last byte with one digit.
    #[error("{digits} hexadecimal digits, want two a byte")]
    Odd {
        /// How many there are.
        digits: usize,
    },
    /// More or fewer bytes than wanted.
    #[error("{got} bytes in hexadecimal digits, want {want}")]
    Length {
        /// How many there are.
        got: usize,
        /// How many there should be.
        want: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
        assert_eq!(encode(&[0, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(decode("00fFA5").unwrap(), [0, 0xff, 0xa5]);
        assert_eq!(decode(""), Ok(vec![]));
        assert_eq!(decode_array("0102").unwrap(), [1, 2]);
    }

    #[test]
    fn what_is_refused() {
        let digit = |at, got| Err(Error::Digit { at, got });
        assert_eq!(decode("0g"), digit(1, 'g'));
        assert_eq!(decode("00 1"), digit(2, ' '));
        assert_eq!(decode("+1"), digit(0, '+'));
        assert_eq!(decode("é"), digit(0, 'é'));
        assert_eq!(decode("012"), Err(Error::Odd { digits: 3 }));
        let length = Error::Length { got: 1, want: 2 };
        assert_eq!(decode_array::<2>("01"), Err(length));
        assert_eq!(
            decode("0g").unwrap_err().to_string(),
            "'g' at byte 1 is no hexadecimal digit"
        );
    }
}
