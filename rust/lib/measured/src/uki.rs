//! Programs, and what the stub measures of a unified kernel image.

use base::bounded::{sum, without};
use base::{as_usize, Hasher, Sha256Digest};
use pe::{Image, Section, Signable};
use plan::{ReadAt, Reader};

use crate::{Error, Register};

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

/// The digest by which firmware knows an EFI program, signed or to be signed; here it must be unsigned.
pub fn authenticode<R: ReadAt>(program: &Reader<R>) -> Result<Sha256Digest, Error> {
    let signable = Signable::open(program)?;
    let mut hasher = Hasher::new();
    signable.hashed_head().for_each(|part| hasher.update(part));
    signable.body(program, |bytes| hasher.update(bytes))?;
    Ok(hasher.finish())
}

/// PCR 11, when the kernel image was started with profile `profile`, `@0` being the base.
pub fn kernel_image<R: ReadAt>(image: &Reader<R>, profile: usize) -> Result<Register, Error> {
    let headers = Image::open(image)?;
    let sections = headers.sections();
    if let Some(name) = CHOSEN.iter().find(|name| headers.section(name).is_some()) {
        return Err(Error::Chosen(name));
    }
    let (base, own) = parts(sections, profile)?;
    let mut register = Register::default();
    for name in SECTIONS {
        let named = |section: &&Section| section.name() == name.as_bytes();
        let Some(section) = own.iter().find(named).or_else(|| base.iter().find(named)) else {
            if name == ".linux" {
                return Err(Error::NoKernel);
            }
            continue;
        };
        register = register.measure(format!("{name}\0").as_bytes());
        register = register.extend(&content(image, section)?);
    }
    Ok(register)
}

/// The sections that all profiles share, and those of one, which count first.
fn parts(sections: &[Section], profile: usize) -> Result<(&[Section], &[Section]), Error> {
    let mut groups = Vec::new();
    let mut rest = sections;
    loop {
        // A group begins with its `.profile`.
        let next = rest
            .iter()
            .skip(1)
            .position(|section| section.name() == PROFILE.as_bytes());
        let Some(next) = next.and_then(|at| at.checked_add(1)) else {
            groups.push(rest);
            break;
        };
        let (group, others) = rest.split_at(next);
        groups.push(group);
        rest = others;
    }
    let (base, profiles) = groups
        .split_first()
        .map_or((rest, &[][..]), |(base, profiles)| (*base, profiles));
    match profiles.get(profile) {
        Some(own) => Ok((base, own)),
        // Without profiles the base is the only one.
        None if profile == 0 && profiles.is_empty() => Ok((base, &[])),
        None => Err(Error::NoProfile {
            got: profile,
            have: profiles.len().max(1),
        }),
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
