//! Text with `{{key}}` in it.
//!
//! | written               | becomes                                             |
//! |-----------------------|-----------------------------------------------------|
//! | `{{partuuid:NAME}}`   | PARTUUID of partition NAME, lower case              |
//! | `{{start:NAME}}`      | its first byte                                      |
//! | `{{size:NAME}}`       | its size in bytes                                   |
//! | `{{number:NAME}}`     | its number in the table, from 1                     |
//! | `{{type:NAME}}`       | its type's GUID, lower case                         |
//! | `{{KEY}}`             | the value given for KEY                             |
//! | `{{size:{{KEY}}_x}}`  | a key inside a key, one deep: its value is put in first |
//! | `{{"TEXT"}}`          | TEXT: how braces that are to stay are said, `{{"{{"}}` |
//!
//! White space inside the braces is not looked at. Values are not searched for braces again. `}}` alone is plain text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::layout::Layout;

/// Where a template is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TemplateError {
    /// Line of the template, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: TemplateProblem,
}

/// Why a template was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateProblem {
    /// `{{` without `}}` on its line.
    #[error("{{{{ is not closed by }}}} on the same line")]
    Unclosed,
    /// No value for a key.
    #[error("no value for {{{{{key}}}}}, there are: {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that have one.
        known: String,
    },
    /// No partition of that name.
    #[error("{{{{{key}}}}} names no partition, there are: {known}")]
    UnknownPartition {
        /// The text between the braces.
        key: String,
        /// The partitions of the table.
        known: String,
    },
    /// A word before the colon that means nothing.
    #[error("{{{{{key}}}}}: want partuuid:, start:, size:, number: or type:")]
    UnknownField {
        /// The text between the braces.
        key: String,
    },
}

/// `text` with every `{{key}}` replaced.
pub fn render(
    text: &str,
    values: &BTreeMap<String, String>,
    layout: Option<&Layout>,
) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len());
    for (line, content) in (1_usize..).zip(text.split_inclusive('\n')) {
        render_line(content, values, layout, &mut out)
            .map_err(|problem| TemplateError { line, problem })?;
    }
    Ok(out)
}

