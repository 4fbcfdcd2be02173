//! Log lines: one JSON object a line on stdout, which systemd hands to the journal.
//!
//! `{"timestamp":"…","level":"INFO","message":"…",…fields…,"target":"replica"}`

use std::fmt;

use tracing_subscriber::filter::LevelFilter;

/// Least severe level that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(LevelFilter);

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Level {
    /// Reads `error`, `warn`, `info`, `debug` or `trace`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "error" => Ok(Self(LevelFilter::ERROR)),
            "warn" => Ok(Self(LevelFilter::WARN)),
            "info" => Ok(Self(LevelFilter::INFO)),
            "debug" => Ok(Self(LevelFilter::DEBUG)),
            "trace" => Ok(Self(LevelFilter::TRACE)),
            _ => Err("want error, warn, info, debug or trace".to_owned()),
        }
    }
}

/// Sends everything from `level` up to stdout; a second call changes nothing.
pub fn init(level: Level) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level.0)
        .finish();
    // Fails only when a subscriber is set already, and that one will do.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
