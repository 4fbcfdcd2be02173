//! `push`: publishes base images on a registry. skopeo speaks to that.
//!
//! Run by `bazel run` in a runfiles folder; pin files are named relative to the workspace.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{anyhow, bail, ensure, Context, Result};
use clap::Parser;
use container::{Built, Pin, Repository};
use oci::{Descriptor, Digest, Manifest};

/// Pushes freshly built base images to a registry and prints what to pull them by. How to log in there, and whose certificates to trust, is
/// skopeo's configuration; on this machine itself (localhost) no TLS is asked for.
#[derive(Parser)]
struct Args {
    /// PINFILE=IMAGE=STEM: the pin file in the source tree, the image's name, and the path of STEM.tar and what belongs to it
    #[arg(long = "image", required = true, value_name = "PINFILE=IMAGE=STEM")]
    images: Vec<Built>,
    /// The only image to push; default: all
    #[arg(long, value_name = "IMAGE")]
    only: Option<String>,
    /// Write what the images are pulled by into the pin files, so that builds pull them
    #[arg(long)]
    pin: bool,
    /// Root of the source tree; default: the workspace that `bazel run` was called in
    #[arg(long)]
    workspace: Option<PathBuf>,
    /// Where to: each image is there under a tag of its own name, too
    #[arg(value_name = "REGISTRY/NAME")]
    repository: Repository,
}

fn main() -> ExitCode {
    cli::run("push", run)
}

fn run(args: Args) -> Result<()> {
    let wanted = |image: &&Built| args.only.as_ref().is_none_or(|only| *only == image.image);
    let images: Vec<&Built> = args.images.iter().filter(wanted).collect();
    if images.is_empty() {
        let known: Vec<&str> = args
            .images
            .iter()
            .map(|built| built.image.as_str())
            .collect();
        bail!(
            "--only: got {}, want one of {}",
            args.only.as_deref().unwrap_or_default(),
            known.join(", ")
        );
    }
    // Before anything is pushed: there is where to write to.
    let workspace = if args.pin {
        let found = cli::workspace(args.workspace.as_deref());
        Some(found.context("--pin: where is the source tree?")?)
    } else {
        None
    };
    let mut pins = Vec::new();
    for built in images {
        let digest = push(built, &args.repository)?;
        let packages = read(&format!("{}.packages", built.stem))?;
        let name = args.repository.as_str().to_owned();
        let reference = format!("{name}@{digest}\n");
        std::io::stdout().write_all(reference.as_bytes())?;
        pins.push((
            built,
            Pin {
                name,
                digest,
                packages: text(packages)?,
            },
        ));
    }
    let Some(workspace) = workspace else {
        return Ok(());
    };
    for (built, pin) in pins {
        let path = workspace.join(&built.file);
        let text = pin.to_file();
        cli::write_output(&path, |out| out.write_all(text.as_bytes())).map_err(|e| anyhow!(e))?;
        eprintln!("{}: {}@{}", built.file.display(), pin.name, pin.digest);
    }
    Ok(())
}

/// Pushes one image as it is, byte for byte; its digest.
fn push(built: &Built, repository: &Repository) -> Result<Digest> {
    let manifest = read(&format!("{}.oci-manifest.json", built.stem))?;
    let digest = Digest::of(&manifest);
    let pinned = text(read(&format!("{}.digest", built.stem))?)?;
    ensure!(
        pinned.trim_end() == digest.as_str(),
        "{}.digest: got {}, want {digest}",
        built.stem,
        pinned.trim_end()
    );
    let layout = tempfile::tempdir().context("cannot make a temporary folder")?;
    lay_out(built, &manifest, layout.path())?;
    let to = format!("docker://{}:{}", repository.as_str(), built.image);
    let mut skopeo = Command::new("skopeo");
    // What is pushed was made here: there is no signature to check.
    skopeo.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests"]);
    if repository.is_loopback() {
        skopeo.arg("--dest-tls-verify=false");
    }
    skopeo.arg(format!("oci:{}:{}", layout.path().display(), built.image));
    let status = skopeo.arg(&to).status();
    let status = status.context(
        "cannot start skopeo, which speaks to the registry; install it (Debian's package: skopeo)",
    )?;
    ensure!(
        status.success(),
        "skopeo could not push {} to {to}: {status}; its message is above. To log in: skopeo login REGISTRY",
        built.image
    );
    Ok(digest)
}

/// An OCI image layout in `folder`, with links to the image's files.
fn lay_out(built: &Built, manifest: &[u8], folder: &Path) -> Result<()> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let parsed = Manifest::from_json(manifest)?;
    let [layer] = &parsed.layers[..] else {
        bail!("{}: {} layers, want one", built.image, parsed.layers.len());
    };
    let link = |suffix: &str, digest: &Digest| -> Result<()> {
        let path = format!("{}.{suffix}", built.stem);
        let real = fs::canonicalize(&path).with_context(|| format!("cannot read {path}"))?;
        symlink(real, blobs.join(digest.hex())).context("cannot make a link")
    };
    link("tar", &layer.digest)?;
    link("oci-config.json", &parsed.config.digest)?;
    let at = Descriptor::of(oci::IMAGE_MANIFEST, manifest);
    fs::write(blobs.join(at.digest.hex()), manifest)?;
    fs::write(folder.join("oci-layout"), container::LAYOUT)?;
    let index = container::index(at, Some(built.image.clone()))?;
    Ok(fs::write(folder.join("index.json"), index)?)
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

fn text(bytes: Vec<u8>) -> Result<String> {
    Ok(String::from_utf8(bytes)?)
}
