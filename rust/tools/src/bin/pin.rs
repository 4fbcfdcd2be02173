//! `pin`: writes the digests of base images into the source tree, for the next build to insist on.
//!
//! Run by `bazel run` in a runfiles folder; the pin files are named relative to the workspace.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, Context, Result};
use clap::Parser;
use container::{Built, Pin};

/// Writes the digests of freshly built base images into the source tree.
#[derive(Parser)]
struct Args {
    /// PINFILE=IMAGE=STEM: the pin file in the source tree, the image's name, and the path of STEM.digest and STEM.packages
    #[arg(long = "pin", required = true, value_name = "PINFILE=IMAGE=STEM")]
    pins: Vec<Built>,
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
fn write_pin(workspace: &Path, built: &Built) -> Result<()> {
    let Built { file, image, stem } = built;
    let pin = Pin {
        name: image.clone(),
        digest: read(format!("{stem}.digest"))?.trim_end().parse()?,
        packages: read(format!("{stem}.packages"))?,
    };
    let path = workspace.join(file);
    let old = match std::fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context(format!("cannot read {}", path.display())),
    };
    let pin = pin.named_as(&old);
    let text = pin.to_file();
    cli::write_output(&path, |out| out.write_all(text.as_bytes())).map_err(|e| anyhow!(e))?;
    eprintln!(
        "{}: {} {}",
        file.display(),
        pin.digest,
        if old == text {
            "(unchanged)"
        } else {
            "(updated)"
        }
    );
    Ok(())
}

fn read(path: String) -> Result<String> {
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}
