//! `manifest.json`: what a bundle holds, and whom it is for.

use std::collections::BTreeMap;

use base::{as_u64, as_usize, parallel, Sha256Digest};
use plan::{Digest, Piece, ReadAt, Reader};
use serde::{Deserialize, Serialize};

use crate::documents::{self, Document, Fault, Format};
use crate::{Expiry, Version};

/// The format that is written and read here.
pub const FORMAT: u64 = 1;

const KNOWN: Format = Format {
    number: FORMAT,
    remedy: "this bundle is for a program of another version, install one in between first",
};

/// The file that says the version, for people.
pub const VERSION_TXT: &str = "VERSION.TXT";
/// The boot loader, a signed EFI program; not in every bundle.
pub const LOADER: &str = "loader.efi";
/// The boot partition.
pub const BOOT: &str = "boot.img";
/// The root partition.
pub const ROOT: &str = "root.img";
/// What is in a bundle besides the manifest and its signatures, in this order.
pub const MEMBERS: [&str; 4] = [VERSION_TXT, LOADER, BOOT, ROOT];
/// The chunks in which members are hashed, unless somebody says otherwise.
pub const CHUNK: u32 = 1 << 20;

/// Chunks are powers of two between these: a reader holds one in memory.
const CHUNKS: std::ops::RangeInclusive<u32> = 4096..=(16 << 20);
/// The most bytes of a member: what file offsets reach is more.
const MAX_SIZE: u64 = 1 << 48;

/// A member, and what its bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its name in the bundle: one of [`MEMBERS`].
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// The digest of all of it.
    pub sha256: Sha256Digest,
    /// How long each chunk is; the last one may be shorter.
    pub chunk_size: u32,
    /// The digests of its chunks.
    pub chunks: Vec<Sha256Digest>,
}

impl Member {
    /// The member of these bytes.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let chunks = bytes.chunks(as_usize(CHUNK));
        Self {
            name: name.to_owned(),
            size: as_u64(bytes.len()),
            sha256: Sha256Digest::of(bytes),
            chunk_size: CHUNK,
            chunks: chunks.map(Sha256Digest::of).collect(),
        }
    }

    /// The member of an image that nobody has written yet. `whole` is the image's digest, for which somebody has read it already; chunks are
    /// hashed by all cores, and those of zeros not at all.
    pub fn of_image<R: ReadAt + Sync>(
        name: &str,
        image: &Reader<R>,
        whole: Digest,
    ) -> Result<Self, plan::Error> {
        let size = image.len();
        let zeros = Sha256Digest::of(vec![0; as_usize(CHUNK)]);
        let offsets: Vec<u64> = (0..size).step_by(as_usize(CHUNK)).collect();
        let chunks = parallel::map_with(
            &offsets,
            || vec![0; as_usize(CHUNK)],
            |buffer, offset| {
                let most = u64::from(CHUNK);
                let len = size.abs_diff(*offset).min(most);
                let mut extents = image.plan().extents_in(*offset, len)?;
                if len == most && extents.all(|extent| extent.piece == Piece::Zero) {
                    return Ok(zeros);
                }
                let (chunk, _) = buffer.split_at_mut(as_usize(len));
                image.read_at(chunk, *offset)?;
                Ok::<_, plan::Error>(Sha256Digest::of(chunk))
            },
        )?;
        if whole.len != size {
            let reason = format!(
                "{name} has {size} bytes, and its digest is of {}",
                whole.len
            );
            return Err(plan::Error::Inputs { reason });
        }
        Ok(Self {
            name: name.to_owned(),
            size,
            sha256: whole.sha256,
            chunk_size: CHUNK,
            chunks,
        })
    }

    fn check(&self) -> Result<(), Fault> {
        let field = |field: &str| format!("members: {}: {field}", self.name);
        if !(1..=MAX_SIZE).contains(&self.size) {
            let want = format!("1 to {MAX_SIZE}");
            return Err(Fault::of(field("size"), self.size, want));
        }
        if !CHUNKS.contains(&self.chunk_size) || !self.chunk_size.is_power_of_two() {
            let want = "a power of two between 4096 and 16777216";
            return Err(Fault::of(field("chunk_size"), self.chunk_size, want));
        }
        let want = self.size.div_ceil(self.chunk_size.into());
        match as_u64(self.chunks.len()) {
            got if got == want => Ok(()),
            got => Err(Fault::of(field("chunks"), got, want)),
        }
    }
}

