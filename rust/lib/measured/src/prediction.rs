//! What is predicted of an image, as a document: `docs/formats/measured.md`.

use std::collections::BTreeMap;

use base::Sha256Digest;
use plan::{ReadAt, Reader};
use serde::{Deserialize, Serialize};

use crate::{loaded, parameters, profiles, secure_boot, Enrolled, Error, Pcr};

/// The version of the document.
const FORMAT: u32 = 1;
const BANK: &str = "sha256";

/// What the registers will hold, for each profile of a kernel image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    // Fields in the order of the alphabet, here and below: the order they are written in.
    bank: String,
    format: u32,
    profiles: Vec<Started>,
}

/// What they will hold when the kernel image is started with one profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Started {
    /// The profile's `ID=`; None of a kernel image without profiles, and of a profile that does not say it.
    pub id: Option<String>,
    /// Its number, `@N`.
    pub number: usize,
    /// The registers by their numbers.
    pub pcrs: BTreeMap<u8, Pcr>,
}

impl Prediction {
    /// Predicts them. `loaders` are the Authenticode digests of what firmware loads before `kernel`, in this order.
    pub fn of<R: ReadAt>(
        loaders: &[Sha256Digest],
        kernel: &Reader<R>,
        keys: &Enrolled<'_>,
    ) -> Result<Self, Error> {
        let firmware = Pcr::from(loaded(loaders, &crate::authenticode(kernel)?));
        let secure_boot = Pcr::from(secure_boot(keys)?);
        let profiles = (0..).zip(profiles(kernel)?);
        let started = profiles.map(|(number, profile)| Started {
            id: profile.id,
            number,
            pcrs: BTreeMap::from([
                (4, firmware.clone()),
                (7, secure_boot.clone()),
                (11, Pcr::from(profile.events)),
                (12, Pcr::from(parameters(number))),
            ]),
        });
        Ok(Self {
            bank: BANK.to_owned(),
            format: FORMAT,
            profiles: started.collect(),
        })
    }

    /// Of each profile, `@0` first.
    pub fn profiles(&self) -> &[Started] {
        &self.profiles
    }

    /// The document.
    pub fn to_json(&self) -> Result<String, Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads a document.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let read: Self = serde_json::from_str(text)?;
        if (read.format, read.bank.as_str()) != (FORMAT, BANK) {
            let Self { format, bank, .. } = read;
            return Err(Error::Format { format, bank });
        }
        for (number, pcr) in read.profiles.iter().flat_map(|started| &started.pcrs) {
            pcr.check(*number)?;
        }
        Ok(read)
    }
}
