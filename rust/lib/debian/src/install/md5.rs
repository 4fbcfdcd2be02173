//! MD5 (RFC 1321), in which dpkg notes the content of files that it has installed. Nothing here relies on it.

use std::io::{self, Read};

/// Bytes of a block.
const BLOCK: usize = 64;

/// The whole part of 2³² · |sin(n + 1)|.
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];

/// Of each round: by how much its steps turn, the first word of the block that it takes, and how many words on the next one is.
const ROUNDS: [([u32; 4], usize, usize); 4] = [
    ([7, 12, 17, 22], 0, 1),
    ([5, 9, 14, 20], 1, 5),
    ([4, 11, 16, 23], 5, 3),
    ([6, 10, 15, 21], 0, 7),
];

/// The sum of all that a reader gives, as text.
pub(super) fn md5(mut reader: impl Read) -> io::Result<String> {
    let mut state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let mut len: u64 = 0;
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        let read = (&mut reader)
            .take(base::as_u64(BLOCK))
            .read_to_end(&mut block)?;
        len = base::past(len, read);
        if read == BLOCK {
            mix(&mut state, &block);
            continue;
        }
        // The end is marked, and the length in bits stands in the last eight bytes of a block, modulo 2⁶⁴.
        block.push(0x80);
        if block.len() > BLOCK - 8 {
            block.resize(BLOCK, 0);
            mix(&mut state, &block);
            block.clear();
        }
        block.resize(BLOCK - 8, 0);
        block.extend(len.wrapping_mul(8).to_le_bytes());
        mix(&mut state, &block);
        let bytes = state.iter().flat_map(|word| word.to_le_bytes());
        return Ok(bytes.map(|byte| format!("{byte:02x}")).collect());
    }
}

/// Takes in one block.
fn mix(state: &mut [u32; 4], block: &[u8]) {
    let words: Vec<u32> = block
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok().map(u32::from_le_bytes))
        .collect();
    let [mut a, mut b, mut c, mut d] = *state;
    let rounds = SINES.chunks(16).zip(ROUNDS).enumerate();
    for (round, (sines, (turns, first, on))) in rounds {
        let words = words.iter().cycle().skip(first).step_by(on);
        let steps = sines.iter().zip(words).zip(turns.iter().cycle());
        for ((sine, word), turn) in steps {
            let value = match round {
                0 => (b & c) | (!b & d),
                1 => (b & d) | (c & !d),
                2 => b ^ c ^ d,
                _ => c ^ (b | !d),
            };
            let sum = a.wrapping_add(value).wrapping_add(*sine);
            let turned = sum.wrapping_add(*word).rotate_left(*turn);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_the_rfc_and_around_a_block() {
        let digits = "1234567890".repeat(8);
        for (text, want) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (&digits, "57edf4a22be3c955ac49da2e2107b67a"),
            (&digits[..55], "c9ccf168914a1bcfc3229f1948e67da0"),
            (&digits[..56], "49f193adce178490e34d1b3a4ec0064c"),
            (&digits[..63], "c3eb67ece68488bb394241d4f6a54244"),
            (&digits[..64], "eb6c4179c0a7c82cc2828c1e6338e165"),
        ] {
            assert_eq!(md5(text.as_bytes()).unwrap(), want, "{text}");
        }
    }
}
