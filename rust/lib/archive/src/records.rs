//! Reading pax extended headers: records `LENGTH KEYWORD=VALUE\n`, the length counting the whole record and its own digits.
//!
//! What a record says of a file is kept, or is nothing that an image could lose, or the member is refused: the table is in
//! `docs/formats/rootfs-tar.md`.

use std::collections::BTreeMap;

use base::as_usize;

use crate::acl::{self, Acl};
use crate::error::{show, Reason};
use crate::pax::XATTR;
use crate::sparse;

/// The most that the extended headers of a member may hold: names are at most 4 KiB, an attribute's value at most 64 KiB.
pub(crate) const MAX_EXTENDED: u64 = 1 << 20;

const LIBARCHIVE_XATTR: &[u8] = b"LIBARCHIVE.xattr.";
const SELINUX: &[u8] = b"security.selinux";

/// Records that say nothing that an image has: other times than that of the last change, names of owners whose numbers
/// count, where the file lay on its maker's disk, and words about the archive.
const PASSED: [&[u8]; 18] = [
    b"atime",
    b"ctime",
    b"comment",
    b"uname",
    b"gname",
    b"charset",
    b"LIBARCHIVE.creationtime",
    b"LIBARCHIVE.symlinktype",
    b"SCHILY.dev",
    b"SCHILY.ino",
    b"SCHILY.nlink",
    b"SCHILY.offset",
    b"SCHILY.archtype",
    b"SCHILY.release",
    b"SCHILY.volhdr",
    b"GNU.volume.label",
    b"APK-TOOLS.checksum.SHA1",
    b"SCHILY.acl.type",
];

/// File flags that say how to store or show a file, not who may do what.
const FLAGS: [&[u8]; 6] = [
    b"nodump",
    b"hidden",
    b"compressed",
    b"extent",
    b"topdir",
    b"nocow",
];

/// What extended headers said about a member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extended {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) mtime: Option<(i64, u32)>,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The access list, also among the attributes unless it is nothing but a mode.
    pub(crate) acl: Option<Acl>,
    pub(crate) sparse: sparse::Records,
    /// Why the member is to be refused; told when its name is known.
    pub(crate) refused: Option<Reason>,
    /// Keywords that gave the attributes.
    givers: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub(crate) fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nine: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanos: u32 = nine.parse().ok()?;
    let whole = i64::try_from(parse_number(whole.as_bytes())?).ok()?;
    match (negative, nanos) {
        (false, _) => Some((whole, nanos)),
        (true, 0) => Some((whole.checked_neg()?, 0)),
        (true, _) => Some((
            whole.checked_neg()?.checked_sub(1)?,
            1_000_000_000_u32.checked_sub(nanos)?,
        )),
    }
}

/// Decimal digits only: `parse` alone would take a `+`.
pub(crate) fn parse_number(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn owner(value: &[u8], field: &'static str) -> Result<Option<u32>, Reason> {
    said(value)
        .map(|value| parse_number(value).and_then(|n| u32::try_from(n).ok()))
        .map(|number| number.ok_or(Reason::Number { field }))
        .transpose()
}

/// A value; an empty one takes back what an earlier record said.
fn said(value: &[u8]) -> Option<&[u8]> {
    (!value.is_empty()).then_some(value)
}

/// As GNU tar escapes names of attributes.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, tail)) = rest.split_first() {
        let (byte, next) = match (tail.strip_prefix(b"25"), tail.strip_prefix(b"3D")) {
            (Some(next), _) if *first == b'%' => (b'%', next),
            (_, Some(next)) if *first == b'%' => (b'=', next),
            _ => (*first, tail),
        };
        out.push(byte);
        rest = next;
    }
    out
}

/// As libarchive escapes names of attributes: `%` and two hexadecimal digits.
fn percent(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from((high << 4) | low).ok()?
            }
            other => *other,
        });
    }
    Some(out)
}

/// As libarchive writes values of attributes: base64, usually not filled up.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = std::str::from_utf8(text).ok()?.trim_end_matches('=');
    base::base64::decode_unpadded(digits)
}

impl Extended {
    /// Adds the records of one extended header.
    pub(crate) fn read(&mut self, data: &[u8]) -> Result<(), Reason> {
        each(data, |keyword, value| {
            match self.set(keyword, value) {
                // The name may be in a record that follows.
                Err(reason @ (Reason::Record { .. } | Reason::Map(_))) => {
                    self.refused.get_or_insert(reason);
                    Ok(())
                }
                other => other,
            }
        })
    }

