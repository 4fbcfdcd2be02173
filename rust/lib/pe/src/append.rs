//! Sections added behind those of an image: where they go, and the headers that say so.

use std::ops::Range;

use base::bounded::{product, sum};
use base::{as_u64, as_usize};
use zerocopy::little_endian::U32;
use zerocopy::IntoBytes;

use crate::error::Error;
use crate::headers::{SectionHeader, FILE_HEADER, NX_COMPAT, READ, SECTION_HEADER};
use crate::image::{Image, Section};

/// An image's headers with more sections.
pub(crate) struct Appended {
    image: Image,
    sections: Vec<SectionHeader>,
    file_alignment: u64,
    memory_alignment: u64,
    size_of_headers: u64,
    /// Where the last section ends, in the file and in memory.
    in_file: u64,
    in_memory: u64,
    /// Bytes of initialised data.
    data: u64,
}

impl Appended {
    /// No section added yet.
    pub(crate) fn to(image: Image) -> Result<Self, Error> {
        let (file_alignment, memory_alignment) = alignments(&image)?;
        let size_of_headers = round_up(as_u64(image.head.len()), file_alignment);
        let raw = image.sections().iter().map(Section::raw);
        let first = raw.filter(|raw| !raw.is_empty()).map(|raw| raw.start).min();
        if first.unwrap_or(image.len()) < size_of_headers {
            let reason =
                "the first section starts, or the file ends, within the padding of the headers";
            return Err(Error::at(size_of_headers, reason));
        }
        let ends = image.sections().iter().map(|section| {
            let start = u64::from(section.header.virtual_address.get());
            sum(start, u64::from(section.header.virtual_size.get()))
        });
        Ok(Self {
            in_memory: ends.max().unwrap_or(0),
            in_file: round_up(image.len(), file_alignment),
            data: u64::from(image.optional.size_of_initialized_data.get()),
            sections: image.sections().iter().map(|s| s.header).collect(),
            image,
            file_alignment,
            memory_alignment,
            size_of_headers,
        })
    }

    /// Says that the content of the first section of that name is so long now.
    pub(crate) fn resize(&mut self, name: &str, len: u64) -> Result<(), Error> {
        let named =
            |header: &&mut SectionHeader| Section { header: **header }.name() == name.as_bytes();
        if let Some(header) = self.sections.iter_mut().find(named) {
            header.virtual_size = field(name, len, len)?;
        }
        Ok(())
    }

    /// Says that the image can't do without memory that is written and executed.
    pub(crate) fn without_nx(&mut self) {
        let optional = &mut self.image.optional;
        let rest = optional.dll_characteristics.get() & !NX_COMPAT;
        optional.dll_characteristics = rest.into();
    }

    /// Adds a section and says where in the file it is, with the padding behind it.
    pub(crate) fn section(&mut self, name: &str, len: u64, kind: u32) -> Result<Range<u64>, Error> {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        let raw = round_up(len, self.file_alignment);
        let address = round_up(self.in_memory, self.memory_alignment);
        self.sections.push(SectionHeader {
            name: bytes,
            virtual_size: field(name, len, len)?,
            virtual_address: field(name, len, address)?,
            size_of_raw_data: field(name, len, raw)?,
            pointer_to_raw_data: field(name, len, self.in_file)?,
            pointer_to_relocations: 0.into(),
            pointer_to_line_numbers: 0.into(),
            number_of_relocations: 0.into(),
            number_of_line_numbers: 0.into(),
            characteristics: (kind | READ).into(),
        });
        let start = self.in_file;
        self.in_memory = sum(address, len);
        self.in_file = sum(start, raw);
        self.data = sum(self.data, len);
        Ok(start..self.in_file)
    }

    /// The headers, up to where the first section starts.
    pub(crate) fn head(&self) -> Result<Vec<u8>, Error> {
        let what = "the image";
        let image = &self.image;
        let mut file = image.file;
        let mut optional = image.optional;
        let end = round_up(self.in_memory, self.memory_alignment);
        optional.size_of_initialized_data = field(what, self.data, self.data)?;
        optional.size_of_headers = field(what, self.size_of_headers, self.size_of_headers)?;
        optional.size_of_image = field(what, end, end)?;
        optional.check_sum = 0.into();
        let table = image.sections_at();
        let headers = product(as_u64(self.sections.len()), as_u64(SECTION_HEADER));
        let want = sum(table, headers);
        let count = u16::try_from(self.sections.len()).ok();
        let Some(count) = count.filter(|_| want <= self.size_of_headers) else {
            return Err(Error::NoHeaderRoom {
                sections: self.sections.len(),
                want,
                have: self.size_of_headers,
            });
        };
        file.number_of_sections = count.into();
        let (front, _) = image.head.split_at(as_usize(table));
        let (front, directories) = front.split_at(as_usize(image.directories_at()));
        let (before, _) = front.split_at(as_usize(image.pe_at));
        let mut head = [before, file.as_bytes(), optional.as_bytes(), directories].concat();
        head.extend(self.sections.as_bytes());
        head.resize(as_usize(self.size_of_headers), 0);
        Ok(head)
    }
}

impl Image {
    /// Where the section table starts: behind the directories, which lie within the headers as the table does.
    fn sections_at(&self) -> u64 {
        let optional = u64::from(self.file.size_of_optional_header.get());
        sum(sum(self.pe_at, as_u64(FILE_HEADER)), optional)
    }
}

/// A number of a section or image that has `len` bytes.
fn field(what: &str, len: u64, number: u64) -> Result<U32, Error> {
    let number = u32::try_from(number).map_err(|_| Error::TooLong {
        what: what.to_owned(),
        len,
    });
    Ok(U32::new(number?))
}

/// The image's alignments in the file and in memory.
fn alignments(image: &Image) -> Result<(u64, u64), Error> {
    let check = |what: &str, got: u32| {
        if !got.is_power_of_two() || !(16..=1 << 21).contains(&got) {
            let reason = format!("{what} {got}, want a power of two from 16 to 2097152");
            return Err(Error::at(image.pe_at, reason));
        }
        Ok(u64::from(got))
    };
    let optional = &image.optional;
    let file = check("FileAlignment", optional.file_alignment.get())?;
    let memory = check("SectionAlignment", optional.section_alignment.get())?;
    Ok((file, memory))
}

/// The next multiple of `unit`.
fn round_up(number: u64, unit: u64) -> u64 {
    product(number.div_ceil(unit), unit)
}
