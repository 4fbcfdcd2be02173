//! From the files that are to be to what is written.

use std::collections::BTreeMap;

use base::{as_u64, as_usize};
use zerocopy::IntoBytes;

use super::error::EditError;
use super::folder::{at_cluster, put, Body, Entry, Folder, Node};
use super::head::Head;
use super::table::END;
use super::{Edit, Volume, Write};
use crate::boot::FsInfo;
use crate::geometry::offset;
use crate::records::{ShortRecord, MOST, RECORD};

/// What FSInfo says if nobody knows.
const UNKNOWN: u32 = 0xffff_ffff;

pub(crate) fn edit(mut volume: Volume<'_>) -> Result<Edit, EditError> {
    let changed = volume.root.changed;
    let mut build = Build::new(&volume);
    let root = match changed {
        true => {
            build.check(&volume.root)?;
            build.folder(&volume.root, None)?
        }
        false => {
            build.keep_all(&volume.root);
            volume.head.root
        }
    };
    let Build {
        data: mut prepare,
        chains,
        kept,
        ..
    } = build;
    let (boot, copy) = volume.head.with_root(&volume.place, root)?;
    let commit = match boot == volume.head.boot {
        true => Vec::new(),
        false => vec![(0, boot.to_vec())],
    };
    let (freed, free) = volume.unused(&kept, &chains);
    let infos = volume.infos(free, changed)?;
    prepare.extend(volume.table.set(&volume.head, &chains, false));
    let freed: Vec<(u32, u32)> = freed.into_iter().map(|cluster| (cluster, 0)).collect();
    let mut tidy = volume.table.set(&volume.head, &freed, true);
    tidy.extend(copy.map(|(number, sector)| (offset(number), sector.to_vec())));
    tidy.extend(infos);
    Ok(Edit {
        prepare: merged(prepare),
        commit,
        tidy: merged(tidy),
    })
}

impl Volume<'_> {
    /// Clusters in use that will be nobody's, and then: how many are free, and the first of them.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "there are at most 2^24 clusters"
    )]
    fn unused(&self, kept: &[bool], chains: &[(u32, u32)]) -> (Vec<u32>, (u32, Option<u32>)) {
        let new: BTreeMap<u32, u32> = chains.iter().copied().collect();
        let (mut freed, mut free, mut first) = (Vec::new(), 0u32, None);
        for (cluster, used) in self.table.usable() {
            let keep = kept.get(as_usize(u64::from(cluster))) == Some(&true);
            if keep || new.contains_key(&cluster) {
                continue;
            }
            first = first.or(Some(cluster));
            free += 1;
            if used {
                freed.push(cluster);
            }
        }
        (freed, (free, first))
    }

    /// FSInfo and its copy, where they say otherwise.
    fn infos(
        &self,
        (free, first): (u32, Option<u32>),
        changed: bool,
    ) -> Result<Vec<Write>, EditError> {
        let mut writes = Vec::new();
        for (number, info) in self.head.infos(&self.place)? {
            let known = info.free.get() != UNKNOWN;
            let next = match (changed, first) {
                (true, Some(first)) => first.into(),
                (true, None) => UNKNOWN.into(),
                // Where others left off; it is a hint only.
                (false, _) => info.next,
            };
            let want = FsInfo {
                free: free.into(),
                next,
                ..info
            };
            if (changed || known) && want.as_bytes() != info.as_bytes() {
                writes.push((offset(number), want.as_bytes().to_vec()));
            }
        }
        Ok(writes)
    }
}

/// Lays out what is new, in clusters that are free.
struct Build<'a> {
    head: &'a Head,
    free: std::vec::IntoIter<u32>,
    /// By offset.
    data: Vec<Write>,
    /// Entries of the table.
    chains: Vec<(u32, u32)>,
    /// By cluster, whether it stays what it is.
    kept: Vec<bool>,
}

impl<'a> Build<'a> {
    fn new(volume: &'a Volume<'_>) -> Self {
        let free: Vec<u32> = volume.table.free().collect();
        Self {
            head: &volume.head,
            free: free.into_iter(),
            data: Vec::new(),
            chains: Vec::new(),
            kept: vec![false; as_usize(u64::from(volume.head.end()))],
        }
    }

