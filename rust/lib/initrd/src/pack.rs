//! The archive as one zstd frame that the kernel takes.

use std::io::Write;

use base::as_u64;
use zstd::Encoder;

use crate::error::Error;

/// Of modules that are packed already, level 15 saves 1 % more and takes eight times as long.
const LEVEL: i32 = 9;
/// 8 MiB as power of two: no kernel refuses that much (RFC 8878, section 3.1.1.1.2), and the level itself takes less.
const WINDOW: u32 = 23;

/// `bytes` as one frame. One thread does it: with several the frame would depend on how the work is cut.
pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let work = || {
        let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
        encoder.window_log(WINDOW)?;
        encoder.set_pledged_src_size(Some(as_u64(bytes.len())))?;
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    work().map_err(Error::Pack)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    /// The window that a frame asks for (RFC 8878, section 3.1.1.1).
    fn window(frame: &[u8]) -> u64 {
        assert_eq!(&frame[..4], b"\x28\xb5\x2f\xfd");
        let descriptor = frame[4];
        assert_eq!(descriptor & 0x20, 0, "content longer than a window has one");
        let (exponent, mantissa) = (frame[5] >> 3, u64::from(frame[5] & 7));
        let base = 1_u64 << (10 + exponent);
        base + base / 8 * mantissa
    }

    #[test]
    fn windows_fit_the_kernel() {
        // Longer than the window, with something to find behind it.
        let mut bytes = vec![7; 20 << 20];
        for (at, byte) in bytes.iter_mut().enumerate().step_by(4099) {
            *byte = u8::try_from(at % 251).unwrap();
        }
        let packed = pack(&bytes).unwrap();
        assert_eq!(window(&packed), 8 << 20);
        assert_eq!(packed, pack(&bytes).unwrap());
        assert!(zstd::decode_all(&packed[..]).unwrap() == bytes);
    }
}
