//! Reading a bundle as it comes in.
//!
//! Sums of sizes fit: a manifest's members have at most 2^48 bytes each, and there are four of them; positions are what was read.

use std::io::{self, Read};

use archive::{Alignment, Entry, Kind, Stream, END};
use base::bounded::{sum, without};
use base::{as_u64, as_usize, past, Sha256Digest};

use crate::delta::{self, Apply};
use crate::documents::Document;
use crate::input::Input;
use crate::manifest::{BOOT, MEMBERS, ROOT, VERSION_TXT};
use crate::policy::{Policy, Refusal};
use crate::{Error, Manifest, Member, ReadAt, Signatures};

/// The first member.
pub const MANIFEST: &str = Manifest::NAME;
/// The second member.
pub const SIGNATURES: &str = Signatures::NAME;
/// Stands in the place of [`BOOT`]: what to make it from the running system's by.
pub const BOOT_DELTA: &str = "boot.delta";
/// Stands in the place of [`ROOT`].
pub const ROOT_DELTA: &str = "root.delta";

/// The most bytes before the first image: manifest, signatures, headers.
const HEAD: u64 = 16 << 20;
/// The most bytes of headers, padding, and the end of a tar with the zeros that programs add, beside the members' own.
const BESIDE: u64 = 16 << 20;
/// The longest VERSION.TXT.
const MAX_VERSION_TXT: u64 = 4096;
/// A difference can be a little larger than what it makes, if nothing of it was there.
const MAX_DELTA_OVERHEAD: u64 = 1 << 20;

/// A bundle whose manifest was checked, and whose members are checked as they come.
pub struct Bundle<R: Read> {
    stream: Stream<Input<R>>,
    manifest: Manifest,
    signers: Vec<String>,
    /// Length of the file, if it is a plain tar of known length.
    len: Option<u64>,
    /// The members of the manifest that have not come yet.
    next: std::vec::IntoIter<Member>,
}

/// A chunk of a member that is as the manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Where in the member it begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Where a chunk lies in its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub len: usize,
}

/// A member whose turn it is.
pub struct Item<'a, R: Read> {
    member: Member,
    /// How much of it was handed out.
    at: u64,
    content: Content<'a, R>,
    buffer: Vec<u8>,
}

enum Content<'a, R: Read> {
    Image(&'a mut Bundle<R>),
    Delta(Box<Apply<Data<'a, R>>>),
}

/// The data of the member that the stream stands at.
pub(crate) struct Data<'a, R: Read>(&'a mut Bundle<R>);

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.stream.read(buffer)
    }
}

impl<R: Read> Bundle<R> {
    /// Reads manifest and signatures from a tar, plain or compressed with zstd, and checks all that can be known by them.
    ///
    /// `len` is the length of the file where it is known: a plain tar of another length than its members make is then refused before the
    /// first image is handed out.
    pub fn open(reader: R, len: Option<u64>, policy: &Policy<'_>) -> Result<Self, Error> {
        let input = Input::new(reader, HEAD)?;
        let len = len.filter(|_| input.is_plain());
        let mut stream = Stream::new(input);
        let manifest = read_document::<Manifest, R>(&mut stream)?;
        let signatures = read_document::<Signatures, R>(&mut stream)?;
        let (manifest, signers) = policy.check(&manifest, &signatures)?;
        let sizes = manifest.members.iter().map(|member| member.size);
        let most = sizes.fold(BESIDE, sum);
        stream.get_mut().limit(most);
        Ok(Self {
            stream,
            next: manifest.members.clone().into_iter(),
            manifest,
            signers,
            len,
        })
    }

    /// What the bundle holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The names of the trusted keys that signed it; fewer than must only where that was allowed.
    pub fn signers(&self) -> &[String] {
        &self.signers
    }

