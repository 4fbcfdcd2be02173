//! What can be wrong with dpkg's files.

/// Why the packages of an image are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no text.
    #[error("dpkg's status file, line {line}: got bytes that are not UTF-8")]
    NotText {
        /// Line, from 1.
        line: usize,
    },
    /// Lines that are neither fields nor go on with one.
    #[error("dpkg's status file: got {got}, want lines `Field: value`")]
    NotFields {
        /// What the parser said.
        got: String,
    },
    /// A paragraph of no package.
    #[error("dpkg's status file: paragraph {paragraph} has no Package")]
    NoName {
        /// Which, from 1.
        paragraph: usize,
    },
    /// A package without what dpkg always writes.
    #[error("dpkg's status of the package {package} has no {field}")]
    NoField {
        /// Which.
        package: String,
        /// What it lacks.
        field: &'static str,
    },
    /// A field that says something else than its form.
    #[error("dpkg's status of the package {package}: got {field} {got:?}, want {want}")]
    BadField {
        /// Which.
        package: String,
        /// The field.
        field: &'static str,
        /// What it says.
        got: String,
        /// What it may say.
        want: &'static str,
    },
    /// The same package twice.
    #[error("dpkg's status file has the package {package} of the architecture {architecture} twice, want once")]
    Twice {
        /// Which.
        package: String,
        /// Its architecture.
        architecture: String,
    },
}
