//! A file by its sections, for whoever compares two of them.

use object::elf;
use object::read::elf::{FileHeader, SectionHeader};
use object::read::FileKind;
use object::Endianness;

use crate::error::Error;

/// A section: its name, and the bytes that it has in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// How long it is in memory; without bytes in the file, too (`.bss`).
    pub size: u64,
    /// Where in the file its bytes begin.
    pub at: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The sections of a file, in its order, without the empty one that every table begins with.
pub fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, Error> {
    match FileKind::parse(bytes)? {
        FileKind::Elf32 => of::<elf::FileHeader32<Endianness>>(bytes),
        _ => of::<elf::FileHeader64<Endianness>>(bytes),
    }
}

fn of<E: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Vec<Section<'_>>, Error> {
    let header = E::parse(bytes)?;
    let endian = header.endian()?;
    let table = header.sections(endian, bytes)?;
    let read = |section: &E::SectionHeader| -> Result<Section<'_>, Error> {
        Ok(Section {
            name: table.section_name(endian, section)?,
            size: section.sh_size(endian).into(),
            at: section.sh_offset(endian).into(),
            bytes: section.data(endian, bytes)?,
        })
    };
    let real = table.iter();
    let real = real.filter(|section| section.sh_type(endian) != elf::SHT_NULL);
    real.map(read).collect()
}
