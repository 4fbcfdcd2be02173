//! Names of things within a document: `SPDXRef-` and letters, digits, dots and hyphens.

use std::collections::BTreeSet;

use base::Sha256Digest;

/// Hands out names, each once.
#[derive(Debug, Default)]
pub(crate) struct Ids(BTreeSet<String>);

impl Ids {
    /// A name for a `kind` of thing called `text`: other characters become hyphens, and who comes second gets a number.
    pub(crate) fn of(&mut self, kind: &str, text: &str) -> String {
        let plain = |c: char| match c {
            '.' | '-' => c,
            _ if c.is_ascii_alphanumeric() => c,
            _ => '-',
        };
        let stem: String = format!("SPDXRef-{kind}-")
            .chars()
            .chain(text.chars().map(plain))
            .collect();
        let mut names =
            std::iter::once(stem.clone()).chain((2_u64..).map(|n| format!("{stem}-{n}")));
        // Ever more names come, of which only so many are taken.
        let name = names.find(|name| !self.0.contains(name)).unwrap_or(stem);
        self.0.insert(name.clone());
        name
    }
}

/// The name of the file called `name`: it stays, whatever other files there are.
pub(crate) fn of_file(name: &str) -> String {
    format!("SPDXRef-file-{}", short(&Sha256Digest::of(name)))
}

/// The first 64 bits of a digest.
pub(crate) fn short(digest: &Sha256Digest) -> String {
    let (first, _) = digest.as_bytes().split_at(8);
    base::hex::encode(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once() {
        let mut ids = Ids::default();
        assert_eq!(ids.of("deb", "g++-14"), "SPDXRef-deb-g---14");
        assert_eq!(ids.of("deb", "g--_14"), "SPDXRef-deb-g---14-2");
        assert_eq!(ids.of("deb", "g__-14"), "SPDXRef-deb-g---14-3");
        assert_eq!(of_file("./etc/passwd").len(), "SPDXRef-file-".len() + 16);
        assert_ne!(of_file("./a"), of_file("./b"));
    }
}