    /// Refuses what has no room.
    fn check(&self, root: &Folder) -> Result<(), EditError> {
        let mut wanted = 0usize;
        let mut folders = vec![(root, true)];
        while let Some((folder, is_root)) = folders.pop() {
            let records = folder.records(is_root);
            if records > as_usize(u64::from(MOST)) {
                let reason =
                    format!("its folder would have {records} records, and FAT has at most {MOST}");
                let last = folder.entries.last();
                return Err(EditError::name(
                    last.map_or("", |entry| &entry.name),
                    reason,
                ));
            }
            let mut lens = vec![folder_bytes(records)];
            for entry in &folder.entries {
                match &entry.node {
                    Node::File(Body::New(bytes)) => lens.push(bytes.len()),
                    Node::Folder(below) if below.changed || !is_root => {
                        folders.push((below, false))
                    }
                    _ => {}
                }
            }
            let one = self.cluster();
            let clusters: usize = lens.into_iter().map(|len| len.div_ceil(one)).sum();
            wanted = [wanted, clusters].into_iter().sum();
        }
        if wanted > self.free.len() {
            let one = u64::from(self.head.cluster_bytes());
            let bytes = |clusters: usize| as_u64(clusters).checked_mul(one);
            let (wants, has) = (bytes(wanted), bytes(self.free.len()));
            // Both are of memory that there is.
            let (wants, has) = wants.zip(has).ok_or(plan::Error::TooLong)?;
            return Err(EditError::Full { wants, has });
        }
        Ok(())
    }

    /// Bytes of a cluster.
    fn cluster(&self) -> usize {
        as_usize(u64::from(self.head.cluster_bytes()))
    }

    /// Writes a folder anew, and all in it that is new; its first cluster. `above` is where the folder above it is (0: the root) and its
    /// own record there; the root has none.
    fn folder(
        &mut self,
        folder: &Folder,
        above: Option<(u32, &ShortRecord)>,
    ) -> Result<u32, EditError> {
        // Its place first: what is in it says where it is.
        let len = folder_bytes(folder.records(above.is_none()));
        let clusters = self.take(len)?;
        let own = clusters.first().copied().ok_or_else(|| self.full())?;
        let mut bytes = Vec::with_capacity(len);
        if let Some((above, record)) = above {
            let [dot, dots] = dots(folder, record);
            put(&mut bytes, &[], &at_cluster(dot, own));
            put(&mut bytes, &[], &at_cluster(dots, above));
        }
        let below = if above.is_none() { 0 } else { own };
        for entry in &folder.entries {
            let short = match &entry.node {
                Node::Label => entry.short,
                Node::File(Body::Kept(clusters)) => {
                    self.keep(clusters);
                    entry.short
                }
                Node::File(Body::New(content)) => self.file(entry, content)?,
                Node::Folder(folder) if folder.changed || above.is_some() => {
                    let first = self.folder(folder, Some((below, &entry.short)))?;
                    at_cluster(entry.short, first)
                }
                Node::Folder(folder) => {
                    self.keep_all(folder);
                    entry.short
                }
            };
            put(&mut bytes, &entry.long, &short);
        }
        self.store(&clusters, &bytes);
        Ok(own)
    }

    /// Writes a new file; its record.
    fn file(&mut self, entry: &Entry, content: &[u8]) -> Result<ShortRecord, EditError> {
        let clusters = self.take(content.len())?;
        self.store(&clusters, content);
        let mut short = at_cluster(entry.short, clusters.first().copied().unwrap_or(NONE));
        // Volume::put() takes no longer ones.
        let len = u32::try_from(content.len());
        short.len = len
            .map_err(|_| EditError::name(&entry.name, "4 GiB or more"))?
            .into();
        Ok(short)
    }

    /// A chain for `len` bytes.
    fn take(&mut self, len: usize) -> Result<Vec<u32>, EditError> {
        let count = len.div_ceil(self.cluster());
        let clusters: Vec<u32> = self.free.by_ref().take(count).collect();
        if clusters.len() != count {
            return Err(self.full());
        }
        let next = clusters.iter().skip(1).copied().chain([END]);
        self.chains.extend(clusters.iter().copied().zip(next));
        Ok(clusters)
    }

