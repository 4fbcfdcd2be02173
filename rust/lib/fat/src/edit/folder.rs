//! Folders of a volume that is there: read into memory, and as records again.

use zerocopy::{FromBytes, IntoBytes};

use super::error::EditError;
use super::head::Head;
use super::table::Table;
use super::Place;
use crate::names::capital;
use crate::records::{self, Facts, LongRecord, ShortRecord, DIRECTORY, LABEL, LONG};
use crate::short::{checksum, Names, Short};
use crate::time::Moment;

/// Folders in folders that are read; Windows takes no longer paths.
const DEEPEST: usize = 128;
/// What marks a record that was removed, and the end of a folder.
const REMOVED: u8 = 0xe5;
const NO_MORE: u8 = 0;

/// A folder: what is in it, and where it is.
#[derive(Default)]
pub(crate) struct Folder {
    /// `.` and `..`; none in the root, and in a folder that is to be made.
    pub(crate) dots: Vec<ShortRecord>,
    /// Where it is; nowhere, if it is to be made.
    pub(crate) clusters: Vec<u32>,
    pub(crate) entries: Vec<Entry>,
    /// Whether it is to be written anew.
    pub(crate) changed: bool,
}

/// Something in a folder.
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Records of its long name, as they are.
    pub(crate) long: Vec<[u8; 32]>,
    pub(crate) short: ShortRecord,
    pub(crate) node: Node,
}

pub(crate) enum Node {
    /// The volume's label.
    Label,
    File(Body),
    Folder(Folder),
}

/// A file's content.
pub(crate) enum Body {
    /// In these clusters.
    Kept(Vec<u32>),
    New(Vec<u8>),
}

impl Body {
    /// Its length, with the record of the file.
    pub(crate) fn len(&self, record: &ShortRecord) -> u64 {
        match self {
            Self::Kept(_) => record.len.get().into(),
            Self::New(bytes) => base::as_u64(bytes.len()),
        }
    }
}

impl Entry {
    /// One that is to be made.
    pub(crate) fn new(name: &str, names: &Names, facts: Facts, node: Node) -> Self {
        let mut bytes = Vec::new();
        records::entry(&mut bytes, name, names, facts);
        let mut long: Vec<[u8; 32]> = raw_records(&bytes).collect();
        // The last record is the short one, and there is always one.
        let short = zerocopy::transmute!(long.pop().unwrap_or([0; 32]));
        Self {
            name: name.to_owned(),
            long,
            short,
            node,
        }
    }

    /// Whether `name` is its name. Case does not count.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        !matches!(self.node, Node::Label) && same(&self.name, name)
    }

    /// Whether `name` is its short name besides.
    pub(crate) fn has_alias(&self, name: &str) -> bool {
        !matches!(self.node, Node::Label) && same(&short_name(&self.short), name)
    }
}

fn same(a: &str, b: &str) -> bool {
    a.chars().map(capital).eq(b.chars().map(capital))
}

fn cluster(record: &ShortRecord) -> u32 {
    (u32::from(record.cluster_high.get()) << 16) | u32::from(record.cluster_low.get())
}

/// `record`, of something that begins with `cluster`.
pub(crate) fn at_cluster(mut record: ShortRecord, cluster: u32) -> ShortRecord {
    let [a, b, c, d] = cluster.to_le_bytes();
    record.cluster_low = [a, b].into();
    record.cluster_high = [c, d].into();
    record
}

impl Folder {
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_called(name))
    }

    /// The time of the label; without one the first that FAT knows. No clock decides what is written.
    pub(crate) fn label_time(&self) -> Moment {
        let mut labels = self.entries.iter();
        let label = labels.find(|entry| matches!(entry.node, Node::Label));
        let time = label.map(|label| Moment {
            time: label.short.time.get(),
            date: label.short.date.get(),
        });
        time.filter(|time| time.date != 0).unwrap_or(Moment::FIRST)
    }

    /// How many records it has.
    pub(crate) fn records(&self, is_root: bool) -> usize {
        let entries = self.entries.iter().map(|entry| &entry.long);
        let long: usize = entries.map(Vec::len).sum();
        let dots = if is_root { 0 } else { 2 };
        [long, self.entries.len(), dots].into_iter().sum()
    }
}

/// Reads folders, and finds out whose each cluster is.
pub(crate) struct Reading<'a> {
    pub(crate) place: &'a Place<'a>,
    pub(crate) head: &'a Head,
    pub(crate) table: &'a mut Table,
}

