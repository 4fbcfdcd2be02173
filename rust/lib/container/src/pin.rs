//! Pins: which base image a tree is built on, as a file of that tree.
//!
//! The first line is `NAME@sha256:HEX`, what `FROM` means. If NAME begins with a registry, the image is published there; else it has to be built.
//! The other lines are its packages, `NAME VERSION SHA256`.

use std::path::PathBuf;
use std::str::FromStr;

use oci::Digest;

use crate::error::Error;

/// What a pin file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What the image is called: a name of its own, or `REGISTRY/NAME`.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// A line for each of its packages.
    pub packages: String,
}

impl Pin {
    /// The text of the file.
    pub fn to_file(&self) -> String {
        format!("{}@{}\n{}", self.name, self.digest, self.packages)
    }

    /// This pin with the name that `old`, the text of the file so far, has for the same image: what is published stays so.
    pub fn named_as(mut self, old: &str) -> Self {
        if let Ok(old) = old.parse::<Self>() {
            if old.digest == self.digest {
                self.name = old.name;
            }
        }
        self
    }
}

impl FromStr for Pin {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (first, packages) = text.split_once('\n').unwrap_or((text, ""));
        let bad = || Error::Pin(first.to_owned());
        let (name, digest) = first.split_once('@').ok_or_else(bad)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad());
        }
        Ok(Self {
            name: name.to_owned(),
            digest: digest.parse().map_err(|_| bad())?,
            packages: packages.to_owned(),
        })
    }
}

/// A base image that was built: `PINFILE=IMAGE=STEM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its pin file, in the source tree.
    pub file: PathBuf,
    /// What it is called where it is not published.
    pub image: String,
    /// The path of STEM.tar, STEM.packages, STEM.digest, STEM.oci-config.json and STEM.oci-manifest.json.
    pub stem: String,
}

impl FromStr for Built {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parts = text.splitn(3, '=').filter(|part| !part.is_empty());
        let (Some(file), Some(image), Some(stem)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::Built(text.to_owned()));
        };
        Ok(Self {
            file: file.into(),
            image: image.to_owned(),
            stem: stem.to_owned(),
        })
    }
}

/// A repository of a registry: `REGISTRY/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository(String);

impl Repository {
    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the registry is this machine, where TLS is not asked for.
    pub fn is_loopback(&self) -> bool {
        let registry = self.0.split('/').next().unwrap_or_default();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let is_number = host.chars().all(|c| c.is_ascii_digit() || c == '.');
        host == "localhost" || host == "[::1]" || (is_number && host.starts_with("127."))
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Passwords are skopeo's business: one that is typed here is neither taken nor repeated.
        let bad = || {
            Error::Repository(match text.rsplit_once('@') {
                Some((_, rest)) => format!("…@{rest}"),
                None => text.to_owned(),
            })
        };
        let (registry, name) = text.split_once('/').ok_or_else(bad)?;
        // A first part that is no host would be taken for a name on somebody's favourite registry.
        let is_host = registry.contains(['.', ':']) || registry == "localhost";
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if !is_host || registry.contains('@') || name.is_empty() || !name.chars().all(fits) {
            return Err(bad());
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn pins() {
        let text = format!("registry.example/a/b@sha256:{HEX}\nx 1 2\n");
        let pin: Pin = text.parse().unwrap();
        assert_eq!(pin.name, "registry.example/a/b");
        assert_eq!(pin.digest.hex(), HEX);
        assert_eq!(pin.packages, "x 1 2\n");
        assert_eq!(pin.to_file(), text);
        for bad in [
            "",
            "a",
            "a@sha256:0",
            "a b@sha256:",
            &format!("@sha256:{HEX}"),
        ] {
            let error = bad.parse::<Pin>().unwrap_err().to_string();
            let want = format!("a pin's first line is {bad:?}, want NAME@sha256:");
            assert!(error.starts_with(&want), "{error}");
        }
    }

    #[test]
    fn what_is_published_stays_so_while_it_is_the_same() {
        let pin = |name: &str, bytes: &[u8]| Pin {
            name: name.to_owned(),
            digest: Digest::of(bytes),
            packages: String::new(),
        };
        let new = || pin("base", b"1");
        let published = pin("registry.example/base", b"1").to_file();
        assert_eq!(new().named_as(&published).name, "registry.example/base");
        let older = pin("registry.example/base", b"0").to_file();
        for old in [&older, "", "what is this"] {
            assert_eq!(new().named_as(old), new());
        }
    }

    #[test]
    fn arguments() {
        let built: Built = "d/pin=base=bin/base".parse().unwrap();
        assert_eq!(built.file, PathBuf::from("d/pin"));
        assert_eq!(
            (built.image.as_str(), built.stem.as_str()),
            ("base", "bin/base")
        );
        for bad in ["", "a", "a=b", "=a=b", "a==b"] {
            assert!(bad.parse::<Built>().is_err(), "{bad}");
        }
        for (text, is_loopback) in [
            ("localhost/a", true),
            ("localhost:5000/a", true),
            ("127.0.0.1:5000/a/b", true),
            ("[::1]:5000/a", true),
            ("127.registry.example/a", false),
            ("registry.example/a", false),
            ("registry.example:5000/a", false),
        ] {
            let repository: Repository = text.parse().unwrap();
            assert_eq!(repository.is_loopback(), is_loopback, "{text}");
        }
        for bad in [
            "",
            "a",
            "a/b",
            "r.example/",
            "r.example/a:tag",
            "r.example/A",
            "r.example/a@b",
            "me:secret@r.example/a",
            "me:se/cret@r.example/a",
        ] {
            let error = bad.parse::<Repository>().unwrap_err().to_string();
            assert!(!error.contains("cret"), "{error}");
        }
    }
}
