//! SHA-256 of images through their plans, several at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use plan::{Builder, Extent, InputFile, Merged, Piece, Plan, ReadAt, Reader, Reference};
use sha2::{Digest as _, Sha256};

/// Read at a time: small enough to be hashed out of the processor's cache.
const BUFFER: usize = 1 << 18;
/// What zero extents are hashed from.
static ZEROS: [u8; BUFFER] = [0; BUFFER];

/// A SHA-256 digest with the length of what was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// The 32 bytes.
    pub sha256: [u8; 32],
    /// How many bytes were hashed.
    pub len: u64,
}

impl fmt::Display for Digest {
    /// 64 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sha256.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The digest of one image.
pub fn image<R: ReadAt>(reader: &Reader<R>) -> Result<Digest, plan::Error> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    for extent in reader.plan().extents() {
        match extent.piece {
            Piece::Inline(bytes) => hasher.update(bytes),
            Piece::Zero => pieces(extent, |_, len| {
                hasher.update(ZEROS.get(..len).unwrap_or_default());
                Ok(())
            })?,
            Piece::Source { input, offset } => pieces(extent, |at, len| {
                let part = buffer.get_mut(..len).unwrap_or_default();
                reader.read_input(input, part, offset.saturating_add(at))?;
                hasher.update(part);
                Ok(())
            })?,
        }
    }
    Ok(Digest {
        sha256: hasher.finalize().into(),
        len: reader.len(),
    })
}

/// Calls `each` with the place in the extent and the length of its parts of at most a buffer.
fn pieces(
    extent: Extent<'_>,
    mut each: impl FnMut(u64, usize) -> Result<(), plan::Error>,
) -> Result<(), plan::Error> {
    let mut at = 0;
    while at < extent.len {
        let left = usize::try_from(extent.len.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = left.min(BUFFER);
        each(at, len)?;
        at = at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// The digests of `readers`, in their order, computed by one thread per core. The first failing one's error wins.
pub fn images<R: ReadAt + Sync>(readers: &[Reader<R>]) -> Result<Vec<Digest>, plan::Error> {
    let mut queue: Vec<(usize, &Reader<R>)> = readers.iter().enumerate().collect();
    // The longest first, so that no core is left alone with it at the end.
    queue.sort_by_key(|(index, reader)| (std::cmp::Reverse(reader.len()), *index));
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..cores.min(queue.len()) {
            let (sender, next, queue) = (sender.clone(), &next, &queue);
            scope.spawn(move || {
                while let Some((index, reader)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver outlives the scope.
                    let _ = sender.send((*index, image(reader)));
                }
            });
        }
    });
    drop(sender);
    let mut results: Vec<_> = receiver.into_iter().collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The digests of what `references` mean, in their order. `inputs` are all inputs by position.
///
/// What is referred to twice is hashed once.
pub fn references<P: AsRef<Path>>(
    references: &[&Reference],
    inputs: &[P],
) -> Result<Vec<Digest>, plan::Error> {
    let mut merged = Merged::default();
    let mut distinct: Vec<(Plan, &[u32])> = Vec::new();
    let mut known: BTreeMap<([u8; 32], &[u32]), usize> = BTreeMap::new();
    let mut which = Vec::with_capacity(references.len());
    for reference in references {
        let plan = reference.open(&mut merged)?;
        let inputs = reference.inputs.as_slice();
        let encoded = Sha256::digest(plan.encode()).into();
        let index = *known.entry((encoded, inputs)).or_insert(distinct.len());
        which.push(index);
        if index == distinct.len() {
            distinct.push((plan, inputs));
        }
    }
    // A plan of nothing over all inputs opens and checks them.
    let all = Reader::open(Builder::new(merged.finish()?).finish()?, inputs)?;
    let readers: Result<Vec<_>, _> = distinct
        .into_iter()
        .map(|(plan, map)| reader(plan, map, all.inputs()))
        .collect();
    let digests = images(&readers?)?;
    let digests = which.iter().filter_map(|index| digests.get(*index));
    Ok(digests.copied().collect())
}

/// A reader of `plan`, whose inputs are those of `files` that `map` says.
fn reader(plan: Plan, map: &[u32], files: &[(String, InputFile)]) -> Result<Reader, plan::Error> {
    let mut inputs = Vec::with_capacity(map.len());
    for position in map {
        let index = usize::try_from(*position).unwrap_or(usize::MAX);
        let (name, file) = files.get(index).ok_or(plan::Error::MissingInput {
            input: *position,
            have: files.len(),
        })?;
        inputs.push((name.clone(), file.clone()));
    }
    Reader::new(plan, inputs)
}

/// The text of a `SHA256SUMS` that `sha256sum -c` accepts: digest, two spaces, name; in the order of the names' bytes.
pub fn sha256sums(digests: &BTreeMap<String, Digest>) -> String {
    digests
        .iter()
        .map(|(name, digest)| format!("{digest}  {name}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn parse(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn digests_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..20_usize)
            .map(|n| {
                let path = dir.path().join(n.to_string());
                std::fs::write(&path, vec![b'a'; n * 50_000]).unwrap();
                path
            })
            .collect();
        let mut texts: Vec<String> = (0..20)
            .map(|n| format!("{}::{n}", paths[n].display()))
            .collect();
        texts.push(texts[7].clone());
        let named: Vec<Reference> = texts.iter().map(|text| parse(text)).collect();
        let named: Vec<&Reference> = named.iter().collect();
        let digests = references(&named, &paths).unwrap();
        assert_eq!(
            digests[0].to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (n, digest) in digests.iter().enumerate() {
            let n = if n == 20 { 7 } else { n };
            let want = Sha256::digest(vec![b'a'; n * 50_000]);
            assert_eq!(digest.sha256[..], want[..]);
            assert_eq!(digest.len, u64::try_from(n).unwrap() * 50_000);
        }
        assert!(references::<PathBuf>(&[], &[]).unwrap().is_empty());
        let missing = parse(&format!("{}::0", dir.path().join("none").display()));
        let error = references(&[&missing], &paths[..1]).unwrap_err();
        assert!(error.to_string().ends_with("none"), "{error}");
        // An input for which nothing is known, and one that is another file.
        let error = references(&[&parse(&texts[1])], &paths).unwrap_err();
        assert_eq!(error.to_string(), "no plan has an input at position 0");
        let error = references(&[&parse(&texts[0])], &paths[3..4]).unwrap_err();
        assert!(error.to_string().contains("has 150000 bytes"), "{error}");
    }

    #[test]
    fn every_kind_of_extent() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut builder = Builder::new(vec![plan::Input::of_len(3_000_000)]);
        builder.inline(b"head").unwrap();
        builder.zero(5_000_001).unwrap();
        builder.source(0, 17, 2_999_983).unwrap();
        builder.zero(3).unwrap();
        let plan = builder.finish().unwrap();
        let mut bytes = b"head".to_vec();
        bytes.resize(5_000_005, 0);
        bytes.extend_from_slice(&data[17..]);
        bytes.extend_from_slice(&[0; 3]);
        let reader = Reader::new(plan, vec![("data".to_owned(), data)]).unwrap();
        let digest = image(&reader).unwrap();
        assert_eq!(digest.sha256[..], Sha256::digest(&bytes)[..]);
        assert_eq!(digest.len, u64::try_from(bytes.len()).unwrap());
    }
}
