//! The screen: what was found, as lines of plain ASCII that fit the console's columns, 80 where it does not say.

use steps::{Record, Report, Status};

use crate::bar::Bar;
use crate::facts::{Drive, Facts, Image, Interface, State};
use crate::inspect::{CONFIG, DIGESTS, IDENTITY, IMAGES};

/// One less than the columns of the smallest console: a cursor behind the last column behaves differently everywhere.
pub(crate) const WIDTH: usize = 79;
/// Columns that the names of the sections take.
const MARGIN: usize = 9;

/// What a line is, for those that can show colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Title,
    Plain,
    Good,
    Bad,
    Faint,
}

/// A line, perhaps longer than the screen is wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) section: &'static str,
    pub(crate) style: Style,
    pub(crate) text: String,
    /// Whether it says how far something is: not worth a line in a log.
    pub(crate) passing: bool,
}

/// A row of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) style: Style,
    pub(crate) text: String,
}

/// The screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) lines: Vec<Line>,
    /// What comes below them in a frame, and is never left out.
    framed: Option<(Style, Vec<String>)>,
    /// Whether all images were verified.
    pub(crate) verified: bool,
}

/// Names of the sections, in their order.
const TITLE: &str = "";
const CONFIG_SECTION: &str = "Config";
const IMAGES_SECTION: &str = "Images";
const DRIVES_SECTION: &str = "Drives";
const NETWORK_SECTION: &str = "Network";
const MACHINE_SECTION: &str = "Machine";
const SUMMARY: &str = "Result";

/// Whether all images are verified and nothing is wrong with any.
pub(crate) fn is_verified(facts: &Facts, report: &Report) -> bool {
    let done = |name| {
        report
            .step(name)
            .is_some_and(|step| step.status == Status::Done)
    };
    let mut images = facts.images.iter();
    done(IMAGES) && done(DIGESTS) && images.all(|image| image.state == State::Verified)
}

impl Screen {
    /// The screen of what was found; `going_on` is how far the verification of the images is.
    pub(crate) fn new(facts: &Facts, report: &Report, going_on: Option<Bar>) -> Self {
        let mut screen = Self {
            verified: is_verified(facts, report),
            ..Self::default()
        };
        let version = facts.version.as_deref().unwrap_or("of unknown version");
        let env = facts.env.as_deref().unwrap_or("unknown env");
        let title = format!("SetupOS {version} ({env}). It only looks: no drive is written to.");
        screen.add(TITLE, Style::Title, title);
        screen.records(TITLE, report, &[IDENTITY]);
        screen.config(facts, report);
        screen.records(CONFIG_SECTION, report, &[CONFIG]);
        for image in &facts.images {
            screen.image(image);
        }
        if let Some(bar) = going_on {
            screen.lines.push(Line {
                section: IMAGES_SECTION,
                style: Style::Plain,
                text: bar.text(),
                passing: true,
            });
        }
        screen.records(IMAGES_SECTION, report, &[IMAGES, DIGESTS]);
        for drive in &facts.drives {
            screen.add(DRIVES_SECTION, Style::Plain, drive_text(drive));
        }
        screen.records(DRIVES_SECTION, report, &["drives"]);
        for card in &facts.network {
            screen.add(NETWORK_SECTION, Style::Plain, interface_text(card));
        }
        screen.records(NETWORK_SECTION, report, &["network"]);
        screen.add(MACHINE_SECTION, Style::Plain, machine_text(facts));
        screen.records(MACHINE_SECTION, report, &["machine"]);
        screen.summary(facts, report);
        screen
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, section: &'static str, style: Style, text: impl AsRef<str>) {
        self.lines.push(Line {
            section,
            style,
            text: plain(text.as_ref()),
            passing: false,
        });
    }

    /// Puts lines into a frame at the end.
    pub(crate) fn frame(&mut self, style: Style, lines: &[String]) {
        self.framed = Some((style, lines.to_vec()));
    }

