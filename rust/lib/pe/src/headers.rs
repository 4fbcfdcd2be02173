//! The structures as they stand in a file, fields named as the specification has them.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// "File Header (COFF)", with the signature before it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileHeader {
    pub(crate) signature: [u8; 4],
    pub(crate) machine: U16,
    pub(crate) number_of_sections: U16,
    pub(crate) time_date_stamp: U32,
    pub(crate) pointer_to_symbol_table: U32,
    pub(crate) number_of_symbols: U32,
    pub(crate) size_of_optional_header: U16,
    pub(crate) characteristics: U16,
}

/// "Optional Header", standard and Windows-specific fields of PE32+, without the directories.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct OptionalHeader {
    pub(crate) magic: U16,
    pub(crate) linker_version: [u8; 2],
    pub(crate) size_of_code: U32,
    pub(crate) size_of_initialized_data: U32,
    pub(crate) size_of_uninitialized_data: U32,
    pub(crate) address_of_entry_point: U32,
    pub(crate) base_of_code: U32,
    pub(crate) image_base: U64,
    pub(crate) section_alignment: U32,
    pub(crate) file_alignment: U32,
    pub(crate) versions: [U16; 6],
    pub(crate) win32_version_value: U32,
    pub(crate) size_of_image: U32,
    pub(crate) size_of_headers: U32,
    pub(crate) check_sum: U32,
    pub(crate) subsystem: U16,
    pub(crate) dll_characteristics: U16,
    pub(crate) stack_and_heap: [U64; 4],
    pub(crate) loader_flags: U32,
    pub(crate) number_of_rva_and_sizes: U32,
}

/// "Optional Header Data Directories", one of them. That of certificates has an offset in the file in `virtual_address`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Directory {
    pub(crate) virtual_address: U32,
    pub(crate) size: U32,
}

/// "Section Table (Section Headers)", one of them.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct SectionHeader {
    pub(crate) name: [u8; 8],
    pub(crate) virtual_size: U32,
    pub(crate) virtual_address: U32,
    pub(crate) size_of_raw_data: U32,
    pub(crate) pointer_to_raw_data: U32,
    pub(crate) pointer_to_relocations: U32,
    pub(crate) pointer_to_line_numbers: U32,
    pub(crate) number_of_relocations: U16,
    pub(crate) number_of_line_numbers: U16,
    pub(crate) characteristics: U32,
}

pub(crate) const FILE_HEADER: usize = size_of::<FileHeader>();
pub(crate) const OPTIONAL_HEADER: usize = size_of::<OptionalHeader>();
pub(crate) const DIRECTORY: usize = size_of::<Directory>();
pub(crate) const SECTION_HEADER: usize = size_of::<SectionHeader>();
const _: () = assert!(FILE_HEADER == 24);
const _: () = assert!(OPTIONAL_HEADER == 112);
const _: () = assert!(DIRECTORY == 8);
const _: () = assert!(SECTION_HEADER == 40);

/// Where in the optional header the checksum stands.
pub(crate) const CHECK_SUM: usize = std::mem::offset_of!(OptionalHeader, check_sum);
const _: () = assert!(CHECK_SUM == 64);

/// The directory of the certificate table ("Attribute Certificate Table").
pub(crate) const CERTIFICATES: usize = 4;

/// Magic of PE32+.
pub(crate) const PE32_PLUS: u16 = 0x20b;
/// `IMAGE_DLLCHARACTERISTICS_NX_COMPAT`.
pub(crate) const NX_COMPAT: u16 = 0x100;
/// `IMAGE_SCN_CNT_CODE`.
pub(crate) const CODE: u32 = 0x20;
/// `IMAGE_SCN_CNT_INITIALIZED_DATA`.
pub(crate) const DATA: u32 = 0x40;
/// `IMAGE_SCN_MEM_READ`.
pub(crate) const READ: u32 = 0x4000_0000;
