//! The 512-byte ustar header.
//!
//! | offset | size | field    | we write                                     |
//! |-------:|-----:|----------|----------------------------------------------|
//! |      0 |  100 | name     | path, a directory's with `/` after it        |
//! |    100 |    8 | mode     | 7 octal digits, NUL (so all numbers)         |
//! |    108 |    8 | uid      | 0 if a pax record carries it                 |
//! |    116 |    8 | gid      | 0 if a pax record carries it                 |
//! |    124 |   12 | size     | 0 if a pax record carries it                 |
//! |    136 |   12 | mtime    | 0 if a pax record carries it                 |
//! |    148 |    8 | chksum   | 6 octal digits, NUL, space                   |
//! |    156 |    1 | typeflag | `0` `1` `2` `3` `4` `5` `6` `x`              |
//! |    157 |  100 | linkname | target                                       |
//! |    257 |    6 | magic    | `ustar\0`                                    |
//! |    263 |    2 | version  | `00`                                         |
//! |    265 |   64 | names    | empty: owners are numbers                    |
//! |    329 |   16 | devices  | major and minor                              |
//! |    345 |  155 | prefix   | what of the path did not fit, up to a `/`    |
//!
//! What is told of a file with holes in old archives lies in the same block: [`OldGnu`].

use zerocopy::{transmute, transmute_ref, FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::error::Reason;

/// Size of a header and unit of everything in an archive.
pub(crate) const BLOCK: u64 = 512;
/// The same as an array length.
pub(crate) const BLOCK_LEN: usize = 512;

/// A header's bytes.
pub(crate) type Block = [u8; BLOCK_LEN];

/// The header as it lies in an archive; fields are in the order of the table above.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Ustar {
    pub(crate) name: [u8; 100],
    pub(crate) mode: [u8; 8],
    pub(crate) uid: [u8; 8],
    pub(crate) gid: [u8; 8],
    pub(crate) size: [u8; 12],
    pub(crate) mtime: [u8; 12],
    chksum: [u8; 8],
    pub(crate) typeflag: u8,
    pub(crate) linkname: [u8; 100],
    /// And the version.
    magic: [u8; 8],
    names: [u8; 64],
    pub(crate) devmajor: [u8; 8],
    pub(crate) devminor: [u8; 8],
    pub(crate) prefix: [u8; 155],
    rest: [u8; 12],
}

/// What star makes of the prefix and of what follows it.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Star {
    before: [u8; 345],
    prefix: [u8; 131],
    atime: [u8; 12],
    ctime: [u8; 12],
    rest: [u8; 8],
    /// `tar\0`.
    mark: [u8; 4],
}

/// What old GNU archives have in the place of the prefix: a map of holes.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OldGnu {
    before: [u8; 345],
    atime: [u8; 12],
    ctime: [u8; 12],
    offset: [u8; 12],
    longnames: [u8; 4],
    unused: u8,
    pub(crate) map: [OldRun; 4],
    /// Whether an [`OldGnuMore`] follows.
    pub(crate) more: u8,
    pub(crate) realsize: [u8; 12],
    rest: [u8; 17],
}

/// A block of more of that map.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OldGnuMore {
    pub(crate) map: [OldRun; 21],
    /// Whether another one follows.
    pub(crate) more: u8,
    rest: [u8; 7],
}

/// Where in the file bytes lie, and how many.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OldRun {
    pub(crate) offset: [u8; 12],
    pub(crate) numbytes: [u8; 12],
}

const _: () = {
    assert!(size_of::<Ustar>() == BLOCK_LEN);
    assert!(size_of::<Star>() == BLOCK_LEN);
    assert!(size_of::<OldGnu>() == BLOCK_LEN);
    assert!(size_of::<OldGnuMore>() == BLOCK_LEN);
    assert!(std::mem::offset_of!(Ustar, typeflag) == 156);
    assert!(std::mem::offset_of!(Ustar, prefix) == 345);
    assert!(std::mem::offset_of!(OldGnu, map) == 386);
    assert!(std::mem::offset_of!(OldGnu, more) == 482);
};

impl OldGnu {
    /// The block as such a header.
    pub(crate) fn of(block: &Block) -> &Self {
        transmute_ref!(block)
    }
}

impl OldGnuMore {
    /// The block as more of a map.
    pub(crate) fn of(block: &Block) -> &Self {
        transmute_ref!(block)
    }
}

/// A header as numbers and raw names.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) typeflag: u8,
    pub(crate) mode: u64,
    pub(crate) uid: i128,
    pub(crate) gid: i128,
    pub(crate) size: i128,
    pub(crate) mtime: i128,
    pub(crate) major: i128,
    pub(crate) minor: i128,
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(bytes)
}

