//! Programs, and what the stub measures of a unified kernel image.

use base::bounded::{sum, without};
use base::{as_usize, Hasher, Sha256Digest};
use pe::{Image, Section, Signable};
use plan::{ReadAt, Reader};

use crate::{Error, Event};

/// What the stub measures of a kernel image, in this order: all sections that it knows but the signatures of predictions (`.pcrsig`).
pub const SECTIONS: [&str; 11] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", PROFILE,
];

const PROFILE: &str = ".profile";
/// Of several the stub takes the one that is for the machine.
const CHOSEN: [&str; 3] = [".dtbauto", ".hwids", ".efifw"];
/// How much is read at a time.
const CHUNK: u64 = 1 << 20;
/// The longest that a profile may say of itself.
const MAX_PROFILE: u64 = 64 << 10;

/// What is measured of a kernel image when it is started with one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its `ID=`.
    pub id: Option<String>,
    /// Into PCR 11.
    pub events: Vec<Event>,
}

/// Sections that belong together, and the digests of what they hold.
struct Group<'a>(Vec<(&'a Section, Sha256Digest)>);

/// The digest by which firmware knows a signed EFI program; it is the same without the signature.
pub fn authenticode<R: ReadAt>(program: &Reader<R>) -> Result<Sha256Digest, Error> {
    let signable = Signable::open_signed(program)?;
    let mut hasher = Hasher::new();
    signable.hashed_head().for_each(|part| hasher.update(part));
    signable.body(program, |bytes| hasher.update(bytes))?;
    Ok(hasher.finish())
}

/// What is measured of a kernel image with each of its profiles, `@0` first; with none, what is measured of it.
pub fn profiles<R: ReadAt>(image: &Reader<R>) -> Result<Vec<Profile>, Error> {
    let headers = Image::open(image)?;
    if let Some(name) = CHOSEN.iter().find(|name| headers.section(name).is_some()) {
        return Err(Error::Chosen(name));
    }
    let groups = groups(headers.sections());
    let mut groups = groups.into_iter().map(|group| Group::read(image, group));
    let base = groups.next().unwrap_or(Ok(Group(Vec::new())))?;
    let own: Vec<Group> = groups.collect::<Result<_, _>>()?;
    if own.is_empty() {
        let events = events(&base, &Group(Vec::new()))?;
        return Ok(vec![Profile { id: None, events }]);
    }
    let profiles = own.iter().enumerate().map(|(number, own)| {
        Ok(Profile {
            id: own.id(image, number)?,
            events: events(&base, own)?,
        })
    });
    profiles.collect()
}

/// PCR 12, when a kernel image was started with profile `number` and nothing else was added: by SMBIOS strings, credentials, add-ons.
pub fn parameters(number: usize) -> Vec<Event> {
    if number == 0 {
        return Vec::new();
    }
    // In UTF-16, with a zero behind it.
    let text = format!("{number}\0");
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![Event::of("number of the profile", &bytes)]
}

/// The sections that all profiles share, and those of each; a group begins with its `.profile`.
fn groups(sections: &[Section]) -> Vec<&[Section]> {
    let mut groups = Vec::new();
    let mut rest = sections;
    loop {
        // What all share may be nothing: the first group is then empty.
        let from = usize::from(!groups.is_empty());
        let mut starts = rest.iter().enumerate().skip(from);
        let next = starts.find(|(_, section)| section.name() == PROFILE.as_bytes());
        let Some((next, _)) = next else {
            groups.push(rest);
            return groups;
        };
        let (group, others) = rest.split_at(next);
        groups.push(group);
        rest = others;
    }
}

/// Sections of a profile count before those that all share.
fn events(base: &Group<'_>, own: &Group<'_>) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for name in SECTIONS {
        let Some((_, digest)) = own.get(name).or_else(|| base.get(name)) else {
            if name == ".linux" {
                return Err(Error::NoKernel);
            }
            continue;
        };
        let called = format!("{name}\0");
        events.push(Event::of(
            format!("name of section {name}"),
            called.as_bytes(),
        ));
        events.push(Event::new(format!("section {name}"), *digest));
    }
    Ok(events)
}

impl<'a> Group<'a> {
    /// What the stub measures of these.
    fn read<R: ReadAt>(image: &Reader<R>, sections: &'a [Section]) -> Result<Self, Error> {
        let measured = SECTIONS.map(str::as_bytes);
        let known = sections
            .iter()
            .filter(|section| measured.contains(&section.name()));
        let read = known.map(|section| Ok((section, content(image, section)?)));
        read.collect::<Result<_, Error>>().map(Self)
    }

    /// The first of that name, as the stub looks for it.
    fn get(&self, name: &str) -> Option<&(&'a Section, Sha256Digest)> {
        let mut sections = self.0.iter();
        sections.find(|(section, _)| section.name() == name.as_bytes())
    }

    /// The `ID=` of its `.profile`.
    fn id<R: ReadAt>(&self, image: &Reader<R>, number: usize) -> Result<Option<String>, Error> {
        let Some((section, _)) = self.get(PROFILE) else {
            return Ok(None);
        };
        let bad = |reason| Error::Profile { number, reason };
        let range = section.content();
        let len = without(range.end, range.start);
        if len > MAX_PROFILE {
            return Err(bad(format!("{len} bytes, want {MAX_PROFILE} at most")));
        }
        let mut bytes = vec![0; as_usize(len)];
        image.read_at(&mut bytes, range.start)?;
        let text = String::from_utf8(bytes).map_err(|error| bad(error.to_string()))?;
        let id = text.lines().find_map(|line| line.strip_prefix("ID="));
        Ok(id.map(str::to_owned))
    }
}

fn content<R: ReadAt>(image: &Reader<R>, section: &Section) -> Result<Sha256Digest, Error> {
    let range = section.content();
    let mut hasher = Hasher::new();
    let mut at = range.start;
    let mut buffer = vec![0; as_usize(CHUNK)];
    while at < range.end {
        let count = without(range.end, at).min(CHUNK);
        let (part, _) = buffer.split_at_mut(as_usize(count));
        image.read_at(part, at)?;
        hasher.update(part);
        at = sum(at, count);
    }
    Ok(hasher.finish())
}
