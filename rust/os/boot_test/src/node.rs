//! A machine whose disk stays over its boots: what it writes is kept in a layer over the image, and written down in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{bail, ensure, Context, Result};
use base::bounded::sum;
use base::Sha256Digest;
use grubenv::Slot;
use nbd::{Entry, Event, Log, Overlay, Recorder, Server};
use plan::Reader;
use vm::{Drive, Tpm, Vm, VmConfig};

use crate::image::Window;
use crate::{scenario, Setting, BOOT};

/// The partition of the machine's state, which is as large as its disk lets it be: where it begins is known of the image.
pub(crate) const DATA: &str = "data";

/// The image that a node starts from.
#[derive(Debug)]
pub(crate) struct Base {
    path: PathBuf,
    /// Where the partitions are that something is known of.
    places: BTreeMap<&'static str, Range<u64>>,
    /// What the kernel's line has in one slot and not in the other.
    signs: [(Slot, [String; 2]); 2],
    pub(crate) len: u64,
    pub(crate) identity: [u8; 32],
}

/// Partitions of every system with two slots, in the order of its disk.
pub(crate) const PARTITIONS: [&str; 6] = ["esp", "grub", "A_boot", "A_root", "B_boot", "B_root"];

impl Base {
    /// Looks at an image.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let image = Reader::open_any(path)?;
        let place = |name: &'static str| {
            let found = inspect::partition(&image, name)?;
            let end = sum(found.start(), found.size());
            Ok((name, found.start()..end))
        };
        let places: Result<BTreeMap<_, _>> = PARTITIONS.into_iter().map(place).collect();
        let mut places = places?;
        // Not every system has one.
        places.extend(place(DATA));
        let signs = |slot: Slot| {
            let root = inspect::partition(&image, &format!("{slot}_root"))?;
            let signs = [
                format!("boot_alternative={slot} "),
                root.uuid.to_lowercase(),
            ];
            Ok::<_, inspect::Error>((slot, signs))
        };
        Ok(Self {
            places,
            signs: [signs(Slot::A)?, signs(Slot::B)?],
            len: image.len(),
            identity: nbd::identity(&image),
            path: path.to_owned(),
        })
    }

    /// The image's bytes, for a layer of changes to lie on.
    pub(crate) fn reader(&self) -> Result<Reader> {
        Ok(Reader::open_any(&self.path)?)
    }

    /// Waits for the kernel's command line on the console, and reads the slot from it.
    pub(crate) fn slot(&self, vm: &Vm, deadline: vm::Deadline) -> Result<Slot> {
        let (which, _) = vm
            .console()
            .expect_any(&["Command line: ", PROMPT], deadline)?;
        ensure!(which == 0, "the boot loader waits at a prompt");
        let line = vm.console().expect("\n", deadline)?;
        slot_in(&line, &self.signs)
    }

    /// Where a partition is.
    pub(crate) fn place(&self, name: &str) -> Result<Range<u64>> {
        let found = self.places.get(name).cloned();
        found.with_context(|| format!("nothing is known of partition {name}"))
    }
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) base: Base,
    disk: Arc<Overlay>,
    recorder: Arc<Recorder>,
    server: Server,
    setting: &'a Setting,
}

impl<'a> Node<'a> {
    /// A machine that was never started. What it writes is written down at `log`.
    pub(crate) fn new(setting: &'a Setting, log: &Path) -> Result<Self> {
        let path = scenario::disk_path(setting)?;
        let base = Base::open(&path)?;
        let recorder = Arc::new(Recorder::create(log, base.len, base.identity)?);
        let disk = Overlay::throw_away(base.reader()?)?.record(Arc::clone(&recorder));
        let disk = Arc::new(disk);
        let socket = setting.scratch.path().join("node.sock");
        let server = Server::share(Arc::clone(&disk), false, &socket)?;
        Ok(Self {
            base,
            disk,
            recorder,
            server,
            setting,
        })
    }

    /// Starts it with these drives beside its own, and this TPM. A restart of the guest starts it again.
    pub(crate) fn start(
        &self,
        drives: impl IntoIterator<Item = Drive>,
        tpm: Option<&Tpm>,
    ) -> Result<Vm> {
        let machine = scenario::machine(Drive::nbd(self.server.path()), self.setting);
        let mut machine = drives.into_iter().fold(machine, VmConfig::drive);
        if let Some(tpm) = tpm {
            machine = machine.tpm(tpm);
        }
        Ok(machine.no_reboot(false).start()?)
    }

    /// Says in the log how far things are.
    pub(crate) fn mark(&self, text: &str) -> Result<()> {
        Ok(self.recorder.add(Event::Mark(text))?)
    }

