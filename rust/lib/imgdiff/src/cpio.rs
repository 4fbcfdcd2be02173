//! Archives of cpio in its newer form, as initial RAM disks are: one or several, one after the other.
//!
//! Spec: cpio(5), "New ASCII Format"; the kernel's `initramfs buffer format` for what follows an archive. A header is 110 bytes: magic and
//! thirteen numbers of eight hexadecimal digits each. Name and content begin at multiples of four.

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its path.
    pub name: &'a [u8],
    /// Type and permissions, as `stat` has them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Modification time.
    pub mtime: u32,
    /// Device that it is, major and minor.
    pub device: (u32, u32),
    /// Its content.
    pub bytes: &'a [u8],
}

/// How an archive begins.
const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];
const HEADER: usize = 110;
/// An archive of more members is none that is told apart by them: a member of 112 bytes takes many times that in memory.
pub const MOST: usize = 100_000;
const END: &[u8] = b"TRAILER!!!";

/// Whether `bytes` begin as an archive does.
pub fn is_cpio(bytes: &[u8]) -> bool {
    MAGICS.iter().any(|magic| bytes.starts_with(magic))
}

/// The members of the archives that `bytes` begin with, and what follows them: nothing, or something packed. `None`: they don't end
/// as archives do, or there are more than [`MOST`].
pub fn members(bytes: &[u8]) -> Option<(Vec<Member<'_>>, &[u8])> {
    let (mut members, mut at) = (Vec::new(), 0usize);
    loop {
        let rest = bytes.get(at..)?;
        if !is_cpio(rest) {
            return None;
        }
        let number = |field: usize| -> Option<u32> {
            let start = field.checked_mul(8)?.checked_add(6)?;
            let digits = rest.get(start..)?.get(..8)?;
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let size = usize::try_from(number(6)?).ok()?;
        let name_len = usize::try_from(number(11)?).ok()?;
        let name_end = HEADER.checked_add(name_len)?;
        let name = rest.get(HEADER..name_end)?;
        // More NULs than one bring the content to where it is wanted, as in archives of microcode; the first ends the name.
        let end = name.iter().position(|byte| *byte == 0)?;
        let name = name.strip_suffix(b"\0")?.get(..end)?;
        let start = at.checked_add(name_end)?.checked_next_multiple_of(4)?;
        let end = start.checked_add(size)?;
        let content = bytes.get(start..end)?;
        at = end.checked_next_multiple_of(4)?;
        if name != END {
            if members.len() >= MOST {
                return None;
            }
            members.push(Member {
                name,
                mode: number(1)?,
                uid: number(2)?,
                gid: number(3)?,
                mtime: number(5)?,
                device: (number(9)?, number(10)?),
                bytes: content,
            });
            continue;
        }
        // Zeros, then the next one or something else.
        let after = bytes.get(end..).unwrap_or_default();
        let zeros = after.iter().position(|byte| *byte != 0);
        let zeros = zeros.unwrap_or(after.len());
        let rest = after.get(zeros..)?;
        if !is_cpio(rest) {
            return Some((members, rest));
        }
        at = end.checked_add(zeros)?;
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn member(name: &str, content: &str) -> Vec<u8> {
        let numbers = [
            1,
            0o100644,
            2,
            3,
            1,
            5,
            content.len(),
            0,
            0,
            8,
            9,
            name.len() + 1,
            0,
        ];
        let mut out = b"070701".to_vec();
        for number in numbers {
            out.extend(format!("{number:08X}").bytes());
        }
        out.extend(name.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(content.bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn two_archives() {
        let end = "TRAILER!!!";
        let mut bytes = [member("a", "12345"), member(end, "")].concat();
        bytes.resize(1024, 0);
        bytes.extend([member("dir/b", ""), member(end, "")].concat());
        bytes.resize(bytes.len() + 100, 0);
        bytes.extend(b"\x28\xb5\x2f\xfd");
        let (members, rest) = members(&bytes).unwrap();
        let names: Vec<_> = members.iter().map(|m| (m.name, m.bytes)).collect();
        assert_eq!(names, [(&b"a"[..], &b"12345"[..]), (b"dir/b", b"")]);
        assert_eq!(members[0].mode, 0o100644);
        assert_eq!(
            (members[0].uid, members[0].gid, members[0].device),
            (2, 3, (8, 9))
        );
        assert_eq!(rest, b"\x28\xb5\x2f\xfd");
    }

    #[test]
    fn a_name_ends_at_its_first_nul() {
        let bytes = [member("a\0\0", "x"), member("TRAILER!!!", "")].concat();
        let (members, _) = members(&bytes).unwrap();
        assert_eq!((members[0].name, members[0].bytes), (&b"a"[..], &b"x"[..]));
    }

    #[test]
    fn cut_anywhere() {
        let whole = [member("a", "12345"), member("TRAILER!!!", "")].concat();
        let (found, rest) = members(&whole).unwrap();
        assert_eq!((found.len(), rest), (1, &b""[..]));
        // The last byte is padding.
        for len in 0..whole.len() - 1 {
            assert_eq!(members(&whole[..len]), None, "{len}");
        }
    }
}
