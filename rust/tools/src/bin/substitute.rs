//! `substitute`: a text with values filled in, from arguments, files and the partition table; or one for each value of a key.

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
    /// A key with another value in each of several texts.
    #[arg(long, value_name = "KEY", requires = "each_output")]
    each: Option<String>,
    /// The text to write with that value of it.
    #[arg(long, value_name = "VALUE=FILE", requires = "each")]
    each_output: Vec<NamedFile>,
    /// The text to write.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "each",
        conflicts_with = "each"
    )]
    output: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run("substitute", |args: Args| -> Result<(), cli::BoxError> {
        // All are filled in before the first is written.
        for (path, text) in texts(&args)? {
            cli::write_output(path, |out| out.write_all(text.as_bytes()))?;
        }
        Ok(())
    })
}

/// Where each text goes, and the text.
fn texts(args: &Args) -> anyhow::Result<Vec<(&Path, String)>> {
    let template = read(&args.template)?;
    let values = values(args)?;
    let layout = match &args.partitions {
        None => None,
        Some(csv) => Some(
            Table::parse(&read(csv)?)
                .and_then(|table| table.layout(None))
                .with_context(|| csv.display().to_string())?,
        ),
    };
    let fill = |values: &BTreeMap<String, String>| {
        partitions::render(&template, values, layout.as_ref())
            .with_context(|| args.template.display().to_string())
    };
    if let Some(path) = &args.output {
        return Ok(vec![(path, fill(&values)?)]);
    }
    let key = args.each.as_ref().context("--output or --each is needed")?;
    let each = args.each_output.iter().map(|NamedFile { name, path }| {
        let mut values = values.clone();
        insert(&mut values, key, name)?;
        Ok((path.as_path(), fill(&values)?))
    });
    each.collect()
}

fn values(args: &Args) -> anyhow::Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for Pair { name, value } in &args.values {
        insert(&mut values, name, value)?;
    }
    for NamedFile { name, path } in &args.files {
        let text = read(path)?;
        insert(&mut values, name, text.strip_suffix('\n').unwrap_or(&text))?;
    }
    Ok(values)
}

fn insert(values: &mut BTreeMap<String, String>, key: &str, value: &str) -> anyhow::Result<()> {
    ensure!(
        !key.contains([':', '{', '}', ' ']),
        "key {key:?} can't stand in a template"
    );
    let again = values.insert(key.to_owned(), value.to_owned()).is_some();
    ensure!(!again, "key {key:?} was given already");
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