    /// How much has happened to the disk, for [`Node::untouched_since`].
    pub(crate) fn moment(&self) -> usize {
        self.recorder.len()
    }

    /// Nothing was written to any of these partitions since then.
    pub(crate) fn untouched_since(&self, moment: usize, partitions: &[&str]) -> Result<()> {
        let log = Log::open(self.recorder.path(), self.base.len, self.base.identity)?;
        let have = log.entries().len();
        let entries = log.entries().get(moment..).with_context(|| {
            format!("the log has {have} entries, and {moment} of them came before")
        })?;
        for name in partitions {
            let place = self.base.place(name)?;
            let hits: Vec<_> = entries
                .iter()
                .filter(|entry| touches(entry, &place))
                .collect();
            ensure!(
                hits.is_empty(),
                "{} writes to {name}, which begins at {}: {:?}",
                hits.len(),
                place.start,
                hits.first()
            );
        }
        Ok(())
    }

    /// A partition, as it is at each moment.
    pub(crate) fn partition(&self, name: &str) -> Result<Window> {
        let place = self.base.place(name)?;
        let len = place.start.abs_diff(place.end);
        Window::of_disk(&self.disk).part(place.start, len)
    }

    /// The digest of a partition's first `len` bytes.
    pub(crate) fn digest(&self, name: &str, len: u64) -> Result<Sha256Digest> {
        let window = self.partition(name)?.part(0, len)?;
        Ok(Sha256Digest::of_reader(window)?)
    }

    /// Inverts all bits of a byte of a partition.
    pub(crate) fn flip(&self, name: &str, at: u64) -> Result<()> {
        let at = sum(self.base.place(name)?.start, at);
        let mut byte = [0];
        self.disk.read_at(&mut byte, at)?;
        Ok(self.disk.write_at(&byte.map(|bits| !bits), at)?)
    }

    /// Waits until a kernel starts, and says in which slot.
    pub(crate) fn slot(&self, vm: &Vm) -> Result<Slot> {
        self.base.slot(vm, self.setting.within(BOOT))
    }
}

fn touches(entry: &Entry, place: &Range<u64>) -> bool {
    match entry {
        Entry::Write { at, len, .. } | Entry::Zero { at, len } => {
            *at < place.end && sum(*at, *len) > place.start
        }
        Entry::Flush | Entry::Mark(_) => false,
    }
}

/// What a boot loader says that waits for somebody to type.
pub(crate) const PROMPT: &str = "grub> ";

/// The slot that a kernel's command line is of. A serial line loses characters while the machine is busy: one sign is enough, if it is of
/// one slot alone.
fn slot_in(line: &str, signs: &[(Slot, [String; 2]); 2]) -> Result<Slot> {
    // What ends a word may be the line's end.
    let line = format!("{} ", line.trim_end().to_lowercase());
    let is_there = |sign: &String| line.contains(&sign.to_lowercase());
    let found: Vec<Slot> = signs
        .iter()
        .filter(|(_, signs)| signs.iter().any(is_there))
        .map(|(slot, _)| *slot)
        .collect();
    match found[..] {
        [slot] => Ok(slot),
        _ => bail!("the kernel's line is of {} slots: {line}", found.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_read_from_the_kernels_line() {
        let signs =
            |slot: Slot, root: &str| (slot, [format!("boot_alternative={slot} "), root.to_owned()]);
        let signs = [signs(Slot::A, "aa-1"), signs(Slot::B, "bb-2")];
        for (line, want) in [
            (
                "ro data=PARTUUID=bb-2 boot_alternative=B quiet\r",
                Some(Slot::B),
            ),
            ("boot_alternative=A\r", Some(Slot::A)),
            // A few characters are lost.
            (
                "ro data=PARTUUID=AA-1 boot_alternativ=A quiet",
                Some(Slot::A),
            ),
            (
                "ro data=PARTUUID=a-1 boot_alternative=A quiet",
                Some(Slot::A),
            ),
            ("ro data=PARTUUID=aa-1 boot_alternative=B", None),
            ("boot_alternative=C", None),
            ("", None),
        ] {
            assert_eq!(slot_in(line, &signs).ok(), want, "{line}");
        }
    }

    #[test]
    fn writes_touch_what_they_share_a_byte_with() {
        for (at, len, want) in [(0, 10, false), (0, 11, true), (19, 1, true), (20, 5, false)] {
            assert_eq!(touches(&Entry::Zero { at, len }, &(10..20)), want);
        }
        assert!(!touches(&Entry::Flush, &(0..20)));
    }
}