/// Octal digits between blanks, or base-256 if the first bit is set (GNU, star); blank is 0. A field has at most 12 bytes, so
/// either has room in an `i128`.
pub(crate) fn number(bytes: &[u8], name: &'static str) -> Result<i128, Reason> {
    let bad = Reason::Number { field: name };
    match bytes {
        [first @ (0x80 | 0xff), rest @ ..] => {
            let sign = if *first == 0xff { -1 } else { 0 };
            let more = |value: i128, byte: &u8| (value << 8) | i128::from(*byte);
            Ok(rest.iter().fold(sign, more))
        }
        _ => until_nul(bytes)
            .trim_ascii()
            .iter()
            .try_fold(0, |value: i128, byte| match byte {
                b'0'..=b'7' => Ok((value << 3) | i128::from(*byte & 7)),
                _ => Err(bad.clone()),
            }),
    }
}

/// The sum of all bytes, those of the sum itself counted as blanks.
fn checksum(header: &Ustar) -> u64 {
    summed(header).iter().map(|b| u64::from(*b)).sum()
}

/// The same, of bytes as numbers from -128 on: what some programs of old have written.
fn signed_checksum(header: &Ustar) -> i64 {
    let signed = |b: &u8| i64::from(i8::from_le_bytes([*b]));
    summed(header).iter().map(signed).sum()
}

fn summed(header: &Ustar) -> Block {
    transmute!(Ustar {
        chksum: [b' '; 8],
        ..*header
    })
}

/// Takes a header apart.
pub(crate) fn parse(block: &Block) -> Result<Header, Reason> {
    let header: &Ustar = transmute_ref!(block);
    let want = checksum(header);
    let got = i64::try_from(number(&header.chksum, "chksum")?);
    let got = got.map_err(|_| Reason::Number { field: "chksum" })?;
    if u64::try_from(got) != Ok(want) && signed_checksum(header) != got {
        return Err(Reason::Checksum { want, got });
    }
    let mut name = until_nul(&header.name).to_vec();
    // GNU's magic is `ustar  \0`, and there the prefix field holds times and sparse maps.
    if header.magic.starts_with(b"ustar\0") {
        let star: &Star = transmute_ref!(block);
        let prefix = match &star.mark {
            b"tar\0" => until_nul(&star.prefix),
            _ => until_nul(&header.prefix),
        };
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    }
    let mode = number(&header.mode, "mode")?;
    // Before ustar nothing stood there, and anything may.
    let device = |field, name| match header.typeflag {
        b'3' | b'4' => number(field, name),
        _ => Ok(0),
    };
    Ok(Header {
        name,
        link: until_nul(&header.linkname).to_vec(),
        typeflag: header.typeflag,
        mode: u64::try_from(mode).map_err(|_| Reason::Number { field: "mode" })?,
        uid: number(&header.uid, "uid")?,
        gid: number(&header.gid, "gid")?,
        size: number(&header.size, "size")?,
        mtime: number(&header.mtime, "mtime")?,
        major: device(&header.devmajor, "devmajor")?,
        minor: device(&header.devminor, "devminor")?,
    })
}

/// `value` in octal digits and a NUL, if it fits.
pub(crate) fn octal<const N: usize>(value: u64) -> Option<[u8; N]> {
    let mut field = [0; N];
    let (_, digits) = field.split_last_mut()?;
    let width = digits.len();
    let text = format!("{value:0width$o}");
    (text.len() == width).then(|| digits.copy_from_slice(text.as_bytes()))?;
    Some(field)
}

/// As much of `bytes` as fits, and zeros behind.
pub(crate) fn cut<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    field
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    field
}

/// All of `bytes` and zeros behind, if they fit.
pub(crate) fn text<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    (bytes.len() <= N).then(|| cut(bytes))
}

impl Ustar {
    /// Nothing yet but what it is; all numbers are 0.
    pub(crate) fn new(typeflag: u8) -> Self {
        Self {
            name: [0; 100],
            mode: ZERO,
            uid: ZERO,
            gid: ZERO,
            size: LONG_ZERO,
            mtime: LONG_ZERO,
            chksum: [0; 8],
            typeflag,
            linkname: [0; 100],
            magic: *b"ustar\x0000",
            names: [0; 64],
            devmajor: [0; 8],
            devminor: [0; 8],
            prefix: [0; 155],
            rest: [0; 12],
        }
    }

    /// The name that has room in two fields; whether it is all of `path`, or only its beginning.
    pub(crate) fn set_path(&mut self, path: &[u8]) -> bool {
        let (prefix, name) = match split(path) {
            Some(parts) => parts,
            // Readers without pax see a shortened name.
            None => (&b""[..], path),
        };
        (self.prefix, self.name) = (cut(prefix), cut(name));
        name.len() <= self.name.len()
    }

    /// The header's bytes, with their sum.
    pub(crate) fn encode(mut self) -> Block {
        // Six digits are enough for any sum of 512 bytes.
        self.chksum = cut(format!("{:06o}\0 ", checksum(&self)).as_bytes());
        transmute!(self)
    }
}