/// What a bundle holds, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u64,
    /// The operating system.
    pub os: String,
    /// Its environment, as `prod`.
    pub env: String,
    /// Its version.
    pub version: Version,
    /// The oldest version that may be upgraded to it at one go.
    pub minimum_version: Option<Version>,
    /// When it is too late to install it.
    pub expires: Option<Expiry>,
    /// Kind of data that outlives an upgrade to the number of the format that this version writes. A version that changes a format
    /// has a greater number: an older version cannot read what it wrote.
    pub data_formats: BTreeMap<String, u64>,
    /// What the bundle holds, in its order.
    pub members: Vec<Member>,
}

impl Document for Manifest {
    const NAME: &'static str = "manifest.json";
    // A digest takes 75 bytes: enough for 55 GiB in chunks of 1 MiB.
    const MAX: usize = 4 << 20;

    const KNOWN: Option<Format> = Some(KNOWN);

    fn check(&self) -> Result<(), Fault> {
        KNOWN.check(&self.format.into())?;
        check_name("os", &self.os)?;
        check_name("env", &self.env)?;
        for name in self.data_formats.keys() {
            check_name("data_formats", name)?;
        }
        let mut left = MEMBERS.iter();
        for member in &self.members {
            if !left.any(|name| *name == member.name) {
                let want = format!("{}, in this order, each once", MEMBERS.join(", "));
                return Err(Fault::of("members", format!("{:?}", member.name), want));
            }
            member.check()?;
        }
        for must in [VERSION_TXT, BOOT, ROOT] {
            if self.member(must).is_none() {
                return Err(Fault::of("members", format!("no {must}"), "one"));
            }
        }
        Ok(())
    }
}

impl Manifest {
    /// Reads the file; its text is the one that [`Manifest::to_json`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, documents::Error> {
        documents::parse_exact(bytes)
    }

    /// The file's text, which is what gets signed.
    pub fn to_json(&self) -> Result<String, documents::Error> {
        documents::to_json(self)
    }

    /// The member of that name.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// A word that stands in messages and in names of files: letters, digits and any of `. - _`, at most 64 of them.
