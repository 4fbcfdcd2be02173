//! Files in a partition that is not mounted. Whose it is, nobody vouches for.

use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{ensure, Context};
use ext4_view::{Ext4, Ext4Read};

/// A partition, for who reads file systems.
struct Partition(File);

impl Ext4Read for Partition {
    fn read(&mut self, start: u64, buffer: &mut [u8]) -> Result<(), BoxedError> {
        Ok(self.0.read_exact_at(buffer, start)?)
    }
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// The file at `path` in an ext4 partition, which has at most `most` bytes: a file system may say any length of any file.
pub(crate) fn read_file(partition: File, path: &str, most: u64) -> anyhow::Result<Vec<u8>> {
    let files = Ext4::load(Box::new(Partition(partition)));
    let files = files.context("the partition is no ext4 file system")?;
    let len = files.metadata(path).context(path.to_owned())?.len();
    ensure!(len <= most, "{path} has {len} bytes, want at most {most}");
    files.read(path).context(path.to_owned())
}
