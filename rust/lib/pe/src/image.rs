//! An image's headers, read and checked.

use std::ops::Range;

use base::bounded::{product, sum};
use base::{as_u64, as_usize};
use plan::{ReadAt, Reader};
use zerocopy::FromBytes;

use crate::error::Error;
use crate::headers::{
    Directory, FileHeader, OptionalHeader, SectionHeader, CERTIFICATES, CHECK_SUM, DIRECTORY,
    FILE_HEADER, NX_COMPAT, OPTIONAL_HEADER, PE32_PLUS,
};

/// The longest headers that are read, `SizeOfHeaders`.
pub const MAX_HEAD: u32 = 64 << 10;

/// Where `e_lfanew` stands, behind which the DOS header ends.
const E_LFANEW: usize = 60;
/// Length of the DOS header.
const DOS_HEADER: usize = 64;
/// As many directories as the format has.
const MAX_DIRECTORIES: u32 = 16;

/// The headers of an image that has all the bytes that they name.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file's first `SizeOfHeaders` bytes.
    pub(crate) head: Vec<u8>,
    /// Where the signature and the file header stand.
    pub(crate) pe_at: u64,
    pub(crate) file: FileHeader,
    pub(crate) optional: OptionalHeader,
    certificates: Option<Directory>,
    sections: Vec<Section>,
    len: u64,
}

/// A section's header.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub(crate) header: SectionHeader,
}

impl Section {
    /// Its name, without the zeros behind it.
    pub fn name(&self) -> &[u8] {
        let name = &self.header.name;
        name.split(|byte| *byte == 0).next().unwrap_or(name)
    }

    /// The name, as text for people.
    pub fn shown(&self) -> String {
        self.name().escape_ascii().to_string()
    }

    /// Where in the file its bytes are, with the padding behind them.
    pub fn raw(&self) -> Range<u64> {
        let start = u64::from(self.header.pointer_to_raw_data.get());
        let len = u64::from(self.header.size_of_raw_data.get());
        start..sum(start, len)
    }

    /// Where in the file its content is: what is both in the file and in memory.
    pub fn content(&self) -> Range<u64> {
        let raw = self.raw();
        let end = sum(raw.start, u64::from(self.header.virtual_size.get()));
        raw.start..raw.end.min(end)
    }
}

impl Image {
    /// Reads the headers of an image of `len` bytes.
    pub fn read(source: &(impl ReadAt + ?Sized), len: u64) -> Result<Self, Error> {
        let dos = bytes(source, len, 0, DOS_HEADER, "the DOS header")?;
        if !dos.starts_with(b"MZ") {
            return Err(Error::at(0, "no MZ"));
        }
        let Some(at) = dos.get(E_LFANEW..).and_then(|at| at.first_chunk()) else {
            return Err(Error::at(as_u64(E_LFANEW), "no place of the PE header"));
        };
        let pe_at = u32::from_le_bytes(*at);
        if pe_at > MAX_HEAD {
            let reason = format!("the PE header is said to be at {pe_at}, want {MAX_HEAD} at most");
            return Err(Error::at(as_u64(E_LFANEW), reason));
        }
        let start = u64::from(pe_at);
        let file: FileHeader = structure(source, len, start, "the PE header")?;
        if &file.signature != b"PE\0\0" {
            return Err(Error::at(start, "no PE signature"));
        }
        let optional_at = sum(start, as_u64(FILE_HEADER));
        let optional: OptionalHeader = structure(source, len, optional_at, "the optional header")?;
        check_optional(&file, &optional, optional_at)?;
        let head_len = optional.size_of_headers.get();
        if head_len > MAX_HEAD {
            let reason = format!("headers of {head_len} bytes, want {MAX_HEAD} at most");
            return Err(Error::at(optional_at, reason));
        }
        let head = bytes(source, len, 0, as_usize(head_len), "the headers")?;
        let mut image = Self {
            head,
            pe_at: start,
            file,
            optional,
            certificates: None,
            sections: Vec::new(),
            len,
        };
        image.read_tables()?;
        Ok(image)
    }

    /// As [`Image::read`], of an image that is open already.
    pub fn open<R: ReadAt>(reader: &Reader<R>) -> Result<Self, Error> {
        Self::read(reader, reader.len())
    }

    /// Directories and section headers.
    fn read_tables(&mut self) -> Result<(), Error> {
        let directories = as_usize(self.optional.number_of_rva_and_sizes.get());
        let sections = usize::from(self.file.number_of_sections.get());
        let rest = self
            .head
            .get(as_usize(self.directories_at())..)
            .unwrap_or_default();
        let table = <[Directory]>::ref_from_prefix_with_elems(rest, directories).ok();
        let headers = table.and_then(|(directories, rest)| {
            let found = <[SectionHeader]>::ref_from_prefix_with_elems(rest, sections).ok();
            found.map(|(headers, _)| (directories, headers))
        });
        let Some((directories, headers)) = headers else {
            let have = self.head.len();
            let reason = format!(
                "{directories} directories and {sections} sections don't fit into headers of {have} bytes"
            );
            return Err(Error::at(self.directories_at(), reason));
        };
        let certificates = directories.get(CERTIFICATES).copied();
        let sections = headers.iter().map(|header| Section { header: *header });
        self.sections = sections.collect();
        self.certificates = certificates.filter(|directory| directory.size.get() != 0);
        for section in &self.sections {
            let (name, raw) = (section.shown(), section.raw());
            if !raw.is_empty() && raw.end > self.len {
                let (end, len) = (raw.end, self.len);
                let reason = format!("section {name} ends at {end}, the file at {len}");
                return Err(Error::at(raw.start, reason));
            }
        }
        Ok(())
    }

