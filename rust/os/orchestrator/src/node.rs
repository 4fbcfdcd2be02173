//! The node's own state, as metrics: which slot runs, whether it is confirmed, and what became of upgrades.
//!
//! Slot and confirmation are the boot loader's (crate `grubenv`); upgrades are counted by `manageboot`, in a file of its own:
//! `{"refused": {"CAUSE": N, …}, "installed": N}`, absent until there is something to count. What can't be read is not told.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use boot_files::BootFiles;
use daemon::Page;
use grubenv::{BootState, Slot};
use serde::Deserialize;

/// Where it is found.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Files {
    #[command(flatten)]
    boot: BootFiles,
    /// What manageboot counted.
    #[arg(long, value_name = "FILE", default_value = "/run/ic/manageboot.json")]
    upgrades: PathBuf,
}

/// What manageboot counted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Upgrades {
    refused: BTreeMap<String, u64>,
    installed: u64,
}

impl Files {
    /// Adds all that can be read.
    pub(crate) fn metrics(&self, page: &mut Page) {
        let slot = self.slot();
        let blocks = self.boot.blocks();
        for error in blocks.hidden() {
            tracing::warn!(
                error = cli::chain(error),
                "a block of the boot loader can't be read"
            );
        }
        if let Some(slot) = slot {
            page.gauge("node_slot", "The slot that runs, as a label.")
                .labelled(&[("slot", slot.as_str())], 1);
        }
        if let Some(state) = blocks.said() {
            let confirmed = slot.is_some_and(|slot| state == BootState::confirmed(slot));
            page.gauge(
                "node_slot_confirmed",
                "1 when the slot that runs was found to work in this boot; the boot loader then keeps booting it.",
            )
            .value(u8::from(confirmed));
            page.gauge(
                "node_boot_tries",
                "Starts of the slot that boots next since it was confirmed.",
            )
            .value(state.tries.get());
        }
        if let Some(barred) = blocks.bar().slot() {
            page.gauge(
                "node_slot_barred",
                "The slot that the boot loader does not fall back to, as a label: only installed, taken back, or too old for the data.",
            )
            .labelled(&[("slot", barred.as_str())], 1);
        }
        let Some(upgrades) = self.upgrades() else {
            return;
        };
        let refused = page.counter(
            "node_upgrades_refused_total",
            "Upgrades refused since the machine started, by cause.",
        );
        for (cause, count) in &upgrades.refused {
            refused.labelled(&[("cause", cause)], count);
        }
        page.counter(
            "node_upgrades_installed_total",
            "Upgrades written to the other slot since the machine started.",
        )
        .value(upgrades.installed);
    }

    fn slot(&self) -> Option<Slot> {
        let running = self.boot.running();
        running.unwrap_or_else(|error| {
            tracing::warn!(%error, file = %self.boot.cmdline.display(), "which slot runs is not known");
            None
        })
    }

    /// None counted where there is no file, and nothing known where it can't be read: counters that go back to 0 are how a restart looks.
    fn upgrades(&self) -> Option<Upgrades> {
        let text = std::fs::read(&self.upgrades);
        let read = text.and_then(|text| Ok(serde_json::from_slice(&text)?));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Upgrades::default()),
            Err(error) => {
                tracing::warn!(%error, file = %self.upgrades.display(), "not understood");
                None
            }
            Ok(upgrades) => Some(upgrades),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grubenv::Block;

    fn env(variables: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Block::new();
        for (name, value) in variables {
            block.set(name, value.as_bytes()).unwrap();
        }
        block.to_bytes().unwrap().to_vec()
    }

    fn text(cmdline: &str, variables: &[(&str, &str)], upgrades: Option<&str>) -> String {
        told(cmdline, [&env(variables), b""], upgrades)
    }

