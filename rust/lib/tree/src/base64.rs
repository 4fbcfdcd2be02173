//! Base64 of RFC 4648 section 4, with padding: values of extended attributes in the manifest.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut word = [0u8; 4];
        for (to, from) in word.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let word = u32::from_be_bytes(word);
        for (position, shift) in [18u32, 12, 6, 0].into_iter().enumerate() {
            let digit = usize::try_from((word >> shift) & 63).unwrap_or(0);
            let symbol = ALPHABET.get(digit).copied().unwrap_or(b'=');
            // n bytes fill n + 1 digits.
            out.push(char::from(if position > chunk.len() {
                b'='
            } else {
                symbol
            }));
        }
    }
    out
}

/// Decodes what [`encode`] writes; nothing for any other text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        let mut digits = 0usize;
        for symbol in chunk.iter().take_while(|b| **b != b'=') {
            let digit = ALPHABET.iter().position(|a| a == symbol)?;
            word = (word << 6) | u32::try_from(digit).ok()?;
            digits = digits.saturating_add(1);
        }
        for _ in digits..4 {
            word <<= 6;
        }
        let [_, bytes @ ..] = word.to_be_bytes();
        out.extend_from_slice(bytes.get(..digits.checked_sub(1)?)?);
    }
    (encode(&out) == text).then_some(out)
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
        }
        for bad in [
            "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9v\n", "Zg==Zg==", "Z-==",
        ] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
    }
}
