//! Compressed images that can be read from the middle: the seekable format of zstd.
//!
//! Spec: `contrib/seekable_format/zstd_seekable_compression_format.md` of zstd, version 0.1.0; RFC 8878 for the frames. A file
//! is a number of independent zstd frames, which any `zstd -d` decompresses one after another, and behind them a skippable
//! frame, which it passes over: the seek table. All integers little-endian.
//!
//! | what    | size  | field                             | we write                                                   |
//! |---------|------:|-----------------------------------|------------------------------------------------------------|
//! | frames  |     … | zstd frames                       | one per [`Params::frame_size`] bytes of the image, each with its content's size and checksum |
//! | table   |     4 | `Skippable_Magic_Number`          | `0x184D2A5E`                                               |
//! |         |     4 | `Frame_Size` of what follows      | 8 n + 9                                                    |
//! |         |     4 | entry: `Compressed_Size`          | n entries, in the order of the frames                      |
//! |         |     4 | entry: `Decompressed_Size`        |                                                            |
//! |         | (4)   | entry: `Checksum`                 | not written (the frame has one), passed over by the reader |
//! | footer  |     4 | `Number_Of_Frames`                | n, at most `0x8000000`                                     |
//! |         |     1 | `Seek_Table_Descriptor`           | 0; bit 7 would mean checksums, bits 2 to 6 must be 0       |
//! |         |     4 | `Seekable_Magic_Number`           | `0x8F92EAB1`                                               |
//!
//! [`compress`] works by all cores, but each frame is one thread's: image, level and frame size decide the bytes, the number
//! of threads does not. [`Reader`] trusts nothing: a table is read as far as the file goes, must account for every byte, and
//! frames of more than [`MAX_FRAME`] bytes are refused before memory is taken for them.

mod compress;
mod error;
mod read;
mod table;

pub use compress::{compress, Params};
pub use error::Error;
pub use read::{decompress, Reader, MAX_FRAME};
