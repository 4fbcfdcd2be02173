//! Values of fields that packages' indexes have as well as dpkg's own files (Debian Policy, chapter 5).

/// Name and version of the source that `Source: NAME (VERSION)` names, where what is left out is as the package's own; nothing if it is of
/// another form.
pub fn source<'a>(
    field: Option<&'a str>,
    name: &'a str,
    version: &'a str,
) -> Option<(&'a str, &'a str)> {
    let Some(field) = field.map(str::trim) else {
        return Some((name, version));
    };
    let (source, own) = match field.split_once('(') {
        Some((source, own)) => (source.trim(), own.strip_suffix(')')?.trim()),
        None => (field, version),
    };
    let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    (is_word(source) && is_word(own)).then_some((source, own))
}

/// Bytes of an `Installed-Size`, which is in units of 1024; nothing if it is no number, or one of more bytes than can be counted.
pub fn installed_size(field: &str) -> Option<u64> {
    let units: u64 = field.trim().parse().ok()?;
    units.checked_mul(1024)
}

/// Names and versions of `NAME (= VERSION), …`; nothing if a part is of another form.
pub(crate) fn exactly(field: &str) -> Option<Vec<(String, String)>> {
    let parts = field.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, version) = part.strip_suffix(')')?.split_once('(')?;
            let version = version.trim().strip_prefix('=')?;
            Some((name.trim().to_owned(), version.trim().to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        for (field, want) in [
            (None, Some(("bash", "5.2-1+b3"))),
            (Some("glibc"), Some(("glibc", "5.2-1+b3"))),
            (Some(" bash (5.2-1) "), Some(("bash", "5.2-1"))),
            (Some("bash (5.2-1"), None),
            (Some("bash ()"), None),
            (Some("(5.2-1)"), None),
            (Some("two words"), None),
            (Some(""), None),
        ] {
            assert_eq!(source(field, "bash", "5.2-1+b3"), want, "{field:?}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(installed_size("12"), Some(12 * 1024));
        for bad in ["", "-1", "1.5", "18014398509481984"] {
            assert_eq!(installed_size(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sources_that_have_gone_in() {
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(
            exactly("linux (= 6.12.1-1)"),
            Some(vec![pair("linux", "6.12.1-1")])
        );
        let two = "a (= 1:2-3),\n b (=4), ";
        assert_eq!(exactly(two), Some(vec![pair("a", "1:2-3"), pair("b", "4")]));
        assert_eq!(exactly(""), Some(vec![]));
        for bad in ["a", "a (>= 1)", "a (= 1", "a (= 1), b"] {
            assert_eq!(exactly(bad), None, "{bad}");
        }
    }
}