    /// The sections, in the table's order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The first section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.name() == name.as_bytes())
    }

    /// Whether the firmware may load it without write-and-execute memory.
    pub fn nx_compatible(&self) -> bool {
        self.optional.dll_characteristics.get() & NX_COMPAT != 0
    }

    /// Length of the file.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an image is measured, not asked for being empty"
    )]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where in the file its certificate table is.
    pub fn certificates(&self) -> Option<Range<u64>> {
        let directory = self.certificates?;
        let start = u64::from(directory.virtual_address.get());
        let len = u64::from(directory.size.get());
        Some(start..sum(start, len))
    }

    /// Where the directories stand. All of these are below twice [`MAX_HEAD`].
    pub(crate) fn directories_at(&self) -> u64 {
        self.behind_pe(FILE_HEADER, OPTIONAL_HEADER)
    }

    /// Where the checksum stands.
    pub(crate) fn check_sum_at(&self) -> u64 {
        self.behind_pe(FILE_HEADER, CHECK_SUM)
    }

    /// Where the directory of the certificate table stands; an image may have too few directories.
    pub(crate) fn certificates_at(&self) -> Result<u64, Error> {
        let have = self.optional.number_of_rva_and_sizes.get();
        let at = self.directories_at();
        if as_usize(have) <= CERTIFICATES {
            let reason = format!("{have} directories, none of which is that of certificates");
            return Err(Error::at(at, reason));
        }
        Ok(sum(at, product(as_u64(CERTIFICATES), as_u64(DIRECTORY))))
    }

    fn behind_pe(&self, first: usize, second: usize) -> u64 {
        sum(self.pe_at, sum(as_u64(first), as_u64(second)))
    }

    /// Where the last section's bytes end, if they follow the headers and each other without gap and overlap.
    pub fn tight_end(&self) -> Result<u64, Error> {
        let mut in_file: Vec<_> = self
            .sections
            .iter()
            .filter(|section| !section.raw().is_empty())
            .collect();
        in_file.sort_by_key(|section| section.raw().start);
        let mut end = as_u64(self.head.len());
        for section in in_file {
            let raw = section.raw();
            if raw.start != end {
                return Err(Error::Loose {
                    section: section.shown(),
                    got: raw.start,
                    want: end,
                });
            }
            end = raw.end;
        }
        Ok(end)
    }

    /// Refuses an image with a certificate table.
    pub(crate) fn refuse_signed(&self) -> Result<(), Error> {
        match self.certificates {
            Some(table) => Err(Error::Signed {
                len: table.size.get(),
            }),
            None => Ok(()),
        }
    }
}

fn check_optional(file: &FileHeader, header: &OptionalHeader, at: u64) -> Result<(), Error> {
    let magic = header.magic.get();
    if magic != PE32_PLUS {
        let reason = format!("magic {magic:#x}, want 0x20b");
        return Err(Error::at(at, reason));
    }
    let directories = header.number_of_rva_and_sizes.get();
    if directories > MAX_DIRECTORIES {
        let reason = format!("{directories} directories, want {MAX_DIRECTORIES} at most");
        return Err(Error::at(at, reason));
    }
    let len = u64::from(file.size_of_optional_header.get());
    let tables = product(u64::from(directories), as_u64(DIRECTORY));
    let want = sum(as_u64(OPTIONAL_HEADER), tables);
    if len != want {
        let reason = format!(
            "an optional header of {len} bytes, want {want} with {directories} directories"
        );
        return Err(Error::at(at, reason));
    }
    Ok(())
}

/// `count` bytes of a file of `len`, which may have fewer.
fn bytes(
    source: &(impl ReadAt + ?Sized),
    len: u64,
    at: u64,
    count: usize,
    what: &str,
) -> Result<Vec<u8>, Error> {
    let fits = at.checked_add(as_u64(count)).is_some_and(|end| end <= len);
    if !fits {
        let reason = format!("the file ends at {len}, within {what}");
        return Err(Error::at(at, reason));
    }
    let mut buffer = vec![0; count];
    let read = source.read_exact_at(&mut buffer, at);
    read.map_err(|source| plan::Error::Io {
        what: what.to_owned(),
        source,
    })?;
    Ok(buffer)
}

fn structure<T: FromBytes>(
    source: &(impl ReadAt + ?Sized),
    len: u64,
    at: u64,
    what: &str,
) -> Result<T, Error> {
    let bytes = bytes(source, len, at, size_of::<T>(), what)?;
    T::read_from_bytes(&bytes).map_err(|_| Error::at(at, format!("{what} is cut")))
}