    /// The next member that is installed: boot loader, boot, root, in this order. VERSION.TXT is only compared. What was not taken of the
    /// member before is passed over unseen. None once all have come and nothing follows.
    pub fn next_member(&mut self) -> Result<Option<Item<'_, R>>, Error> {
        loop {
            let entry = next_entry(&mut self.stream)?;
            let Some(member) = self.next.next() else {
                return match entry {
                    None => Ok(None),
                    Some(entry) => Err(self.more(&entry)),
                };
            };
            let Some(entry) = entry else {
                let want = member.name;
                return Err(Refusal::Missing { want }.into());
            };
            let (name, size) = file(&entry, &member.name)?;
            if delta_of(&member.name).is_some_and(|delta| delta == name) {
                return self.delta(member, name, size).map(Some);
            }
            if name != member.name {
                let want = member.name;
                return Err(Refusal::Order { got: name, want }.into());
            }
            if size != member.size {
                let want = member.size;
                return Err(Refusal::Size {
                    member: name,
                    got: size,
                    want,
                }
                .into());
            }
            if name == VERSION_TXT {
                self.compare_version(&member)?;
                continue;
            }
            // Before a boot loader it is open whether images follow, or differences.
            if delta_of(&name).is_some() {
                self.check_len(entry.mtime, size)?;
            }
            let content = Content::Image(self);
            return Ok(Some(Item::new(member, content)));
        }
    }

    fn more(&self, entry: &Entry) -> Error {
        let got = shown(entry);
        let last = self.manifest.members.last();
        let last = last.map_or_else(String::new, |member| member.name.clone());
        Refusal::More { got, last }.into()
    }

    fn delta(&mut self, member: Member, name: String, size: u64) -> Result<Item<'_, R>, Error> {
        let most = sum(member.size, MAX_DELTA_OVERHEAD);
        if size > most {
            return Err(Refusal::Size {
                member: name,
                got: size,
                want: most,
            }
            .into());
        }
        let apply =
            Apply::open(Data(self), member.size).map_err(|error| explain_delta(&member, error))?;
        Ok(Item::new(member, Content::Delta(Box::new(apply))))
    }

    /// VERSION.TXT is for people; it says what the manifest says.
    fn compare_version(&mut self, member: &Member) -> Result<(), Error> {
        let want = MAX_VERSION_TXT;
        if member.size > want {
            let (member, got) = (member.name.clone(), member.size);
            return Err(Refusal::Size { member, got, want }.into());
        }
        let mut bytes = vec![0; as_usize(member.size)];
        self.fill(member, 0, &mut bytes)?;
        member.check_chunk(0, &bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().next().unwrap_or("").trim();
        let want = self.manifest.version.clone();
        if line == want.as_str() {
            return Ok(());
        }
        let got = base::text::shorten(line).into_owned();
        Err(Refusal::VersionText { got, want }.into())
    }

    /// Whether the file is as long as what is left of its members makes it. The stream stands at the data of the one before `next`.
    fn check_len(&self, mtime: i64, size: u64) -> Result<(), Error> {
        let Some(got) = self.len else {
            return Ok(());
        };
        let mut at = past_data(self.stream.position(), size);
        for member in self.next.as_slice() {
            let (offset, len) = (0, member.size);
            let mut entry = Entry::new(member.name.as_bytes(), Kind::File { offset, len }, 0o644);
            entry.mtime = mtime;
            let head = archive::head(&entry, at, Alignment::Page).map_err(Refusal::Archive)?;
            at = past_data(sum(at, as_u64(head.len())), len);
        }
        let want = sum(at, as_u64(END.len()));
        match got == want {
            true => Ok(()),
            false => Err(Refusal::Length { got, want }.into()),
        }
    }

    /// Fills `buffer` with the bytes of `member` that begin at `offset`.
    fn fill(&mut self, member: &Member, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let got = match self.stream.read(rest) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.stream.get_mut().explain(error)),
            };
            if got == 0 {
                let member = member.name.clone();
                return Err(Refusal::CutShort { member, at: offset }.into());
            }
            rest = rest.split_at_mut(got.min(rest.len())).1;
        }
        Ok(())
    }
}

