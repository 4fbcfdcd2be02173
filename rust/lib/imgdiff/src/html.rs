//! A report as one page that needs nothing else: no script, no font, no address. Whatever comes out of an image is escaped.

use std::io::{self, Write};

use base::html::escaped;

use crate::model::{Area, Bytes, Change, Content, Difference, Fact, Part, Report};
use crate::text::{shown, stretches, summary, SAME_WORDS};

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>imgdiff</title><style>
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:70rem;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #ccc}
code,pre,td{font-family:ui-monospace,monospace;font-size:13px;overflow-wrap:anywhere}
pre{background:#f6f6f6;padding:.5rem;overflow-x:auto;margin:.3rem 0}
table{border-collapse:collapse;margin:.2rem 0 .4rem 1rem}td{padding:.1rem .6rem;border:1px solid #ddd;vertical-align:top}
td.n{white-space:nowrap}details{margin:.25rem 0}summary{cursor:pointer}.in{margin-left:1rem}
.added,.plus{color:#106b21}.removed,.minus{color:#a3120a}.changed{color:#6b4a00}.more{color:#555}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e4e4e4}pre{background:#222}td{border-color:#444}h2{border-color:#444}
.added,.plus{color:#6fce80}.removed,.minus{color:#ff8f87}.changed{color:#e0b64c}.more{color:#aaa}}
</style></head><body>
";

/// Writes `report`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    let verdict = match report.identical {
        true => format!("Identical: all {} bytes", report.old.length),
        false => format!("Different: {}", summary(report)),
    };
    writeln!(out, "<h1>{}</h1><table>", escaped(&verdict))?;
    for (word, side) in [("old", &report.old), ("new", &report.new)] {
        let name = escaped(&side.name);
        writeln!(
            out,
            "<tr><td class=\"n\">{word}<td>{name}<td class=\"n\">{} bytes",
            side.length
        )?;
    }
    writeln!(out, "</table>")?;
    let mut area = None;
    for (one, below) in shown(&report.differences) {
        if area != Some(one.area) {
            area = Some(one.area);
            writeln!(out, "<h2>{}</h2>", heading(one.area))?;
        }
        difference(one, below, out)?;
    }
    if !report.not_read.is_empty() {
        writeln!(out, "<h2>Not compared</h2>")?;
        for what in &report.not_read {
            writeln!(out, "<p>{}</p>", escaped(what))?;
        }
    }
    if let Some(bytes) = &report.bytes {
        writeln!(out, "<h2>Bytes</h2>")?;
        raw(bytes, out)?;
    }
    writeln!(out, "</body></html>")
}

fn heading(area: Area) -> &'static str {
    match area {
        Area::Image => "Image",
        Area::Table => "Partition table",
        Area::Partition => "Partitions",
        Area::FileSystem => "File systems",
        Area::Verity => "dm-verity",
        Area::Package => "Packages",
        Area::File => "Files",
    }
}

fn difference(one: &Difference, below: usize, out: &mut dyn Write) -> io::Result<()> {
    let word = one.change.word();
    let place = escaped(&one.place);
    write!(
        out,
        "<details><summary><span class=\"{word}\">{word}</span> <code>{place}</code>"
    )?;
    if below > 0 {
        write!(out, " <span class=\"more\">with {below} below it</span>")?;
    }
    if let (Area::Package, [version]) = (one.area, &one.facts[..]) {
        let both = [&version.old, &version.new];
        let both: Vec<&str> = both.into_iter().flatten().map(String::as_str).collect();
        let both = both.join(" → ");
        let both = escaped(&both);
        write!(out, " <span class=\"more\">{both}</span>")?;
    }
    writeln!(out, "</summary>")?;
    facts(&one.facts, out)?;
    if let Some(inside) = &one.content {
        content(inside, out)?;
    }
    writeln!(out, "</details>")
}

fn facts(facts: &[Fact], out: &mut dyn Write) -> io::Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    writeln!(out, "<table>")?;
    for fact in facts {
        let name = escaped(&fact.name);
        // A side without the fact has an empty cell.
        let sides = [&fact.old, &fact.new];
        let [old, new] = sides.map(|value| escaped(value.as_deref().unwrap_or_default()));
        writeln!(
            out,
            "<tr><td>{name}<td class=\"minus\">{old}<td class=\"plus\">{new}"
        )?;
    }
    writeln!(out, "</table>")
}

