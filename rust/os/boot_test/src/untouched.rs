//! A system that only looks writes to no drive: neither its own, nor a small empty one beside it, nor one with somebody's data.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use vm::{Drive, Vm, VmConfig};

use crate::Setting;

/// Size of the empty drive: too small for anything.
const SMALL: u64 = 64 << 20;
/// Size of the other one: large enough for an installation.
const LARGE: u64 = 10 << 30;
/// What is on it, at its beginning.
const DATA: &[u8] = b"somebody's only copy";

/// Two drives beside a guest's own, and the number of writes to all of them.
#[derive(Debug)]
pub(crate) struct Untouched {
    empty: PathBuf,
    foreign: PathBuf,
    before: u64,
    /// Sectors that each takes on the disk of this machine.
    used: [u64; 2],
}

impl Untouched {
    /// Makes the drives.
    pub(crate) fn new(setting: &Setting) -> Result<Self> {
        let place = |name: &str| setting.scratch.path().join(name);
        let make = |name: &str, data: &[u8], len: u64| {
            let path = place(name);
            std::fs::write(&path, data)
                .and_then(|()| File::options().write(true).open(&path))
                .and_then(|file| file.set_len(len).and_then(|()| file.sync_all()))
                .with_context(|| format!("cannot make drive {name}"))?;
            anyhow::Ok(path)
        };
        let empty = make("empty.img", b"", SMALL)?;
        let foreign = make("foreign.img", DATA, LARGE)?;
        let used = [&empty, &foreign].map(|path| std::fs::metadata(path).map(|meta| meta.blocks()));
        let [used_empty, used_foreign] = used;
        Ok(Self {
            empty,
            foreign,
            before: 0,
            used: [used_empty?, used_foreign?],
        })
    }

    /// `machine` with the drives: what is written to them stays.
    pub(crate) fn beside(&self, machine: VmConfig) -> VmConfig {
        let drive = |path| Drive::raw(path).throw_away(false);
        machine
            .drive(drive(&self.empty))
            .drive(drive(&self.foreign))
    }

    /// What was written up to now does not count: without flash for its variables, the firmware writes a file for them.
    pub(crate) fn forgive(&mut self, vm: &Vm) -> Result<()> {
        self.before = writes(vm)?;
        Ok(())
    }

    /// Nothing was written since.
    pub(crate) fn check(&self, vm: &Vm) -> Result<()> {
        let (before, now) = (self.before, writes(vm)?);
        ensure!(now == before, "it wrote {now} times, {before} before");
        self.are_same()
    }

    /// The two drives hold what they held.
    pub(crate) fn are_same(&self) -> Result<()> {
        let [empty, foreign] = self.used;
        for (path, data, len, was) in [
            (&self.empty, &b""[..], SMALL, empty),
            (&self.foreign, DATA, LARGE, foreign),
        ] {
            let name = path.display();
            let mut file = File::open(path)?;
            ensure!(file.metadata()?.len() == len, "{name} has another size");
            let mut start = vec![0; base::as_usize(SMALL)];
            file.read_exact(&mut start)?;
            let (front, rest) = start.split_at(data.len());
            ensure!(
                front == data && rest.iter().all(|byte| *byte == 0),
                "{name} holds something else"
            );
            // All the rest is one hole, as before.
            let used = file.metadata()?.blocks();
            ensure!(used <= was, "{name} took {was} sectors and takes {used}");
        }
        Ok(())
    }
}

/// How often the guest wrote to its drives.
fn writes(vm: &Vm) -> Result<u64> {
    let answer = vm.qmp()?.execute("query-blockstats", Value::Null)?;
    count(&answer).with_context(|| format!("QEMU says {answer}"))
}

fn count(answer: &Value) -> Option<u64> {
    let drives = answer.as_array().filter(|drives| !drives.is_empty())?;
    drives.iter().try_fold(0_u64, |sum, drive| {
        let kinds = ["wr_operations", "wr_zeroes_operations", "unmap_operations"];
        kinds.iter().try_fold(sum, |sum, kind| {
            let stats = drive.get("stats")?;
            match stats.get(kind) {
                None if *kind != "wr_operations" => Some(sum),
                number => sum.checked_add(number?.as_u64()?),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_of_all_drives_are_counted() {
        let drives = json!([
            {"device": "disk0", "stats": {"wr_operations": 3, "rd_operations": 9, "unmap_operations": 2}},
            {"device": "disk1", "stats": {"wr_operations": 4}},
        ]);
        assert_eq!(count(&drives), Some(9));
        for odd in [json!([]), json!({}), json!([{"stats": {}}]), json!([{}])] {
            assert_eq!(count(&odd), None, "{odd}");
        }
    }
}
