//! What belongs to the machine and not to a slot: an upgrade keeps it, and so does a fall back.

use anyhow::{ensure, Context, Result};
use vm::Shell;

use crate::checks;
use crate::report::Report;
use crate::Setting;

/// The same at every moment.
const SAME: [(&str, &str); 2] = [
    (
        "the host key is the same",
        "for i in $(seq 60); do [ -s /var/lib/ssh/ssh_host_ed25519_key.pub ] && break; sleep 1; done; cat /var/lib/ssh/ssh_host_ed25519_key.pub",
    ),
    (
        "the journal goes back to the first boot",
        "journalctl --list-boots --no-pager | grep -Eo '[0-9a-f]{32}' | head -n 1",
    ),
];

/// Boots and height of the replica, once it has written them in this boot.
const REPLICA: &str = "f=/var/lib/ic/data/replica-state.json; for i in $(seq 60); do grep -qs \"$(cat /proc/sys/kernel/random/boot_id)\" $f && break; sleep 1; done; \
     for name in boots height; do grep -Eo \"\\\"$name\\\": *[0-9]+\" $f | grep -Eo '[0-9]+$'; done";

/// What was kept at some moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    same: Vec<String>,
    boots: u64,
    height: u64,
}

impl Kept {
    /// What there is now.
    pub(crate) fn read(shell: &Shell<'_>, setting: &Setting) -> Result<Self> {
        let mut same = Vec::new();
        for (name, command) in SAME {
            let text = checks::answer(shell, command, setting.within(60))?;
            ensure!(!text.is_empty(), "{name}: `{command}` says nothing");
            same.push(text);
        }
        let text = checks::answer(shell, REPLICA, setting.within(60))?;
        let (boots, height) = replica(&text)?;
        Ok(Self {
            same,
            boots,
            height,
        })
    }

    /// It is what was there before, after one more boot.
    pub(crate) fn check(&self, before: &Self, report: &mut Report) {
        for ((name, _), (now, before)) in SAME.iter().zip(self.same.iter().zip(&before.same)) {
            let outcome = match now == before {
                true => Ok(()),
                false => Err(format!("it was {before} and is {now}")),
            };
            report.check(name, outcome);
        }
        let outcome = match self.boots == before.boots.saturating_add(1) {
            true if self.height >= before.height => Ok(()),
            _ => Err(format!("it was {before:?} and is {self:?}")),
        };
        report.check("the replica goes on where it was", outcome);
    }
}

/// Boots and height.
fn replica(text: &str) -> Result<(u64, u64)> {
    let (boots, height) = text
        .split_once('\n')
        .with_context(|| format!("the replica's state says `{text}`"))?;
    Ok((boots.trim().parse()?, height.trim().parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replicas_state_is_read() {
        assert_eq!(replica("2\n17").unwrap(), (2, 17));
        for text in ["", "2", "2\n", "two\n17"] {
            replica(text).unwrap_err();
        }
    }
}
