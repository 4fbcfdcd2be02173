//! `ruledoc`: the reference of rules as Markdown, from what Bazel's `starlark_doc_extract` found in their files.
//!
//! Its output is a protocol buffer, `ModuleInfo` of Bazel's stardoc_output.proto; the field numbers here are those of that file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{bail, Context, Result};

/// Renders the reference of rules, providers, macros and module extensions from what starlark_doc_extract found.
#[derive(clap::Parser)]
struct Args {
    /// A page to write, and the extracted file that it shows; may be repeated.
    #[arg(long = "page", value_name = "PAGE=EXTRACTED", required = true)]
    pages: Vec<Page>,
    /// The pages lie in the source tree that `bazel run` was called in.
    #[arg(long)]
    update: bool,
}

#[derive(Clone)]
struct Page {
    output: PathBuf,
    extracted: PathBuf,
}

impl FromStr for Page {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let want = || format!("got `{text}`, want PAGE=EXTRACTED");
        let (output, extracted) = text.split_once('=').ok_or_else(want)?;
        let (output, extracted) = (output.into(), extracted.into());
        Ok(Self { output, extracted })
    }
}

fn main() -> ExitCode {
    cli::run("ruledoc", |args: Args| -> Result<()> {
        for page in &args.pages {
            let name = page.extracted.display();
            let bytes =
                std::fs::read(&page.extracted).with_context(|| format!("cannot read {name}"))?;
            let module = Message::parse(&bytes).with_context(|| name.to_string())?;
            let text = render(&module).with_context(|| name.to_string())?;
            let output = match args.update {
                true => cli::workspace(None)?.join(&page.output),
                false => page.output.clone(),
            };
            cli::write_output(&output, |out| out.write_all(text.as_bytes()))
                .map_err(anyhow::Error::from_boxed)?;
        }
        Ok(())
    })
}

/// The page of a ModuleInfo: what the file says of itself, then its symbols by name.
fn render(module: &Message) -> Result<String> {
    let label = module.text(6)?;
    let (_, file) = label.rsplit_once("//").unwrap_or(("", &label));
    let mut page = format!(
        "<!-- Written by `bazel run //docs/rules:update` from the docstrings; a change here is undone by the next one. -->\n\n# {}\n\n{}\n",
        file.replace(':', "/"),
        prose(&module.text(5)?)
    );
    let mut symbols = Vec::new();
    let kinds: [(u64, Show); 4] = [(1, rule), (2, provider), (3, function), (7, extension)];
    for (kind, show) in kinds {
        for symbol in module.all(kind)? {
            symbols.push((symbol.text(1)?, show(&symbol)?));
        }
    }
    symbols.sort();
    for (name, text) in symbols {
        write!(page, "\n## {name}\n\n{}", text)?;
    }
    Ok(page)
}

type Show = fn(&Message) -> Result<String>;

/// A RuleInfo.
fn rule(rule: &Message) -> Result<String> {
    let kind = match (rule.number(6)?, rule.number(7)?) {
        (1, _) => "Test rule",
        (_, 1) => "Rule for `bazel run`",
        _ => "Rule",
    };
    let mut text = format!("{kind}. {}\n", prose(&rule.text(2)?));
    let gives: Vec<String> = rule
        .all(5)?
        .iter()
        .map(|group| group.texts(1))
        .collect::<Result<Vec<_>>>()?
        .concat();
    if !gives.is_empty() {
        write!(text, "\nProvides {}.\n", code_list(&gives))?;
    }
    attributes(&mut text, &rule.all(3)?)?;
    Ok(text)
}

/// A table of AttributeInfo, but those that Bazel gives every rule.
fn attributes(text: &mut String, attributes: &[Message]) -> Result<()> {
    let mut rows = Vec::new();
    for attribute in attributes {
        let (name, kind) = (attribute.text(1)?, attribute.number(3)?);
        let doc = attribute.text(2)?;
        if doc != "A unique name for this target." {
            let mut kind = attribute_type(kind)?.to_owned();
            for group in attribute.all(5)? {
                write!(kind, " with {}", code_list(&group.texts(1)?))?;
            }
            rows.push([
                code(&name),
                kind,
                default(attribute.number(4)?, &attribute.text(6)?),
                cell(&doc),
            ]);
        }
    }
    table(text, ["attribute", "type", "default", "meaning"], &rows)
}