impl<'a, R: Read> Item<'a, R> {
    fn new(member: Member, content: Content<'a, R>) -> Self {
        Self {
            member,
            at: 0,
            content,
            buffer: Vec::new(),
        }
    }
}

impl<R: Read> Item<'_, R> {
    /// What the manifest says of it. Of a difference, this is the image that it makes.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// What a difference is to, if it is one.
    pub fn delta(&self) -> Option<&delta::Head> {
        match &self.content {
            Content::Image(_) => None,
            Content::Delta(apply) => Some(apply.head()),
        }
    }

    /// Refuses another image than the one that the difference was made to, which is hashed for it. For whole images nothing is to be checked.
    pub fn check_base(&self, base: &impl ReadAt) -> Result<(), Error> {
        match &self.content {
            Content::Image(_) => Ok(()),
            Content::Delta(apply) => apply.head().check_base(&self.member.name, base),
        }
    }

    /// The next chunk, which was checked; none at the member's end. `base` is the same image of the running system: differences refer to it.
    pub fn next_chunk(&mut self, base: &impl ReadAt) -> Result<Option<Chunk<'_>>, Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(as_usize(self.member.chunk_len(self.at)), 0);
        let read = self.read_chunk(base, &mut buffer);
        self.buffer = buffer;
        let Some(Place { offset, .. }) = read? else {
            return Ok(None);
        };
        let bytes = &self.buffer;
        self.member.check_chunk(offset, bytes)?;
        Ok(Some(Chunk { offset, bytes }))
    }

    /// Reads the next chunk to the beginning of `buffer`, which has room for [`Member::chunk_size`] bytes, and says which it is; none at the
    /// member's end. Unlike that of [`Item::next_chunk`] it was not checked: that is left to the caller, who asks [`Member::check_chunk`] before
    /// anything else, on another thread if need be.
    pub fn read_chunk(
        &mut self,
        base: &impl ReadAt,
        buffer: &mut [u8],
    ) -> Result<Option<Place>, Error> {
        let offset = self.at;
        if offset >= self.member.size {
            if let Content::Delta(apply) = &mut self.content {
                let end = apply.end();
                end.map_err(|error| explain_delta(&self.member, error))?;
            }
            return Ok(None);
        }
        let room = buffer.len();
        let len = as_usize(self.member.chunk_len(offset));
        let Some(bytes) = buffer.get_mut(..len) else {
            let text = format!("a buffer of {room} bytes, want {len} for a chunk");
            return Err(Error::Read(io::Error::other(text)));
        };
        match &mut self.content {
            Content::Image(bundle) => bundle.fill(&self.member, offset, bytes)?,
            Content::Delta(apply) => {
                let filled = apply.fill(bytes, base);
                filled.map_err(|error| explain_delta(&self.member, error))?;
            }
        }
        self.at = past(offset, len);
        Ok(Some(Place { offset, len }))
    }
}

impl Member {
    /// How long the chunk at `offset` is.
    fn chunk_len(&self, offset: u64) -> u64 {
        let left = without(self.size, offset);
        left.min(self.chunk_size.into())
    }

    /// Where each chunk lies, and its digest.
    pub fn places(&self) -> impl Iterator<Item = (Place, Sha256Digest)> + '_ {
        let mut offset = 0;
        self.chunks.iter().map(move |want| {
            let len = as_usize(self.chunk_len(offset));
            let place = Place { offset, len };
            offset = past(offset, len);
            (place, *want)
        })
    }

    /// Whether `bytes` are those of the chunk at `offset`.
    pub fn check_chunk(&self, offset: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let got = Sha256Digest::of(bytes);
        let index = offset.checked_div(self.chunk_size.into()).map(as_usize);
        match index.and_then(|index| self.chunks.get(index)) {
            Some(want) if *want == got => Ok(()),
            want => Err(Refusal::Chunk {
                member: self.name.clone(),
                offset,
                got,
                want: want.copied().unwrap_or(self.sha256),
            }),
        }
    }
}

