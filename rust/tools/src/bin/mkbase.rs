//! `mkbase`: a base image from locked .deb files, offline and reproducible.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{anyhow, Context, Result};
use archive::PackOptions;
use clap::Parser;
use debian::{Install, Lock};
use oci::{Descriptor, Digest, Hasher, ImageConfig, Manifest};
use sandbox::PrivateMounts;

/// Makes a base image from locked .deb files.
#[derive(Parser)]
struct Args {
    /// The lock that names every package
    #[arg(long)]
    lock: PathBuf,
    /// A .deb file of the lock, under any name
    #[arg(long = "deb", value_name = "FILE")]
    debs: Vec<PathBuf>,
    /// The time that stands for now, in seconds since 1970; no file is newer
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..))]
    timestamp: i64,
    /// A folder on a disk in which the tree is made, where memory does not hold it; it is empty again afterwards
    #[arg(long, value_name = "DIR")]
    work_dir: Option<PathBuf>,
    /// The tree as a normalised archive: the image's one layer
    #[arg(long, value_name = "FILE")]
    output_tar: PathBuf,
    /// `NAME VERSION SHA256` of each package's files, one a line; first `- -` for files of no package
    #[arg(long, value_name = "FILE")]
    output_packages: PathBuf,
    /// The OCI image configuration
    #[arg(long, value_name = "FILE")]
    output_oci_config: PathBuf,
    /// The OCI manifest
    #[arg(long, value_name = "FILE")]
    output_oci_manifest: PathBuf,
    /// The digest of the manifest, which names the image
    #[arg(long, value_name = "FILE")]
    output_digest: PathBuf,
}

fn main() -> ExitCode {
    if let Some(code) = sandbox::child_entry() {
        return code;
    }
    cli::run("mkbase", run)
}

fn run(args: Args) -> Result<()> {
    let text = std::fs::read_to_string(&args.lock)
        .with_context(|| format!("cannot read {}", args.lock.display()))?;
    let lock = Lock::read(&text).with_context(|| args.lock.display().to_string())?;
    let debs =
        debian::match_debs(&lock, &args.debs).with_context(|| args.lock.display().to_string())?;
    let mounts = sandbox::private_mounts()?;
    // Gone with this process, whatever ends it.
    let work = match &args.work_dir {
        Some(dir) => sandbox::Workdir::on_disk(&mounts, dir)?,
        None => sandbox::Workdir::new(&mounts)?,
    };
    let install = Install {
        lock: &lock,
        debs: &debs,
        work: work.path(),
        timestamp: args.timestamp,
    };
    let root = debian::install(install, &mut |line| eprintln!("mkbase: {line}"))?;
    debian::normalise(&root)?;
    eprintln!("mkbase: writing the image");
    let outputs = Outputs(&mounts);
    let layer = outputs.tar(&root, args.timestamp, &args.output_tar)?;
    outputs.packages(&args.output_tar, &args.output_packages)?;
    let config = ImageConfig::new(
        &lock.architecture,
        args.timestamp,
        vec![layer.digest.clone()],
    )
    .to_json()?;
    let manifest =
        Manifest::new(Descriptor::of(oci::IMAGE_CONFIG, &config), vec![layer]).to_json()?;
    let digest = Digest::of(&manifest);
    outputs.write(&args.output_oci_config, &config)?;
    outputs.write(&args.output_oci_manifest, &manifest)?;
    outputs.write(&args.output_digest, format!("{digest}\n").as_bytes())?;
    eprintln!("mkbase: {digest}");
    Ok(())
}

/// Files for the caller: this process is someone else when it writes them.
struct Outputs<'a>(&'a PrivateMounts);

impl Outputs<'_> {
    fn write_with(
        &self,
        output: &Path,
        body: impl FnOnce(&mut io::BufWriter<&File>) -> Result<()>,
    ) -> Result<()> {
        cli::write_output(output, |out| {
            self.0.give(out.get_ref())?;
            body(out)
        })
        .map_err(|e| anyhow!(e))
    }

    fn write(&self, output: &Path, bytes: &[u8]) -> Result<()> {
        self.write_with(output, |out| Ok(out.write_all(bytes)?))
    }

    /// Packs the tree, digesting it on the way.
    fn tar(&self, root: &Path, timestamp: i64, output: &Path) -> Result<Descriptor> {
        // Whether a memory file system keeps access lists is up to the kernel. The one in a fresh Debian, of the journal's
        // folder, is set again at boot by systemd-tmpfiles.
        let options = PackOptions::new(timestamp).drop_xattrs("system.posix_acl_");
        let mut hasher = Hasher::default();
        self.write_with(output, |out| {
            let tee = Tee {
                out,
                hasher: &mut hasher,
            };
            archive::pack(root, &options, io::BufWriter::with_capacity(1 << 20, tee))?;
            Ok(())
        })?;
        Ok(Descriptor::from_hasher(oci::LAYER_TAR, hasher))
    }

    fn packages(&self, tar: &Path, output: &Path) -> Result<()> {
        let file = File::open(tar).with_context(|| format!("cannot read {}", tar.display()))?;
        // No buffer: between headers it would be filled and thrown away.
        let owned = debian::ownership(file)?;
        let text: String = owned.iter().map(|o| format!("{o}\n")).collect();
        self.write(output, text.as_bytes())
    }
}

/// Writes to a file and a digest at once.
struct Tee<'a, W> {
    out: W,
    hasher: &'a mut Hasher,
}

impl<W: Write> Write for Tee<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or(bytes));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
