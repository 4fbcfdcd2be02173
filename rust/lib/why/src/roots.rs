//! Where relative paths of lists lead: they are those of an action, which starts in the folder that has `bazel-out` in it.

use std::path::{Path, PathBuf};

/// Folders to look in.
#[derive(Clone, Debug)]
pub(crate) struct Roots(Vec<PathBuf>);

impl Roots {
    /// For the image at `image`: the current folder, the workspace if there is one, and the folder above `bazel-out` that the image is in.
    pub(crate) fn of(image: &Path, workspace: Option<PathBuf>) -> Self {
        let mut roots = vec![PathBuf::new()];
        roots.extend(workspace);
        if let Ok(real) = image.canonicalize() {
            let above = real
                .ancestors()
                .find(|folder| folder.ends_with("bazel-out"));
            roots.extend(above.and_then(Path::parent).map(Path::to_owned));
        }
        Self(roots)
    }

    /// `path` in the first folder that has it; as it is if none does.
    pub(crate) fn find(&self, path: &Path) -> PathBuf {
        let mut places = self.0.iter().map(|root| root.join(path));
        places
            .find(|place| place.exists())
            .unwrap_or_else(|| path.to_owned())
    }
}
