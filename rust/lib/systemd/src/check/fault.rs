//! What can be wrong with a unit or preset file.

/// Something that systemd would pass over with a line in the journal, if with any, while the unit does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A line that cannot be what it is meant to be.
    #[error("'/{path}' line {line}: {reason}")]
    Line {
        /// The file.
        path: String,
        /// Line number from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A service that starts nothing.
    #[error("'/{path}': no ExecStart= in it or in its drop-ins; only one of Type=oneshot with ExecStop= and RemainAfterExit=yes may lack it")]
    NoCommand {
        /// The file.
        path: String,
    },
    /// A unit that no preset names and nothing in the tree starts.
    #[error(
        "'/{path}': nothing starts {unit}: name it in a preset file, 'enable {unit}', or 'disable {unit}' if a program starts it"
    )]
    Unstarted {
        /// The file.
        path: String,
        /// The unit.
        unit: String,
    },
}
