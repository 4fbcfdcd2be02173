//! The search for the root: devices ask for modules, modules bring disks, disks have partitions, and one of these is the root.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Error, Result};
use walkdir::WalkDir;

use crate::cmdline::Settings;
use crate::disks::Disks;
use crate::events::{Events, Heard};
use crate::log;
use crate::modules::Modules;
use crate::root::Root;

/// So often somebody at the console is told that the machine still waits.
const TOLD: Duration = Duration::from_secs(15);
/// So often is looked although nobody said anything.
const LOOKED: Duration = Duration::from_secs(2);
/// A partition by the right id that is not the root is no reason to end at once: the right one may be coming. Nor is it one to wait for ever.
const GRACE: Duration = Duration::from_secs(10);

/// A search.
pub(crate) struct Search<'a> {
    settings: &'a Settings,
    modules: Modules,
    disks: Disks,
    events: Events,
    /// Aliases that were looked up.
    asked: BTreeSet<String>,
    /// Processes that load modules.
    children: Vec<Child>,
    /// Partitions that are not the root, and when the first was found, and why it is not.
    refused: BTreeSet<PathBuf>,
    first: Option<(Instant, Error)>,
}

impl<'a> Search<'a> {
    /// From now on no device is missed.
    pub(crate) fn new(modules: Modules, settings: &'a Settings) -> Result<Self> {
        Ok(Self {
            settings,
            modules,
            disks: Disks::new(Path::new("/sys/class/block"), Path::new("/dev")),
            events: Events::open()?,
            asked: BTreeSet::new(),
            children: Vec::new(),
            refused: BTreeSet::new(),
            first: None,
        })
    }

    /// Finds the root. It ends as soon as that is there: all other devices are the system's affair.
    pub(crate) fn run(mut self, patience: Duration) -> Result<Root> {
        let (started, mut told) = (Instant::now(), Instant::now());
        self.ask_all();
        self.modules.load_at_once();
        loop {
            if let Some(root) = self.look()? {
                return Ok(root);
            }
            let left = patience.saturating_sub(started.elapsed());
            if left.is_zero() {
                bail!(
                    "no partition PARTUUID={} came within {} s; there are: {}",
                    self.settings.partition,
                    patience.as_secs(),
                    self.disks.describe()
                );
            }
            match self.events.next(left.min(LOOKED))? {
                Heard::Event(event) => {
                    if let Some(alias) = event.modalias {
                        let order = self.modules.order_for(&alias);
                        self.ask(alias, &order);
                    }
                    if !event.block {
                        continue;
                    }
                }
                Heard::Lost => self.ask_all(),
                Heard::Nothing => self.reap(),
            }
            if told.elapsed() >= TOLD {
                told = Instant::now();
                log::warning(&format!(
                    "still waiting for PARTUUID={}; there are: {}",
                    self.settings.partition,
                    self.disks.describe()
                ));
            }
        }
    }

    /// Tries each partition of the id that was not tried; an error if none was the root, and time enough was left for another one.
    fn look(&mut self) -> Result<Option<Root>> {
        for partition in self.disks.find(self.settings.partition) {
            if self.refused.contains(&partition) {
                continue;
            }
            match Root::read(&partition, self.settings) {
                Ok(root) => return Ok(Some(root)),
                Err(error) => {
                    log::warning(&format!("{error:#}"));
                    self.refused.insert(partition);
                    self.first.get_or_insert((Instant::now(), error));
                }
            }
        }
        match self.first.take() {
            Some((at, error)) if at.elapsed() >= GRACE => Err(error),
            first => {
                self.first = first;
                Ok(None)
            }
        }
    }

    /// Asks for what the devices that are there want. What takes the fewest modules comes first: it is there soonest.
    fn ask_all(&mut self) {
        let aliases = aliases(Path::new("/sys/bus"));
        let mut by_cost: Vec<_> = aliases
            .into_iter()
            .map(|alias| (self.modules.order_for(&alias), alias))
            .collect();
        by_cost.sort_by(|(one, a), (other, b)| (one.len(), a).cmp(&(other.len(), b)));
        for (order, alias) in by_cost {
            self.ask(alias, &order);
        }
    }

    /// Starts a process that loads what a device asks for, in this order. Drivers look for their devices while they are loaded, some for a long time: each by itself,
    /// none waits for another, and one that hangs keeps nobody.
    fn ask(&mut self, alias: String, order: &[String]) {
        if !self.asked.insert(alias) || order.is_empty() {
            return;
        }
        // Devices of one kind have many aliases.
        if !self.asked.insert(order.join(" ")) {
            return;
        }
        let child = Command::new("/proc/self/exe")
            .arg("--load")
            .args(order)
            .spawn();
        match child.context("cannot start a process") {
            Ok(child) => self.children.push(child),
            Err(error) => {
                log::warning(&format!("{error:#}"));
                self.modules.load(order);
            }
        }
    }

    /// Lets go of processes that have ended; those that have not are the next system's children.
    fn reap(&mut self) {
        self.children
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

/// What the devices of all buses ask for: `BUS/devices/NAME/modalias`.
fn aliases(buses: &Path) -> BTreeSet<String> {
    let devices = WalkDir::new(buses)
        .min_depth(3)
        .max_depth(3)
        .sort_by_file_name();
    let alias = |path: &Path| fs::read_to_string(path.join("modalias")).ok();
    let read = devices
        .into_iter()
        .filter_map(|entry| alias(entry.ok()?.path()));
    read.map(|alias| alias.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn devices_of_all_buses_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (bus, device, alias) in [
            ("pci", "0000:00:02.0", Some("pci:v1")),
            ("pci", "0000:00:03.0", None),
            ("virtio", "virtio0", Some("virtio:d2")),
            ("virtio", "virtio1", Some("virtio:d2")),
        ] {
            let real = path.join("devices").join(device);
            fs::create_dir_all(&real).unwrap();
            if let Some(alias) = alias {
                fs::write(real.join("modalias"), format!("{alias}\n")).unwrap();
            }
            let linked = path.join("bus").join(bus).join("devices");
            fs::create_dir_all(&linked).unwrap();
            symlink(&real, linked.join(device)).unwrap();
        }
        let found = aliases(&path.join("bus"));
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["pci:v1", "virtio:d2"]
        );
    }
}
