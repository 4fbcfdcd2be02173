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

use crate::error::Reason;

/// Star's mark and where it stands: then the prefix is shorter, and times follow it.
const STAR: (usize, usize) = (508, 4);
const STAR_PREFIX: (usize, usize) = (345, 131);

/// Size of a header and unit of everything in an archive.
pub(crate) const BLOCK: u64 = 512;
/// The same as an array length.
pub(crate) const BLOCK_LEN: usize = 512;

/// A header's bytes.
pub(crate) type Block = [u8; BLOCK_LEN];

const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const UID: (usize, usize) = (108, 8);
const GID: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const MTIME: (usize, usize) = (136, 12);
const CHKSUM: (usize, usize) = (148, 8);
const TYPEFLAG: (usize, usize) = (156, 1);
const LINKNAME: (usize, usize) = (157, 100);
const MAGIC: (usize, usize) = (257, 8);
const MAJOR: (usize, usize) = (329, 8);
const MINOR: (usize, usize) = (337, 8);
const PREFIX: (usize, usize) = (345, 155);

/// The largest number of `digits` octal digits.
const fn octal_max(digits: u32) -> u64 {
    // At most 11 digits: 33 bits.
    (1_u64 << (digits.saturating_mul(3))).saturating_sub(1)
}
/// The largest owner a header holds.
pub(crate) const MAX_OWNER: u64 = octal_max(7);
/// The largest size or time a header holds.
pub(crate) const MAX_LONG: u64 = octal_max(11);

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

pub(crate) fn field(block: &Block, (start, len): (usize, usize)) -> &[u8] {
    block
        .get(start..start.saturating_add(len))
        .unwrap_or_default()
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// Octal digits between blanks, or base-256 if the first bit is set (GNU, star); blank is 0.
pub(crate) fn number(bytes: &[u8], name: &'static str) -> Result<i128, Reason> {
    let bad = Reason::Number { field: name };
    match bytes.first() {
        Some(first @ (0x80 | 0xff)) => {
            // At most 11 bytes remain: 88 bits fit an i128 with room for the sign.
            let start: i128 = if *first == 0xff { -1 } else { 0 };
            let mut value = start;
            for byte in bytes.get(1..).unwrap_or_default() {
                value = value.wrapping_shl(8) | i128::from(*byte);
            }
            Ok(value)
        }
        Some(first) if *first & 0x80 != 0 => Err(bad),
        _ => {
            let text = until_nul(bytes).trim_ascii();
            let mut value: i128 = 0;
            for byte in text {
                let digit = match byte {
                    b'0'..=b'7' => i128::from(byte & 7),
                    _ => return Err(bad),
                };
                value = value.wrapping_shl(3) | digit;
            }
            Ok(value)
        }
    }
}

/// The sum of all bytes, those of the sum itself counted as blanks.
fn checksum(block: &Block) -> u64 {
    summed(block).map(u64::from).sum()
}

/// The same, of bytes as numbers from -128 on: what some programs of old have written.
fn signed_checksum(block: &Block) -> i64 {
    summed(block)
        .map(|b| i64::from(i8::from_le_bytes([b])))
        .sum()
}

fn summed(block: &Block) -> impl Iterator<Item = u8> + '_ {
    let (start, len) = CHKSUM;
    let own = start..start.saturating_add(len);
    let bytes = block.iter().enumerate();
    bytes.map(move |(i, b)| if own.contains(&i) { b' ' } else { *b })
}

/// Takes a header apart.
pub(crate) fn parse(block: &Block) -> Result<Header, Reason> {
    let want = checksum(block);
    let got = number(field(block, CHKSUM), "chksum")?;
    if i128::from(want) != got && i128::from(signed_checksum(block)) != got {
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        return Err(Reason::Checksum { want, got });
    }
    let mut name = until_nul(field(block, NAME)).to_vec();
    // GNU's magic is `ustar  \0`, and there the prefix field holds times and sparse maps.
    if field(block, MAGIC).starts_with(b"ustar\0") {
        let star = field(block, STAR) == b"tar\0";
        let prefix = if star { STAR_PREFIX } else { PREFIX };
        let prefix = until_nul(field(block, prefix));
        if !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
    }
    let mode = number(field(block, MODE), "mode")?;
    let typeflag = field(block, TYPEFLAG).first().copied().unwrap_or_default();
    // Before ustar nothing stood there, and anything may.
    let device = |at, name| match typeflag {
        b'3' | b'4' => number(field(block, at), name),
        _ => Ok(0),
    };
    Ok(Header {
        name,
        link: until_nul(field(block, LINKNAME)).to_vec(),
        typeflag,
        mode: u64::try_from(mode).map_err(|_| Reason::Number { field: "mode" })?,
        uid: number(field(block, UID), "uid")?,
        gid: number(field(block, GID), "gid")?,
        size: number(field(block, SIZE), "size")?,
        mtime: number(field(block, MTIME), "mtime")?,
        major: device(MAJOR, "devmajor")?,
        minor: device(MINOR, "devminor")?,
    })
}

