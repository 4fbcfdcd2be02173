//! Versions of symbols: which a file wants of its libraries, and which it has.

use std::collections::BTreeMap;

use base::{as_u64, as_usize};
use object::elf;
use object::pod::{from_bytes, Pod};
use object::read::elf::{FileHeader, Sym};
use object::Endianness;

use crate::error::Error;
use crate::read::text;

/// What the list of wanted versions is called in errors.
pub(crate) const WANTED: &str = "the list of wanted versions";
/// What that of versions had is called.
pub(crate) const HAD: &str = "the list of versions";

/// So many symbols of a version are named.
const NAMED: usize = 3;

/// A version that a file wants of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the library.
    pub library: Vec<u8>,
    /// The version.
    pub version: Vec<u8>,
    /// That it may be missing.
    pub weak: bool,
    /// The first of the symbols that are wanted in it, as far as the file has sections that say so.
    pub symbols: Vec<Vec<u8>>,
    /// How many more there are.
    pub more_symbols: usize,
    /// Its number in the list of symbols' versions.
    pub(crate) index: u16,
}

/// A structure at `at` of `list`.
fn part<'a, T: Pod>(list: &'a [u8], at: u64, what: &'static str) -> Result<&'a T, Error> {
    let rest = list.get(as_usize(at)..);
    let found = rest.and_then(|rest| from_bytes::<T>(rest).ok());
    found.map(|(part, _)| part).ok_or(Error::Beyond {
        what,
        at,
        have: as_u64(list.len()),
    })
}

/// Positions of entries that say how far away the next one is.
struct Walk<'a> {
    list: &'a [u8],
    what: &'static str,
    /// How many entries may still come: more than fit would be the same ones again.
    left: u64,
}

impl<'a> Walk<'a> {
    fn new(list: &'a [u8], what: &'static str) -> Self {
        // No entry has less than eight bytes.
        let left = as_u64(list.len()) / 8;
        Self { list, what, left }
    }

    /// Takes the entry at `at`.
    fn take<T: Pod>(&mut self, at: u64) -> Result<&'a T, Error> {
        let endless = Error::Endless { what: self.what };
        self.left = self.left.checked_sub(1).ok_or(endless)?;
        part(self.list, at, self.what)
    }

    /// The position `step` behind `at`; `None` behind the last entry.
    fn after(&self, at: u64, step: u32) -> Result<Option<u64>, Error> {
        match step {
            0 => Ok(None),
            step => self.down(at, step).map(Some),
        }
    }

    fn down(&self, at: u64, step: u32) -> Result<u64, Error> {
        at.checked_add(step.into()).ok_or(Error::Beyond {
            what: self.what,
            at,
            have: as_u64(self.list.len()),
        })
    }
}

/// The versions that the list `list` (`DT_VERNEED`) wants.
pub(crate) fn wanted(
    list: &[u8],
    strings: &[u8],
    endian: Endianness,
) -> Result<Vec<Wanted>, Error> {
    let mut walk = Walk::new(list, WANTED);
    let mut wanted = Vec::new();
    let mut next = Some(0);
    while let Some(at) = next {
        let library: &elf::Verneed<Endianness> = walk.take(at)?;
        let name = text(strings, library.vn_file.get(endian).into())?;
        let mut inner = match library.vn_cnt.get(endian) {
            0 => None,
            _ => Some(walk.down(at, library.vn_aux.get(endian))?),
        };
        while let Some(at) = inner {
            let version: &elf::Vernaux<Endianness> = walk.take(at)?;
            wanted.push(Wanted {
                library: name.clone(),
                version: text(strings, version.vna_name.get(endian).into())?,
                weak: version.vna_flags.get(endian) & elf::VER_FLG_WEAK != 0,
                symbols: Vec::new(),
                more_symbols: 0,
                index: version.vna_other.get(endian) & elf::VERSYM_VERSION,
            });
            inner = walk.after(at, version.vna_next.get(endian))?;
        }
        next = walk.after(at, library.vn_next.get(endian))?;
    }
    Ok(wanted)
}

/// The versions that the list `list` (`DT_VERDEF`) has, without that which is the file's own name.
pub(crate) fn had(list: &[u8], strings: &[u8], endian: Endianness) -> Result<Vec<Vec<u8>>, Error> {
    let mut walk = Walk::new(list, HAD);
    let mut had = Vec::new();
    let mut next = Some(0);
    while let Some(at) = next {
        let version: &elf::Verdef<Endianness> = walk.take(at)?;
        if version.vd_flags.get(endian) & elf::VER_FLG_BASE == 0 {
            // The first name is its own, the others are those that it stands on.
            let name = walk.down(at, version.vd_aux.get(endian))?;
            let name: &elf::Verdaux<Endianness> = part(list, name, HAD)?;
            had.push(text(strings, name.vda_name.get(endian).into())?);
        }
        next = walk.after(at, version.vd_next.get(endian))?;
    }
    Ok(had)
}

/// Adds the names of symbols that the file has in none of its own sections, to the versions that they are wanted in.
pub(crate) fn name_symbols<E: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    wanted: &mut [Wanted],
) -> Result<(), object::read::Error> {
    let header = E::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let Some((versions, table)) = sections.gnu_versym(endian, bytes)? else {
        return Ok(());
    };
    let symbols = sections.symbol_table_by_index(endian, bytes, table)?;
    let mut by_index: BTreeMap<u16, &mut Wanted> = wanted
        .iter_mut()
        .map(|wanted| (wanted.index, wanted))
        .collect();
    for (symbol, version) in symbols.iter().zip(versions) {
        let index = version.0.get(endian) & elf::VERSYM_VERSION;
        if symbol.st_shndx(endian) == elf::SHN_UNDEF {
            if let Some(wanted) = by_index.get_mut(&index) {
                if wanted.symbols.len() < NAMED {
                    let name = symbol.name(endian, symbols.strings())?;
                    wanted.symbols.push(name.to_vec());
                } else {
                    // There are no more than symbols.
                    wanted.more_symbols = wanted.more_symbols.wrapping_add(1);
                }
            }
        }
    }
    Ok(())
}