    /// What whoever sits at a console may type.
    pub(crate) fn invite(&mut self, text: &str) {
        self.add(SUMMARY, Style::Title, text);
    }

    /// Problems and remarks of steps.
    fn records(&mut self, section: &'static str, report: &Report, names: &[&str]) {
        let records: Vec<&Record> = names.iter().filter_map(|name| report.step(name)).collect();
        for problem in records.iter().flat_map(|record| &record.problems) {
            self.add(section, Style::Bad, format!("! {problem}"));
        }
        for note in records.iter().flat_map(|record| &record.notes) {
            self.add(section, Style::Faint, format!("- {note}"));
        }
    }

    fn config(&mut self, facts: &Facts, report: &Report) {
        let config = &facts.config;
        if let Some(device) = &config.device {
            let label = config.label.as_deref().unwrap_or("no label");
            let text = format!("on {device}, labelled {label}");
            self.add(CONFIG_SECTION, Style::Plain, text);
        }
        let read = report
            .step(CONFIG)
            .is_some_and(|step| step.status == Status::Done);
        if !read {
            return;
        }
        let settings = config.settings.iter();
        let mut words: Vec<String> = settings
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        if words.is_empty() {
            words.push("nothing set".to_owned());
        }
        self.add(CONFIG_SECTION, Style::Good, words.join("  "));
        let keys = config.ssh_keys.iter();
        let keys: Vec<String> = keys.map(|(user, n)| format!("{user} {n}")).collect();
        let keys = match keys.is_empty() {
            true => "none".to_owned(),
            false => keys.join(", "),
        };
        self.add(CONFIG_SECTION, Style::Plain, format!("ssh keys: {keys}"));
    }

    fn image(&mut self, image: &Image) {
        let (style, state) = match image.state {
            State::Unverified => (Style::Plain, "waits to be verified".to_owned()),
            State::Verifying { percent } => (Style::Plain, format!("verifying, {percent} %")),
            State::Verified => (Style::Good, "verified".to_owned()),
            State::Bad => (Style::Bad, "unusable".to_owned()),
        };
        let digest: String = image.fsverity.chars().take(16).collect();
        let text = format!(
            "{}  {}  {}  {digest}...  {state}",
            image.name,
            image.version,
            size(image.size)
        );
        self.lines.push(Line {
            section: IMAGES_SECTION,
            style,
            text: plain(&text),
            passing: matches!(image.state, State::Verifying { .. }),
        });
    }

    fn summary(&mut self, facts: &Facts, report: &Report) {
        let problems = report.problems().count();
        let waiting = facts
            .images
            .iter()
            .any(|i| matches!(i.state, State::Unverified | State::Verifying { .. }));
        let (style, text) = match problems {
            0 if waiting => (
                Style::Plain,
                "Nothing wrong so far; images are not verified yet.".to_owned(),
            ),
            0 => (Style::Good, "Nothing is wrong.".to_owned()),
            1 => (Style::Bad, "1 problem, marked with !".to_owned()),
            n => (Style::Bad, format!("{n} problems, marked with !")),
        };
        self.add(SUMMARY, style, text);
    }

