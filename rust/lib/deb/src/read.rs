//! A package's file, opened.

use std::io::{self, Read, Seek, SeekFrom, Take};

use crate::ar::{member, Member, MAGIC};
use crate::control::Control;
use crate::error::{Error, Part};
use crate::packing::{Packing, Unpacked};

/// More members are not looked at.
const MAX_MEMBERS: usize = 64;
/// More of `debian-binary` is not read.
const MAX_VERSION: u64 = 64;

/// Where one of the two archives lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    part: Part,
    at: u64,
    len: u64,
    packing: Packing,
}

/// A package.
#[derive(Debug)]
pub struct Deb<R> {
    reader: R,
    control: Place,
    data: Place,
}

impl<R: Read + Seek> Deb<R> {
    /// Finds the members of a package. What is in them is read later.
    pub fn open(mut reader: R) -> Result<Self, Error> {
        let failed = |source| Error::Io {
            what: "its begin",
            source,
        };
        let len = reader.seek(SeekFrom::End(0)).map_err(failed)?;
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut magic = Vec::new();
        (&mut reader)
            .take(base::as_u64(MAGIC.len()))
            .read_to_end(&mut magic)
            .map_err(failed)?;
        if magic != MAGIC {
            let got = match magic.as_slice() {
                [] => "an empty file".to_owned(),
                begin => format!(
                    "a file that begins with {:?}",
                    begin.escape_ascii().to_string()
                ),
            };
            return Err(Error::NotDeb { got });
        }
        let mut members = Members {
            at: base::as_u64(MAGIC.len()),
            len,
            count: 0,
            reader,
        };
        members.version()?;
        let control = members.part(Part::Control)?;
        let data = members.part(Part::Data)?;
        Ok(Self {
            reader: members.reader,
            control,
            data,
        })
    }

    /// Reads what dpkg is to know of the package.
    pub fn control(&mut self) -> Result<Control, Error> {
        let mut data = self.part(self.control)?;
        let control = Control::read(&mut data)?;
        data.finish()?;
        Ok(control)
    }

    /// The archive of its files, unpacked as it is read.
    pub fn data(&mut self) -> Result<Data<'_, R>, Error> {
        self.part(self.data)
    }

    /// How the archive of its files is packed.
    pub fn packing(&self) -> Packing {
        self.data.packing
    }

    fn part(&mut self, place: Place) -> Result<Data<'_, R>, Error> {
        let Place {
            part,
            at,
            len,
            packing,
        } = place;
        let failed = |source| Error::Io {
            what: part.name(),
            source,
        };
        self.reader.seek(SeekFrom::Start(at)).map_err(failed)?;
        let unpacked = packing
            .unpack((&mut self.reader).take(len))
            .map_err(|source| Error::Unpack { part, source })?;
        Ok(Data { unpacked, part })
    }
}

/// An archive of a package as bytes of tar.
pub struct Data<'a, R: Read> {
    unpacked: Unpacked<Take<&'a mut R>>,
    part: Part,
}

impl<R: Read> Data<'_, R> {
    /// Reads to the end, so that the sums there are looked at, too.
    pub fn finish(&mut self) -> Result<(), Error> {
        io::copy(&mut self.unpacked, &mut io::sink())
            .map(drop)
            .map_err(|source| Error::Unpack {
                part: self.part,
                source,
            })
    }
}

impl<R: Read> std::fmt::Debug for Data<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Data").field("part", &self.part).finish()
    }
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.unpacked.read(buffer)
    }
}

/// The members one after another.
struct Members<R> {
    reader: R,
    /// Where the next header begins.
    at: u64,
    /// Where the file ends.
    len: u64,
    count: usize,
}

impl<R: Read + Seek> Members<R> {
    fn next(&mut self) -> Result<Option<Member>, Error> {
        self.count = self
            .count
            .checked_add(1)
            .filter(|count| *count <= MAX_MEMBERS)
            .ok_or(Error::Many(MAX_MEMBERS))?;
        let next = member(&mut self.reader, self.at, self.len)?;
        if let Some(member) = &next {
            self.at = member.next;
        }
        Ok(next)
    }

    /// Looks at the member that is the first of every package.
    fn version(&mut self) -> Result<(), Error> {
        let first = self.next()?;
        let Some(Member { at, len, .. }) =
            first.clone().filter(|first| first.name == "debian-binary")
        else {
            return Err(Error::NotDeb {
                got: first.map_or("an archive without members".to_owned(), |member| {
                    format!("an archive that begins with the member {}", member.name)
                }),
            });
        };
        let failed = |source| Error::Io {
            what: "debian-binary",
            source,
        };
        self.reader.seek(SeekFrom::Start(at)).map_err(failed)?;
        let mut bytes = Vec::new();
        (&mut self.reader)
            .take(len.min(MAX_VERSION))
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or(&bytes);
        let minor = line.strip_prefix(b"2.").unwrap_or_default();
        if minor.is_empty() || !minor.iter().all(u8::is_ascii_digit) {
            let got = line.escape_ascii().to_string();
            return Err(Error::Version { got });
        }
        Ok(())
    }

    /// The next member but for those of names that every reader passes over: it must be that one.
    fn part(&mut self, part: Part) -> Result<Place, Error> {
        loop {
            let Some(member) = self.next()? else {
                return Err(Error::Missing(part));
            };
            if member.name.starts_with('_') {
                continue;
            }
            let packing = member.name.strip_prefix(part.name()).and_then(Packing::of);
            let Some(packing) = packing else {
                return Err(Error::Unknown {
                    offset: member.offset,
                    got: member.name,
                    want: part,
                });
            };
            return Ok(Place {
                part,
                at: member.at,
                len: member.len,
                packing,
            });
        }
    }
}
