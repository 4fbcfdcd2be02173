//! How two contents differ: by what they are, else by their bytes.

mod delta;

use std::collections::BTreeMap;
use std::io::Read;

use base::{as_u64, as_usize, hex};
use inspect::{Image, Name};

use crate::bytes;
use crate::cpio::{self, Member};
use crate::error::Error;
use crate::model::{facts, Change, Content, Part, Values};
use crate::view::head;
use crate::Options;

/// Contents up to this length are taken into memory and told apart by what they are; longer ones by their bytes.
const LARGEST: u64 = 512 << 20;
/// A longer text is compared by its bytes.
const LONGEST_TEXT: usize = 8 << 20;
/// So many lines in which two texts may differ are told apart; the time for it grows with their square.
const MOST_LINES: usize = 10_000;
/// What is packed is unpacked up to so many bytes for each of its own, and this much; up to [`LARGEST`] at most.
const UNPACKED_EACH: u64 = 64;
const UNPACKED: u64 = 1 << 20;
/// Packed in packed: deeper ones are bytes.
const DEEPEST: u32 = 4;

/// How the contents of two files, or two partitions of no file system, differ. `None`: not at all. What could not be told apart by what it
/// is, though it looks like that, is added to `notes`.
pub fn compare(
    old: &dyn Image,
    new: &dyn Image,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Option<Content>, Error> {
    if old.len().max(new.len()) <= LARGEST {
        let (old, new) = (head(old, LARGEST)?, head(new, LARGEST)?);
        return Ok(in_memory(&old, &new, options, notes));
    }
    let found = bytes::compare(old, new, 0)?;
    Ok(found.map(|(bytes, _)| Content::Bytes(bytes)))
}

/// How two contents in memory differ; `notes` as [`compare()`] has them.
pub fn in_memory(
    old: &[u8],
    new: &[u8],
    options: &Options,
    notes: &mut Vec<String>,
) -> Option<Content> {
    let mut telling = Telling {
        options,
        depth: 0,
        notes,
    };
    telling.any(old, new)
}

/// What is known on the way into packed contents.
struct Telling<'a> {
    options: &'a Options,
    depth: u32,
    notes: &'a mut Vec<String>,
}

impl Telling<'_> {
    /// Contents of any kind.
    fn any(&mut self, old: &[u8], new: &[u8]) -> Option<Content> {
        if old == new {
            return None;
        }
        let known = match self.depth < DEEPEST {
            true => self.known(old, new),
            false => None,
        };
        known.or_else(|| self.unknown(old, new))
    }

    /// Text, or bytes.
    fn unknown(&self, old: &[u8], new: &[u8]) -> Option<Content> {
        lines(old, new, self.options).or_else(|| plain(old, new))
    }

    /// What is packed in these contents.
    fn inside(&mut self, old: &[u8], new: &[u8]) -> Option<Content> {
        let mut deeper = Telling {
            options: self.options,
            // Checked by `any`.
            depth: self.depth.checked_add(1).unwrap_or(DEEPEST),
            notes: self.notes,
        };
        deeper.any(old, new)
    }

    /// Contents of the same known format.
    fn known(&mut self, old: &[u8], new: &[u8]) -> Option<Content> {
        let both = |is: fn(&[u8]) -> bool| is(old) && is(new);
        if both(elf::is_elf) {
            return elf_parts(old, new);
        }
        if both(|bytes| bytes.starts_with(b"MZ")) {
            return self.efi_parts(old, new);
        }
        if both(cpio::is_cpio) {
            return self.cpio_parts(old, new);
        }
        if both(|bytes| bytes.starts_with(ZSTD)) {
            let (old, new) = (unpacked(old)?, unpacked(new)?);
            let inside = self.inside(&old, &new);
            return Some(Content::Packed {
                format: "zstd",
                inside: inside.map(Box::new),
            });
        }
        if both(|bytes| bytes.starts_with(delta::MAGIC)) {
            return delta::compare(old, new);
        }
        None
    }

    /// Sections of EFI programs and kernel images, with what they hold.
    fn efi_parts(&mut self, old: &[u8], new: &[u8]) -> Option<Content> {
        let (a, b) = (efi_sections(old)?, efi_sections(new)?);
        let found = parts(&a, &b, |name, a, b| match name.split('#').next() {
            Some(".cmdline") => words(a, b).or_else(|| match a == b {
                true => None,
                false => self.unknown(a, b),
            }),
            _ => self.inside(a, b),
        });
        of_program("efi-program", found, (old, &a), (new, &b))
    }

    /// Files of initial RAM disks.
    fn cpio_parts(&mut self, old: &[u8], new: &[u8]) -> Option<Content> {
        let (Some(a), Some(b)) = (cpio_members(old), cpio_members(new)) else {
            self.notes.push(format!(
                "an archive (cpio) that does not end as one does, or has more than {} members, is compared by its bytes",
                cpio::MOST
            ));
            return None;
        };
        let found = parts(&a, &b, |_, a, b| self.inside(a, b));
        rest("cpio", found, old, new)
    }
}

