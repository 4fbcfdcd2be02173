//! What can be wrong with a compressed image.

use std::io;

/// Why an image was not compressed, or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A compression level that zstd does not have.
    #[error("compression level {level}: want {min} to {max}")]
    Level {
        /// What came.
        level: i32,
        /// The lowest.
        min: i32,
        /// The highest.
        max: i32,
    },
    /// Frames of a size that is not written.
    #[error("frames of {size} bytes: want 1 to {max}")]
    FrameSize {
        /// What came.
        size: u32,
        /// The largest.
        max: u32,
    },
    /// More frames than a table may have.
    #[error("the image needs more than {max} frames")]
    TooManyFrames {
        /// The limit.
        max: u32,
    },
    /// Bytes that are not in the seekable format, or damaged.
    #[error("not a seekable zstd file: at byte {at}: {reason}")]
    Format {
        /// Offset in the file.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A frame that is larger than what is read here.
    #[error("frame {frame} holds {size} bytes, more than {max} are not supported")]
    LargeFrame {
        /// Number of the frame.
        frame: u64,
        /// Its decompressed size.
        size: u64,
        /// The limit.
        max: u32,
    },
    /// A frame that does not decompress to what the table says.
    #[error("frame {frame} is damaged: {reason}")]
    Frame {
        /// Number of the frame.
        frame: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A range beyond the image.
    #[error("bytes {start}+{len} lie outside the image of {have} bytes")]
    OutsideImage {
        /// Start of the range.
        start: u64,
        /// Length of the range.
        len: u64,
        /// Length of the image.
        have: u64,
    },
    /// zstd failed at compressing.
    #[error("cannot compress")]
    Compress {
        /// The cause: memory, most likely.
        source: io::Error,
    },
    /// Reading the compressed file failed.
    #[error("cannot read compressed bytes {at}+{len}")]
    Io {
        /// Offset in the file.
        at: u64,
        /// How many bytes were wanted.
        len: u64,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn format(at: u64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Format { at, reason }
    }

    pub(crate) fn frame(frame: u64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Frame { frame, reason }
    }
}
