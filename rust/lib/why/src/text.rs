//! Answers for people: one indented chain for each range.

use std::io::{self, Write};

use crate::answer::{Answer, Answers, Injected, Member, Origin};

/// So many origins of a place are shown.
const MOST_TOTALS: usize = 40;

/// Writes `answers` as text.
pub fn write(answers: &Answers, out: &mut dyn Write) -> io::Result<()> {
    for answer in &answers.ranges {
        range(answer, out)?;
    }
    if answers.more_bytes > 0 {
        writeln!(
            out,
            "and {} bytes more: --ranges N shows more of them",
            answers.more_bytes
        )?;
    }
    if !answers.totals.is_empty() {
        writeln!(out, "all of it:")?;
    }
    for total in answers.totals.iter().take(MOST_TOTALS) {
        let what = total.label.as_ref().unwrap_or(&total.from);
        writeln!(out, "{:>13} {what}", total.bytes)?;
    }
    if let Some(more) = answers
        .totals
        .get(MOST_TOTALS..)
        .filter(|more| !more.is_empty())
    {
        writeln!(out, "and {} more inputs", more.len())?;
    }
    for missing in &answers.missing {
        writeln!(out, "not known: {missing}")?;
    }
    Ok(())
}

fn range(answer: &Answer, out: &mut dyn Write) -> io::Result<()> {
    let (start, size) = (answer.start, answer.size);
    match size {
        1 => writeln!(out, "byte {start}")?,
        _ => writeln!(out, "{size} bytes from {start} on")?,
    }
    let mut lines = Vec::new();
    for step in &answer.steps {
        lines.push(match (step.byte, step.size) {
            (0, whole) if whole == size => format!("{}: all of it", step.what),
            (byte, whole) => format!("{}: from byte {byte} of {whole}", step.what),
        });
    }
    match &answer.from {
        None => {}
        Some(Origin::Zero) => lines.push("zero: the plan says so".to_owned()),
        Some(Origin::Computed { injected, member }) => {
            lines.push("computed when the image was laid out: the plan holds them".to_owned());
            late(injected, &mut lines);
            of_member(member.as_deref(), &mut lines);
        }
        Some(Origin::Input {
            path,
            offset,
            label,
            injected,
            member,
        }) => {
            lines.push(format!("from byte {offset} of {path}"));
            lines.extend(label.as_ref().map(|label| format!("which is {label}")));
            late(injected, &mut lines);
            of_member(member.as_deref(), &mut lines);
        }
    }
    let mut indent = String::new();
    for line in lines {
        indent.push_str("  ");
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

fn late(injected: &[Injected], lines: &mut Vec<String>) {
    for injected in injected {
        let label = injected.label.as_deref().unwrap_or("it");
        let (dest, by, tree) = (&injected.dest, &injected.by, &injected.tree);
        lines.push(format!("{label} was put at {dest} by {by} ({tree})"));
    }
}

fn of_member(member: Option<&Member>, lines: &mut Vec<String>) {
    let Some(member) = member else {
        return;
    };
    lines.push(format!("in the root file system's archive {}", member.path));
    match (&member.package, &member.version) {
        (Some(package), Some(version)) => lines.push(format!("of the package {package} {version}")),
        _ => lines.push("of no package".to_owned()),
    }
    match &member.change {
        Some(change) => {
            lines.push(format!(
                "last changed by {} line {}: {}",
                change.file, change.line, change.text
            ));
            let label = change.label.as_ref();
            lines.extend(label.map(|label| format!("which copied {label}")));
        }
        None => lines.push("as the base image has it".to_owned()),
    }
}
