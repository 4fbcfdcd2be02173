//! `mkdeployment`: the description of images that travel inside another image.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{ensure, Context};
use deployment::{Deployment, Digest, Image};
use disk::Pair;
use plan::{Merged, Piece, Plan, Reader, Reference};
use sha2::{Digest as _, Sha256};

/// Writes deployment.json: the carried images with their files, versions, sizes and digests.
#[derive(clap::Parser)]
struct Args {
    /// Name of the whole.
    #[arg(long)]
    name: String,
    /// File with the version of the whole, and of each image without one of its own, on its first line.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// A property of the whole.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    properties: Vec<Pair>,
    /// An image: a plan and the positions of its inputs, or a file and its own position (FILE::N).
    #[arg(long = "image", value_name = "NAME=REF", required = true)]
    images: Vec<NamedReference>,
    /// The file name of an image; default: NAME.img.
    #[arg(long = "image-file", value_name = "NAME=FILENAME")]
    files: Vec<Pair>,
    /// File with the version of an image on its first line.
    #[arg(long = "image-version-file", value_name = "NAME=FILE")]
    versions: Vec<Pair>,
    /// A property of an image.
    #[arg(long = "image-set", value_name = "NAME:KEY=VALUE")]
    image_properties: Vec<Pair>,
    /// The inputs of the plans, in order.
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// The description to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// `NAME=REF`.
#[derive(Clone)]
struct NamedReference {
    name: String,
    reference: Reference,
}

impl FromStr for NamedReference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Pair { name, value } = text.parse()?;
        let reference = value.parse()?;
        Ok(Self { name, reference })
    }
}

fn main() -> ExitCode {
    cli::run("mkdeployment", |args: Args| -> Result<(), cli::BoxError> {
        let text = make(&args)?.to_json()?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn make(args: &Args) -> anyhow::Result<Deployment> {
    let known = |flag: &str, name: &str| {
        let known = args.images.iter().any(|image| image.name == name);
        ensure!(known, "{flag}: there is no --image {name:?}");
        Ok(())
    };
    let files = map("--image-file", &args.files)?;
    let versions = map("--image-version-file", &args.versions)?;
    for name in files.keys() {
        known("--image-file", name)?;
    }
    for name in versions.keys() {
        known("--image-version-file", name)?;
    }
    let mut properties = BTreeMap::<&str, BTreeMap<String, String>>::new();
    for (place, value) in map("--image-set", &args.image_properties)? {
        let (name, key) = place
            .split_once(':')
            .with_context(|| format!("--image-set: {place:?} is not NAME:KEY"))?;
        known("--image-set", name)?;
        properties
            .entry(name)
            .or_default()
            .insert(key.to_owned(), value.to_owned());
    }
    let version = version(&args.version_file)?;
    let mut images = Vec::new();
    for (image, digest) in args.images.iter().zip(digests(args)?) {
        let name = image.name.as_str();
        images.push(Image {
            file: match files.get(name) {
                Some(file) => (*file).to_owned(),
                None => format!("{name}.img"),
            },
            name: name.to_owned(),
            properties: properties.remove(name).unwrap_or_default(),
            sha256: digest.to_string(),
            size: digest.len,
            version: match versions.get(name) {
                Some(file) => self::version(Path::new(file))?,
                None => version.clone(),
            },
        });
    }
    let owned = map("--set", &args.properties)?.into_iter();
    Ok(Deployment {
        deployment: deployment::VERSION,
        images,
        name: args.name.clone(),
        properties: owned.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        version,
    })
}

/// The pairs of `flag` by name, each given once.
fn map<'a>(flag: &str, pairs: &'a [Pair]) -> anyhow::Result<BTreeMap<&'a str, &'a str>> {
    let mut map = BTreeMap::new();
    for Pair { name, value } in pairs {
        let again = map.insert(name.as_str(), value.as_str()).is_some();
        ensure!(!again, "{flag}: {name:?} was given already");
    }
    Ok(map)
}

fn version(path: &Path) -> anyhow::Result<String> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let version = text.lines().next().unwrap_or_default().trim();
    ensure!(!version.is_empty(), "{} has no version", path.display());
    Ok(version.to_owned())
}

/// Digests of all images, one thread each.
fn digests(args: &Args) -> anyhow::Result<Vec<Digest>> {
    let mut merged = Merged::default();
    let mut readers = Vec::new();
    for NamedReference { name, reference } in &args.images {
        let reader = open(reference, &args.inputs, &mut merged)
            .with_context(|| format!("--image {name}"))?;
        readers.push(reader);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = readers
            .iter()
            .map(|reader| scope.spawn(|| digest(reader)))
            .collect();
        threads
            .into_iter()
            .zip(&args.images)
            .map(|(thread, image)| match thread.join() {
                Ok(digest) => digest.with_context(|| format!("--image {}", image.name)),
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn open(reference: &Reference, inputs: &[PathBuf], merged: &mut Merged) -> anyhow::Result<Reader> {
    let plan: Plan = reference.open(merged)?;
    let have = inputs.len();
    let mut paths = Vec::new();
    for position in &reference.inputs {
        let index = usize::try_from(*position)?;
        let path = inputs.get(index);
        paths.push(path.with_context(|| format!("input {index} of {have} --input"))?);
    }
    Ok(Reader::open(plan, &paths)?)
}

/// Hashes an image without writing it.
fn digest(reader: &Reader) -> anyhow::Result<Digest> {
    const BUFFER: usize = 1 << 18;
    let zeros = vec![0; BUFFER];
    let mut buffer = vec![0; BUFFER];
    let mut hasher = Sha256::new();
    for extent in reader.plan().extents() {
        let mut at = extent.start;
        while at < extent.end() {
            let left = usize::try_from(extent.end().saturating_sub(at)).unwrap_or(BUFFER);
            let take = left.min(BUFFER);
            match extent.piece {
                Piece::Zero => hasher.update(zeros.get(..take).unwrap_or_default()),
                _ => {
                    let part = buffer.get_mut(..take).unwrap_or_default();
                    reader.read_at(part, at)?;
                    hasher.update(part);
                }
            }
            at = at.saturating_add(u64::try_from(take)?);
        }
    }
    Ok(Digest {
        sha256: hasher.finalize().into(),
        len: reader.len(),
    })
}