/// An AttributeType.
fn attribute_type(number: u64) -> Result<&'static str> {
    Ok(match number {
        1 => "name",
        2 => "int",
        3 => "label",
        4 => "string",
        5 => "list of string",
        6 => "list of int",
        7 => "list of label",
        8 => "bool",
        9 => "dict of label to string",
        10 => "dict of string to string",
        11 => "dict of string to list of string",
        12 => "output",
        13 => "list of output",
        14 => "dict of string to label",
        15 => "dict of string to list of label",
        _ => bail!("attribute type {number} is not known here"),
    })
}

/// A ProviderInfo.
fn provider(provider: &Message) -> Result<String> {
    let mut text = format!("Provider. {}\n", prose(&provider.text(2)?));
    let mut rows = Vec::new();
    for field in provider.all(3)? {
        rows.push([code(&field.text(1)?), cell(&field.text(2)?)]);
    }
    table(&mut text, ["field", "meaning"], &rows)?;
    Ok(text)
}

/// A StarlarkFunctionInfo.
fn function(function: &Message) -> Result<String> {
    let mut text = format!("{}\n", prose(&function.text(3)?));
    let mut rows = Vec::new();
    for parameter in function.all(2)? {
        let (name, mandatory, value) =
            (parameter.text(1)?, parameter.number(4)?, parameter.text(3)?);
        // Neither given by everybody nor with a default: `*args` or `**kwargs`. Bazel 7 does not say which.
        let (name, default) = match (mandatory, value.as_str()) {
            (0, "") => (format!("{name}…"), "none".to_owned()),
            _ => (name, default(mandatory, &value)),
        };
        rows.push([code(&name), default, cell(&parameter.text(2)?)]);
    }
    table(&mut text, ["argument", "default", "meaning"], &rows)?;
    for returned in function.all(4)? {
        write!(text, "\nReturns {}\n", prose(&returned.text(1)?))?;
    }
    Ok(text)
}

/// A ModuleExtensionInfo.
fn extension(extension: &Message) -> Result<String> {
    let mut text = format!("Module extension. {}\n", prose(&extension.text(2)?));
    for tag in extension.all(3)? {
        write!(
            text,
            "\n### {}.{}\n\n{}\n",
            extension.text(1)?,
            tag.text(1)?,
            prose(&tag.text(2)?)
        )?;
        attributes(&mut text, &tag.all(3)?)?;
    }
    Ok(text)
}

