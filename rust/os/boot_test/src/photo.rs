//! A picture of the machine's screen, as a person before it would see it: for people who read the documents.

use std::path::Path;

use anyhow::{ensure, Context, Result};
use serde_json::json;
use vm::{Vm, VmConfig};

/// A screen of one colour, compressed, is smaller than this.
const LEAST: u64 = 6000;

/// Gives the machine a screen.
pub(crate) fn with_screen(machine: VmConfig) -> VmConfig {
    machine.arg("-device").arg("VGA")
}

/// Writes the screen to `path`, a PNG.
pub(crate) fn take(vm: &Vm, path: &Path) -> Result<()> {
    let arguments = json!({"filename": path, "format": "png"});
    vm.qmp()?.execute("screendump", arguments)?;
    let len = std::fs::metadata(path)
        .context("there is no picture")?
        .len();
    ensure!(
        len >= LEAST,
        "the picture has {len} bytes: nothing is on the screen"
    );
    Ok(())
}
