//! Firmware that modules name, as a tree has it.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::root::Root;
use crate::unpack::{plain, ENDINGS};

/// Where it lies.
pub(crate) const FIRMWARE: &str = "usr/lib/firmware";

/// The names of files that `name` means and that are there, packed or not. Modules name many that no package has, and a `*` stands for
/// anything within a name. One that would lead out of the folder means nothing.
pub(crate) fn meant(root: &Root<'_>, name: &str) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    if base::path::check(name.as_ref()).is_err() {
        return Ok(found);
    }
    if !name.contains('*') {
        if file(root, name)?.is_some() {
            found.insert(name.to_owned());
        }
        return Ok(found);
    }
    let (folders, last) = name.rsplit_once('/').unwrap_or(("", name));
    let mut places = vec![String::new()];
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for place in &places {
            let names = root.names(&format!("{FIRMWARE}/{place}"))?;
            let names = names.iter().filter(|(_, folder)| *folder);
            let names = names.filter(|(name, _)| matches(part, name));
            next.extend(names.map(|(name, _)| format!("{place}{name}/")));
        }
        places = next;
    }
    for place in &places {
        let names = root.names(&format!("{FIRMWARE}/{place}"))?;
        for (name, _) in names.iter().filter(|(_, folder)| !folder) {
            if matches(last, plain(name)) {
                found.insert(format!("{place}{}", plain(name)));
            }
        }
    }
    Ok(found)
}

/// The path of the file that the kernel takes for `name`: as it is, or packed.
pub(crate) fn file(root: &Root<'_>, name: &str) -> Result<Option<String>, Error> {
    for end in [""].into_iter().chain(ENDINGS) {
        let path = format!("{FIRMWARE}/{name}{end}");
        if root.has(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Whether `name` is what `pattern` says, in which a `*` is any characters.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The first place of each part leaves most for the others.
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, want) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*.bin", "x.bin", true),
            ("ab*ba", "aba", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