/// Bytes alone.
fn plain(old: &[u8], new: &[u8]) -> Option<Content> {
    let pairs = || old.iter().zip(new);
    let first = pairs().position(|(x, y)| x != y);
    let count = pairs().filter(|(x, y)| x != y).count();
    let mut blocks = old.chunks(4096).zip(new.chunks(4096)).map(|(x, y)| x != y);
    let mut stretches = 0u64;
    let mut before = false;
    blocks.by_ref().for_each(|differs| {
        stretches = base::past(stretches, usize::from(differs && !before));
        before = differs;
    });
    Some(Content::Bytes(crate::Bytes {
        first: first.map(as_u64),
        count: as_u64(count),
        stretches,
        places: Vec::new(),
    }))
}

const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// What is packed, if it can be had.
fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let decoder = zstd::Decoder::new(bytes).ok()?;
    let mut out = Vec::new();
    let most = as_u64(bytes.len()).checked_mul(UNPACKED_EACH)?;
    let most = most.checked_add(UNPACKED)?.min(LARGEST);
    let mut bounded = decoder.take(most);
    bounded.read_to_end(&mut out).ok()?;
    (bounded.limit() > 0).then_some(out)
}

/// Texts line by line.
fn lines(old: &[u8], new: &[u8], options: &Options) -> Option<Content> {
    let (old, new) = (as_text(old)?, as_text(new)?);
    if between(old, new) > MOST_LINES {
        return None;
    }
    let diff = base::text::unified(("old", "new"), old, new, 3);
    // What the texts are called stands elsewhere.
    let all = diff.split_inclusive('\n').skip(2);
    let total = all.clone().count();
    let lines = all.take(options.max_lines);
    let lines = lines.map(|line| shown(line.strip_suffix('\n').unwrap_or(line)));
    let lines: Vec<String> = lines.collect();
    let left_out = total.abs_diff(lines.len());
    Some(Content::Text { lines, left_out })
}

/// How many lines the longer text has between what both begin and what both end with.
fn between(old: &str, new: &str) -> usize {
    let same = |(a, b): &(&str, &str)| a == b;
    // Ends of lines are part of them here as there.
    let (old, new) = (old.split_inclusive('\n'), new.split_inclusive('\n'));
    let start = old.clone().zip(new.clone()).take_while(same).count();
    let (back, other) = (old.clone().rev(), new.clone().rev());
    let end = back.zip(other).take_while(same).count();
    let longer = old.count().max(new.count());
    // Both may have the same lines, if one text has another's lines again.
    let left = longer
        .checked_sub(start)
        .and_then(|left| left.checked_sub(end));
    left.unwrap_or_default()
}

/// `bytes` as text, if they are one that a terminal may be given.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let short = bytes.len() <= LONGEST_TEXT;
    let text = short.then(|| std::str::from_utf8(bytes).ok()).flatten()?;
    let plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c');
    text.chars().all(plain).then_some(text)
}

