//! Names of the files that list what packages brought.

/// Where they are in an image, with a slash at the end and none in front.
pub const INFO: &str = "var/lib/dpkg/info/";

/// Whose list of files a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The package's name.
    pub name: String,
    /// Its architecture, which the file's name has if an image may hold the package for several.
    pub architecture: Option<String>,
}

impl List {
    /// Of the file at `path`, which has no slash in front; nothing if that is not the place of a list.
    pub fn at(path: &[u8]) -> Option<Self> {
        let stem = path
            .strip_prefix(INFO.as_bytes())?
            .strip_suffix(b".list")?
            .to_vec();
        // The name of a package is ASCII.
        let stem = String::from_utf8(stem).ok()?;
        let (name, architecture) = match stem.split_once(':') {
            Some((name, architecture)) => (name, Some(architecture.to_owned())),
            None => (&*stem, None),
        };
        Some(Self {
            name: name.to_owned(),
            architecture,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (path, want) in [
            (
                &b"var/lib/dpkg/info/libc6:amd64.list"[..],
                Some(("libc6", Some("amd64"))),
            ),
            (b"var/lib/dpkg/info/tool.list", Some(("tool", None))),
            (b"var/lib/dpkg/info/tool.md5sums", None),
            (b"var/lib/dpkg/info/t\xff.list", None),
            (b"etc/tool.list", None),
        ] {
            let want = want.map(|(name, architecture)| List {
                name: name.to_owned(),
                architecture: architecture.map(str::to_owned),
            });
            assert_eq!(List::at(path), want, "{path:?}");
        }
    }
}