    fn told(cmdline: &str, [main, spare]: [&[u8]; 2], upgrades: Option<&str>) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = |name| dir.path().join(name);
        std::fs::write(path("cmdline"), cmdline).unwrap();
        std::fs::write(path("grubenv"), main).unwrap();
        std::fs::write(path("spare"), spare).unwrap();
        if let Some(upgrades) = upgrades {
            std::fs::write(path("upgrades"), upgrades).unwrap();
        }
        let files = Files {
            boot: BootFiles {
                cmdline: path("cmdline"),
                grubenv: path("grubenv"),
                spare_grubenv: path("spare"),
            },
            upgrades: path("upgrades"),
        };
        let mut page = Page::default();
        files.metrics(&mut page);
        let text = page.into_text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.fold(String::new(), |all, line| all + line + "\n")
    }

    #[test]
    fn confirmed_is_the_running_slot_without_tries() {
        let stable = ("boot_cycle", "stable");
        for (cmdline, variables, confirmed, tries) in [
            ("boot_alternative=A", &[stable][..], 1, "0"),
            ("boot_alternative=A", &[stable, ("boot_tries", "0")], 1, "0"),
            ("boot_alternative=A", &[stable, ("boot_tries", "2")], 0, "2"),
            ("boot_alternative=B", &[stable], 0, "0"),
            (
                "boot_alternative=A",
                &[("boot_cycle", "failsafe_check")],
                0,
                "0",
            ),
        ] {
            let slot = cmdline.replace("boot_alternative=", "");
            assert_eq!(
                text(cmdline, variables, None),
                format!(
                    "node_slot{{slot=\"{slot}\"}} 1\nnode_slot_confirmed {confirmed}\nnode_boot_tries {tries}\n\
                     node_upgrades_installed_total 0\n"
                )
            );
        }
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let told = told("quiet", [b"junk", b"junk"], Some("{}"));
        assert_eq!(told, "node_upgrades_installed_total 0\n");
        // What is no digit is 0 to the boot loader.
        let told = text("quiet", &[("boot_tries", "many")], Some("{}"));
        assert_eq!(
            told,
            "node_slot_confirmed 0\nnode_boot_tries 0\nnode_upgrades_installed_total 0\n"
        );
    }

    #[test]
    fn what_is_not_fallen_back_to_is_told() {
        for (value, want) in [
            ("B", "node_slot_barred{slot=\"B\"} 1\n"),
            ("B_once_confirmed", ""),
            ("", ""),
        ] {
            let told = text("boot_alternative=A", &[("boot_barred", value)], None);
            let lines = told.lines().filter(|line| line.contains("barred"));
            let lines = lines.fold(String::new(), |all, line| all + line + "\n");
            assert_eq!(lines, want, "{value}");
        }
    }

    #[test]
    fn what_the_boot_loader_counts_on_the_spare_block_is_told() {
        let main = env(&[
            ("boot_alternative", "A"),
            ("boot_cycle", "stable"),
            ("boot_tries", "0"),
        ]);
        for (of, confirmed, tries) in [("A stable 0", 0, 2), ("", 1, 0)] {
            let spare = env(&[
                ("spare_of", of),
                ("spare_alternative", "A"),
                ("spare_cycle", "stable"),
                ("spare_tries", "2"),
            ]);
            let told = told("boot_alternative=A", [&main, &spare], None);
            let want = format!("node_slot_confirmed {confirmed}\nnode_boot_tries {tries}\n");
            assert!(told.contains(&want), "{told}");
        }
    }

    #[test]
    fn upgrades_are_counted_by_cause() {
        let counted =
            r#"{"refused": {"signature": 2, "version": 1}, "installed": 3, "later": true}"#;
        let told = text("boot_alternative=A", &[], Some(counted));
        assert!(
            told.ends_with(
                "node_upgrades_refused_total{cause=\"signature\"} 2\n\
                 node_upgrades_refused_total{cause=\"version\"} 1\nnode_upgrades_installed_total 3\n"
            ),
            "{told}"
        );
        for junk in ["junk", "", r#"{"installed": -1}"#] {
            let told = text("", &[], Some(junk));
            assert!(!told.contains("node_upgrades_"), "{told}");
        }
    }
}
