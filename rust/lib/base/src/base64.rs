//! Base64 of RFC 4648 section 4.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in groups of four digits, the last of them filled up with `=`.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| group.get(at).copied().map_or(0, u32::from);
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for (position, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            // n bytes fill n + 1 digits; six bits always have one.
            let digit = ALPHABET.get(crate::as_usize((bits >> shift) & 63));
            let digit = digit.filter(|_| position <= group.len());
            out.push(digit.copied().map_or('=', char::from));
        }
    }
    out
}

/// Decodes what [`encode`] writes; nothing for any other text, so that equal bytes have one text only.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = decode_unpadded(text.trim_end_matches('='))?;
    (encode(&bytes) == text).then_some(bytes)
}

/// Decodes digits that are not filled up with `=`; bits behind the last byte may have any value.
pub fn decode_unpadded(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for position in 0..4 {
            let value = |digit| ALPHABET.iter().position(|known| known == digit);
            let value = group.get(position).map_or(Some(0), value)?;
            bits = (bits << 6) | u32::try_from(value).ok()?;
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        // 4 digits are 3 bytes, 3 are 2, 2 are 1, one is none.
        let len = group.len().checked_sub(1).filter(|len| *len > 0)?;
        out.extend_from_slice(bytes.get(..len)?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4648_section_10() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in cases {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
            let digits = coded.trim_end_matches('=');
            assert_eq!(decode_unpadded(digits).as_deref(), Some(plain.as_bytes()));
        }
        for bad in [
            "Z", "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zg==Zg==", "Z-==", "Zm9vé",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode_unpadded("Zh").as_deref(), Some(&b"f"[..]));
        for bad in ["Z", "Zm9vZ", "Zg==", "Z g"] {
            assert_eq!(decode_unpadded(bad), None, "{bad}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
    }
}