    fn full(&self) -> EditError {
        // check() has counted; this is for the case that it counts otherwise.
        EditError::damaged("its free clusters were counted wrongly")
    }

    /// Puts `bytes` into these clusters, of which the last is filled with zeros.
    fn store(&mut self, clusters: &[u32], bytes: &[u8]) {
        let one = self.cluster();
        for (number, cluster) in clusters.iter().enumerate() {
            let part = bytes.chunks(one).nth(number).unwrap_or(&[]);
            let mut part = part.to_vec();
            part.resize(one, 0);
            self.data.push((self.head.cluster_offset(*cluster), part));
        }
    }

    fn keep(&mut self, clusters: &[u32]) {
        for cluster in clusters {
            if let Some(kept) = self.kept.get_mut(as_usize(u64::from(*cluster))) {
                *kept = true;
            }
        }
    }

    /// Keeps a folder and all in it.
    fn keep_all(&mut self, folder: &Folder) {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            self.keep(&folder.clusters);
            for entry in &folder.entries {
                match &entry.node {
                    Node::File(Body::Kept(clusters)) => self.keep(clusters),
                    Node::Folder(below) => folders.push(below),
                    _ => {}
                }
            }
        }
    }
}

/// What a record says of a file without content.
const NONE: u32 = 0;

/// Bytes of a folder with so many records; one that is empty has a cluster, too.
fn folder_bytes(records: usize) -> usize {
    // Far from a usize: check() bounds them, and what is read came from a volume.
    std::iter::repeat_n(as_usize(u64::from(RECORD)), records.max(1)).sum()
}

/// `.` and `..` of a folder: as they were, or of a new one like its own record.
fn dots(folder: &Folder, record: &ShortRecord) -> [ShortRecord; 2] {
    if let [dot, dots] = folder.dots[..] {
        return [dot, dots];
    }
    [*b".          ", *b"..         "].map(|name| ShortRecord { name, ..*record })
}

/// Sorted by place, with neighbours in one write.
fn merged(mut writes: Vec<Write>) -> Vec<Write> {
    writes.sort_unstable_by_key(|(at, _)| *at);
    let mut out: Vec<Write> = Vec::new();
    for (at, bytes) in writes {
        match out.last_mut() {
            Some((start, before)) if start.checked_add(as_u64(before.len())) == Some(at) => {
                before.extend(bytes)
            }
            _ => out.push((at, bytes)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::ARCHIVE;
    use crate::short::Names;
    use crate::time::Moment;

    #[test]
    fn neighbours_are_one_write() {
        let piece = |at: u64, byte: u8| (at, vec![byte; 512]);
        let got = merged(vec![piece(2048, 4), piece(512, 2), piece(0, 1)]);
        let both = [[1; 512], [2; 512]].concat();
        assert_eq!(got, [(0, both), piece(2048, 4)]);
    }

    /// As many records as a folder can have, `.` and `..` among them, and one more.
    #[test]
    fn a_folder_is_full() {
        let head = Head::plain(8);
        let build = Build {
            head: &head,
            free: (2..2048).collect::<Vec<_>>().into_iter(),
            data: Vec::new(),
            chains: Vec::new(),
            kept: Vec::new(),
        };
        let folder = |records: usize, above: Option<Folder>| {
            let names = Names {
                short: *b"F          ",
                long: false,
            };
            let facts = crate::records::Facts {
                attributes: ARCHIVE,
                cluster: 0,
                len: 0,
                time: Moment::FIRST,
            };
            let node = above.map_or(Node::Label, Node::Folder);
            let mut entry = Entry::new("F", &names, facts, node);
            entry.long = vec![[0; 32]; records.checked_sub(1).unwrap()];
            Folder {
                entries: vec![entry],
                changed: true,
                ..Folder::default()
            }
        };
        build.check(&folder(65_536, None)).unwrap();
        build.check(&folder(1, Some(folder(65_534, None)))).unwrap();
        for root in [folder(65_537, None), folder(1, Some(folder(65_535, None)))] {
            let error = build.check(&root).unwrap_err().to_string();
            let want =
                "cannot place 'F': its folder would have 65537 records, and FAT has at most 65536";
            assert_eq!(error, want);
        }
    }
}
