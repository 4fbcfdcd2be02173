//! One ELF file, as the dynamic loader sees it.

use std::fmt;

use base::{as_u64, as_usize};
use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::FileKind;
use object::Endianness;

use crate::error::Error;
use crate::versions::{self, Wanted};

/// Whether `bytes`, the first of a file, are those of an ELF file.
pub fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(&elf::ELFMAG)
}

/// What a processor must be to run a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// `e_machine`.
    pub number: u16,
    /// 32 or 64.
    pub bits: u8,
    /// Whether the low byte comes first.
    pub little_endian: bool,
}

impl Machine {
    /// The word for such a machine in the names of Debian's folders of libraries, if it is one of those that images are made for.
    pub(crate) fn folder(self) -> Option<&'static str> {
        match (self.number, self.bits, self.little_endian) {
            (elf::EM_X86_64, 64, true) => Some("x86_64-linux-gnu"),
            (elf::EM_386, 32, true) => Some("i386-linux-gnu"),
            (elf::EM_AARCH64, 64, true) => Some("aarch64-linux-gnu"),
            _ => None,
        }
    }

    /// Whether a machine of this kind runs programs of `other` without a loader's help.
    pub(crate) fn runs(self, other: Self) -> bool {
        let old = self.number == elf::EM_X86_64 && other.number == elf::EM_386;
        self == other || old
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            elf::EM_X86_64 => f.write_str("x86-64")?,
            elf::EM_386 => f.write_str("i386")?,
            elf::EM_AARCH64 => f.write_str("aarch64")?,
            elf::EM_ARM => f.write_str("arm")?,
            elf::EM_RISCV => f.write_str("riscv")?,
            elf::EM_PPC64 => f.write_str("ppc64")?,
            elf::EM_S390 => f.write_str("s390")?,
            number => write!(f, "machine {number}")?,
        }
        let order = if self.little_endian { "little" } else { "big" };
        write!(f, " ({} bits, {order}-endian)", self.bits)
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A program at a fixed address.
    Program,
    /// A library, or a program that may lie anywhere.
    Shared,
    /// Nothing that a loader starts: an object of a compiler, a module of a kernel, a dump.
    Other(u16),
}

/// What the loader reads of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What runs it.
    pub machine: Machine,
    /// What it is for.
    pub kind: Type,
    /// The loader that it names.
    pub interpreter: Option<Vec<u8>>,
    /// What it is called as a library.
    pub soname: Option<Vec<u8>>,
    /// The libraries that it needs, in order.
    pub needed: Vec<Vec<u8>>,
    /// Where to look for them, also for libraries of libraries.
    pub rpath: Option<Vec<u8>>,
    /// Where to look for them; then `rpath` does not count.
    pub runpath: Option<Vec<u8>>,
    /// That the usual folders and the cache are not for it (`DF_1_NODEFLIB`).
    pub no_default: bool,
    /// The versions that it wants of libraries.
    pub wants: Vec<Wanted>,
    /// The versions that it has, itself as a library; `None`: it knows of no versions.
    pub has: Option<Vec<Vec<u8>>>,
}

impl Program {
    /// Reads `bytes`, all of a file.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        match FileKind::parse(bytes)? {
            FileKind::Elf32 => of::<elf::FileHeader32<Endianness>>(bytes),
            // Whatever it says to be, it begins as an ELF file does, or `object` will say that it does not.
            _ => of::<elf::FileHeader64<Endianness>>(bytes),
        }
    }

    /// Whether it needs nothing of the image that it runs in: no loader and no library.
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }
}

/// Parts of a file by the addresses that they will have.
pub(crate) struct Segments<'a> {
    bytes: &'a [u8],
    /// Address, length in the file, position in the file.
    loads: Vec<(u64, u64, u64)>,
}

