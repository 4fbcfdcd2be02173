//! Unified kernel images: a stub with kernel, initrd, command line and more as sections.
//!
//! Spec: UAPI group, *UKI*. The bytes are those that `ukify` 257 writes for the same parts.
//!
//! | section                       | content                                                      |
//! |-------------------------------|--------------------------------------------------------------|
//! | the stub's own                | as they are; `.sbat` has the kernel's and the given lines too |
//! | `.osrel`                      | os-release                                                   |
//! | `.cmdline`                    | the command line of the base                                 |
//! | `.uname`                      | the kernel's release                                         |
//! | `.linux`, `.initrd`           | kernel and initrd, ranges of inputs                          |
//! | `.profile`                    | of the base, with profiles only: [`BASE_PROFILE`], `@0`      |
//! | `.profile`, `.cmdline`, again | a profile: `@1`, and so on; its line takes the base's place  |
//!
//! A base or profile without a command line is refused: there the stub would take what whoever starts it says.

use base::bounded::without;
use base::{as_u64, as_usize};
use plan::{Builder, Plan, ReadAt, Reader};

use crate::append::Appended;
use crate::error::Error;
use crate::headers::{CODE, DATA};
use crate::image::{Image, Section};
use crate::kernel;
use crate::sbat::Sbat;

/// What the base is called when there are profiles besides.
pub const BASE_PROFILE: &str = "ID=main";

/// What the stub's SBAT section is called, and ours.
const SBAT: &str = ".sbat";
/// What the kernel's section is called.
const LINUX: &str = ".linux";
/// The longest text: command lines have at most 4096 bytes, `os-release` some hundred.
const MAX_TEXT: usize = 64 << 10;

/// The texts of a unified kernel image.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// `os-release`.
    pub os_release: String,
    /// The command line of the base.
    pub cmdline: String,
    /// The kernel's release; `None`: what the kernel says ([`kernel::release`]).
    pub uname: Option<String>,
    /// SBAT lines of one's own, without the table's first one.
    pub sbat: String,
    /// Other command lines to start the same with, in their order.
    pub profiles: Vec<Profile>,
}

/// A profile: `@1` is the first.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its `.profile`: lines as `ID=…` and `TITLE=…`.
    pub text: String,
    /// Its command line, instead of the base's.
    pub cmdline: String,
}

/// A section to come.
struct Part<'a> {
    name: &'static str,
    content: Content<'a>,
}

enum Content<'a> {
    Held(Vec<u8>),
    Range(&'a Plan),
}

impl Part<'_> {
    fn len(&self) -> u64 {
        match &self.content {
            Content::Held(bytes) => as_u64(bytes.len()),
            Content::Range(plan) => plan.len(),
        }
    }
}

