//! What a kind of machine must have: `node-types.json`, data of the image.
//!
//! ```json
//! {
//!   "format": 1,
//!   "types": {
//!     "default": {
//!       "drive_gib": 100, "memory_mib": 15000, "network": true, "sockets": 1, "threads": 8, "uefi": true, "virtualisation": true
//!     }
//!   }
//! }
//! ```
//!
//! | key              | what the machine must have                                                                       |
//! |------------------|--------------------------------------------------------------------------------------------------|
//! | `drive_gib`      | GiB of the drive that is installed to, at least                                                   |
//! | `memory_mib`     | MiB of memory, at least, as the kernel counts: some hundred less than are plugged in              |
//! | `network`        | whether a network card must have a link and an address, and gateways and name servers must answer |
//! | `sockets`        | processors that are plugged in, at least                                                          |
//! | `threads`        | threads of all processors together, at least                                                      |
//! | `uefi`           | whether the machine must have been started by UEFI                                                |
//! | `virtualisation` | whether the processor must run virtual machines and the kernel have `/dev/kvm`                     |
//!
//! All keys are there, always, and no other. What is not required is remarked all the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::facts::Machine;
use crate::system::System;

const FORMAT: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    types: BTreeMap<String, Requires>,
}

/// What a kind of machine must have.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requires {
    pub(crate) drive_gib: u64,
    pub(crate) memory_mib: u64,
    pub(crate) network: bool,
    pub(crate) sockets: u64,
    pub(crate) threads: u64,
    pub(crate) uefi: bool,
    pub(crate) virtualisation: bool,
}

/// What `node_type` must have, by the file at `path`.
pub(crate) fn read(path: &Path, node_type: &str) -> Result<Requires, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let document: Document =
        serde_json::from_slice(&text).map_err(|error| format!("{shown}: {error}"))?;
    if document.format != FORMAT {
        let got = document.format;
        return Err(format!(
            "{shown}: format {got}, this program knows {FORMAT}"
        ));
    }
    document.types.get(node_type).cloned().ok_or_else(|| {
        let known: Vec<&str> = document.types.keys().map(String::as_str).collect();
        let known = known.join(", ");
        format!("node_type={node_type}: no such type of machine, want one of {known}")
    })
}

/// What the machine lacks: problems, and remarks about what this type does not require.
pub(crate) fn check(
    requires: &Requires,
    machine: &Machine,
    system: &System,
) -> (Vec<String>, Vec<String>) {
    let mut problems = Vec::new();
    let mut notes = Vec::new();
    let mut least = |what: &str, got: Option<u64>, want: u64| match got {
        Some(got) if got >= want => {}
        Some(got) => problems.push(format!("{what}: {got}, want at least {want}")),
        // Nothing is required of what the kernel does not say.
        None if want > 1 => problems.push(format!("{what}: unknown, want at least {want}")),
        None => {}
    };
    let mib = machine.memory.map(|bytes| bytes >> 20);
    least("memory in MiB", mib, requires.memory_mib);
    least("processors (sockets)", machine.sockets, requires.sockets);
    least("threads of processors", machine.cpus, requires.threads);
    let mut must = |required: bool, there: bool, text: &str| match (required, there) {
        (_, true) => {}
        (true, false) => problems.push(text.to_owned()),
        (false, false) => notes.push(text.to_owned()),
    };
    must(
        requires.virtualisation,
        machine.virtualization.is_some() && system.exists("/dev/kvm"),
        "virtualisation: the processor has none, or it is switched off in the firmware's settings; GuestOS needs it",
    );
    must(
        requires.uefi,
        machine.uefi,
        "started by BIOS, want UEFI: change the firmware's settings",
    );
    (problems, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"format": 1, "types": {"big": {"drive_gib": 1, "memory_mib": 4096, "network": true, "sockets": 2,
        "threads": 8, "uefi": true, "virtualisation": true}, "small": {"drive_gib": 0, "memory_mib": 0, "network": false,
        "sockets": 1, "threads": 1, "uefi": false, "virtualisation": false}}}"#;

    #[test]
    fn all_that_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("types");
        std::fs::write(&path, GOOD).unwrap();
        let system = System::new(Some(dir.path().to_owned()));
        let machine = Machine {
            memory: Some((4096 << 20) - 1),
            sockets: Some(1),
            cpus: Some(7),
            virtualization: Some("AMD-V"),
            ..Machine::default()
        };
        let big = read(&path, "big").unwrap();
        let (problems, notes) = check(&big, &machine, &system);
        assert_eq!(notes, Vec::<String>::new());
        assert_eq!(problems.len(), 5);
        assert_eq!(problems[0], "memory in MiB: 4095, want at least 4096");
        assert_eq!(problems[1], "processors (sockets): 1, want at least 2");
        assert_eq!(problems[2], "threads of processors: 7, want at least 8");
        assert!(problems[3].starts_with("virtualisation: "));
        assert!(problems[4].starts_with("started by BIOS"));
        let small = read(&path, "small").unwrap();
        let (problems, notes) = check(&small, &machine, &system);
        assert_eq!((problems.len(), notes.len()), (0, 2));
        let (problems, _) = check(&big, &Machine::default(), &system);
        assert_eq!(problems[0], "memory in MiB: unknown, want at least 4096");
        std::fs::create_dir(dir.path().join("dev")).unwrap();
        std::fs::write(dir.path().join("dev/kvm"), "").unwrap();
        let machine = Machine {
            memory: Some(4096 << 20),
            sockets: Some(2),
            cpus: Some(8),
            uefi: true,
            ..machine
        };
        assert_eq!(check(&big, &machine, &system), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_no_such_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("types");
        let error = |text: &str, node_type| {
            std::fs::write(&path, text).unwrap();
            let error = read(&path, node_type).unwrap_err();
            error.replace(dir.path().to_str().unwrap(), "D")
        };
        assert_eq!(
            error(GOOD, "bigg"),
            "node_type=bigg: no such type of machine, want one of big, small"
        );
        assert_eq!(
            error(r#"{"format": 2, "types": {}}"#, "big"),
            "D/types: format 2, this program knows 1"
        );
        for text in [
            "",
            "{}",
            &GOOD.replace("uefi", "efi"),
            &GOOD.replace("\"sockets\": 2,", ""),
        ] {
            assert!(error(text, "big").starts_with("D/types: "), "{text}");
        }
    }
}
