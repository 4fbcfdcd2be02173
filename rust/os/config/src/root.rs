//! The system that a program works on: the running one, or a folder that stands for it in tests.

use std::path::{Path, PathBuf};

/// Where `path` of the system is; below `root`, if there is one.
pub fn path(root: Option<&Path>, path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    match root {
        Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        None => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_a_root() {
        for (root, of, want) in [
            (None, "/proc/cmdline", "/proc/cmdline"),
            (None, "file", "file"),
            (Some("/tmp/x"), "/proc/cmdline", "/tmp/x/proc/cmdline"),
            (Some("/tmp/x"), "//proc", "/tmp/x/proc"),
            (Some("x"), "file", "x/file"),
            (Some("x"), "/", "x/"),
        ] {
            let got = path(root.map(Path::new), of);
            assert_eq!(got, Path::new(want), "{root:?} {of}");
        }
    }
}
