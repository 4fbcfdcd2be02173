//! Package URLs: names of packages that scanners know.
//!
//! Specification: package-url, `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS`; every part percent-encoded, where letters, digits and `.-_~`
//! stand for themselves, and so does the colon.

use std::fmt::Write;

/// `text` percent-encoded.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'.' | b'-' | b'_' | b'~' | b':' => out.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            // Nothing can go wrong when a string is written to.
            _ => write!(out, "%{byte:02X}").unwrap_or_default(),
        }
    }
    out
}

/// The other way round; nothing for what is not encoded so.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = rest.split_at_checked(2)?;
        let byte = base::hex::decode(std::str::from_utf8(digits).ok()?).ok()?;
        bytes.extend(byte);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

/// A Debian package of an architecture, or with `source` as that its source.
pub fn debian(name: &str, version: &str, architecture: &str, distro: Option<&str>) -> String {
    let mut purl = format!(
        "pkg:deb/debian/{}@{}?arch={}",
        encode(name),
        encode(version),
        encode(architecture)
    );
    if let Some(distro) = distro {
        purl.push_str("&distro=");
        purl.push_str(&encode(distro));
    }
    purl
}

/// The release that a suite is of: `trixie` of `trixie-security`, which gets the same packages' updates.
pub fn release_of(suite: &str) -> &str {
    let ends = ["-security", "-updates", "-backports"];
    let mut stems = ends.iter().filter_map(|end| suite.strip_suffix(end));
    stems.next().unwrap_or(suite)
}

/// A crate of the registry.
pub fn cargo(name: &str, version: &str) -> String {
    format!("pkg:cargo/{}@{}", encode(name), encode(version))
}

/// A program that no registry has.
pub fn generic(name: &str, version: &str) -> String {
    format!("pkg:generic/{}@{}", encode(name), encode(version))
}

/// What a package URL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purl {
    /// Type, as `deb`, with its namespace, as `deb/debian`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Version; empty if none is said.
    pub version: String,
    /// The qualifier `arch`, if it has one.
    pub arch: Option<String>,
}

impl Purl {
    /// Reads a package URL; nothing for what is none.
    pub fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?;
        let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, version) = path.split_once('@').unwrap_or((path, ""));
        let (kind, name) = path.rsplit_once('/')?;
        let mut pairs = qualifiers
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        let arch = pairs.find(|(key, _)| *key == "arch");
        Some(Self {
            kind: kind.to_owned(),
            name: decode(name)?,
            version: decode(version)?,
            arch: match arch {
                Some((_, value)) => Some(decode(value)?),
                None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_of_a_release() {
        for suite in [
            "trixie",
            "trixie-security",
            "trixie-updates",
            "trixie-backports",
        ] {
            assert_eq!(release_of(suite), "trixie");
        }
        assert_eq!(release_of("debian-13"), "debian-13");
    }

    #[test]
    fn as_scanners_write_them() {
        let purl = debian("libstdc++6", "1:14.2.0-19+b1~x", "amd64", Some("debian-13"));
        assert_eq!(
            purl,
            "pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1~x?arch=amd64&distro=debian-13"
        );
        let read = Purl::read(&purl).unwrap();
        assert_eq!(read.kind, "deb/debian");
        assert_eq!(read.name, "libstdc++6");
        assert_eq!(read.version, "1:14.2.0-19+b1~x");
        assert_eq!(read.arch.as_deref(), Some("amd64"));
        let read = Purl::read(&cargo("zstd-sys", "2.0.16+zstd.1.5.7")).unwrap();
        assert_eq!(
            (read.kind.as_str(), read.version.as_str()),
            ("cargo", "2.0.16+zstd.1.5.7")
        );
        for bad in [
            "",
            "deb/debian/a@1",
            "pkg:a",
            "pkg:deb/a%2@1",
            "pkg:deb/a%zz@1",
            "pkg:deb/a@%ff",
        ] {
            assert_eq!(Purl::read(bad), None, "{bad}");
        }
    }
}
