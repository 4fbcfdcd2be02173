//! Files of a root file system that may be packed: modules and firmware.

use std::io::{self, Read};

use base::{as_u64, bounded};
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Stream, CONCATENATED};

use crate::error::Error;

/// The most that a module or a file of firmware may have.
pub(crate) const MOST: u64 = 64 << 20;
/// Bytes of memory for unpacking xz: what the largest of its presets needs, and some for filters.
const XZ_MEMORY: u64 = 66 << 20;
/// Of zstd, the binary logarithm of how far back a frame may refer.
const ZSTD_WINDOW: u32 = 27;

/// Endings of packed files. Where several are there, the kernel takes the first, before which it takes what is not packed.
pub(crate) const ENDINGS: [&str; 2] = [".zst", ".xz"];

/// A name without the ending that says how the file is packed.
pub(crate) fn plain(name: &str) -> &str {
    let ends = ENDINGS.iter();
    ends.filter_map(|end| name.strip_suffix(end))
        .next()
        .unwrap_or(name)
}

/// What the file at `path` holds, whose ending says how it is packed.
pub(crate) fn unpack(path: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
    unpack_to(path, bytes, MOST)
}

fn unpack_to(path: &str, bytes: Vec<u8>, most: u64) -> Result<Vec<u8>, Error> {
    let packed = bytes.as_slice();
    let unpacked = if path.ends_with(".xz") {
        Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)
            .map_err(io::Error::from)
            .and_then(|stream| read(XzDecoder::new_stream(packed, stream), most))
    } else if path.ends_with(".zst") {
        zstd::Decoder::with_buffer(packed).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW)?;
            read(decoder, most)
        })
    } else {
        return Ok(bytes);
    };
    let unpacked = unpacked.map_err(|source| Error::Unpack {
        path: path.to_owned(),
        source,
    })?;
    let len = as_u64(unpacked.len());
    if len > most {
        let path = path.to_owned();
        return Err(Error::TooLong { path, len, most });
    }
    Ok(unpacked)
}

/// All of `from`, or one byte more than the most.
fn read(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    from.take(bounded::sum(most, 1)).read_to_end(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `abc\n`, by `xz --check=crc32`.
    const XZ: &[u8] = b"\xfd7zXZ\x00\x00\x01i\x22\xde6\x02\x00!\x01\x16\x00\x00\x00t/\xe5\xa3\x01\x00\x03abc\x0a\x00N\x81\x88G\x00\x01\x18\x04k\xe9\xf0\xa5\x90B\x99\x0d\x01\x00\x00\x00\x00\x01YZ";

    #[test]
    fn each_way() {
        let zstd = zstd::encode_all(&b"abc\n"[..], 3).unwrap();
        for (path, bytes) in [
            ("a.ko", b"abc\n".to_vec()),
            ("a.ko.xz", XZ.to_vec()),
            ("a.ko.zst", zstd),
        ] {
            assert_eq!(unpack(path, bytes).unwrap(), b"abc\n", "{path}");
        }
        assert_eq!(
            (plain("a.ko.xz"), plain("a.bin"), plain("a.zst")),
            ("a.ko", "a.bin", "a")
        );
    }

    #[test]
    fn refused() {
        let error = unpack("a.xz", b"no".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "cannot unpack a.xz");
        let cut = XZ[..XZ.len() - 4].to_vec();
        assert!(matches!(unpack("a.xz", cut), Err(Error::Unpack { .. })));
        // A bomb is not unpacked further than the most.
        let bomb = zstd::encode_all(&vec![0; 1 << 20][..], 3).unwrap();
        assert_eq!(
            unpack_to("a.zst", bomb, 1000).unwrap_err().to_string(),
            "a.zst has 1001 bytes, want 1000 at most"
        );
    }
}
