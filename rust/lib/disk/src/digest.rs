//! SHA-256 of files, several at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use sha2::{Digest as _, Sha256};

use crate::Error;

/// Read at a time.
const BUFFER: usize = 1 << 18;

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

/// The digest of one file.
pub fn file(path: &Path) -> Result<Digest, Error> {
    let read = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(read)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut len: u64 = 0;
    loop {
        let got = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read(error)),
        };
        hasher.update(buffer.get(..got).unwrap_or_default());
        len = len.saturating_add(u64::try_from(got).unwrap_or(u64::MAX));
    }
    Ok(Digest {
        sha256: hasher.finalize().into(),
        len,
    })
}

/// The digests of `paths`, in their order, computed by one thread per core. The first failing path's error wins.
pub fn files(paths: &[PathBuf]) -> Result<Vec<Digest>, Error> {
    let mut queue: Vec<(usize, &PathBuf, u64)> = paths
        .iter()
        .enumerate()
        .map(|(index, path)| (index, path, path.metadata().map_or(0, |m| m.len())))
        .collect();
    // The longest first, so that no core is left alone with it at the end.
    queue.sort_by_key(|(index, _, len)| (std::cmp::Reverse(*len), *index));
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..cores.min(queue.len()) {
            let (sender, next, queue) = (sender.clone(), &next, &queue);
            scope.spawn(move || {
                while let Some((index, path, _)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver outlives the scope.
                    let _ = sender.send((*index, file(path)));
                }
            });
        }
    });
    drop(sender);
    let mut results: Vec<(usize, Result<Digest, Error>)> = receiver.into_iter().collect();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
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
    use super::*;

    #[test]
    fn digests_keep_their_order() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..20_usize)
            .map(|n| {
                let path = dir.path().join(n.to_string());
                std::fs::write(&path, vec![b'a'; n * 1000]).unwrap();
                path
            })
            .collect();
        let digests = files(&paths).unwrap();
        assert_eq!(
            digests[0].to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (path, digest) in paths.iter().zip(&digests) {
            assert_eq!(file(path).unwrap(), *digest);
        }
        assert_eq!(digests[19].len, 19_000);
        assert!(files(&[]).unwrap().is_empty());
        let missing = files(&[paths[3].clone(), dir.path().join("none")]).unwrap_err();
        assert!(missing.to_string().ends_with("none"), "{missing}");
    }
}