    /// The rows of at most `width` columns; at most `most` of them if given, by leaving out the last lines of the longest sections.
    pub(crate) fn rows(&self, most: Option<usize>, width: usize) -> Vec<Row> {
        let mut sections: Vec<(&'static str, Vec<Row>)> = Vec::new();
        for line in &self.lines {
            let room = match line.section {
                TITLE => width,
                _ => width.saturating_sub(MARGIN),
            };
            let rows = wrap(&line.text, room);
            let style = line.style;
            let rows = rows.into_iter().map(|text| Row { style, text });
            match sections.last_mut() {
                Some((name, all)) if *name == line.section => all.extend(rows),
                _ => sections.push((line.section, rows.collect())),
            }
        }
        let framed = self
            .framed
            .as_ref()
            .map_or_else(Vec::new, |(style, lines)| {
                let rows = frame(lines, width).into_iter();
                rows.map(|text| Row {
                    style: *style,
                    text,
                })
                .collect()
            });
        if let Some(most) = most {
            // A frame that is larger than the screen leaves the rest as little as it can be.
            shorten(&mut sections, most.saturating_sub(framed.len()));
        }
        let mut out = Vec::new();
        for (name, rows) in sections {
            for (index, Row { style, text }) in rows.into_iter().enumerate() {
                let text = match (name, index) {
                    (TITLE, _) => text,
                    (name, 0) => format!("{name:<MARGIN$}{text}"),
                    _ => format!("{:MARGIN$}{text}", ""),
                };
                out.push(Row { style, text });
            }
        }
        out.extend(framed);
        out
    }
}

/// `lines` between lines, as wide as they are, at most `width`.
pub(crate) fn frame(lines: &[String], width: usize) -> Vec<String> {
    // "| " and " |"; on a console narrower than that nothing is right.
    let room = width.saturating_sub(4).max(8);
    let rows: Vec<String> = lines
        .iter()
        .flat_map(|line| wrap(&plain(line), room))
        .collect();
    let wide = rows.iter().map(String::len).max().unwrap_or(0);
    let edge = format!("+{}+", "-".repeat(wide.saturating_add(2)));
    let body = rows.iter().map(|row| format!("| {row:<wide$} |"));
    let mut framed = vec![edge.clone()];
    framed.extend(body);
    framed.push(edge);
    framed
}

/// Takes rows from the longest section until all fit, and says how many are missing.
fn shorten(sections: &mut [(&'static str, Vec<Row>)], most: usize) {
    // How many of each are shown; where some are missing, the last one says so.
    let mut shown: Vec<usize> = sections.iter().map(|(_, rows)| rows.len()).collect();
    while shown.iter().sum::<usize>() > most {
        let longest = shown.iter_mut().zip(&*sections).rev();
        let Some((shown, (_, rows))) = longest.max_by_key(|(shown, _)| **shown) else {
            break;
        };
        // Two of each stay.
        let least = if *shown == rows.len() { 2 } else { 3 };
        match shown.checked_sub(1) {
            Some(fewer) if *shown > least => *shown = fewer,
            _ => break,
        }
    }
    for ((_, rows), shown) in sections.iter_mut().zip(shown) {
        let mut missing = rows.split_off(shown);
        if missing.is_empty() {
            continue;
        }
        missing.extend(rows.pop());
        rows.push(Row {
            style: Style::Faint,
            text: format!(
                "... {} more rows; all of it: setupos_tool status",
                missing.len()
            ),
        });
    }
}

/// ASCII that moves no cursor: what comes from media and hardware is not trusted.
pub(crate) fn plain(text: &str) -> String {
    let safe = |c: char| match c {
        c if c.is_ascii_graphic() || c == ' ' => c,
        _ => '?',
    };
    text.chars().map(safe).collect()
}

/// Between words that belong together there is one space, between groups of them there are two.
const BETWEEN: &str = "  ";
/// In front of rows that go on.
const HANG: &str = "  ";

/// Breaks `text` (ASCII) into rows of at most `width`: between groups, if a group is longer than a row between its words, and within words
/// that are longer.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    for (number, group) in text.split(BETWEEN).enumerate() {
        let between = if number == 0 { "" } else { BETWEEN };
        let whole: usize = [between.len(), group.len()].iter().sum();
        let fits = |row: &str| {
            width
                .checked_sub(row.len())
                .is_some_and(|room| room >= whole)
        };
        if fits(&row) {
            row.push_str(between);
            row.push_str(group);
        } else if !row.trim().is_empty() && fits(HANG) {
            rows.push(std::mem::replace(&mut row, HANG.to_owned()));
            row.push_str(group);
        } else {
            row.push_str(between);
            words(group, width, &mut row, &mut rows);
        }
    }
    rows.push(row);
    rows.iter().map(|row| row.trim_end().to_owned()).collect()
}

/// Adds the words of a group to `row`, and full rows to `rows`.
fn words(group: &str, width: usize, row: &mut String, rows: &mut Vec<String>) {
    let room = |row: &str| width.checked_sub(row.len());
    for (number, word) in group.split(' ').enumerate() {
        let mut word = word;
        if !row.trim().is_empty() {
            // With a space before it, unless those between groups are there.
            let space = if number == 0 && row.ends_with(' ') {
                ""
            } else {
                " "
            };
            let needed: usize = [space.len(), word.len()].iter().sum();
            if room(row).is_some_and(|room| room >= needed) {
                row.push_str(space);
                row.push_str(word);
                continue;
            }
            rows.push(std::mem::replace(row, HANG.to_owned()));
        }
        while let Some((part, rest)) = room(row).and_then(|room| word.split_at_checked(room)) {
            if rest.is_empty() || part.is_empty() {
                break;
            }
            row.push_str(part);
            rows.push(std::mem::replace(row, HANG.to_owned()));
            word = rest;
        }
        row.push_str(word);
    }
}

/// Bytes for people, with one digit after the point.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in units {
        if bytes >> shift > 0 {
            let tenths = (u128::from(bytes) * 10) >> shift;
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return format!("{whole}.{tenth} {unit}");
        }
    }
    format!("{bytes} bytes")
}

