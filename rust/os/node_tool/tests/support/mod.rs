//! What tests of encrypted partitions share: keys, and where programs are.

use std::path::PathBuf;

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
pub(crate) const MARK: &[u8] = b"node_tool: a file system is being made here\n";

/// Where system programs are, which Bazel's PATH for tests does not have.
pub(crate) fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap())
}

/// The real program of that name.
pub(crate) fn find(program: &str) -> PathBuf {
    let folders = path();
    let mut places = std::env::split_paths(&folders).map(|folder| folder.join(program));
    places.find(|place| place.exists()).unwrap()
}