fn content(inside: &Content, out: &mut dyn Write) -> io::Result<()> {
    match inside {
        Content::Text { lines, left_out } => {
            signed(lines.iter().map(String::as_str), out)?;
            match left_out {
                0 => Ok(()),
                count => writeln!(out, "<p class=\"more\">… and {count} lines more</p>"),
            }
        }
        Content::Words { removed, added } if removed.is_empty() && added.is_empty() => {
            writeln!(out, "<p class=\"more\">{SAME_WORDS}</p>")
        }
        Content::Words { removed, added } => {
            let removed = removed.iter().map(|word| format!("-{word}"));
            let added = added.iter().map(|word| format!("+{word}"));
            let lines: Vec<String> = removed.chain(added).collect();
            signed(lines.iter().map(String::as_str), out)
        }
        Content::Parts { format, parts } => {
            for part in parts {
                self::part(format, part, out)?;
            }
            Ok(())
        }
        Content::Packed { format, inside } => {
            let text = match inside {
                None => "packed in another way, and the same inside",
                Some(_) => "inside",
            };
            writeln!(out, "<p class=\"more\">{format}: {text}</p>")?;
            match inside {
                None => Ok(()),
                Some(inside) => content(inside, out),
            }
        }
        Content::Bytes(bytes) => raw(bytes, out),
        Content::Image => writeln!(
            out,
            "<p class=\"more\">an image, whose differences stand in this page</p>"
        ),
    }
}

/// Lines that begin with a sign.
fn signed<'a>(lines: impl Iterator<Item = &'a str>, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<pre>")?;
    for line in lines {
        let text = escaped(line);
        match line.chars().next() {
            Some('+') => writeln!(out, "<span class=\"plus\">{text}</span>")?,
            Some('-') => writeln!(out, "<span class=\"minus\">{text}</span>")?,
            _ => writeln!(out, "{text}")?,
        }
    }
    writeln!(out, "</pre>")
}

fn part(format: &str, part: &Part, out: &mut dyn Write) -> io::Result<()> {
    let word = part.change.word();
    let name = escaped(&part.name);
    writeln!(
        out,
        "<div class=\"in\">{format} <code>{name}</code> <span class=\"{word}\">{word}</span>"
    )?;
    facts(&part.facts, out)?;
    if let Some(inside) = &part.content {
        content(inside, out)?;
    }
    debug_assert!(part.change == Change::Changed || part.content.is_none());
    writeln!(out, "</div>")
}

fn raw(bytes: &Bytes, out: &mut dyn Write) -> io::Result<()> {
    match bytes.first {
        None => writeln!(out, "<p>one is the beginning of the other</p>")?,
        Some(first) => writeln!(
            out,
            "<p>{} bytes differ, the first at {first}, in {} of blocks</p>",
            bytes.count,
            stretches(bytes.stretches)
        )?,
    }
    for place in &bytes.places {
        let (old, new) = (place.old.join(" > "), place.new.join(" > "));
        writeln!(
            out,
            "<p>at {}, {} bytes: <code>{}</code>",
            place.start,
            place.size,
            escaped(&old)
        )?;
        if old != new {
            writeln!(out, " / <code>{}</code>", escaped(&new))?;
        }
        writeln!(out, "</p>")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_image_is_markup() {
        let evil = "<script>alert('x')</script>&\"";
        let text = || evil.to_owned();
        let fact = Fact {
            name: text(),
            old: Some(text()),
            new: Some(text()),
        };
        let inside = Content::Parts {
            format: "elf",
            parts: vec![Part {
                name: text(),
                change: Change::Changed,
                facts: vec![fact.clone()],
                content: Some(Box::new(Content::Words {
                    removed: vec![text()],
                    added: vec![text()],
                })),
            }],
        };
        let lines = Content::Text {
            lines: vec![text(), format!("+{evil}")],
            left_out: 1,
        };
        let difference = |content| Difference {
            area: Area::File,
            place: text(),
            change: Change::Changed,
            facts: vec![fact.clone()],
            content: Some(content),
        };
        let side = || crate::Side {
            name: text(),
            length: 1,
        };
        let report = Report {
            imgdiff: 1,
            old: side(),
            new: side(),
            identical: false,
            bytes: Some(Bytes {
                first: Some(0),
                count: 1,
                stretches: 1,
                places: vec![crate::Stretch {
                    start: 0,
                    size: 1,
                    old: vec![text()],
                    new: vec![],
                }],
            }),
            differences: vec![difference(inside), difference(lines)],
            not_read: vec![text()],
        };
        let mut page = Vec::new();
        write(&report, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(
            !page.contains("<script") && !page.contains("alert('"),
            "{page}"
        );
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;")
                .count(),
            20
        );
        // Nothing is fetched from anywhere.
        assert!(
            !page.contains("http://") && !page.contains("https://") && !page.contains("src="),
            "{page}"
        );
    }
}
