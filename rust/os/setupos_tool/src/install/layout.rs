//! Where everything goes on a drive: a pure function of the two images' tables, the drive's size, and what is kept.
//!
//! | bytes of the drive                | what                                                                    | written in step |
//! |-----------------------------------|-------------------------------------------------------------------------|-----------------|
//! | 0 to 1 MiB                        | HostOS's table; zeros, and the mark of [`super::marker`], until the end  | wipe, table     |
//! | 1 MiB to `guestos`                | HostOS's image, with the file system of `config` in its place            | host, config    |
//! | the first MiB of `guestos`        | GuestOS's table; zeros until the end                                     | wipe, table     |
//! | from there, as long as the image  | GuestOS's image                                                         | guest           |
//! | the last MiB                      | the copies of both tables; zeros until the end                           | wipe, table     |
//!
//! What lies between GuestOS's image and the last MiB is not touched: it is the rest of GuestOS's partition `data`, in which the
//! machine makes a file system that reads nothing it has not written.
//!
//! Numbers: a layout is made only of tables whose partitions lie inside their images, for a drive on which both have room, so every place here is
//! one of the drive, and sums of two are far from 2^64.
//!
//! What is kept ([`Layout::keep`]) is HostOS's partition `data` and GuestOS's: no piece reaches into it.

use std::ops::Range;

use base::bounded::{sum, without as less};
use base::Sha256Digest;

use super::formats::Formats;
use super::marker::Marker;
use super::source::Source;
use super::table::{Table, BACKUP, FIRST};

/// Partitions of HostOS that something is done with.
const CONFIG: &str = "config";
const GUEST: &str = "guestos";
/// The partition of either system that outlives everything.
const DATA: &str = "data";

/// A stretch of the drive and what belongs there.
#[derive(Debug, Clone)]
pub(crate) struct Piece<'a> {
    pub(crate) at: Range<u64>,
    pub(crate) from: Origin<'a>,
}

/// What belongs to a stretch of the drive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    Zeros,
    /// An image's bytes from there on.
    Image(&'a Source, u64),
}

/// Where everything goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of the drive.
    pub(crate) size: u64,
    /// HostOS's table, as the drive gets it.
    pub(crate) host: Table,
    /// GuestOS's, as the partition `guestos` gets it.
    pub(crate) guest: Table,
    /// Place of `config`.
    pub(crate) config: Range<u64>,
    /// Place of `guestos`.
    pub(crate) guestos: Range<u64>,
    /// Length of GuestOS's image.
    guest_len: u64,
    /// What of the drive is kept, in order.
    pub(crate) keep: Vec<Range<u64>>,
    /// In which formats that is.
    pub(crate) formats: Formats,
}

/// The least bytes of a drive for both images.
pub(crate) fn least(host: &Table, guest: &Table) -> Result<u64, String> {
    let start = host.place(GUEST)?.start;
    let guest = guest.layout.disk_size.checked_add(start);
    // The copies of both tables, and what rounding takes.
    let least = guest.and_then(|end| end.checked_add(FIRST));
    // Places of a drive are signed for the kernel.
    least
        .filter(|least| i64::try_from(*least).is_ok())
        .ok_or_else(|| "images without an end".to_owned())
}

impl Layout {
    /// The layout on a drive of `size` bytes that keeps nothing.
    pub(crate) fn new(host: &Table, guest: &Table, size: u64) -> Result<Self, String> {
        let of_host = |error| format!("HostOS's image: {error}");
        let of_guest = |error| format!("GuestOS's image: {error}");
        host.ends_with(GUEST).map_err(of_host)?;
        guest.ends_with(DATA).map_err(of_guest)?;
        let least = least(host, guest)?;
        if size < least {
            return Err(format!(
                "the drive has {size} bytes, HostOS and GuestOS take {least}"
            ));
        }
        let guest_len = guest.layout.disk_size;
        let host = host.on(size).map_err(of_host)?;
        let guestos = host.place(GUEST).map_err(of_host)?;
        let len = length(&guestos);
        Ok(Self {
            size,
            config: host.place(CONFIG).map_err(of_host)?,
            guest: guest.on(len).map_err(of_guest)?,
            host,
            guestos,
            guest_len,
            keep: Vec::new(),
            formats: Formats::default(),
        })
    }

    /// HostOS's own partition `data`.
    pub(crate) fn host_data(&self) -> Result<Range<u64>, String> {
        self.host.place(DATA)
    }