impl<'a> Segments<'a> {
    /// What lies from `address` on, up to the end of its segment.
    pub(crate) fn from(&self, what: &'static str, address: u64) -> Result<&'a [u8], Error> {
        let find = |(start, len, at): &(u64, u64, u64)| {
            let within = address.checked_sub(*start)?;
            let rest = len.checked_sub(within).filter(|rest| *rest > 0)?;
            let from = at.checked_add(within)?;
            let bytes = self.bytes.get(as_usize(from)..)?;
            bytes.get(..as_usize(rest))
        };
        let found = self.loads.iter().find_map(find);
        found.ok_or(Error::Address { what, address })
    }
}

/// The entries of a dynamic section that are used here.
#[derive(Default)]
struct Dynamic {
    strings: Option<(u64, u64)>,
    needed: Vec<u64>,
    soname: Option<u64>,
    rpath: Option<u64>,
    runpath: Option<u64>,
    flags: u64,
    wanted: Option<u64>,
    had: Option<u64>,
}

impl Dynamic {
    fn of<D: Dyn<Endian = Endianness>>(entries: &[D], endian: Endianness) -> Self {
        let mut found = Self::default();
        let (mut start, mut len) = (None, None);
        for entry in entries {
            let value: u64 = entry.d_val(endian).into();
            match entry.tag32(endian) {
                Some(elf::DT_NULL) => break,
                Some(elf::DT_NEEDED) => found.needed.push(value),
                Some(elf::DT_SONAME) => found.soname = Some(value),
                Some(elf::DT_RPATH) => found.rpath = Some(value),
                Some(elf::DT_RUNPATH) => found.runpath = Some(value),
                Some(elf::DT_FLAGS_1) => found.flags = value,
                Some(elf::DT_VERNEED) => found.wanted = Some(value),
                Some(elf::DT_VERDEF) => found.had = Some(value),
                Some(elf::DT_STRTAB) => start = Some(value),
                Some(elf::DT_STRSZ) => len = Some(value),
                _ => {}
            }
        }
        found.strings = start.zip(len);
        found
    }
}

/// Reads a file of one class.
fn of<E: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Program, Error> {
    let header = E::parse(bytes)?;
    let endian = header.endian()?;
    let mut program = Program {
        machine: Machine {
            number: header.e_machine(endian),
            bits: if header.is_class_64() { 64 } else { 32 },
            little_endian: header.is_little_endian(),
        },
        kind: match header.e_type(endian) {
            elf::ET_EXEC => Type::Program,
            elf::ET_DYN => Type::Shared,
            other => Type::Other(other),
        },
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        rpath: None,
        runpath: None,
        no_default: false,
        wants: Vec::new(),
        has: None,
    };
    let mut dynamic = Dynamic::default();
    let mut segments = Segments {
        bytes,
        loads: Vec::new(),
    };
    for segment in header.program_headers(endian, bytes)? {
        if let Some(name) = segment.interpreter(endian, bytes)? {
            program.interpreter = Some(name.to_vec());
        }
        if let Some(entries) = segment.dynamic(endian, bytes)? {
            dynamic = Dynamic::of(entries, endian);
        }
        if segment.p_type(endian) == elf::PT_LOAD {
            let (at, len) = segment.file_range(endian);
            segments
                .loads
                .push((segment.p_vaddr(endian).into(), len, at));
        }
    }
    fill(&mut program, &dynamic, &segments, endian)?;
    if !program.wants.is_empty() {
        // Names of symbols are for messages: a file without sections has none.
        let _ = versions::name_symbols::<E>(bytes, &mut program.wants);
    }
    Ok(program)
}

/// Adds what the dynamic section says.
fn fill(
    program: &mut Program,
    dynamic: &Dynamic,
    segments: &Segments<'_>,
    endian: Endianness,
) -> Result<(), Error> {
    let strings = match dynamic.strings {
        None => &[][..],
        Some((start, len)) => {
            let rest = segments.from("the table of names", start)?;
            rest.get(..as_usize(len)).ok_or(Error::Beyond {
                what: "the table of names",
                at: len,
                have: as_u64(rest.len()),
            })?
        }
    };
    let name = |at: u64| text(strings, at);
    program.needed = dynamic
        .needed
        .iter()
        .map(|at| name(*at))
        .collect::<Result<_, _>>()?;
    program.soname = dynamic.soname.map(name).transpose()?;
    let folders = |at: u64| bounded(strings, at, LONGEST_PATH);
    program.rpath = dynamic.rpath.map(folders).transpose()?;
    program.runpath = dynamic.runpath.map(folders).transpose()?;
    program.no_default = dynamic.flags & u64::from(elf::DF_1_NODEFLIB) != 0;
    if let Some(address) = dynamic.wanted {
        let list = segments.from(versions::WANTED, address)?;
        program.wants = versions::wanted(list, strings, endian)?;
    }
    if let Some(address) = dynamic.had {
        let list = segments.from(versions::HAD, address)?;
        program.has = Some(versions::had(list, strings, endian)?);
    }
    Ok(())
}

/// Names are file names and versions: entries that share a longer one are made to fill the memory.
const LONGEST_NAME: usize = 1024;
/// A list of folders has some names.
const LONGEST_PATH: usize = 64 << 10;

/// The name at `at` of a table, up to a NUL byte.
pub(crate) fn text(strings: &[u8], at: u64) -> Result<Vec<u8>, Error> {
    bounded(strings, at, LONGEST_NAME)
}

fn bounded(strings: &[u8], at: u64, longest: usize) -> Result<Vec<u8>, Error> {
    let rest = strings.get(as_usize(at)..).ok_or(Error::Beyond {
        what: "a name",
        at,
        have: as_u64(strings.len()),
    })?;
    let len = rest.iter().take(longest).position(|byte| *byte == 0);
    let name = len.and_then(|len| rest.get(..len));
    name.map(<[u8]>::to_vec).ok_or(Error::Name { at, longest })
}