fn table<const N: usize>(text: &mut String, head: [&str; N], rows: &[[String; N]]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    write!(text, "\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(N))?;
    for row in rows {
        writeln!(text, "| {} |", row.join(" | "))?;
    }
    Ok(())
}

fn default(mandatory: u64, value: &str) -> String {
    match mandatory {
        1 => "mandatory".to_owned(),
        _ => code(value),
    }
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn code_list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| code(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Text of one cell: a table's row is a line.
fn cell(text: &str) -> String {
    prose(text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

/// A docstring; `docs/…​.md` in parentheses becomes a link, seen from docs/rules.
fn prose(text: &str) -> String {
    let mut parts = text.trim().split("(docs/");
    let mut out: String = parts.by_ref().take(1).collect();
    for part in parts {
        match part.split_once(".md)") {
            Some((path, rest)) => out.push_str(&format!("([{path}](../{path}.md)){rest}")),
            None => out.push_str(&format!("(docs/{part}")),
        }
    }
    out
}

/// A protocol buffer's message: fields in their order, as (number, value).
struct Message<'a>(Vec<(u64, Value<'a>)>);

#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Message<'a> {
    fn parse(mut bytes: &'a [u8]) -> Result<Self> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let value = match key & 7 {
                0 => Value::Number(varint(&mut bytes)?),
                2 => {
                    let len = usize::try_from(varint(&mut bytes)?)?;
                    let (value, rest) = bytes
                        .split_at_checked(len)
                        .context("a field ends behind the file")?;
                    bytes = rest;
                    Value::Bytes(value)
                }
                kind => bail!(
                    "field {} is of kind {kind}, want a number or bytes",
                    key >> 3
                ),
            };
            fields.push((key >> 3, value));
        }
        Ok(Self(fields))
    }

    fn fields(&self, number: u64) -> impl Iterator<Item = Value<'a>> + '_ {
        let mine = self.0.iter().filter(move |(key, _)| *key == number);
        mine.map(|(_, value)| *value)
    }

    /// A number; a field that is left out is 0, as the format has it.
    fn number(&self, number: u64) -> Result<u64> {
        match self.fields(number).last() {
            None => Ok(0),
            Some(Value::Number(value)) => Ok(value),
            Some(Value::Bytes(_)) => bail!("field {number} is bytes, want a number"),
        }
    }

    /// Texts. Bazel 7 takes each byte of a file for a character of its own: what reads as UTF-8 when that is undone was it.
    fn texts(&self, number: u64) -> Result<Vec<String>> {
        let text = |value| match value {
            Value::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes)?;
                let bytes = text
                    .chars()
                    .map(u8::try_from)
                    .collect::<Result<Vec<u8>, _>>();
                let undone = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
                Ok(undone.unwrap_or_else(|| text.to_owned()))
            }
            Value::Number(_) => bail!("field {number} is a number, want text"),
        };
        self.fields(number).map(text).collect()
    }

    /// A text; one that is left out is empty, as the format has it.
    fn text(&self, number: u64) -> Result<String> {
        // Absent is empty: proto3.
        Ok(self.texts(number)?.pop().unwrap_or_else(String::new))
    }

    fn all(&self, number: u64) -> Result<Vec<Message<'a>>> {
        let message = |value| match value {
            Value::Bytes(bytes) => Message::parse(bytes),
            Value::Number(_) => bail!("field {number} is a number, want a message"),
        };
        self.fields(number).map(message).collect()
    }
}

/// Seven bits a byte, the lowest first; a byte without its high bit ends it.
fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes
            .split_first()
            .context("the file ends within a number")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f)
            .checked_shl(shift)
            .context("a shift of less than 64")?;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    bail!("a number has more than ten bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that holds `value`.
    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let head = [number << 3 | 2, u8::try_from(value.len()).unwrap()];
        [&head, value].concat()
    }

    #[test]
    fn a_rule_becomes_a_section() {
        let size = [
            field(1, b"size"),
            field(2, b"In MiB,\nor a|b."),
            vec![3 << 3, 2],
            field(6, b"8"),
        ]
        .concat();
        let name = [
            field(1, b"name"),
            field(2, b"A unique name for this target."),
            vec![3 << 3, 1],
        ]
        .concat();
        let info = [
            field(1, b"ext4"),
            field(2, b"A file system (docs/formats/plan.md)."),
            field(3, &name),
            field(3, &size),
        ]
        .concat();
        let module = [
            field(5, b"Images."),
            field(6, b"@//bzl:image.bzl"),
            field(1, &info),
        ]
        .concat();
        let page = render(&Message::parse(&module).unwrap()).unwrap();
        let (_, page) = page.split_once("-->\n\n").unwrap();
        assert_eq!(
            page,
            "# bzl/image.bzl\n\nImages.\n\n## ext4\n\nRule. A file system ([formats/plan](../formats/plan.md)).\n\n\
             | attribute | type | default | meaning |\n|---|---|---|---|\n| `size` | int | `8` | In MiB, or a\\|b. |\n"
        );
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, why) in [
            (&[0x80][..], "the file ends within a number"),
            (&[0xff; 11], "a number has more than ten bytes"),
            (&[1 << 3 | 2, 9, 0], "a field ends behind the file"),
            (&[1 << 3 | 5, 0, 0, 0, 0], "field 1 is of kind 5"),
        ] {
            let error = Message::parse(bytes).err().unwrap().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(Message::parse(&[3 << 3, 1]).unwrap().text(3).is_err());
        assert!(Message::parse(&field(3, b"x")).unwrap().number(3).is_err());
    }
}
