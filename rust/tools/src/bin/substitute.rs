//! `substitute`: a text with values filled in, from arguments, files and the partition table.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{ensure, Context};
use disk::{NamedFile, Pair};
use partitions::Table;

/// Replaces {{KEY}}, {{partuuid:PARTITION}}, {{start:…}}, {{size:…}} (bytes), {{number:…}} and {{type:…}} in a text.
#[derive(clap::Parser)]
struct Args {
    /// The text, UTF-8.
    #[arg(long, value_name = "FILE")]
    template: PathBuf,
    /// The partition table.
    #[arg(long, value_name = "CSV")]
    partitions: Option<PathBuf>,
    /// Value of {{KEY}}.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    values: Vec<Pair>,
    /// File with the value of {{KEY}}; a line break at its end is left out.
    #[arg(long = "set-file", value_name = "KEY=FILE")]
    files: Vec<NamedFile>,
    /// The text to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    cli::run("substitute", |args: Args| -> Result<(), cli::BoxError> {
        let text = render(&args)?;
        cli::write_output(&args.output, |out| out.write_all(text.as_bytes()))
    })
}

fn render(args: &Args) -> anyhow::Result<String> {
    let mut given: Vec<(&String, String)> = Vec::new();
    for pair in &args.values {
        given.push((&pair.name, pair.value.clone()));
    }
    for file in &args.files {
        let text = read(&file.path)?;
        let value = text.strip_suffix('\n').unwrap_or(&text);
        given.push((&file.name, value.to_owned()));
    }
    let mut values = BTreeMap::new();
    for (key, value) in given {
        ensure!(
            !key.contains([':', '{', '}', ' ']),
            "key {key:?} can't stand in a template"
        );
        let again = values.insert(key.clone(), value).is_some();
        ensure!(!again, "key {key:?} was given already");
    }
    let layout = match &args.partitions {
        None => None,
        Some(csv) => Some(
            Table::parse(&read(csv)?)
                .and_then(|table| table.layout(None))
                .with_context(|| csv.display().to_string())?,
        ),
    };
    partitions::render(&read(&args.template)?, &values, layout.as_ref())
        .with_context(|| args.template.display().to_string())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
