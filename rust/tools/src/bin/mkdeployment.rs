//! `mkdeployment`: the description of images that travel inside another image.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context};
use deployment::{Deployment, Image};
use disk::{NamedFile, Pair};
use verity::FsverityDigest;

/// Writes deployment.json: the carried images with their files, versions, sizes and digests.
#[derive(clap::Parser)]
struct Args {
    /// Name of the whole.
    #[arg(long)]
    name: String,
    /// File with the version of the whole and of each image on its first line.
    #[arg(long, value_name = "FILE")]
    version_file: PathBuf,
    /// A property of the whole.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    properties: Vec<Pair>,
    /// An image by its name, whose file is NAME.img: its fs-verity digest (*.fsverity), or the file itself.
    #[arg(long = "image", value_name = "NAME=FILE", required = true)]
    images: Vec<NamedFile>,
    /// A property of an image.
    #[arg(long = "image-set", value_name = "NAME:KEY=VALUE")]
    image_properties: Vec<Pair>,
    /// The description to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("mkdeployment", |args: Args| -> Result<(), cli::BoxError> {
        let text = make(&args)?.to_json()?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn make(args: &Args) -> anyhow::Result<Deployment> {
    let mut properties = BTreeMap::<&str, BTreeMap<String, String>>::new();
    for (place, value) in map("--image-set", &args.image_properties)? {
        let (name, key) = place
            .split_once(':')
            .with_context(|| format!("--image-set: {place:?} is not NAME:KEY"))?;
        let known = args.images.iter().any(|image| image.name == name);
        ensure!(known, "--image-set: there is no --image {name:?}");
        properties
            .entry(name)
            .or_default()
            .insert(key.to_owned(), value.to_owned());
    }
    let version = version(&args.version_file)?;
    let mut images = Vec::new();
    for image in &args.images {
        let name = image.name.as_str();
        let digest = FsverityDigest::open(&image.path)?;
        images.push(Image {
            file: format!("{name}.img"),
            fsverity: digest.to_string(),
            name: name.to_owned(),
            properties: properties.remove(name).into_iter().flatten().collect(),
            size: digest.len,
            version: version.clone(),
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
    base::version::read(path).with_context(|| path.display().to_string())
}