    /// Takes the records of a global header, which hold for all members that follow: nothing of theirs alone.
    pub(crate) fn read_global(&mut self, data: &[u8]) -> Result<(), Reason> {
        each(data, |keyword, value| match keyword {
            b"uid" | b"gid" | b"mtime" => self.set(keyword, value),
            _ if passed(keyword, value) => Ok(()),
            _ => Err(record(
                keyword,
                "of a global header would change later members: want it with each",
            )),
        })
    }

    fn set(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), Reason> {
        if let Some(name) = keyword.strip_prefix(XATTR) {
            return self.attribute(unescape(name), value.to_vec(), keyword);
        }
        if let Some(name) = keyword.strip_prefix(LIBARCHIVE_XATTR) {
            let decoded = percent(name).zip(base64(value));
            let (name, value) =
                decoded.ok_or(record(keyword, "is not escaped as libarchive does"))?;
            return self.attribute(name, value, keyword);
        }
        if let Some(field) = keyword.strip_prefix(b"GNU.sparse.") {
            return self.sparse.set(field, value);
        }
        match keyword {
            b"path" => self.path = said(value).map(<[u8]>::to_vec),
            b"linkpath" => self.link = said(value).map(<[u8]>::to_vec),
            b"size" => {
                let size =
                    said(value).map(|v| parse_number(v).ok_or(Reason::Number { field: "size" }));
                self.size = size.transpose()?;
            }
            b"uid" => self.uid = owner(value, "uid")?,
            b"gid" => self.gid = owner(value, "gid")?,
            b"SCHILY.devmajor" => self.major = owner(value, "SCHILY.devmajor")?,
            b"SCHILY.devminor" => self.minor = owner(value, "SCHILY.devminor")?,
            b"mtime" => {
                let time =
                    said(value).map(|v| parse_time(v).ok_or(Reason::Number { field: "mtime" }));
                self.mtime = time.transpose()?;
            }
            b"SCHILY.acl.access" | b"SCHILY.acl.default" => self.acl(keyword, value)?,
            b"RHT.security.selinux" => {
                // The kernel's attribute ends with a zero byte.
                self.attribute(SELINUX.to_vec(), [value, b"\0"].concat(), keyword)?;
            }
            b"SCHILY.fflags" => flags(keyword, value)?,
            _ if passed(keyword, value) => {}
            b"SCHILY.realsize" | b"SUN.holesdata" => {
                return Err(record(
                    keyword,
                    "tells of holes in star's or Solaris' way: want GNU tar's (--sparse) or none",
                ))
            }
            b"hdrcharset" => {
                return Err(record(keyword, "names a character set that is not known"))
            }
            _ => {
                return Err(record(
                    keyword,
                    "is not known, and what it says would be lost: make the archive without it",
                ))
            }
        }
        Ok(())
    }

    /// An attribute, which another record may have given as well.
    fn attribute(&mut self, name: Vec<u8>, value: Vec<u8>, keyword: &[u8]) -> Result<(), Reason> {
        if name.is_empty() || name.contains(&0) {
            return Err(Reason::Extended("bad name of an extended attribute"));
        }
        let other = self.givers.get(&name).is_some_and(|giver| giver != keyword);
        if other && self.xattrs.get(&name) != Some(&value) {
            return Err(record(
                keyword,
                "contradicts another record of the same attribute",
            ));
        }
        self.givers.insert(name.clone(), keyword.to_vec());
        self.xattrs.insert(name, value);
        Ok(())
    }

    fn acl(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), Reason> {
        let is_access = keyword == b"SCHILY.acl.access";
        let Some(text) = said(value) else {
            return Ok(());
        };
        let acl = Acl::parse(text).map_err(|why| record(keyword, why))?;
        let name = if is_access { acl::ACCESS } else { acl::DEFAULT };
        if !(is_access && acl.is_mode()) {
            self.attribute(name.to_vec(), acl.to_bytes(), keyword)?;
        }
        if is_access {
            self.acl = Some(acl);
        }
        Ok(())
    }
}

/// Whether nothing is lost without the record.
fn passed(keyword: &[u8], value: &[u8]) -> bool {
    match keyword {
        // Names are taken as the bytes that they are.
        b"hdrcharset" => matches!(value, b"BINARY" | b"ISO-IR 10646 2000 UTF-8"),
        b"SCHILY.filetype" => value != b"sparse",
        _ => PASSED.contains(&keyword),
    }
}