/// A line with characters that change how others are shown as escapes.
fn shown(line: &str) -> String {
    let hidden = |c: &char| matches!(c, '\r' | '\x0c' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match hidden(&c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

/// A part by its name, for comparing.
struct Piece<'a> {
    values: Values,
    /// Where in the whole it begins.
    at: usize,
    bytes: &'a [u8],
}

/// The parts that differ, by name: those of the old in its order, then what only the new has.
fn parts<'a>(
    old: &[(String, Piece<'a>)],
    new: &[(String, Piece<'a>)],
    mut content: impl FnMut(&str, &[u8], &[u8]) -> Option<Content>,
) -> Vec<Part> {
    let by_name = |list: &[(String, Piece<'a>)]| -> BTreeMap<String, usize> {
        let numbered = list.iter().enumerate();
        numbered.map(|(at, (name, _))| (name.clone(), at)).collect()
    };
    let (in_old, in_new) = (by_name(old), by_name(new));
    let none = Values::new();
    let mut found = Vec::new();
    for (name, piece) in old {
        let other = in_new.get(name).and_then(|at| new.get(*at));
        let part = match other {
            None => Part {
                name: name.clone(),
                change: Change::Removed,
                facts: facts(&piece.values, &none),
                content: None,
            },
            Some((_, other)) => Part {
                name: name.clone(),
                change: Change::Changed,
                facts: facts(&piece.values, &other.values),
                content: content(name, piece.bytes, other.bytes).map(Box::new),
            },
        };
        let same = part.change == Change::Changed && part.facts.is_empty();
        if !same || part.content.is_some() {
            found.push(part);
        }
    }
    let added = new.iter().filter(|(name, _)| !in_old.contains_key(name));
    found.extend(added.map(|(name, piece)| Part {
        name: name.clone(),
        change: Change::Added,
        facts: facts(&none, &piece.values),
        content: None,
    }));
    found
}

/// A list in which no two parts have the same name.
fn unique<'a>(list: impl Iterator<Item = (String, Piece<'a>)>) -> Vec<(String, Piece<'a>)> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    list.map(|(name, piece)| {
        let count = seen.entry(name.clone()).or_default();
        *count = base::past(*count, 1);
        let name = match *count {
            1 => name,
            count => format!("{name}#{count}"),
        };
        (name, piece)
    })
    .collect()
}

fn size(len: u64) -> (String, String) {
    ("size".to_owned(), len.to_string())
}

/// Bytes of a program that are in none of its sections, one after the other: headers, what lies between sections, what follows them.
fn outside(bytes: &[u8], sections: &[(String, Piece<'_>)]) -> Vec<u8> {
    let mut taken: Vec<(usize, usize)> = sections
        .iter()
        .filter(|(_, piece)| !piece.bytes.is_empty())
        .filter_map(|(_, piece)| Some((piece.at, piece.at.checked_add(piece.bytes.len())?)))
        .collect();
    taken.sort_unstable();
    let (mut out, mut at) = (Vec::new(), 0);
    for (start, end) in taken {
        // Sections may overlap.
        out.extend(bytes.get(at..start).unwrap_or_default());
        at = at.max(end);
    }
    out.extend(bytes.get(at..).unwrap_or_default());
    out
}

/// A program's sections that differ, and what does outside of them. If no section does, that is counted from the start of the file.
fn of_program(
    format: &'static str,
    mut found: Vec<Part>,
    old: (&[u8], &[(String, Piece<'_>)]),
    new: (&[u8], &[(String, Piece<'_>)]),
) -> Option<Content> {
    let (a, b) = (outside(old.0, old.1), outside(new.0, new.1));
    if !found.is_empty() && a != b {
        let len = |bytes: &[u8]| vec![size(as_u64(bytes.len()))];
        found.push(Part {
            name: "outside of sections".to_owned(),
            change: Change::Changed,
            facts: facts(&len(&a), &len(&b)),
            content: plain(&a, &b).map(Box::new),
        });
    }
    rest(format, found, old.0, new.0)
}

/// Sections of programs and libraries.
fn elf_parts(old: &[u8], new: &[u8]) -> Option<Content> {
    let (a, b) = (elf_sections(old)?, elf_sections(new)?);
    let found = parts(&a, &b, |_, a, b| (a != b).then(|| plain(a, b)).flatten());
    of_program("elf", found, (old, &a), (new, &b))
}

fn elf_sections(bytes: &[u8]) -> Option<Vec<(String, Piece<'_>)>> {
    let sections = elf::sections(bytes).ok()?.into_iter();
    Some(unique(sections.map(|section| {
        let mut values = vec![size(section.size)];
        if section.name == b".note.gnu.build-id" {
            // Behind lengths, type and the name GNU.
            let id = section.bytes.get(16..).map(hex::encode);
            values.extend(id.map(|id| ("build-id".to_owned(), id)));
        }
        let (at, bytes) = (as_usize(section.at), section.bytes);
        let piece = Piece { values, at, bytes };
        (Name(section.name.to_vec()).word(), piece)
    })))
}

/// The parts; if none differs, the bytes are in no part.
fn rest(format: &'static str, parts: Vec<Part>, old: &[u8], new: &[u8]) -> Option<Content> {
    match parts.is_empty() {
        true => plain(old, new),
        false => Some(Content::Parts { format, parts }),
    }
}

/// Bytes as headers are read from.
struct Slice<'a>(&'a [u8]);

impl plan::ReadAt for Slice<'_> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
        let bytes = self.0.get(as_usize(offset)..);
        let bytes = bytes.and_then(|bytes| bytes.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

fn efi_sections(bytes: &[u8]) -> Option<Vec<(String, Piece<'_>)>> {
    let image = pe::Image::read(&Slice(bytes), as_u64(bytes.len())).ok()?;
    let sections = image.sections().iter();
    let sections = sections.map(|section| (section.shown(), section.content()));
    let signatures = image.certificates().into_iter();
    let signatures = signatures.map(|range| ("signatures".to_owned(), range));
    let pieces = sections.chain(signatures).map(|(name, range)| {
        let (start, end) = (as_usize(range.start), as_usize(range.end));
        // The table of signatures may be said to be where the file has ended.
        let there = start.min(bytes.len())..end.min(bytes.len());
        let bytes = bytes.get(there).unwrap_or_default();
        let mut values = vec![size(as_u64(bytes.len()))];
        if let said @ 1.. = end.abs_diff(start).abs_diff(bytes.len()) {
            let text = format!("{said} bytes more are said to be behind the end of the file");
            values.push(("damaged".to_owned(), text));
        }
        (
            name,
            Piece {
                values,
                at: start,
                bytes,
            },
        )
    });
    Some(unique(pieces))
}

/// Kernel arguments; `None` if there are none that differ, or too many to be told apart.
fn words(old: &[u8], new: &[u8]) -> Option<Content> {
    let list = |bytes: &[u8]| -> Vec<String> {
        let text = bytes.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
        let words = text.filter(|word| !word.is_empty());
        words.map(|word| Name(word.to_vec()).word()).collect()
    };
    if old == new {
        return None;
    }
    let (old, new) = (list(old), list(new));
    // The time for it is that of lines.
    if old.len().max(new.len()) > MOST_LINES {
        return None;
    }
    let without = |from: &[String], what: &[String]| -> Vec<String> {
        let mut what = what.to_vec();
        let left = from
            .iter()
            .filter(|word| match what.iter().position(|w| w == *word) {
                Some(at) => {
                    what.remove(at);
                    false
                }
                None => true,
            });
        left.cloned().collect()
    };
    Some(Content::Words {
        removed: without(&old, &new),
        added: without(&new, &old),
    })
}

fn cpio_members(bytes: &[u8]) -> Option<Vec<(String, Piece<'_>)>> {
    let (members, rest) = cpio::members(bytes)?;
    // Where they are does not count.
    let at = 0;
    let members = members.into_iter().map(|member| {
        let name = Name(member.name.to_vec()).word();
        let (values, bytes) = (member_values(&member), member.bytes);
        (name, Piece { values, at, bytes })
    });
    let behind = (!rest.is_empty()).then(|| {
        let (values, bytes) = (vec![size(as_u64(rest.len()))], rest);
        let piece = Piece { values, at, bytes };
        ("what follows the archive".to_owned(), piece)
    });
    Some(unique(members.chain(behind)))
}

fn member_values(member: &Member<'_>) -> Values {
    let (major, minor) = member.device;
    let values = [
        ("type", format!("{:o}", member.mode >> 12)),
        ("mode", format!("{:04o}", member.mode & 0o7777)),
        ("owner", format!("{}:{}", member.uid, member.gid)),
        ("mtime", member.mtime.to_string()),
        ("device", format!("{major}:{minor}")),
        ("size", member.bytes.len().to_string()),
    ];
    values
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
