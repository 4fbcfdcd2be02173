//! Where the source tree is, and where the user is, for programs that `bazel run` starts.

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

/// `path` as it stands (a path that Bazel gave), else seen from where the user called.
pub fn existing(path: &Path) -> PathBuf {
    if path.exists() {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    } else {
        from_user(path)
    }
}

/// `path` seen from the folder in which the user called `bazel run`, which starts programs elsewhere; whole, so that it is the same
/// for whoever starts elsewhere again.
#[allow(
    clippy::disallowed_methods,
    reason = "Bazel tells the user's folder in no other way; nothing is built from it"
)]
pub fn from_user(path: &Path) -> PathBuf {
    let path = match std::env::var_os("BUILD_WORKING_DIRECTORY") {
        Some(folder) if path.is_relative() => PathBuf::from(folder).join(path),
        _ => path.to_path_buf(),
    };
    // It fails for an empty path only, which nothing can be done with anyway.
    std::path::absolute(&path).unwrap_or(path)
}
