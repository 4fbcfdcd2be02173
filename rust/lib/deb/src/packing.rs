//! How an archive in a package is packed.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Stream, CONCATENATED};

/// Bytes of memory for unpacking xz: what the largest of its presets needs, and some for filters.
const XZ_MEMORY: u64 = 66 << 20;
/// Of zstd, the binary logarithm of how far back a frame may refer.
const ZSTD_WINDOW: u32 = 27;
/// Bytes read at once.
const BUFFER: usize = 128 << 10;

/// A way to pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not packed.
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// xz.
    Xz,
    /// zstd (RFC 8878).
    Zstd,
}

impl Packing {
    /// Of the end of a name; nothing if it is another.
    pub(crate) fn of(suffix: &str) -> Option<Self> {
        match suffix {
            "" => Some(Self::None),
            ".gz" => Some(Self::Gzip),
            ".xz" => Some(Self::Xz),
            ".zst" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// What it holds.
    pub(crate) fn unpack<R: Read>(self, packed: R) -> io::Result<Unpacked<R>> {
        let packed = BufReader::with_capacity(BUFFER, packed);
        Ok(match self {
            Self::None => Unpacked::None(packed),
            Self::Gzip => Unpacked::Gzip(Box::new(MultiGzDecoder::new(packed))),
            Self::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Unpacked::Xz(Box::new(XzDecoder::new_stream(packed, stream)))
            }
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Unpacked::Zstd(Box::new(decoder))
            }
        })
    }
}

/// A reader of what a packed archive holds.
pub(crate) enum Unpacked<R: Read> {
    None(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Xz(Box<XzDecoder<BufReader<R>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<R>>>),
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Xz(reader) => reader.read(buffer),
            Self::Zstd(reader) => reader.read(buffer),
        }
    }
}
