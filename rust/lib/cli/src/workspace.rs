//! Where the source tree is, for programs that `bazel run` starts.

use std::path::{Path, PathBuf};

/// Neither a flag nor Bazel says where the source tree is.
#[derive(Debug)]
pub struct NoWorkspace;

impl std::fmt::Display for NoWorkspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not started by `bazel run`: give --workspace DIR")
    }
}

impl std::error::Error for NoWorkspace {}

/// The folder given by flag, else the workspace in which `bazel run` was called.
#[allow(
    clippy::disallowed_methods,
    reason = "Bazel tells it in no other way, and no output of a build depends on it"
)]
pub fn workspace(flag: Option<&Path>) -> Result<PathBuf, NoWorkspace> {
    flag.map(Path::to_path_buf)
        .or_else(|| std::env::var_os("BUILD_WORKSPACE_DIRECTORY").map(PathBuf::from))
        .ok_or(NoWorkspace)
}
