//! Links among a tree's folders, followed as the tree's own programs follow them. Paths are bytes without a slash in front.

/// Links followed for one path, as Linux does.
pub(crate) const MAX_LINKS: usize = 40;

/// `path` with its links followed, and nothing of it outside of the tree: the root's own parent is the root.
///
/// `target` is asked of each place on the way, and whether it is the last one: what does a link there lead to? Nothing, if there is none, or
/// it is not to be followed. How many are followed is its business ([`MAX_LINKS`]).
pub(crate) fn follow<T: AsRef<[u8]>, E>(
    path: &[u8],
    mut target: impl FnMut(&[u8], bool) -> Result<Option<T>, E>,
) -> Result<Vec<u8>, E> {
    let mut done = Vec::new();
    let mut todo = names(path);
    while let Some(name) = todo.pop() {
        match name.as_slice() {
            b"" | b"." => continue,
            b".." => {
                done = split(&done).0.to_vec();
                continue;
            }
            name => push(&mut done, name),
        }
        if let Some(target) = target(&done, todo.is_empty())? {
            let target = target.as_ref();
            done = match target.starts_with(b"/") {
                true => Vec::new(),
                false => split(&done).0.to_vec(),
            };
            todo.extend(names(target));
        }
    }
    Ok(done)
}

/// The names of a path, the first last.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.rsplit(|byte| *byte == b'/');
    names.map(<[u8]>::to_vec).collect()
}

/// A path that begins with a slash, without that; none if it does not, or if one of its names is empty, `.` or `..`.
pub(crate) fn absolute(path: &[u8]) -> Option<&[u8]> {
    let path = path.strip_prefix(b"/")?;
    let mut names = path.split(|byte| *byte == b'/');
    let is_plain = names.all(|name| !matches!(name, b"" | b"." | b".."));
    is_plain.then_some(path)
}

/// The folder of a path, and the name in it.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = path.rsplitn(2, |byte| *byte == b'/');
    let name = parts.next().unwrap_or(path);
    (parts.next().unwrap_or_default(), name)
}

/// Goes from a place to `name` in it.
pub(crate) fn push(place: &mut Vec<u8>, name: &[u8]) {
    if !place.is_empty() {
        place.push(b'/');
    }
    place.extend_from_slice(name);
}