pub(crate) fn check_name(field: &str, name: &str) -> Result<(), Fault> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(good) {
        return Ok(());
    }
    let got = format!("{:?}", base::text::shorten(name));
    Err(Fault::of(
        field,
        got,
        "1 to 64 letters, digits and any of . - _",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            format: FORMAT,
            os: "node".to_owned(),
            env: "test".to_owned(),
            version: "1.2.3".parse().unwrap(),
            minimum_version: None,
            expires: Some("2027-01-01".parse().unwrap()),
            data_formats: BTreeMap::from([("history".to_owned(), 2)]),
            members: vec![
                Member::of(VERSION_TXT, b"1.2.3\n"),
                Member::of(BOOT, &[1; 5000]),
                Member::of(ROOT, &vec![2; 1_048_577]),
            ],
        }
    }

    #[test]
    fn one_text() {
        let manifest = manifest();
        let text = manifest.to_json().unwrap();
        assert!(text.starts_with("{\n  \"format\": 1,\n  \"os\": \"node\",\n  \"env\": \"test\",\n  \"version\": \"1.2.3\",\n  \"minimum_version\": null,\n  \"expires\": \"2027-01-01T00:00:00Z\",\n  \"data_formats\": {\n    \"history\": 2\n  },\n  \"members\": ["), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        for (other, line) in [
            (text.replace("\"os\": ", "\"os\":"), 3),
            (text.replace("T00:00:00Z", ""), 7),
            (format!("{text}\n"), 8),
            (text.trim_end().to_owned(), 8),
        ] {
            let error = Manifest::parse(other.as_bytes()).unwrap_err();
            let documents::Error::Form { line: got, .. } = error else {
                panic!("{error}");
            };
            assert!(got >= line, "{got}, want {line}");
        }
    }

    #[test]
    fn of_an_image_that_is_not_written() {
        let held: Vec<u8> = (0..2_500_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut builder = plan::Builder::new([plan::Input::of_len(2_500_000)]);
        builder.inline(b"head").unwrap();
        builder.zero(5_000_000).unwrap();
        builder.source(0, 0, 2_500_000).unwrap();
        builder.zero(7).unwrap();
        let bytes = [b"head", &vec![0; 5_000_000][..], &held, &[0; 7]].concat();
        let reader =
            Reader::new(builder.finish().unwrap(), vec![("held".to_owned(), held)]).unwrap();
        let whole = Digest::of(&reader).unwrap();
        let member = Member::of_image(ROOT, &reader, whole).unwrap();
        assert_eq!(member, Member::of(ROOT, &bytes));
        let short = Digest { len: 1, ..whole };
        let error = Member::of_image(ROOT, &reader, short)
            .unwrap_err()
            .to_string();
        assert_eq!(error, "root.img has 7500011 bytes, and its digest is of 1");
    }

    #[test]
    fn refusals() {
        let text = manifest().to_json().unwrap();
        for (from, to, why) in [
            (
                "\"format\": 1",
                "\"format\": 2",
                "format: got 2, want 1: this bundle is for a program of another version",
            ),
            (
                "\"os\": \"node\"",
                "\"os\": \"\"",
                "os: got \"\", want 1 to 64 letters",
            ),
            // With it come other fields: the number is what counts.
            (
                "\"format\": 1,\n  \"os\"",
                "\"format\": 2,\n  \"system\"",
                "format: got 2, want 1: this bundle",
            ),
            (
                "\"format\": 1",
                "\"format\": \"1\"",
                "format: got \"1\", want 1: this bundle",
            ),
            ("\"format\": 1,", "", "missing field `format`"),
            ("\"os\": \"node\"", "\"os\": \"a/b\"", "os: got \"a/b\""),
            ("\"os\"", "\"so\"", "unknown field `so`"),
            (
                "\"os\": \"node\",",
                "\"os\": \"node\", \"os\": \"node\",",
                "duplicate field `os`",
            ),
            ("\"1.2.3\"", "\"v1\"", "version \"v1\": want a digit"),
            (
                "\"2027-01-01T",
                "\"2027-13-01T",
                "expiry \"2027-13-01T00:00:00Z\"",
            ),
            (
                "\"boot.img\"",
                "\"boot.efi\"",
                "members: got \"boot.efi\", want VERSION.TXT, loader.efi, boot.img, root.img",
            ),
            (
                "\"boot.img\"",
                "\"root.img\"",
                "members: got \"root.img\", want VERSION.TXT",
            ),
            (
                "\"boot.img\"",
                "\"loader.efi\"",
                "members: got no boot.img, want one",
            ),
            (
                "\"size\": 5000",
                "\"size\": 0",
                "members: boot.img: size: got 0, want 1 to",
            ),
            (
                "\"size\": 5000",
                "\"size\": 1048577",
                "members: boot.img: chunks: got 1, want 2",
            ),
            (
                "\"chunk_size\": 1048576",
                "\"chunk_size\": 2048",
                "chunk_size: got 2048, want a power of two",
            ),
            (
                "\"chunk_size\": 1048576",
                "\"chunk_size\": 4097",
                "chunk_size: got 4097, want a power of two",
            ),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            let error = Manifest::parse(changed.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with("manifest.json: ") && error.contains(why),
                "{error}"
            );
        }
        let long = vec![b' '; Manifest::MAX + 1];
        let error = Manifest::parse(&long).unwrap_err().to_string();
        assert_eq!(
            error,
            "manifest.json: got 4194305 bytes, want at most 4194304"
        );
    }
}
