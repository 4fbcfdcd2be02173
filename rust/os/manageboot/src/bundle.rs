//! `update.tar`: boot.img, root.img and VERSION.TXT, each once, in any order.
//!
//! The bundle is checked whole before anything is written: nothing in it decides where bytes go.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{bail, ensure, Context};
use archive::Kind;
use base::Sha256Digest;

/// The members.
const BOOT: &str = "boot.img";
const ROOT: &str = "root.img";
const VERSION: &str = "VERSION.TXT";
/// A version is a line, not a book.
const VERSION_MAX: u64 = 4096;

/// Where a member's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// First byte in the bundle.
    pub(crate) offset: u64,
    /// How many.
    pub(crate) len: u64,
}

/// An open bundle of the right form.
#[derive(Debug)]
pub(crate) struct Bundle<R = File> {
    reader: R,
    /// boot.img.
    pub(crate) boot: Span,
    /// root.img.
    pub(crate) root: Span,
    /// First line of VERSION.TXT.
    pub(crate) version: String,
}

impl Bundle<File> {
    /// Opens and checks the bundle at `path`, and its digest if one is given.
    pub(crate) fn open(path: &Path, sha256: Option<&str>) -> anyhow::Result<Self> {
        let shown = || path.display().to_string();
        let mut file = File::open(path).with_context(shown)?;
        if let Some(want) = sha256 {
            let got = Sha256Digest::of_reader(&mut file).with_context(shown)?;
            ensure!(
                got.to_string().eq_ignore_ascii_case(want),
                "{} has SHA-256 {got}, want {want}",
                path.display()
            );
        }
        Self::check(file).with_context(shown)
    }
}

impl<R: Read + Seek> Bundle<R> {
    /// Checks the bundle in `reader`.
    pub(crate) fn check(mut reader: R) -> anyhow::Result<Self> {
        let mut found = [(BOOT, None), (ROOT, None), (VERSION, None)];
        // One member after another: nothing is kept of what does not belong here, however much there is of it.
        for entry in archive::list(&mut reader)? {
            let entry = entry?;
            let name = String::from_utf8_lossy(&entry.path);
            let Some((_, span)) = found.iter_mut().find(|(known, _)| *known == name) else {
                bail!("member {name:?}: an update has {BOOT}, {ROOT} and {VERSION} only");
            };
            let Kind::File { offset, len } = entry.kind else {
                bail!("member {name} is not a regular file");
            };
            ensure!(len > 0, "member {name} is empty");
            ensure!(span.is_none(), "member {name} comes twice");
            *span = Some(Span { offset, len });
        }
        let span = |at: usize| {
            let (name, span) = found.get(at).copied().unwrap_or((VERSION, None));
            span.with_context(|| format!("no member {name}"))
        };
        let (boot, root, text) = (span(0)?, span(1)?, span(2)?);
        let version = read_version(&mut reader, text)?;
        Ok(Self {
            reader,
            boot,
            root,
            version,
        })
    }

    /// The bytes of a member.
    pub(crate) fn read(&mut self, span: Span) -> io::Result<impl Read + '_> {
        self.reader.seek(SeekFrom::Start(span.offset))?;
        Ok(self.reader.by_ref().take(span.len))
    }
}

fn read_version<R: Read + Seek>(reader: &mut R, span: Span) -> anyhow::Result<String> {
    ensure!(
        span.len <= VERSION_MAX,
        "{VERSION} has {} bytes, want at most {VERSION_MAX}",
        span.len
    );
    reader.seek(SeekFrom::Start(span.offset))?;
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take(span.len)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {VERSION}"))?;
    let text = String::from_utf8(bytes).with_context(|| format!("{VERSION} is no text"))?;
    let good = |line: &&str| !line.is_empty() && !line.contains(char::is_control);
    let line = text.lines().next().map(str::trim).filter(good);
    let line = line.with_context(|| format!("the first line of {VERSION} is no version"))?;
    Ok(line.to_owned())
}