/// Reads all of a bundle, and hands out nothing: whether each member is as its manifest says. Of differences, whether they are well-formed is
/// seen only when they are applied.
pub fn verify<R: Read>(
    reader: R,
    len: Option<u64>,
    policy: &Policy<'_>,
) -> Result<Manifest, Error> {
    let mut bundle = Bundle::open(reader, len, policy)?;
    while let Some(mut item) = bundle.next_member()? {
        if item.delta().is_none() {
            while item.next_chunk(&Vec::new())?.is_some() {}
        }
    }
    Ok(bundle.manifest)
}

/// What stands in the place of an image.
fn delta_of(name: &str) -> Option<&'static str> {
    match name {
        BOOT => Some(BOOT_DELTA),
        ROOT => Some(ROOT_DELTA),
        _ => None,
    }
}

fn explain_delta(member: &Member, error: delta::Error) -> Error {
    let name = delta_of(&member.name).unwrap_or(&member.name).to_owned();
    match error {
        delta::Error::Fault { at, reason } => {
            let member = name;
            Refusal::Delta { member, at, reason }.into()
        }
        delta::Error::Read(source) => Error::Read(source),
        delta::Error::Base { at, source } => {
            let member = member.name.clone();
            Error::Base { member, at, source }
        }
    }
}

/// All of a member that is held in memory.
fn read_document<D: Document, R: Read>(stream: &mut Stream<Input<R>>) -> Result<Vec<u8>, Error> {
    let Some(entry) = next_entry(stream)? else {
        let want = D::NAME.to_owned();
        return Err(Refusal::Missing { want }.into());
    };
    let (got, size) = file(&entry, D::NAME)?;
    if got != D::NAME {
        let want = D::NAME.to_owned();
        return Err(Refusal::Order { got, want }.into());
    }
    if size > as_u64(D::MAX) {
        let want = as_u64(D::MAX);
        return Err(Refusal::Size {
            member: got,
            got: size,
            want,
        }
        .into());
    }
    let mut bytes = Vec::new();
    let read = stream.take(size).read_to_end(&mut bytes);
    read.map_err(|error| stream.get_mut().explain(error))?;
    match as_u64(bytes.len()) {
        at if at < size => Err(Refusal::CutShort { member: got, at }.into()),
        _ => Ok(bytes),
    }
}

fn next_entry<R: Read>(stream: &mut Stream<Input<R>>) -> Result<Option<Entry>, Error> {
    stream
        .next_entry()
        .map_err(|error| stream.get_mut().explain_archive(error))
}

/// Name and length of a plain file.
fn file(entry: &Entry, want: &str) -> Result<(String, u64), Error> {
    match (&entry.kind, std::str::from_utf8(&entry.path)) {
        (Kind::File { len, .. }, Ok(name)) => Ok((name.to_owned(), *len)),
        _ => {
            let (got, want) = (shown(entry), want.to_owned());
            Err(Refusal::Order { got, want }.into())
        }
    }
}

/// A member that may be anything, for a message.
fn shown(entry: &Entry) -> String {
    let name = entry.path.escape_ascii().to_string();
    let name = base::text::shorten(&name);
    match &entry.kind {
        Kind::File { .. } => name.into_owned(),
        _ => format!("{name} (no plain file)"),
    }
}

/// Where the data of `len` bytes at `at`, and what fills up its last block, ends.
fn past_data(at: u64, len: u64) -> u64 {
    let padding = len.wrapping_neg() % 512;
    sum(sum(at, len), padding)
}

/// The order of the members, for who writes a bundle: [`MANIFEST`], [`SIGNATURES`], then those of [`MEMBERS`] that there are.
pub fn order() -> impl Iterator<Item = &'static str> {
    [MANIFEST, SIGNATURES].into_iter().chain(MEMBERS)
}
