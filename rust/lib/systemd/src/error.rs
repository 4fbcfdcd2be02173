//! What stops the whole run, and what is wrong with one unit.

/// The run cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A unit or drop-in file that systemctl refuses as a whole.
    #[error("'/{path}' line {line}: {reason}")]
    Unit {
        /// The file.
        path: String,
        /// Line number from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A link that would be another name of a unit whose type takes none.
    #[error("'{link}' is a link to '/{target}', but units of that type have one name only")]
    AliasLink {
        /// Name of the link.
        link: String,
        /// Where it leads.
        target: String,
    },
    /// An instance that a preset names is a link to nothing or to another unit.
    #[error("a preset enables '{unit}', which is a link that leads to nothing or to another unit")]
    ListedLink {
        /// The instance.
        unit: String,
    },
    /// A directory where a unit is looked for.
    #[error("'/{path}' is a directory, want a unit file")]
    UnitDirectory {
        /// The path.
        path: String,
    },
    /// A preset file that is none.
    #[error("'/{path}' is a {kind}, want a preset file")]
    PresetFile {
        /// The path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// The tree could not be read or changed.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}

/// Something wrong with one unit, with which systemctl would end in failure after doing all the rest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// An alias that the unit's name does not allow.
    #[error("{unit}: cannot be known as '{alias}'")]
    Alias {
        /// The unit.
        unit: String,
        /// The alias wanted.
        alias: String,
    },
    /// A specifier that does not exist, or has no value for an image.
    #[error("{unit}: '%{specifier}' in '{text}' {reason}")]
    Specifier {
        /// The unit.
        unit: String,
        /// The text.
        text: String,
        /// The letter.
        specifier: char,
        /// Why it has no value.
        reason: &'static str,
    },
    /// `Also=` names a link that leads to no unit.
    #[error("{unit}: is wanted by another name, but there is no such unit")]
    Missing {
        /// The unit that the link names.
        unit: String,
    },
    /// The default instance of a template is a link that is none of a unit.
    #[error(
        "{unit}: its default instance '{instance}' is a link to itself or to no unit of its type"
    )]
    Instance {
        /// The template.
        unit: String,
        /// The instance.
        instance: String,
    },
    /// Something else is where a link should be.
    #[error("{unit}: '/{path}' is wanted as a link, but there is {holder}")]
    Occupied {
        /// The unit.
        unit: String,
        /// Where the link should be.
        path: String,
        /// What is there.
        holder: String,
    },
}
