//! What somebody probably meant.

/// The one of `known` that `got` is nearly: another case, `-` for `_`, an extension too many, or a slip of one or two letters.
pub(crate) fn nearest<'a>(got: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let whole = plain(got);
    // `admin.pub.txt`, `admin.pub`, `admin`.
    let ends = whole.char_indices().filter(|(_, c)| *c == '.');
    let stems = ends.filter_map(|(at, _)| whole.get(..at));
    let tries: Vec<&str> = stems.chain([whole.as_str()]).collect();
    known
        .iter()
        .filter_map(|name| {
            let name_plain = plain(name);
            let slips = tries
                .iter()
                .map(|text| strsim::osa_distance(&name_plain, text));
            let slips = slips.min()?;
            // One letter is much of a short name.
            let most = if name.len() < 5 { 1 } else { 2 };
            (slips <= most).then_some((slips, *name))
        })
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean NAME?`, or nothing.
pub(crate) fn hint(got: &str, known: &[&str]) -> String {
    nearest(got, known).map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        let users = ["admin", "readonly", "backup"];
        for (got, want) in [
            ("Admin", Some("admin")),
            ("admin.txt", Some("admin")),
            ("ADMIN.PUB.txt", Some("admin")),
            ("admni", Some("admin")),
            ("read-only", Some("readonly")),
            ("backups", Some("backup")),
            ("root", None),
            ("", None),
            (".txt", None),
        ] {
            assert_eq!(nearest(got, &users), want, "{got}");
        }
        assert_eq!(
            nearest("config.ini.txt", &["x", "config.ini"]),
            Some("config.ini")
        );
        assert_eq!(nearest("config.inf", &["config.ini"]), Some("config.ini"));
    }
}
