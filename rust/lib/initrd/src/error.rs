//! What can be wrong.

use std::io;

/// Why no initial RAM disk was made. Paths are those of the tree, without a slash in front.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line of a list of names that is no name.
    #[error("{origin} line {line}: got {got:?}, want one name of a module a line, as ext4, without folder and extension")]
    Name {
        /// The list.
        origin: String,
        /// From 1.
        line: u64,
        /// What stands there.
        got: String,
    },
    /// A module that the kernel has not.
    #[error(
        "{origin} line {line}: the kernel {release} has no module {name}, neither built in nor in modules.dep{hint}: correct the name, take \
         it out of the list, or install the package that has it"
    )]
    UnknownModule {
        /// The list.
        origin: String,
        /// From 1.
        line: u64,
        /// The kernel's release.
        release: String,
        /// What was asked for.
        name: String,
        /// What was probably meant, or nothing.
        hint: String,
    },
    /// A list of modules that is not whole.
    #[error("modules.dep of the kernel {release} says that {module} needs {missing}, but has no line of that: run depmod again")]
    NoLine {
        /// The kernel's release.
        release: String,
        /// A module of the list.
        module: String,
        /// The one that it needs.
        missing: String,
    },
    /// No kernel, or none of the release that was asked for.
    #[error("{folder} has no folder {wanted}, it has {have}: give the tree of a root file system with a kernel, or another release")]
    NoRelease {
        /// Where they are.
        folder: &'static str,
        /// What was wanted.
        wanted: String,
        /// What is there.
        have: String,
    },
    /// Kernels to choose from.
    #[error("{folder} has several folders, {have}: say which kernel's release it is for")]
    Releases {
        /// Where they are.
        folder: &'static str,
        /// What is there.
        have: String,
    },
    /// A file that must be there.
    #[error("the tree has no file {path}, {why}")]
    Missing {
        /// Its path.
        path: String,
        /// Who wants it, and what to do.
        why: &'static str,
    },
    /// A file that is longer than a reader should hold.
    #[error("{path} has {len} bytes, want {most} at most")]
    TooLong {
        /// Its path.
        path: String,
        /// Its length; of a packed one as far as it was unpacked.
        len: u64,
        /// The most that is read.
        most: u64,
    },
    /// All files together are more than an initial RAM disk should be.
    #[error("modules and firmware are more than {most} bytes when they are unpacked (at {path}): ask for fewer modules")]
    TooMuch {
        /// The file that was too much.
        path: String,
        /// The most.
        most: u64,
    },
    /// A module packed in a way that is not known.
    #[error("{path}: want a module that ends in .ko, .ko.xz or .ko.zst")]
    Packing {
        /// Its path.
        path: String,
    },
    /// A packed file that is none.
    #[error("cannot unpack {path}")]
    Unpack {
        /// Its path.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A file that is not text.
    #[error("{path} is not UTF-8 at byte {at}, want text")]
    Text {
        /// Its path.
        path: String,
        /// Where.
        at: usize,
    },
    /// A line of a file of the tree.
    #[error("{path} line {line}: {reason}")]
    Line {
        /// Its path.
        path: String,
        /// From 1.
        line: u64,
        /// What came and what was wanted.
        reason: String,
    },
    /// A module that cannot be read.
    #[error("{path} is no module that can be read")]
    Module {
        /// Its path.
        path: String,
        /// The cause.
        source: Box<elf::Error>,
    },
    /// A module without a description of itself.
    #[error("{path} has no section .modinfo, want a module of the kernel")]
    NoModinfo {
        /// Its path.
        path: String,
    },
    /// A program that cannot be read.
    #[error("the program for /init cannot be read")]
    Init(#[source] Box<elf::Error>),
    /// A program that does not start there.
    #[error("the program for /init wants {wants}, which the initrd has not: link it statically")]
    Dynamic {
        /// A loader or a library.
        wants: String,
    },
    /// No microcode where some is wanted.
    #[error(
        "microcode is asked for, but the tree has neither {amd}/*.bin nor a file in {intel}: install a package that has some, or ask for none"
    )]
    NoMicrocode {
        /// AMD's folder.
        amd: &'static str,
        /// Intel's folder.
        intel: &'static str,
    },
    /// A name that an archive cannot have.
    #[error("an archive cannot have {name:?}: it {reason}")]
    EntryName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two entries of one name.
    #[error("an archive gets {0:?} twice: every path may be there once")]
    Twice(String),
    /// Numbers that don't fit into a header's eight digits.
    #[error("{what} of {name:?} is {got}, want {most} at most", most = u32::MAX)]
    Number {
        /// Which.
        what: &'static str,
        /// The entry.
        name: String,
        /// The number.
        got: u64,
    },
    /// The compressor did not do it.
    #[error("cannot pack the archive")]
    Pack(#[source] io::Error),
    /// The tree, or a file of it.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// Reading failed, or a plan could not be made.
    #[error(transparent)]
    Plan(#[from] plan::Error),
}
