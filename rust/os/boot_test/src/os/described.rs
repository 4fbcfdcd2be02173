//! A system that has no code here: a file says what to see. `docs/guides/new-os.md` shows how a system's value brings it.
//!
//! ```json
//! {"name": "newos", "root": "root", "memory_mib": 1024, "shows": ["hello"],
//!  "checks": [{"name": "the greeting was said", "command": "systemctl is-active hello", "prints": "active"}]}
//! ```

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{nothing, nothing_inside, Os};
use crate::checks::{prints, succeeds, Check, SLOTS};

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    /// The partition with its root file system.
    root: String,
    /// Memory of its machine.
    memory_mib: u32,
    /// Whether there are two of boot, root and var, and manageboot.
    #[serde(default)]
    slots: bool,
    /// Whether production images take a CONFIG medium and let its keys in.
    #[serde(default)]
    takes_keys: bool,
    /// What the boot loader says.
    loader: Option<String>,
    /// What is on the console after that, in this order, before anybody can log in.
    #[serde(default)]
    shows: Vec<String>,
    /// What must hold inside, where one can get in.
    #[serde(default)]
    checks: Vec<DescribedCheck>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedCheck {
    name: String,
    command: String,
    /// Exactly what it prints; if not said, it need only succeed.
    prints: Option<String>,
}

/// Reads a system's description.
pub(super) fn read(path: &Path) -> Result<&'static Os> {
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<&'static Os> {
    let described: Described = serde_json::from_str(text)?;
    let own: Vec<Check> = described.checks.into_iter().map(check).collect();
    let own: &'static [Check] = own.leak();
    let checks = if described.slots {
        vec![SLOTS, own]
    } else {
        vec![own]
    };
    let shows: Vec<&'static str> = described.shows.into_iter().map(keep).collect();
    Ok(Box::leak(Box::new(Os {
        name: keep(described.name),
        memory_mib: described.memory_mib,
        room_mib: 0,
        root: keep(described.root),
        loader: described.loader.map(keep),
        shows: shows.leak(),
        ports: &[],
        takes_keys: described.takes_keys,
        only_looks: false,
        checks: checks.leak(),
        inside: nothing_inside,
        screen: nothing,
        outside: nothing,
        change: nothing_inside,
    })))
}

fn check(described: DescribedCheck) -> Check {
    let (name, command) = (keep(described.name), keep(described.command));
    match described.prints {
        Some(text) => prints(name, command, keep(text)),
        None => succeeds(name, command),
    }
}

/// One system is tested, for as long as the program runs.
fn keep(text: String) -> &'static str {
    text.leak()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions() {
        let os = parse(
            r#"{"name": "x", "root": "A_root", "memory_mib": 512, "slots": true, "loader": "booting", "shows": ["hello"],
                "checks": [{"name": "a", "command": "true"}, {"name": "b", "command": "echo", "prints": ""}]}"#,
        )
        .unwrap();
        assert_eq!((os.name, os.root, os.memory_mib), ("x", "A_root", 512));
        assert_eq!((os.loader, os.shows), (Some("booting"), &["hello"][..]));
        let counts: Vec<usize> = os.checks.iter().map(|checks| checks.len()).collect();
        assert_eq!(counts, [SLOTS.len(), 2]);
        let error = parse(r#"{"name": "x", "root": "root", "memory": 512}"#).unwrap_err();
        assert!(
            format!("{error:#}").contains("unknown field `memory`"),
            "{error:#}"
        );
    }
}