fn flags(keyword: &[u8], value: &[u8]) -> Result<(), Reason> {
    let mut flags = value.split(|b| *b == b',').filter(|flag| !flag.is_empty());
    match flags.find(|flag| !FLAGS.contains(flag)) {
        None => Ok(()),
        Some(_) => Err(record(
            keyword,
            "sets a flag that images do not keep: make the archive without it (bsdtar --no-fflags)",
        )),
    }
}

fn record(keyword: &[u8], why: &'static str) -> Reason {
    Reason::Record {
        keyword: show(keyword),
        why,
    }
}

/// Hands out keyword and value of each record.
fn each(
    mut data: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), Reason>,
) -> Result<(), Reason> {
    while !data.is_empty() {
        let (record, rest) = next_record(data)?;
        let mut halves = record.splitn(2, |b| *b == b'=');
        let (Some(keyword), Some(value)) = (halves.next(), halves.next()) else {
            return Err(Reason::Extended("record without `=`"));
        };
        take(keyword, value)?;
        data = rest;
    }
    Ok(())
}

/// Splits off the first record: `KEYWORD=VALUE` without its frame, and what follows.
pub(crate) fn next_record(data: &[u8]) -> Result<(&[u8], &[u8]), Reason> {
    let mut words = data.splitn(2, |b| *b == b' ');
    let (Some(digits), Some(_)) = (words.next(), words.next()) else {
        return Err(Reason::Extended("record without length"));
    };
    let len = parse_number(digits).ok_or(Reason::Extended("length of a record is no number"))?;
    let (record, rest) = data
        .split_at_checked(as_usize(len))
        .ok_or(Reason::Extended("record longer than its header"))?;
    let record = record.strip_prefix(digits);
    let record = record
        .and_then(|record| record.strip_prefix(b" "))
        .ok_or(Reason::Extended("record shorter than its length"))?
        .strip_suffix(b"\n")
        .ok_or(Reason::Extended("record without line end"))?;
    Ok((record, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pax::{push_record, push_xattr};

    fn read(records: &[(&str, &[u8])]) -> Extended {
        let mut data = Vec::new();
        for (keyword, value) in records {
            push_record(&mut data, keyword.as_bytes(), value);
        }
        let mut extended = Extended::default();
        extended.read(&data).unwrap();
        extended
    }

    fn refusal(records: &[(&str, &[u8])]) -> String {
        read(records).refused.unwrap().to_string()
    }

    #[test]
    fn names_of_attributes_are_escaped() {
        let mut out = Vec::new();
        push_xattr(&mut out, b"user.a=%b25c3D", b"=\n\0");
        let mut extended = Extended::default();
        extended.read(&out).unwrap();
        assert_eq!(extended.xattrs[&b"user.a=%b25c3D"[..]], b"=\n\0");
        for name in [&b""[..], b"a\0b"] {
            let mut out = Vec::new();
            push_xattr(&mut out, name, b"v");
            let bad = Reason::Extended("bad name of an extended attribute");
            assert_eq!(Extended::default().read(&out), Err(bad));
        }
    }

    #[test]
    fn libarchives_attributes() {
        let both = [
            ("LIBARCHIVE.xattr.user.a%3Db%25", &b"AQID/w"[..]),
            ("SCHILY.xattr.user.a%3Db%25", b"\x01\x02\x03\xff"),
        ];
        let extended = read(&both);
        assert_eq!(extended.refused, None);
        assert_eq!(extended.xattrs[&b"user.a=b%"[..]], [1, 2, 3, 0xff]);
        for (text, want) in [
            ("", ""),
            ("YQ", "a"),
            ("YWI", "ab"),
            ("YWJj", "abc"),
            ("YQ==", "a"),
        ] {
            assert_eq!(base64(text.as_bytes()), Some(want.into()));
        }
        let other = [both[0], ("SCHILY.xattr.user.a%3Db%25", b"other")];
        assert!(refusal(&other).contains("contradicts"));
        assert!(refusal(&[("LIBARCHIVE.xattr.user.a%3", b"AQID")]).contains("escaped"));
    }

    #[test]
    fn access_lists_become_attributes() {
        let list = b"user::rw-,user:7:r--,group::r--,mask::r--,other::r--";
        let extended = read(&[
            ("SCHILY.acl.access", list),
            ("SCHILY.acl.default", b"u::rwx,g::r-x,o::---"),
        ]);
        assert_eq!(extended.refused, None);
        assert_eq!(extended.xattrs[acl::ACCESS].len(), 4 + 5 * 8);
        assert_eq!(extended.xattrs[acl::DEFAULT].len(), 4 + 3 * 8);
        // A list that says what the mode says is none.
        let plain = read(&[("SCHILY.acl.access", b"u::rwx,g::r-x,o::---")]);
        assert!(plain.xattrs.is_empty() && plain.acl.is_some());
        let binary = Acl::parse(list).unwrap().to_bytes();
        let same = ("SCHILY.xattr.system.posix_acl_access", &binary[..]);
        assert_eq!(read(&[("SCHILY.acl.access", list), same]).refused, None);
        let named = b"user::rw-,user:lisa:r--,group::r--,mask::r--,other::r--";
        assert_eq!(
            refusal(&[("SCHILY.acl.access", named)]),
            "record `SCHILY.acl.access` names somebody by name: make the archive with numbers (tar --numeric-owner)"
        );
    }

    #[test]
    fn selinux() {
        let extended = read(&[("RHT.security.selinux", b"a:b:c:s0")]);
        assert_eq!(extended.xattrs[&b"security.selinux"[..]], b"a:b:c:s0\0");
    }

    #[test]
    fn what_is_lost_is_refused() {
        for (keyword, value) in [
            ("SCHILY.acl.ace", "owner@:rwx::allow"),
            ("SCHILY.fflags", "nodump,schg"),
            ("SCHILY.fflags", "schg"),
            ("GNU.dumpdir", "Yx"),
            ("GNU.volume.filename", "x"),
            ("MSWINDOWS.rawsd", "AQ"),
            ("security.x", "y"),
            ("SCHILY.filetype", "sparse"),
            ("anything", ""),
        ] {
            let text = refusal(&[(keyword, value.as_bytes())]);
            assert!(text.starts_with(&format!("record `{keyword}` ")), "{text}");
        }
        for (keyword, why) in [
            ("SCHILY.realsize", "tells of holes"),
            ("SUN.holesdata", "tells of holes"),
            ("hdrcharset", "names a character set"),
        ] {
            let text = refusal(&[(keyword, b"5")]);
            assert!(
                text.starts_with(&format!("record `{keyword}` {why}")),
                "{text}"
            );
        }
        for (keyword, value) in [
            ("atime", "1"),
            ("hdrcharset", "BINARY"),
            ("SCHILY.fflags", "nodump,hidden"),
            ("SCHILY.filetype", "file"),
            ("SCHILY.fflags", ""),
            ("SCHILY.ino", "5"),
            ("uname", "root"),
        ] {
            assert_eq!(
                read(&[(keyword, value.as_bytes())]).refused,
                None,
                "{keyword}"
            );
        }
    }

    #[test]
    fn empty_values_take_back() {
        assert_eq!(read(&[("size", b"5")]).size, Some(5));
        let extended = read(&[
            ("size", b"5"),
            ("uid", b"5"),
            ("mtime", b"5"),
            ("path", b"x"),
            ("size", b""),
            ("uid", b""),
            ("mtime", b""),
            ("path", b""),
        ]);
        assert_eq!(
            (extended.uid, extended.mtime, extended.path),
            (None, None, None)
        );
        assert_eq!(extended.size, None);
    }

    #[test]
    fn global_headers() {
        let global = |keyword: &str, value: &[u8]| {
            let mut data = Vec::new();
            push_record(&mut data, keyword.as_bytes(), value);
            let mut extended = Extended::default();
            extended.read_global(&data).map(|()| extended)
        };
        assert_eq!(global("uid", b"33").unwrap().uid, Some(33));
        global("comment", b"a commit").unwrap();
        for keyword in [
            "path",
            "size",
            "SCHILY.xattr.user.a",
            "GNU.sparse.size",
            "x",
        ] {
            assert!(
                matches!(global(keyword, b"1"), Err(Reason::Record { .. })),
                "{keyword}"
            );
        }
    }

    #[test]
    fn malformed_records() {
        for bad in [
            &b"x"[..],
            b"5 a=b",
            b"99 a=b\n",
            b"6 a:bc\n",
            b"1 a=b\n",
            b"0 a=b\n",
        ] {
            assert!(
                Extended::default().read(bad).is_err(),
                "{}",
                bad.escape_ascii()
            );
        }
    }
}