/// Lays out a unified kernel image. All three are over the same inputs.
pub fn layout<R: ReadAt>(
    stub: &Reader<R>,
    linux: &Reader<R>,
    initrd: &Plan,
    texts: &Texts,
) -> Result<Plan, Error> {
    let image = Image::open(stub)?;
    image.refuse_signed()?;
    let end = image.tight_end()?;
    if end != image.len() {
        let reason = format!("the stub has bytes behind its sections, which end at {end}");
        return Err(Error::at(end, reason));
    }
    let kernel = Image::open(linux)?;
    let mut new = parts(linux, initrd, texts)?;
    let sbat = sbat(stub, &image, linux, &kernel, &texts.sbat)?;
    let own_sbat = image.section(SBAT).copied();
    if own_sbat.is_none() {
        // As ukify: behind all that the profiles share.
        let content = Content::Held(sbat.clone());
        let name = SBAT;
        new.shared.push(Part { name, content });
    }
    let parts: Vec<_> = new.shared.into_iter().chain(new.profiles).collect();
    let mut appended = Appended::to(image)?;
    if own_sbat.is_some() {
        appended.resize(SBAT, as_u64(sbat.len()))?;
    }
    if !kernel.nx_compatible() {
        // Both must say the same of themselves, or firmware that enforces it starts neither.
        appended.without_nx();
    }
    let mut builder = Builder::new(stub.plan().inputs().to_vec());
    let places = parts.iter().map(|part| {
        let kind = if part.name == LINUX { CODE } else { DATA };
        appended.section(part.name, part.len(), kind)
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    builder.inline(&appended.head()?)?;
    stub_body(&mut builder, stub, own_sbat, &sbat)?;
    for (part, raw) in parts.iter().zip(places) {
        builder.zero_to(raw.start)?;
        match &part.content {
            Content::Held(bytes) => builder.inline(bytes)?,
            Content::Range(plan) => builder.plan(plan)?,
        }
        builder.zero_to(raw.end)?;
    }
    Ok(builder.finish()?)
}

/// What stands behind the headers up to the end of the stub, its SBAT section replaced.
fn stub_body<R: ReadAt>(
    builder: &mut Builder,
    stub: &Reader<R>,
    own_sbat: Option<Section>,
    sbat: &[u8],
) -> Result<(), Error> {
    let mut at = builder.position();
    if let Some(section) = own_sbat {
        let raw = section.raw();
        let room = section.header.size_of_raw_data.get();
        let len = as_u64(sbat.len());
        if len > u64::from(room) {
            return Err(Error::SbatRoom { len, room });
        }
        builder.range(stub.plan(), at, without(raw.start, at))?;
        builder.inline(sbat)?;
        builder.zero_to(raw.end)?;
        at = raw.end;
    }
    let rest = without(stub.len(), at);
    Ok(builder.range(stub.plan(), at, rest)?)
}

/// New sections: those that every profile has, and the profiles' own.
struct Parts<'a> {
    shared: Vec<Part<'a>>,
    profiles: Vec<Part<'a>>,
}

fn parts<'a, R: ReadAt>(
    linux: &'a Reader<R>,
    initrd: &'a Plan,
    texts: &Texts,
) -> Result<Parts<'a>, Error> {
    let held = |name, text: &str| Part {
        name,
        content: Content::Held(text.as_bytes().to_vec()),
    };
    let range = |name, plan| Part {
        name,
        content: Content::Range(plan),
    };
    if initrd.len() == 0 {
        return Err(Error::Empty {
            what: "the initrd".to_owned(),
            why: "nothing would mount the root",
        });
    }
    let uname = match &texts.uname {
        Some(uname) => line("the kernel's release", uname)?.to_owned(),
        None => kernel::release(linux, linux.len())?,
    };
    let mut shared = Vec::new();
    if !texts.os_release.is_empty() {
        shared.push(held(".osrel", lines("os-release", &texts.os_release)?));
    }
    shared.push(held(".cmdline", line("the command line", &texts.cmdline)?));
    shared.push(held(".uname", &uname));
    shared.push(range(LINUX, linux.plan()));
    shared.push(range(".initrd", initrd));
    let mut profiles = Vec::new();
    if !texts.profiles.is_empty() {
        profiles.push(held(".profile", BASE_PROFILE));
    }
    for (number, profile) in (1..).zip(&texts.profiles) {
        let of = |what: &str| format!("{what} of profile {number}");
        let text = lines(of("the text"), &profile.text)?;
        profiles.push(held(".profile", text));
        let cmdline = line(of("the command line"), &profile.cmdline)?;
        profiles.push(held(".cmdline", cmdline));
    }
    Ok(Parts { shared, profiles })
}

/// The table that stub, kernel and whoever makes the image have together.
fn sbat<R: ReadAt>(
    stub: &Reader<R>,
    image: &Image,
    linux: &Reader<R>,
    kernel: &Image,
    own: &str,
) -> Result<Vec<u8>, Error> {
    let mut sbat = Sbat::default();
    for (of, reader, image) in [("the stub", stub, image), ("the kernel", linux, kernel)] {
        if let Some(section) = image.section(SBAT) {
            let content = section.content();
            let len = without(content.end, content.start);
            if len > as_u64(MAX_TEXT) {
                let what = format!("SBAT of {of}");
                return Err(Error::TooLong { what, len });
            }
            let mut bytes = vec![0; as_usize(len)];
            reader.read_at(&mut bytes, content.start)?;
            sbat.add_section(of, &bytes)?;
        }
    }
    sbat.add_text("the lines given", own)?;
    Ok(sbat.section())
}

/// A text of one line, which says something.
fn line(what: impl Into<String>, text: &str) -> Result<&str, Error> {
    let what = what.into();
    if text.trim().is_empty() {
        let why = "the stub would take what whoever starts it says";
        return Err(Error::Empty { what, why });
    }
    check(what, text, |c| !c.is_control())
}

/// A text of several lines.
fn lines(what: impl Into<String>, text: &str) -> Result<&str, Error> {
    check(what.into(), text, |c| c == '\n' || !c.is_control())
}

fn check(what: String, text: &str, fine: impl Fn(char) -> bool) -> Result<&str, Error> {
    if text.len() > MAX_TEXT {
        let len = as_u64(text.len());
        return Err(Error::TooLong { what, len });
    }
    match text.char_indices().find(|(_, c)| !fine(*c)) {
        Some((at, got)) => Err(Error::Text { what, got, at }),
        None => Ok(text),
    }
}
