//! A measurement, and a register that several of them have made.

use base::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::{Error, Register};

/// What stands between what firmware says of itself and what it starts.
const SEPARATOR: [u8; 4] = [0; 4];

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    // Fields in the order of the alphabet: the order they are written in.
    /// What the register was extended with.
    pub digest: Sha256Digest,
    /// What that is the digest of, for people.
    pub what: String,
}

impl Event {
    /// A measurement of something with this digest.
    pub fn new(what: impl Into<String>, digest: Sha256Digest) -> Self {
        let what = what.into();
        Self { digest, what }
    }

    /// A measurement of bytes.
    pub(crate) fn of(what: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(what, Sha256Digest::of(bytes))
    }

    pub(crate) fn separator() -> Self {
        Self::of("a separator", &SEPARATOR)
    }
}

/// A register and what was measured into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pcr {
    events: Vec<Event>,
    value: Register,
}

impl From<Vec<Event>> for Pcr {
    fn from(events: Vec<Event>) -> Self {
        let digests = events.iter().map(|event| &event.digest);
        let value = digests.fold(Register::default(), Register::extend);
        Self { events, value }
    }
}

impl Pcr {
    /// In their order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the register holds after them.
    pub fn value(&self) -> Register {
        self.value
    }

    /// Refuses a value that does not follow from the events; `number` is the register's.
    pub(crate) fn check(&self, number: u8) -> Result<(), Error> {
        let (got, want) = (self.value, Self::from(self.events.clone()).value);
        if got != want {
            return Err(Error::Value { number, got, want });
        }
        Ok(())
    }
}