/// What a written header holds; every value fits its field.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) prefix: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) link: &'a [u8],
    pub(crate) typeflag: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: u64,
    pub(crate) device: Option<(u32, u32)>,
}

fn put(block: &mut Block, (start, len): (usize, usize), value: &[u8]) {
    let target = block.iter_mut().skip(start).take(len);
    target.zip(value).for_each(|(to, from)| *to = *from);
}

fn put_octal(block: &mut Block, at: (usize, usize), value: u64) {
    let digits = at.1.saturating_sub(1);
    put(block, at, format!("{value:0digits$o}").as_bytes());
}

/// A header's bytes.
pub(crate) fn encode(fields: &Fields<'_>) -> Block {
    let mut block = [0; BLOCK_LEN];
    put(&mut block, NAME, fields.name);
    put_octal(&mut block, MODE, u64::from(fields.mode));
    put_octal(&mut block, UID, fields.uid);
    put_octal(&mut block, GID, fields.gid);
    put_octal(&mut block, SIZE, fields.size);
    put_octal(&mut block, MTIME, fields.mtime);
    put(&mut block, TYPEFLAG, &[fields.typeflag]);
    put(&mut block, LINKNAME, fields.link);
    put(&mut block, MAGIC, b"ustar\x0000");
    if let Some((major, minor)) = fields.device {
        put_octal(&mut block, MAJOR, u64::from(major));
        put_octal(&mut block, MINOR, u64::from(minor));
    }
    put(&mut block, PREFIX, fields.prefix);
    let sum = checksum(&block);
    put(&mut block, CHKSUM, format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Splits `path` for the prefix and name fields at the last `/` that leaves both short enough.
pub(crate) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME.1 {
        return Some((b"", path));
    }
    // A directory's closing `/` must stay in the name.
    let inner = path.strip_suffix(b"/").unwrap_or(path);
    let longest = inner.get(..PREFIX.1.saturating_add(1)).unwrap_or(inner);
    let slash = longest.iter().rposition(|b| *b == b'/')?;
    let prefix = path.get(..slash)?;
    let name = path.get(slash.saturating_add(1)..)?;
    (!prefix.is_empty() && name.len() <= NAME.1).then_some((prefix, name))
}

/// Whether `target` fits the linkname field.
pub(crate) fn link_fits(target: &[u8]) -> bool {
    target.len() <= LINKNAME.1
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

    #[test]
    fn sums_of_signed_bytes() {
        let fields = Fields {
            name: "ä".as_bytes(),
            ..Fields::default()
        };
        let mut block = encode(&fields);
        let signed = signed_checksum(&block);
        assert_ne!(signed, i64::try_from(checksum(&block)).unwrap());
        put(&mut block, CHKSUM, format!("{signed:06o}\0 ").as_bytes());
        assert_eq!(parse(&block).unwrap().name, "ä".as_bytes());
        put(&mut block, CHKSUM, b"000001\0 ");
        assert!(matches!(
            parse(&block),
            Err(Reason::Checksum { got: 1, .. })
        ));
    }

    #[test]
    fn star_has_a_short_prefix() {
        let fields = Fields {
            prefix: b"dir",
            name: b"x",
            ..Fields::default()
        };
        let mut block = encode(&fields);
        put(&mut block, (476, 12), b"17777777777\0");
        put(&mut block, (488, 12), b"17777777777\0");
        put(&mut block, STAR, b"tar\0");
        let sum = checksum(&block);
        put(&mut block, CHKSUM, format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(parse(&block).unwrap().name, b"dir/x");
    }

    #[test]
    fn headers_round_trip() {
        let fields = Fields {
            prefix: b"usr",
            name: b"bin/x",
            link: b"y",
            typeflag: b'2',
            mode: 0o777,
            uid: 1,
            gid: MAX_OWNER,
            size: 0,
            mtime: MAX_LONG,
            device: None,
        };
        let header = parse(&encode(&fields)).unwrap();
        assert_eq!(header.name, b"usr/bin/x");
        assert_eq!(header.link, b"y");
        assert_eq!(header.gid, i128::from(MAX_OWNER));
        assert_eq!(header.mtime, i128::from(MAX_LONG));
    }

    #[test]
    fn splits() {
        let long = [b'a'; 100];
        assert_eq!(split(&long), Some((&b""[..], &long[..])));
        let path = [&[b'd'; 155][..], b"/", &[b'f'; 100]].concat();
        assert_eq!(split(&path), Some((&path[..155], &path[156..])));
        let path = [&[b'd'; 156][..], b"/", &[b'f'; 100]].concat();
        assert_eq!(split(&path), None);
        let dir = [&[b'd'; 100][..], b"/"].concat();
        assert_eq!(split(&dir), None);
    }
}