fn drive_text(drive: &Drive) -> String {
    let size = drive.size.map_or_else(|| "size unknown".to_owned(), size);
    let mut words = vec![drive.name.clone(), size];
    words.extend(drive.bus.map(str::to_owned));
    words.extend(drive.model.clone());
    words.extend(
        drive
            .serial
            .as_ref()
            .map(|serial| format!("serial {serial}")),
    );
    let flags = [
        (drive.rotational, "rotating"),
        (drive.removable, "removable"),
        (drive.read_only, "read-only"),
        (drive.own, "runs this system"),
    ];
    words.extend(
        flags
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, what)| (*what).to_owned()),
    );
    words.join("  ")
}

fn interface_text(card: &Interface) -> String {
    let mut words = vec![card.name.clone()];
    words.extend(card.mac.clone());
    words.extend(card.driver.clone());
    words.push(match (card.link, card.speed_mbps) {
        (true, Some(speed)) => format!("link, {speed} Mb/s"),
        (true, None) => "link".to_owned(),
        (false, _) => "no link".to_owned(),
    });
    words.extend(card.addresses.iter().cloned());
    words.join("  ")
}

fn machine_text(facts: &Facts) -> String {
    let machine = &facts.machine;
    let maker = [&machine.vendor, &machine.product];
    let maker: Vec<&str> = maker.into_iter().filter_map(|m| m.as_deref()).collect();
    let mut words = vec![maker.join(" ")];
    words.retain(|maker| !maker.is_empty());
    words.extend(machine.cpu.clone());
    words.push(match machine.cpus {
        Some(1) => "1 processor".to_owned(),
        Some(n) => format!("{n} processors"),
        None => "processors unknown".to_owned(),
    });
    words.extend(machine.virtualization.map(str::to_owned));
    words.push(match machine.memory {
        Some(bytes) => format!("{} memory", size(bytes)),
        None => "memory unknown".to_owned(),
    });
    words.push(match (machine.uefi, machine.secure_boot) {
        (false, _) => "BIOS".to_owned(),
        (true, Some(true)) => "UEFI, Secure Boot on".to_owned(),
        (true, Some(false)) => "UEFI, Secure Boot off".to_owned(),
        (true, None) => "UEFI, Secure Boot unknown".to_owned(),
    });
    words.join("  ")
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
