//! The hash that orders names in an indexed directory: half MD4, with bytes taken as signed numbers as on x86.
//!
//! Spec: the kernel's `filesystems/ext4/directory` pages, "Hash Tree Directories"; the rounds are those of MD4 (RFC 1320)
//! over 32 bytes at a time and with half of the steps.

const K2: u32 = 0x5a82_7999;
const K3: u32 = 0x6ed9_eba1;
/// Stands for the end of the directory, and must not be a hash.
const END: u32 = 0x7fff_ffff << 1;

/// The hash of `name` and, for names that share it, the minor hash.
pub(crate) fn half_md4(seed: [u32; 4], name: &[u8]) -> (u32, u32) {
    let mut state = seed;
    let mut rest = name;
    while let Some(now) = words(rest) {
        state = round(state, now);
        (_, rest) = rest.split_at(rest.len().min(32));
    }
    let [_, word, minor, _] = state;
    (major(word), minor)
}

/// The hash, of the word that it is taken from.
fn major(word: u32) -> u32 {
    match word & !1 {
        END => END - 2,
        hash => hash,
    }
}

/// The first 32 bytes as 8 words; what is missing is filled with the length. Nothing, if there are none.
fn words(bytes: &[u8]) -> Option<[u32; 8]> {
    let [len, ..] = bytes.len().to_le_bytes();
    if bytes.is_empty() {
        return None;
    }
    let mut words = [u32::from_le_bytes([len; 4]); 8];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks(4)) {
        for byte in chunk {
            let signed = i32::from(i8::from_le_bytes([*byte]));
            *word = u32::from_le_bytes(signed.to_le_bytes()).wrapping_add(*word << 8);
        }
    }
    Some(words)
}

fn round(state: [u32; 4], words: [u32; 8]) -> [u32; 4] {
    let choose = |x: u32, y: u32, z: u32| z ^ (x & (y ^ z));
    let most = |x: u32, y: u32, z: u32| (x & y).wrapping_add((x ^ y) & z);
    let odd = |x: u32, y: u32, z: u32| x ^ y ^ z;
    let [w0, w1, w2, w3, w4, w5, w6, w7] = words;
    let mut now = state;
    let first = [w0, w1, w2, w3, w4, w5, w6, w7];
    let second = [w1, w3, w5, w7, w0, w2, w4, w6];
    let third = [w3, w7, w2, w6, w1, w5, w0, w4];
    steps(&mut now, first, [3, 7, 11, 19], 0, choose);
    steps(&mut now, second, [3, 5, 9, 13], K2, most);
    steps(&mut now, third, [3, 9, 11, 15], K3, odd);
    for (sum, old) in now.iter_mut().zip(state) {
        *sum = sum.wrapping_add(old);
    }
    now
}

fn steps(
    state: &mut [u32; 4],
    words: [u32; 8],
    turns: [u32; 4],
    constant: u32,
    mix: impl Fn(u32, u32, u32) -> u32,
) {
    for (word, turn) in words.into_iter().zip(turns.into_iter().cycle()) {
        let [a, b, c, d] = *state;
        let sum = a.wrapping_add(mix(b, c, d));
        let sum = sum.wrapping_add(word).wrapping_add(constant);
        // What was a is the new b of the next step's turn of letters.
        *state = [d, sum.rotate_left(turn), b, c];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lowest bit belongs to the index, and no name is at the end of the directory.
    #[test]
    fn what_is_no_hash() {
        let cases = [
            (2, 2),
            (3, 2),
            (0x7fff_ffff, 0x7fff_fffe),
            (0xffff_fffc, 0xffff_fffc),
            (0xffff_fffe, 0xffff_fffc),
            (0xffff_ffff, 0xffff_fffc),
        ];
        for (word, hash) in cases {
            assert_eq!(major(word), hash, "{word:#x}");
        }
    }
}
