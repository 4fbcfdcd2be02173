//! Lists of modules that people write.

use std::borrow::Cow;

use crate::error::Error;

/// A module that somebody wants, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As it is written.
    pub name: String,
    /// The list.
    pub origin: String,
    /// From 1.
    pub line: u64,
}

impl Name {
    /// The names of a list: one a line, `#` begins a comment, empty lines are nothing. `origin` says in errors which list it is.
    pub fn list(origin: &str, text: &str) -> Result<Vec<Self>, Error> {
        let mut names = Vec::new();
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.split('#').next().unwrap_or_default();
            let name = content.trim();
            if name.is_empty() {
                continue;
            }
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if !name.bytes().all(plain) {
                return Err(Error::Name {
                    origin: origin.to_owned(),
                    line,
                    got: base::text::shorten(name).into_owned(),
                });
            }
            names.push(Self {
                name: name.to_owned(),
                origin: origin.to_owned(),
                line,
            });
        }
        Ok(names)
    }
}

/// A module's name as the kernel says it: `-` and `_` are the same.
pub(crate) fn canonical(name: &str) -> Cow<'_, str> {
    match name.contains('-') {
        true => Cow::Owned(name.replace('-', "_")),
        false => Cow::Borrowed(name),
    }
}

/// The name of the module in the file at `path`, as the kernel says it; nothing if that is no module's file.
pub(crate) fn of_file(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, end) = file.split_once(".ko")?;
    let known = matches!(end, "" | ".xz" | ".zst" | ".gz");
    (known && !name.is_empty()).then(|| canonical(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list() {
        let names = Name::list("l", "# all\next4\n\n  nvme-core # disks\r\n").unwrap();
        let got: Vec<_> = names.iter().map(|n| (n.name.as_str(), n.line)).collect();
        assert_eq!(got, [("ext4", 2), ("nvme-core", 4)]);
        assert_eq!(
            Name::list("l", "a\nb c\n").unwrap_err().to_string(),
            "l line 2: got \"b c\", want one name of a module a line, as ext4, without folder and extension"
        );
        for bad in ["a.ko", "fs/ext4", "ext4,", "é"] {
            assert!(Name::list("l", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_files() {
        for (path, want) in [
            ("kernel/fs/a-b.ko.xz", Some("a_b")),
            ("a.ko", Some("a")),
            ("a.ko.zst", Some("a")),
            ("a.ko.bz2", None),
            ("x/.ko", None),
            ("a", None),
        ] {
            assert_eq!(of_file(path).as_deref(), want, "{path}");
        }
    }
}
