//! What can be wrong.

/// Why an image was refused or not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not a PE32+ image, or one whose numbers don't fit together.
    #[error("no EFI program (PE32+): at byte {at}: {reason}")]
    Malformed {
        /// Where.
        at: u64,
        /// What came and what was wanted.
        reason: String,
    },
    /// Sections that overlap or leave a gap.
    #[error(
        "section {section} has its bytes at {got}, want {want}: an image with gaps or overlaps can't be signed"
    )]
    Loose {
        /// Its name.
        section: String,
        /// Where it starts.
        got: u64,
        /// Where what comes before it ends.
        want: u64,
    },
    /// A certificate table where none may be.
    #[error(
        "the image is signed already ({len} bytes of certificates): take an unsigned one, or remove the signature with `sbattach --remove`"
    )]
    Signed {
        /// Length of the table.
        len: u32,
    },
    /// No certificate table where one is wanted.
    #[error("the image is not signed: take the signed one")]
    Unsigned,
    /// More section headers than there is room for.
    #[error(
        "{sections} sections need {want} bytes of headers, the stub has room for {have}: fewer profiles, or another stub"
    )]
    NoHeaderRoom {
        /// Old and new ones.
        sections: usize,
        /// What they take.
        want: u64,
        /// `SizeOfHeaders`.
        have: u64,
    },
    /// A section or an image beyond 32 bits.
    #[error("{what} of {len} bytes is too long: PE images end before 4 GiB")]
    TooLong {
        /// What.
        what: String,
        /// How long it is.
        len: u64,
    },
    /// A text that must say something.
    #[error("{what} is empty: {why}")]
    Empty {
        /// Which.
        what: String,
        /// What would follow from that.
        why: &'static str,
    },
    /// A text with characters that it can't have.
    #[error("{what} has {got:?} at byte {at}, want printable characters on one line")]
    Text {
        /// Which.
        what: String,
        /// The character.
        got: char,
        /// Its place.
        at: usize,
    },
    /// An SBAT table that is none.
    #[error("SBAT of {of}, line {line}: {reason}")]
    Sbat {
        /// Of what.
        of: String,
        /// From 1.
        line: usize,
        /// What came and what was wanted.
        reason: String,
    },
    /// The merged SBAT table is longer than the stub's section.
    #[error("the SBAT table has {len} bytes, the stub's section has room for {room}: shorten the lines given")]
    SbatRoom {
        /// With the stub's and the kernel's lines.
        len: u64,
        /// `SizeOfRawData`.
        room: u32,
    },
    /// A kernel that does not say which one it is.
    #[error("the kernel does not say its release ({reason}): give it")]
    NoRelease {
        /// Why not.
        reason: &'static str,
    },
    /// Reading failed, or a plan could not be made.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}

impl Error {
    pub(crate) fn at(at: u64, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Malformed { at, reason }
    }
}
