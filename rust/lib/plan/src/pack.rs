//! The body of an encoding, packed: extents are columns of numbers that hardly change, and inodes and directories are alike.

use std::io::Read;

use base::{as_u64, as_usize};
use zstd::stream::read::Decoder;

/// What zstd is asked for: higher levels save a tenth and take several times as long (docs/decisions/0014-plans-of-a-fleet.md).
const LEVEL: i32 = 1;
/// A frame becomes at most so many times as long: who packs leaves a body as it is that would, so a reader believes no frame that claims to.
const MOST: u64 = 512;

/// A zstd frame of `body`, if it is shorter and a reader takes it.
#[expect(
    clippy::expect_used,
    reason = "it is given as much room as it can need, so all that it can fail for is lack of memory"
)]
pub(crate) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let packed = zstd::bulk::compress(body, LEVEL).expect("memory");
    (packed.len() < body.len() && is_believed(&packed, as_u64(body.len()))).then_some(packed)
}

fn is_believed(packed: &[u8], len: u64) -> bool {
    let most = as_u64(packed.len()).checked_mul(MOST);
    most.is_some_and(|most| len <= most)
}

/// The body of `len` bytes that `packed`, which anybody may have made, is a frame of; or what is wrong with it. No more memory is taken
/// than what comes out, and never more than `len`.
pub(crate) fn unpack(packed: &[u8], len: u64) -> Result<Vec<u8>, String> {
    if !is_believed(packed, len) {
        let have = packed.len();
        return Err(format!(
            "{have} bytes are to be a packed body of {len}: at most {MOST} times as many are believed"
        ));
    }
    let failed = |error: std::io::Error| format!("the packed body: {error}");
    let decoder = Decoder::with_buffer(packed).map_err(failed)?;
    let mut bounded = decoder.single_frame().take(len);
    let mut body = Vec::new();
    bounded.read_to_end(&mut body).map_err(failed)?;
    if body.len() != as_usize(len) {
        let have = body.len();
        return Err(format!("the packed body has {have} bytes, want {len}"));
    }
    // The end of the frame, and nothing behind it.
    let mut decoder = bounded.into_inner();
    if decoder.read(&mut [0]).map_err(failed)? != 0 || !decoder.finish().is_empty() {
        return Err(format!("the packed body has more than {len} bytes"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_or_as_it_is() {
        let columns: Vec<u8> = (0..100_000u32)
            .flat_map(|n| (n / 3).to_le_bytes())
            .collect();
        let packed = pack(&columns).unwrap();
        assert!(packed.len() < columns.len() / 2);
        assert_eq!(unpack(&packed, 400_000).unwrap(), columns);
        assert_eq!(pack(b"short"), None);
        assert_eq!(pack(b""), None);
        // Nothing of ours looks so, and a reader would not take it.
        assert_eq!(pack(&vec![7; 1 << 20]), None);
    }

    /// A reader takes what is as long as a body for the body itself.
    #[test]
    fn no_frame_is_as_long_as_its_body() {
        let bodies = (0..100).map(|zeros| [(0..100).collect(), vec![0; zeros]].concat());
        let mut same = bodies.filter(|body: &Vec<u8>| {
            let packed = zstd::bulk::compress(body, LEVEL).unwrap();
            packed.len() == body.len()
        });
        assert_eq!(pack(&same.next().unwrap()), None);
    }

    #[test]
    fn frames_of_anybody() {
        let body: Vec<u8> = (0..40_000u32).flat_map(|n| (n / 9).to_le_bytes()).collect();
        let packed = pack(&body).unwrap();
        let refused = |packed: &[u8], len| unpack(packed, len).unwrap_err();
        assert_eq!(
            refused(&packed, 160_001),
            "the packed body has 160000 bytes, want 160001"
        );
        assert_eq!(
            refused(&packed, 159_999),
            "the packed body has more than 159999 bytes"
        );
        let more = [&packed[..], &packed].concat();
        assert_eq!(
            refused(&more, 160_000),
            "the packed body has more than 160000 bytes"
        );
        let (cut, _) = packed.split_at(packed.len() - 1);
        assert!(refused(cut, 160_000).starts_with("the packed body"));
        assert!(refused(&body, 160_001).starts_with("the packed body: "));
        // A bomb: it is not even looked at.
        let bomb = zstd::bulk::compress(&vec![0; 1 << 24], 3).unwrap();
        assert_eq!(
            refused(&bomb, 1 << 24),
            format!("{} bytes are to be a packed body of 16777216: at most 512 times as many are believed", bomb.len())
        );
        assert!(refused(&bomb, u64::MAX).contains("are believed"));
        // It says that it is short.
        assert_eq!(
            refused(&bomb, 1000),
            "the packed body has more than 1000 bytes"
        );
    }
}
