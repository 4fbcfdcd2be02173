//! What can be wrong with a file.

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Headers or tables that make no sense.
    #[error("no ELF file that can be read: {0}")]
    Object(#[from] object::read::Error),
    /// An address of no segment with bytes in the file.
    #[error("no ELF file that can be read: {what} is at address {address:#x}, where no segment has bytes")]
    Address {
        /// What should be there.
        what: &'static str,
        /// Where.
        address: u64,
    },
    /// An entry beyond the end of what it is in.
    #[error("no ELF file that can be read: {what} at byte {at} reaches beyond its {have} bytes")]
    Beyond {
        /// Of which list.
        what: &'static str,
        /// Where in it.
        at: u64,
        /// How many bytes there are.
        have: u64,
    },
    /// A name without an end.
    #[error(
        "no ELF file that can be read: the name at byte {at} does not end within {longest} bytes"
    )]
    Name {
        /// Where in the table of names.
        at: u64,
        /// How long a name may be.
        longest: usize,
    },
    /// A list of more entries than fit into its bytes: it comes back to itself.
    #[error("no ELF file that can be read: {what} has more entries than bytes for them")]
    Endless {
        /// Which list.
        what: &'static str,
    },
    /// A cache of libraries in a form that is not read.
    #[error(
        "/etc/ld.so.cache is of no form that is read here (want glibc-ld.so.cache1.1, which ldconfig writes since glibc 2.2)"
    )]
    CacheForm,
    /// A file of the tree could not be read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}
