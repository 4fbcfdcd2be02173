//! A report as text for a terminal: a line for each thing that differs, below it what of it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::model::{Area, Bytes, Change, Content, Difference, Fact, Part, Report};

/// What is said of kernel arguments that differ, and no word of which does.
pub(crate) const SAME_WORDS: &str = "the same words in another order, or other blanks";

/// Writes `report`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "--- {} ({} bytes)", report.old.name, report.old.length)?;
    writeln!(out, "+++ {} ({} bytes)", report.new.name, report.new.length)?;
    if report.identical {
        return writeln!(out, "identical: all {} bytes", report.old.length);
    }
    for (difference, below) in shown(&report.differences) {
        let Difference {
            area,
            place,
            change,
            facts: values,
            content: inside,
        } = difference;
        write!(out, "{} {place} {}", area.word(), change.word())?;
        match below {
            0 => writeln!(out)?,
            count => writeln!(out, ", with {count} below it")?,
        }
        facts(values, *change, "  ", out)?;
        if let Some(inside) = inside {
            content(inside, "  ", out)?;
        }
    }
    for what in &report.not_read {
        writeln!(out, "not compared: {what}")?;
    }
    if let Some(bytes) = &report.bytes {
        raw(bytes, "", out)?;
    }
    writeln!(out, "different: {}", summary(report))
}

/// What is shown, each with the number of those below it that are not, since they came or went with it.
pub(crate) fn shown(differences: &[Difference]) -> Vec<(&Difference, usize)> {
    let mut shown: Vec<(&Difference, usize)> = Vec::new();
    // The last folder that came and the last that went.
    let mut folders: BTreeMap<bool, usize> = BTreeMap::new();
    for difference in differences {
        if difference.area == Area::File && difference.change != Change::Changed {
            let added = difference.change == Change::Added;
            let folder = folders.get(&added).and_then(|at| shown.get_mut(*at));
            if let Some((folder, below)) = folder {
                let rest = difference.place.strip_prefix(&folder.place);
                if rest.is_some_and(|rest| rest.starts_with('/')) {
                    // There are no more than differences.
                    *below = below.wrapping_add(1);
                    continue;
                }
            }
            folders.insert(added, shown.len());
        }
        shown.push((difference, 0));
    }
    shown
}

/// How many things differ, by what they are.
pub(crate) fn summary(report: &Report) -> String {
    let mut counts: BTreeMap<Area, usize> = BTreeMap::new();
    for difference in &report.differences {
        let count = counts.entry(difference.area).or_default();
        // There are no more than differences.
        *count = count.wrapping_add(1);
    }
    let mut parts: Vec<String> = Vec::new();
    for (area, count) in counts {
        let ending = match (area, count) {
            (_, 1) => "",
            (Area::Verity, _) => " values",
            _ => "s",
        };
        parts.push(format!("{count} {}{ending}", area.word()));
    }
    match parts.is_empty() {
        true => {
            "nothing but the bytes above, which no structure that is read here explains".to_owned()
        }
        false => parts.join(", "),
    }
}

fn facts(facts: &[Fact], change: Change, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    if change != Change::Changed {
        let values = facts.iter().filter_map(|fact| {
            let value = fact.old.as_ref().or(fact.new.as_ref())?;
            Some(format!("{} {value}", fact.name))
        });
        let values: Vec<String> = values.collect();
        if !values.is_empty() {
            writeln!(out, "{indent}{}", values.join(", "))?;
        }
        return Ok(());
    }
    for fact in facts {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let (old, new) = (shown(&fact.old), shown(&fact.new));
        writeln!(out, "{indent}{}: {old} -> {new}", fact.name)?;
    }
    Ok(())
}

fn content(inside: &Content, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    match inside {
        Content::Text { lines, left_out } => {
            for line in lines {
                writeln!(out, "{indent}{line}")?;
            }
            match left_out {
                0 => Ok(()),
                count => writeln!(out, "{indent}… and {count} lines more (--max-lines)"),
            }
        }
        Content::Words { removed, added } => {
            if removed.is_empty() && added.is_empty() {
                return writeln!(out, "{indent}{SAME_WORDS}");
            }
            for (sign, words) in [('-', removed), ('+', added)] {
                for word in words {
                    writeln!(out, "{indent}{sign}{word}")?;
                }
            }
            Ok(())
        }
        Content::Parts { format, parts } => {
            for part in parts {
                self::part(format, part, indent, out)?;
            }
            Ok(())
        }
        Content::Packed { format, inside } => match inside {
            None => writeln!(
                out,
                "{indent}packed in another way ({format}), and the same inside"
            ),
            Some(inside) => {
                writeln!(out, "{indent}inside ({format}):")?;
                content(inside, &format!("{indent}  "), out)
            }
        },
        Content::Bytes(bytes) => raw(bytes, indent, out),
        Content::Image => writeln!(out, "{indent}an image, whose differences stand above"),
    }
}

fn part(format: &str, part: &Part, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{indent}{format} {} {}", part.name, part.change.word())?;
    let deeper = format!("{indent}  ");
    facts(&part.facts, part.change, &deeper, out)?;
    match &part.content {
        Some(inside) => content(inside, &deeper, out),
        None => Ok(()),
    }
}

fn raw(bytes: &Bytes, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    match bytes.first {
        None => writeln!(out, "{indent}bytes: one is the beginning of the other")?,
        Some(first) => writeln!(
            out,
            "{indent}bytes: {} differ, the first at {first}, in {} of blocks",
            bytes.count,
            stretches(bytes.stretches)
        )?,
    }
    for place in &bytes.places {
        writeln!(out, "{indent}  at {}, {} bytes:", place.start, place.size)?;
        let (old, new) = (place.old.join(" > "), place.new.join(" > "));
        match old == new {
            true => writeln!(out, "{indent}    {old}")?,
            false => writeln!(out, "{indent}    -{old}\n{indent}    +{new}")?,
        }
    }
    Ok(())
}

/// So many stretches.
pub(crate) fn stretches(count: u64) -> String {
    match count {
        1 => "1 stretch".to_owned(),
        count => format!("{count} stretches"),
    }
}
