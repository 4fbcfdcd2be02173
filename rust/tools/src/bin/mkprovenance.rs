//! `mkprovenance`: where a release comes from, as an in-toto statement.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{anyhow, Context};
use base::Sha256Digest;
use disk::{digest, NamedFile};
use sbom::provenance::{Provenance, Resource};

/// Writes an in-toto Statement with SLSA's provenance of a release. It says nothing of who builds it, where or when.
#[derive(clap::Parser)]
struct Args {
    /// A file of the release under the name that it has there: its digest (*.digest), or the file itself.
    #[arg(long = "subject", value_name = "NAME=FILE", required = true)]
    subjects: Vec<NamedFile>,
    /// What the build takes in, likewise.
    #[arg(long = "dependency", value_name = "NAME=FILE")]
    dependencies: Vec<NamedFile>,
    /// A base image, and the file with the digest that names it (`sha256:…`).
    #[arg(long = "base", value_name = "NAME=FILE")]
    bases: Vec<NamedFile>,
    /// File with the version, which is a parameter, on its first line.
    #[arg(long, value_name = "FILE")]
    version_file: Option<PathBuf>,
    /// What whoever asks for the build says.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// URI of this kind of build.
    #[arg(long, value_name = "URI")]
    build_type: String,
    /// URI of the builder.
    #[arg(long, value_name = "URI")]
    builder: String,
    /// The statement to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn pair(text: &str) -> anyhow::Result<(String, String)> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or_else(|| anyhow!("got {text:?}, want NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    cli::run("mkprovenance", |args: Args| -> Result<(), cli::BoxError> {
        let text = make(&args)?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn make(args: &Args) -> anyhow::Result<String> {
    let mut dependencies = resources("--dependency", &args.dependencies)?;
    for NamedFile { name, path } in &args.bases {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let digest = text.trim_end();
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let digest: Sha256Digest = digest.parse().with_context(|| path.display().to_string())?;
        dependencies.push(Resource::new(name, digest));
    }
    let mut parameters: BTreeMap<String, String> = args.parameters.iter().cloned().collect();
    if let Some(path) = &args.version_file {
        let version = base::version::read(path).with_context(|| path.display().to_string())?;
        parameters.insert("version".to_owned(), version);
    }
    let statement = Provenance {
        subjects: resources("--subject", &args.subjects)?,
        dependencies,
        parameters,
        build_type: args.build_type.clone(),
        builder: args.builder.clone(),
    }
    .statement();
    let mut text = serde_json::to_string_pretty(&statement)?;
    text.push('\n');
    Ok(text)
}

fn resources(flag: &'static str, files: &[NamedFile]) -> anyhow::Result<Vec<Resource>> {
    let digests = digest::by_name(flag, files)?;
    let one = |(name, digest): (String, plan::Digest)| Resource::new(name, digest);
    Ok(digests.into_iter().map(one).collect())
}