    /// What an installation of the same layout would keep.
    pub(crate) fn data(&self) -> Result<Vec<Range<u64>>, String> {
        let host = self.host_data()?;
        let guest = self.guest.place(DATA)?;
        let start = self.guestos.start;
        Ok(vec![host, sum(guest.start, start)..sum(guest.end, start)])
    }

    /// What the layout is known by: the places of all partitions.
    pub(crate) fn digest(&self) -> Result<Sha256Digest, String> {
        let mut all = Vec::new();
        for (at, bytes) in self.host.parts()?.into_iter().chain(self.guest.parts()?) {
            all.extend_from_slice(&at.to_le_bytes());
            all.extend_from_slice(&bytes);
        }
        Ok(Sha256Digest::of(all))
    }

    /// The mark of an installation with this layout.
    pub(crate) fn mark(&self) -> Result<Vec<u8>, String> {
        let (keep, formats) = (self.keep.clone(), self.formats.clone());
        Marker::new(self.size, keep, self.digest()?, formats).to_bytes()
    }

    /// Zeros where the copies of tables are and were.
    pub(crate) fn copies(&self) -> Vec<Piece<'static>> {
        // A layout that fits has a MiB more than the images at its end; `keep` may reach into it.
        let range = less(self.size, FIRST)..self.size;
        self.pieces(&[(range, Origin::Zeros)])
    }

    /// Zeros where tables begin and began, but for the sector of the mark.
    pub(crate) fn starts(&self) -> Vec<Piece<'static>> {
        let start = self.guestos.start;
        let mark = super::marker::AT;
        let ranges = [
            0..mark,
            sum(mark, partitions::SECTOR)..FIRST,
            start..sum(start, FIRST),
        ];
        self.pieces(&ranges.map(|range| (range, Origin::Zeros)))
    }

    /// Both.
    pub(crate) fn wiped(&self) -> Vec<Piece<'static>> {
        [self.copies(), self.starts()].concat()
    }

    /// HostOS's image up to `guestos`, without `config`.
    pub(crate) fn host_pieces<'a>(&self, image: &'a Source) -> Vec<Piece<'a>> {
        let all = [
            (FIRST..self.config.start, 0),
            (self.config.end..self.guestos.start, 0),
        ];
        self.image(image, &all)
    }

    /// The file system of `config`.
    pub(crate) fn config_pieces<'a>(&self, image: &'a Source) -> Vec<Piece<'a>> {
        self.image(image, &[(self.config.clone(), self.config.start)])
    }

    /// GuestOS's image behind its table. What it has as a copy of that becomes zero: it lies within the partition that grew.
    pub(crate) fn guest_pieces<'a>(&self, image: &'a Source) -> Vec<Piece<'a>> {
        let start = self.guestos.start;
        let end = sum(start, self.guest_len);
        let copy = less(end, BACKUP);
        let mut pieces = self.image(image, &[(sum(start, FIRST)..copy, start)]);
        pieces.extend(self.pieces(&[(copy..end, Origin::Zeros)]));
        pieces
    }

    /// Ranges of the drive whose bytes are those of `image`, each with the place on the drive of the image's first byte.
    fn image<'a>(&self, image: &'a Source, ranges: &[(Range<u64>, u64)]) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        for (range, zero) in ranges {
            for at in without(range.clone(), &self.keep) {
                let of = less(at.start, *zero)..less(at.end, *zero);
                for (part, data) in image.parts(of) {
                    let from = match data {
                        true => Origin::Image(image, part.start),
                        false => Origin::Zeros,
                    };
                    let at = sum(part.start, *zero)..sum(part.end, *zero);
                    pieces.push(Piece { at, from });
                }
            }
        }
        pieces
    }

    fn pieces<'a>(&self, ranges: &[(Range<u64>, Origin<'a>)]) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        for (range, from) in ranges {
            for at in without(range.clone(), &self.keep) {
                pieces.push(Piece { at, from: *from });
            }
        }
        pieces
    }
}

/// How many bytes a range of the drive has.
pub(crate) fn length(range: &Range<u64>) -> u64 {
    less(range.end, range.start)
}

/// What of `range` is in none of `keep`, which are in order.
fn without(range: Range<u64>, keep: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    let mut at = range.start;
    for kept in keep {
        let end = kept.start.clamp(at, range.end.max(at));
        if at < end {
            left.push(at..end);
        }
        at = at.max(kept.end);
    }
    if at < range.end {
        left.push(at..range.end);
    }
    left
}
