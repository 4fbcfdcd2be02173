//! A system that only looks writes to no drive: neither its own nor an empty one beside it.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use anyhow::{ensure, Context, Result};
use serde_json::Value;
use vm::{Drive, Vm};

use crate::Setting;

/// Size of the empty drive.
const SIZE: u64 = 64 << 20;

/// An empty drive of a guest, and the number of writes to all of its drives.
#[derive(Debug)]
pub(crate) struct Untouched {
    empty: PathBuf,
    before: u64,
}

impl Untouched {
    /// Makes the empty drive.
    pub(crate) fn new(setting: &Setting) -> Result<Self> {
        let empty = setting.scratch.path().join("empty.img");
        File::create(&empty)
            .and_then(|file| file.set_len(SIZE))
            .context("cannot make an empty drive")?;
        Ok(Self { empty, before: 0 })
    }

    /// The empty drive: what is written to it stays.
    pub(crate) fn drive(&self) -> Drive {
        Drive::raw(&self.empty).throw_away(false)
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
        let mut bytes = Vec::new();
        File::open(&self.empty)?
            .take(SIZE + 1)
            .read_to_end(&mut bytes)?;
        ensure!(
            u64::try_from(bytes.len())? == SIZE && bytes.iter().all(|byte| *byte == 0),
            "the empty drive is not empty any more"
        );
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