fn render_line(
    line: &str,
    values: &BTreeMap<String, String>,
    layout: Option<&Layout>,
    out: &mut String,
) -> Result<(), TemplateProblem> {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (key, after) = key(after, values, layout)?;
        out.push_str(&value(key.trim(), values, layout)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

/// The key that `text` begins with, keys inside it replaced, and what is behind its braces.
fn key<'a>(
    text: &'a str,
    values: &BTreeMap<String, String>,
    layout: Option<&Layout>,
) -> Result<(Cow<'a, str>, &'a str), TemplateProblem> {
    let (mut key, mut rest) = split(text)?;
    // Braces in a literal text are no key.
    if key.trim_start().starts_with('"') || !key.contains("{{") {
        return Ok((Cow::Borrowed(key), rest));
    }
    let mut whole = String::new();
    while let Some((before, inner)) = key.split_once("{{") {
        whole.push_str(before);
        whole.push_str(&value(inner.trim(), values, layout)?);
        (key, rest) = split(rest)?;
    }
    whole.push_str(key);
    Ok((Cow::Owned(whole), rest))
}

fn split(text: &str) -> Result<(&str, &str), TemplateProblem> {
    text.split_once("}}").ok_or(TemplateProblem::Unclosed)
}

fn value(
    key: &str,
    values: &BTreeMap<String, String>,
    layout: Option<&Layout>,
) -> Result<String, TemplateProblem> {
    let quoted = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    if let Some(text) = quoted {
        return Ok(text.to_owned());
    }
    let Some((field, name)) = key.split_once(':') else {
        return values
            .get(key)
            .cloned()
            .ok_or_else(|| TemplateProblem::UnknownKey {
                key: key.to_owned(),
                known: list(values.keys()),
            });
    };
    let key = key.to_owned();
    if !matches!(field, "partuuid" | "start" | "size" | "number" | "type") {
        return Err(TemplateProblem::UnknownField { key });
    }
    let placed = layout.and_then(|layout| layout.get(name)).ok_or_else(|| {
        let known = layout.map_or_else(
            || "none".to_owned(),
            |layout| list(layout.partitions.iter().map(|p| &p.partition.name)),
        );
        TemplateProblem::UnknownPartition {
            key: key.clone(),
            known,
        }
    })?;
    Ok(match field {
        "partuuid" => placed.partition.uuid.to_string(),
        "start" => placed.start.to_string(),
        "size" => placed.partition.size.to_string(),
        "type" => placed.partition.type_guid.to_string(),
        _ => placed.number.to_string(),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    fn render_all(text: &str) -> Result<String, String> {
        let table = Table::parse(
            "name,start,size,type,uuid,description\n\
             A_root,,4M,root-x86-64,B1A0A1C2-0000-4000-8000-00000000000A,\n",
        )
        .unwrap();
        let values = BTreeMap::from([
            ("VERSION".to_owned(), "{{1.2}}".to_owned()),
            ("SLOT".to_owned(), "A".to_owned()),
            ("WHAT".to_owned(), "root".to_owned()),
            ("A".to_owned(), "of slot A".to_owned()),
            ("e".to_owned(), String::new()),
        ]);
        render(text, &values, Some(&table.layout(None).unwrap())).map_err(|e| e.to_string())
    }

    #[test]
    fn replaced() {
        assert_eq!(
            render_all("root=PARTUUID={{partuuid:A_root}}\n{{ VERSION }}{{e}} }} {x}\n").unwrap(),
            "root=PARTUUID=b1a0a1c2-0000-4000-8000-00000000000a\n{{1.2}} }} {x}\n"
        );
        assert_eq!(
            render_all("{{start:A_root}} {{size:A_root}} {{number:A_root}}").unwrap(),
            "1048576 4194304 1"
        );
        // Of the Discoverable Partitions Specification.
        assert_eq!(
            render_all("{{type:A_root}}").unwrap(),
            "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
        );
        // A key inside a key; what it puts there is not searched for more.
        assert_eq!(
            render_all("{{number:{{SLOT}}_root}} {{ size:{{ SLOT }}_{{WHAT}} }}{{{{SLOT}}}}")
                .unwrap(),
            "1 4194304of slot A"
        );
        assert_eq!(render_all("").unwrap(), "");
        // Literal text, a colon and braces in it too; what is left of it are no keys.
        assert_eq!(
            render_all("{{\"{{\"}}VERSION}} {{ \"a:{{b\" }}{{\"\"}}\n").unwrap(),
            "{{VERSION}} a:{{b\n"
        );
    }

    #[test]
    fn refused() {
        for (text, error) in [
            (
                "\n{{VERSION\n}}",
                "line 2: {{ is not closed by }} on the same line",
            ),
            (
                "{{\"}}",
                "line 1: no value for {{\"}}, there are: A, SLOT, VERSION, WHAT, e",
            ),
            (
                "{{X}}",
                "line 1: no value for {{X}}, there are: A, SLOT, VERSION, WHAT, e",
            ),
            (
                "{{}}",
                "line 1: no value for {{}}, there are: A, SLOT, VERSION, WHAT, e",
            ),
            (
                "{{size:{{X}}_root}}",
                "line 1: no value for {{X}}, there are: A, SLOT, VERSION, WHAT, e",
            ),
            (
                "{{size:{{WHAT}}}}",
                "line 1: {{size:root}} names no partition, there are: A_root",
            ),
            (
                "{{size:{{SLOT}}_root",
                "line 1: {{ is not closed by }} on the same line",
            ),
            (
                "{{A{{SLOT{{WHAT}}}}}}",
                "line 1: no value for {{SLOT{{WHAT}}, there are: A, SLOT, VERSION, WHAT, e",
            ),
            (
                "{{size:B_root}}",
                "line 1: {{size:B_root}} names no partition, there are: A_root",
            ),
            (
                "{{end:A_root}}",
                "line 1: {{end:A_root}}: want partuuid:, start:, size:, number: or type:",
            ),
        ] {
            assert_eq!(render_all(text).unwrap_err(), error);
        }
        let error = render("{{size:x}}", &BTreeMap::new(), None).unwrap_err();
        assert_eq!(error.line, 1);
    }
}
