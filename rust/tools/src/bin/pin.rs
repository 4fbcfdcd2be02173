//! `pin`: writes the digests of base images into the source tree, for the next build to insist on.
//!
//! Run by `bazel run` in a runfiles folder; the pin files are named relative to the workspace.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, Context, Result};
use clap::Parser;

/// Writes the digests of freshly built base images into the source tree.
#[derive(Parser)]
struct Args {
    /// PINFILE=IMAGE=STEM: the pin file in the source tree, the image's name, and the path of STEM.digest and STEM.packages
    #[arg(long = "pin", required = true, value_name = "PINFILE=IMAGE=STEM")]
    pins: Vec<String>,
    /// Root of the source tree; default: the workspace that `bazel run` was called in
    #[arg(long)]
    workspace: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("pin", |args: Args| -> Result<()> {
        let workspace =
            cli::workspace(args.workspace.as_deref()).context("where is the source tree?")?;
        for pin in &args.pins {
            write_pin(&workspace, pin)?;
        }
        Ok(())
    })
}

/// Writes one pin file and says on stderr whether its digest moved.
fn write_pin(workspace: &Path, pin: &str) -> Result<()> {
    let mut parts = pin.splitn(3, '=');
    let (Some(file), Some(image), Some(stem)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(anyhow!("--pin: got {pin:?}, want PINFILE=IMAGE=STEM"));
    };
    let digest = read(format!("{stem}.digest"))?;
    let packages = read(format!("{stem}.packages"))?;
    let text = format!("{image}@{}\n{packages}", digest.trim_end());
    let path = workspace.join(file);
    let moved = std::fs::read_to_string(&path).map_or(true, |old| old != text);
    cli::write_output(&path, |out| out.write_all(text.as_bytes())).map_err(|e| anyhow!(e))?;
    eprintln!(
        "{file}: {} {}",
        digest.trim_end(),
        if moved { "(updated)" } else { "(unchanged)" }
    );
    Ok(())
}

fn read(path: String) -> Result<String> {
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}
