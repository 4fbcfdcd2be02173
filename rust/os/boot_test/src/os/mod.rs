//! The systems that are booted: what differs between them, as data. Another one is another file here or, if data is enough, a description
//! that it brings along ([`described`]).

mod described;
pub(crate) mod guestos;
mod hostos;
mod setupos;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::Result;
use vm::{Shell, Vm};

use crate::checks::Check;
use crate::report::Report;
use crate::Setting;

/// A system.
pub(crate) struct Os {
    name: &'static str,
    /// Memory of its machine.
    pub(crate) memory_mib: u32,
    /// Room behind the image on the machine's disk.
    pub(crate) room_mib: u64,
    /// The partition with its root file system.
    pub(crate) root: &'static str,
    /// What its boot loader says.
    pub(crate) loader: Option<&'static str>,
    /// What is on the console after that, in this order, before anybody can log in.
    pub(crate) shows: &'static [&'static str],
    /// Ports beside ssh that are looked at from outside.
    pub(crate) ports: &'static [u16],
    /// Whether production images take a CONFIG medium and let its keys in; else there is no way in at all.
    pub(crate) takes_keys: bool,
    /// Whether it writes to no drive: there is an empty one beside its own.
    pub(crate) only_looks: bool,
    /// What must hold inside, beside what holds in all.
    pub(crate) checks: &'static [&'static [Check]],
    /// More that must hold inside.
    pub(crate) inside: fn(&Shell<'_>, &Setting, &mut Report),
    /// What it shows on the console before anybody can log in.
    pub(crate) screen: fn(&Vm, &Setting, &mut Report) -> Result<()>,
    /// What it says to the world.
    pub(crate) outside: fn(&Vm, &Setting, &mut Report) -> Result<()>,
    /// The last thing done in development images: it may change what was looked at before.
    pub(crate) change: fn(&Shell<'_>, &Setting, &mut Report),
}

const ALL: [&Os; 3] = [&guestos::OS, &hostos::OS, &setupos::OS];

impl fmt::Debug for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Which system, by its name or its description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name(pub(crate) &'static Os);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.ends_with(".json") {
            let os = described::read(Path::new(text)).map_err(|error| format!("{error:#}"))?;
            return Ok(Self(os));
        }
        let found = ALL.into_iter().find(|os| os.name == text);
        found.map(Self).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|os| os.name).collect();
            format!(
                "system `{text}` is none of {}, and no description, NAME.json",
                names.join(", ")
            )
        })
    }
}

fn nothing_inside(_: &Shell<'_>, _: &Setting, _: &mut Report) {}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it stands for functions that can fail"
)]
fn nothing(_: &Vm, _: &Setting, _: &mut Report) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_found_by_name() {
        let Name(os) = "hostos".parse().unwrap();
        assert_eq!(format!("{os:?}"), "hostos");
        let error = "windows".parse::<Name>().unwrap_err();
        assert_eq!(
            error,
            "system `windows` is none of guestos, hostos, setupos, and no description, NAME.json"
        );
    }
}