/// The number 0 in a field of 8 bytes, and in one of 12.
pub(crate) const ZERO: [u8; 8] = *b"0000000\0";
pub(crate) const LONG_ZERO: [u8; 12] = *b"00000000000\0";

/// Splits `path` for the prefix and name fields at the last `/` that leaves both short enough.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= 100 {
        return Some((b"", path));
    }
    // A directory's closing `/` must stay in the name.
    let inner = path.strip_suffix(b"/").unwrap_or(path);
    // 155 bytes of prefix and the slash that stands in neither field.
    let longest = inner.get(..156).unwrap_or(inner);
    let slash = longest.iter().rposition(|b| *b == b'/')?;
    let (prefix, name) = path.split_at_checked(slash)?;
    let name = name.strip_prefix(b"/")?;
    (!prefix.is_empty() && name.len() <= 100).then_some((prefix, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0", "mode"), Ok(0o644));
        assert_eq!(number(b"   644 \0", "mode"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0", "mode"), Ok(0));
        assert_eq!(number(b"\x80\0\0\0\x01\0\0\0", "uid"), Ok(1 << 24));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe", "mtime"), Ok(-2));
        assert!(number(b"0000648\0", "mode").is_err());
        assert!(number(b"\x90\0\0\0\x01\0\0\0", "uid").is_err());
    }

    /// The header with another sum than its own.
    fn with_sum(header: Ustar, sum: &[u8; 8]) -> Block {
        transmute!(Ustar {
            chksum: *sum,
            ..header
        })
    }

    #[test]
    fn sums_of_signed_bytes() {
        let mut header = Ustar::new(b'0');
        assert!(header.set_path("ä".as_bytes()));
        let signed = signed_checksum(&header);
        // Both bytes of the letter are above 127.
        let sum = i64::try_from(checksum(&header)).unwrap();
        assert_eq!(signed, sum - 2 * 256);
        let block = with_sum(header, &cut(format!("{signed:06o}\0 ").as_bytes()));
        assert_eq!(parse(&block).unwrap().name, "ä".as_bytes());
        for (sum, got) in [(b"000001\0 ", 1), (b"\xff\xff\xff\xff\xff\xff\xff\xfe", -2)] {
            let error = parse(&with_sum(header, sum)).unwrap_err();
            assert!(matches!(error, Reason::Checksum { got: found, .. } if found == got));
        }
    }

    #[test]
    fn star_has_a_short_prefix() {
        let mut header = Ustar::new(b'0');
        header.name = cut(b"x");
        header.prefix = [b'd'; 155];
        header.prefix[131..143].copy_from_slice(b"17777777777\0");
        header.prefix[143..].copy_from_slice(b"17777777777\0");
        header.rest[8..].copy_from_slice(b"tar\0");
        let want = [&[b'd'; 131][..], b"/x"].concat();
        assert_eq!(parse(&header.encode()).unwrap().name, want);
    }

    #[test]
    fn headers_round_trip() {
        let mut header = Ustar::new(b'2');
        header.prefix = cut(b"usr");
        header.name = cut(b"bin/x");
        header.linkname = cut(b"y");
        header.gid = octal(0o7777777).unwrap();
        header.mtime = octal(0o77777777777).unwrap();
        let header = parse(&header.encode()).unwrap();
        assert_eq!(header.name, b"usr/bin/x");
        assert_eq!(header.link, b"y");
        assert_eq!((header.mode, header.uid), (0, 0));
        assert_eq!(header.gid, 0o7777777);
        assert_eq!(header.mtime, 0o77777777777);
    }

    #[test]
    fn what_fits_a_field() {
        assert_eq!(octal(0), Some(ZERO));
        assert_eq!(octal(0), Some(LONG_ZERO));
        assert_eq!(octal(0o1234567), Some(*b"1234567\0"));
        assert_eq!(octal::<8>(0o10000000), None);
        assert_eq!(octal::<12>(0o1_000_000_000_000), None);
        assert_eq!(octal::<0>(0), None);
        assert_eq!(text(b"abc"), Some(*b"abc"));
        assert_eq!(text(b"ab"), Some(*b"ab\0"));
        assert_eq!(text::<2>(b"abc"), None);
    }

    #[test]
    fn splits() {
        let long = [b'a'; 100];
        assert_eq!(split(&long), Some((&b""[..], &long[..])));
        let path = [&[b'd'; 155][..], b"/", &[b'f'; 100]].concat();
        assert_eq!(split(&path), Some((&path[..155], &path[156..])));
        let path = [&[b'd'; 156][..], b"/", &[b'f'; 100]].concat();
        assert_eq!(split(&path), None);
        let path = [&b"d/"[..], &[b'f'; 101]].concat();
        assert_eq!(split(&path), None);
        let dir = [&[b'd'; 100][..], b"/"].concat();
        assert_eq!(split(&dir), None);
    }
}
