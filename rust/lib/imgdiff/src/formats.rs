//! What an image is, by its first bytes.

use inspect::{Error, Image};

use crate::view::head;

/// What there is to compare in an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Partitions, or a file system.
    Image,
    /// Members.
    Tar,
    /// Bytes, or a format that [`crate::content`] knows.
    Other,
}

/// Where a format has which bytes.
const KNOWN: [(usize, &[u8], Format); 7] = [
    (257, b"ustar", Format::Tar),
    // Partition tables, with sectors of 512 and 4096 bytes.
    (512, b"EFI PART", Format::Image),
    (4096, b"EFI PART", Format::Image),
    // ext2, ext3, ext4.
    (1080, b"\x53\xef", Format::Image),
    // FAT16 and FAT12, FAT32.
    (54, b"FAT1", Format::Image),
    (82, b"FAT32", Format::Image),
    // An environment block of GRUB.
    (0, b"# GRUB Environment Block\n", Format::Image),
];

/// What `image` is.
pub(crate) fn of(image: &dyn Image) -> Result<Format, Error> {
    let bytes = head(image, 8192)?;
    let has = |(at, magic, _): &&(usize, &[u8], Format)| {
        let rest = bytes.get(*at..);
        rest.is_some_and(|rest| rest.starts_with(magic))
    };
    let found = KNOWN.iter().find(has);
    Ok(found.map_or(Format::Other, |(_, _, format)| *format))
}