impl Reading<'_> {
    pub(crate) fn root(&mut self) -> Result<Folder, EditError> {
        self.folder("", self.head.root, 0, DEEPEST)
    }

    /// The folder at `path`, which begins with `first`; the one above it is at `above` (0: the root).
    fn folder(
        &mut self,
        path: &str,
        first: u32,
        above: u32,
        deep: usize,
    ) -> Result<Folder, EditError> {
        let shown = if path.is_empty() { "/" } else { path };
        let deep = deep.checked_sub(1).ok_or_else(|| {
            EditError::damaged(format!(
                "more than {DEEPEST} folders in one another, down to {shown}"
            ))
        })?;
        let clusters = self.table.claim(first, shown)?;
        let bytes = self.head.clusters_of(self.place, &clusters)?;
        let mut folder = Folder {
            clusters,
            ..Folder::default()
        };
        let mut long = Vec::new();
        for raw in raw_records(&bytes) {
            let record: ShortRecord = zerocopy::transmute!(raw);
            match record.name.first() {
                Some(&NO_MORE) => break,
                Some(&REMOVED) => long.clear(),
                Some(b'.') if !path.is_empty() => folder.dots.push(record),
                _ if record.attributes & 0x3f == LONG => long.push(raw),
                _ => {
                    let long = std::mem::take(&mut long);
                    let own = if path.is_empty() { 0 } else { first };
                    folder
                        .entries
                        .push(self.entry(path, record, long, own, deep)?);
                }
            }
        }
        let dots: Vec<(Short, u32)> = folder
            .dots
            .iter()
            .map(|dot| (dot.name, cluster(dot)))
            .collect();
        let want = [(*b".          ", first), (*b"..         ", above)];
        if !path.is_empty() && dots != want {
            return Err(EditError::damaged(format!(
                "the folder {shown} does not know where it is"
            )));
        }
        Ok(folder)
    }

    fn entry(
        &mut self,
        above: &str,
        short: ShortRecord,
        long: Vec<[u8; 32]>,
        own: u32,
        deep: usize,
    ) -> Result<Entry, EditError> {
        let (name, long) = match long_name(&long, &short) {
            Some(name) => (name, long),
            // Left over from a system that knows short names only.
            None => (short_name(&short), Vec::new()),
        };
        let path = format!("{above}/{name}");
        let first = cluster(&short);
        let node = if short.attributes & LABEL != 0 {
            Node::Label
        } else if short.attributes & DIRECTORY != 0 {
            Node::Folder(self.folder(&path, first, own, deep)?)
        } else {
            Node::File(Body::Kept(self.file(&path, first, short.len.get())?))
        };
        Ok(Entry {
            name,
            long,
            short,
            node,
        })
    }

    fn file(&mut self, path: &str, first: u32, len: u32) -> Result<Vec<u32>, EditError> {
        let clusters = match first {
            0 => Vec::new(),
            _ => self.table.claim(first, path)?,
        };
        let room = base::as_u64(clusters.len()).checked_mul(self.head.cluster_bytes().into());
        match room {
            Some(room) if room >= len.into() => Ok(clusters),
            _ => Err(EditError::damaged(format!(
                "{path} has {len} bytes, and its chain has fewer"
            ))),
        }
    }
}

/// The name of the long-name records before `short`, if they are its.
fn long_name(records: &[[u8; 32]], short: &ShortRecord) -> Option<String> {
    let sum = checksum(&short.name);
    let mut units = Vec::new();
    // The beginning of the name is in the last of them.
    for (number, raw) in (1u8..).zip(records.iter().rev()) {
        let record = LongRecord::read_from_bytes(&raw[..]).ok()?;
        let first = if usize::from(number) == records.len() {
            records::FIRST
        } else {
            0
        };
        if record.number != (number | first) || record.sum != sum {
            return None;
        }
        let parts = record
            .name_1
            .iter()
            .chain(&record.name_2)
            .chain(&record.name_3);
        units.extend(parts.map(|unit| unit.get()));
    }
    let name = units.split(|unit| *unit == 0).next()?;
    (!name.is_empty()).then(|| String::from_utf16_lossy(name))
}

/// The name of a short record. Letters beyond ASCII, which differ from country to country, are shown as the first 256 of Unicode.
fn short_name(record: &ShortRecord) -> String {
    let (stem, extension) = record.name.split_at(8);
    let part = |bytes: &[u8], lower: bool| -> String {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        let text = text.trim_end_matches(' ');
        match lower {
            true => text.to_ascii_lowercase(),
            false => text.to_owned(),
        }
    };
    // Bits by which Windows NT says that a part is in small letters.
    let stem = part(stem, record.reserved & 0x08 != 0);
    let extension = part(extension, record.reserved & 0x10 != 0);
    match extension.is_empty() {
        true => stem,
        false => format!("{stem}.{extension}"),
    }
}

fn raw_records(bytes: &[u8]) -> impl Iterator<Item = [u8; 32]> + '_ {
    let records = bytes.chunks_exact(32).filter_map(<[u8]>::first_chunk);
    records.copied()
}

/// Adds an entry's records.
pub(crate) fn put(out: &mut Vec<u8>, long: &[[u8; 32]], short: &ShortRecord) {
    out.extend(long.iter().flatten());
    out.extend_from_slice(short.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &Short, reserved: u8) -> ShortRecord {
        let mut record = ShortRecord::read_from_bytes(&[0; 32]).unwrap();
        (record.name, record.reserved) = (*name, reserved);
        record
    }

    #[test]
    fn clusters_have_two_halves() {
        let record = at_cluster(record(b"A          ", 0), 0x0123_4567);
        assert_eq!(cluster(&record), 0x0123_4567);
    }

    /// Windows NT keeps a short name in small letters as two bits.
    #[test]
    fn short_names_in_small_letters() {
        for (reserved, want) in [
            (0, "README.TXT"),
            (0x08, "readme.TXT"),
            (0x10, "README.txt"),
            (0x18, "readme.txt"),
            (0xe7, "README.TXT"),
        ] {
            assert_eq!(short_name(&record(b"README  TXT", reserved)), want);
        }
        assert_eq!(short_name(&record(b"README     ", 0x18)), "readme");
    }
}
