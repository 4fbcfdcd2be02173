//! Paths inside a tree, as text: always absolute, `/` between names, `..` never above the root.

/// `path` taken from directory `base`, both made absolute, `.` and `..` resolved by text (as Docker does).
pub(crate) fn join(base: &str, path: &str) -> String {
    let start = if path.starts_with('/') { "" } else { base };
    let mut names: Vec<&str> = Vec::new();
    for name in start.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// `path` relative to the root it is copied from; `None` if its `..` lead out of it. Empty means the root.
pub(crate) fn inside(path: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}
