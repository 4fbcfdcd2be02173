//! What is on the page, section by section.

use base::bounded::{sum, without};
use base::text::bytes;

use crate::disk::{Disk, Given, Item, Partition};
use crate::html::Html;
use crate::manifest::{changes, Change};
use crate::maps;
use crate::packages::Package;
use crate::page::{percent, seconds, thousands, Sources, Table};

/// The disk's length in units of its picture.
const SCALE: u64 = 100_000;
/// So many of what there may be thousands of.
const MOST: usize = 25;

/// A section.
pub(crate) struct Section {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) write: Write,
}

/// Writes what a section has.
type Write = fn(&mut Html, &Sources<'_>, &Disk);

/// The sections that there is something to say in, in their order.
pub(crate) fn of(sources: &Sources<'_>, disk: &Disk) -> Vec<Section> {
    let packages = disk.partitions.iter().any(|p| !p.packages.all.is_empty());
    let given = disk.partitions.iter().any(|p| !p.given.is_empty());
    let section =
        |there: bool, id, title, write: Write| there.then_some(Section { id, title, write });
    let all = [
        section(true, "disk", "Disk", partitions),
        section(
            !disk.files.is_empty(),
            "space",
            "What takes the space",
            space,
        ),
        section(packages, "packages", "Packages", self::packages),
        section(!disk.files.is_empty(), "files", "Largest files", files),
        section(given, "injected", "Injected", injected),
        section(sources.previous.is_some(), "changes", "Changes", previous),
        section(sources.sbom.is_some(), "sbom", "Bill of materials", sbom),
        section(sources.profile.is_some(), "time", "Build time", time),
    ];
    all.into_iter().flatten().collect()
}

/// The disk to scale, and its partitions.
fn partitions(html: &mut Html, _: &Sources<'_>, disk: &Disk) {
    html.element("p", &[("class", "note")], "To scale; full colour is data, pale what is zero and takes no space in a sparse file or on a stick.");
    scale(html, disk);
    legend(html, disk);
    let heads = [
        "Partition",
        "#No.",
        "Type",
        "#Start",
        "#Size",
        "#Data",
        "Holds",
        "#Files",
    ];
    let mut table = Table::new(html, &heads);
    for partition in &disk.partitions {
        let files = match partition.files {
            0 => String::new(),
            files => thousands(files),
        };
        table.row(&[
            &partition.name,
            &partition.number.to_string(),
            &partition.kind,
            &bytes(partition.start),
            &bytes(partition.size),
            &bytes(partition.data),
            partition.holds,
            &files,
        ]);
    }
    table.end();
}

/// The disk as a bar.
fn scale(html: &mut Html, disk: &Disk) {
    html.open(
        "svg",
        &[
            ("class", "scale"),
            ("viewBox", &format!("0 0 {SCALE} 1000")),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", "The disk's partitions, to scale"),
        ],
    );
    rect(html, "rest", (0, disk.len), disk.len);
    for (number, partition) in disk.partitions.iter().enumerate() {
        html.open("g", &[("class", &colour(number))]);
        let said = format!(
            "{}: {}, {} of data",
            partition.name,
            bytes(partition.size),
            bytes(partition.data)
        );
        html.element("title", &[], &said);
        rect(html, "pale", (partition.start, partition.size), disk.len);
        rect(html, "full", (partition.start, partition.data), disk.len);
        html.close();
    }
    html.close();
}

/// Which colour is which partition.
fn legend(html: &mut Html, disk: &Disk) {
    html.open("p", &[("class", "legend")]);
    for (number, partition) in disk.partitions.iter().enumerate() {
        html.open("span", &[]);
        html.open(
            "svg",
            &[
                ("class", "key"),
                ("viewBox", "0 0 1 1"),
                ("aria-hidden", "true"),
            ],
        );
        html.empty(
            "rect",
            &[("class", &colour(number)), ("width", "1"), ("height", "1")],
        );
        html.close();
        html.text(&partition.name);
        html.close();
        html.text(" ");
    }
    html.close();
}

/// A part of the disk: where it starts and how long it is. Both edges are cut to units of the picture.
fn rect(html: &mut Html, class: &str, (start, len): (u64, u64), whole: u64) {
    let end = sum(start, len);
    let at = |place: u64| -> u64 {
        let place = u128::from(place.min(whole)).checked_mul(SCALE.into());
        let place = place.and_then(|place| place.checked_div(whole.into()));
        // Not more than SCALE, since the place is not behind the end.
        place
            .and_then(|place| u64::try_from(place).ok())
            .unwrap_or(SCALE)
    };
    let (x, end) = (at(start), at(end));
    let (x, width) = (x.to_string(), without(end, x).to_string());
    let shape = [
        ("class", class),
        ("x", &*x),
        ("y", "0"),
        ("width", &width),
        ("height", "1000"),
    ];
    html.empty("rect", &shape);
}

fn colour(number: usize) -> String {
    format!("k{}", number % 8)
}

/// Treemaps.
fn space(html: &mut Html, _: &Sources<'_>, disk: &Disk) {
    let all: u64 = disk.files.iter().map(|item| item.bytes).fold(0, sum);
    let text = format!(
        "Areas are bytes of files, {} together; compressed data counts as it lies there. Rest a pointer on a rectangle to see what it is.",
        bytes(all)
    );
    html.element("p", &[("class", "note")], &text);
    let origins = maps::by_origin(disk);
    html.element("h3", &[], "By what brought it");
    maps::draw(
        html,
        &origins,
        "What brought the files of the disk, by size",
    );
    let mut table = Table::new(html, &["Brought by", "#Bytes", "#Percent", "#Parts"]);
    for group in &origins.children {
        table.row(&[
            &group.name,
            &bytes(group.bytes),
            &percent(group.bytes, all),
            &thousands(base::as_u64(group.children.len())),
        ]);
    }
    table.end();
    html.element("h3", &[], "By folder");
    maps::draw(html, &maps::by_folder(disk), "Folders of the disk, by size");
}

/// The packages of each partition that has some.
fn packages(html: &mut Html, _: &Sources<'_>, disk: &Disk) {
    for partition in &disk.partitions {
        let mut all: Vec<_> = partition.packages.all.iter().collect();
        if all.is_empty() {
            continue;
        }
        all.sort_by(|a, b| (b.bytes, &a.name).cmp(&(a.bytes, &b.name)));
        let text = all_packages(&partition.name, &all);
        html.element("p", &[("class", "note")], &text);
        let (first, rest) = all.split_at(all.len().min(MOST));
        table_of(html, first);
        if !rest.is_empty() {
            html.open("details", &[]);
            html.element("summary", &[], &format!("{} more packages", rest.len()));
            table_of(html, rest);
            html.close();
        }
    }
}

/// A sentence about `all` packages of the partition `name`.
fn all_packages(name: &str, all: &[&Package]) -> String {
    let empty = all.iter().filter(|package| package.files == 0).count();
    let stays = all.iter().map(|package| package.bytes).fold(0, sum);
    // Of what they say, which may be any 64 bits.
    let declared = all.iter().filter_map(|package| package.installed);
    let declared: u128 = declared.map(u128::from).sum();
    format!(
        "{} packages in {name}: {} of their files are in the image, of {} that they declare. Packages with no file left in it: {empty}.",
        all.len(),
        bytes(stays),
        bytes(declared)
    )
}

fn table_of(html: &mut Html, packages: &[&Package]) {
    let heads = [
        "Package",
        "Version",
        "Section",
        "#In the image",
        "#Declared",
        "#Files",
    ];
    let mut table = Table::new(html, &heads);
    for package in packages {
        table.row(&[
            &package.name,
            &package.version,
            &package.section,
            &bytes(package.bytes),
            &package.installed.map_or(String::new(), bytes),
            &thousands(package.files),
        ]);
    }
    table.end();
}

fn files(html: &mut Html, _: &Sources<'_>, disk: &Disk) {
    let mut table = Table::new(html, &["File", "Partition", "Brought by", "#Bytes"]);
    for item in disk.files.iter().take(MOST) {
        let partition = disk.partitions.get(item.partition);
        table.row(&[
            &item.path,
            partition.map_or("", |partition| &*partition.name),
            &brought_by(disk, item),
            &bytes(item.bytes),
        ]);
    }
    table.end();
}

fn brought_by(disk: &Disk, item: &Item) -> String {
    use crate::disk::Origin::{Given, Package, Step, Unknown};
    let partition = disk.partitions.get(item.partition);
    let label = |place: usize| {
        let given = partition?.given.get(place)?;
        given.note.label.clone()
    };
    match item.origin {
        Given(place) => label(place).unwrap_or_else(|| "injected".to_owned()),
        Package(_) => format!("package {}", maps::origin(disk, item).1),
        Step(_) => format!("Dockerfile, {}", maps::origin(disk, item).1),
        Unknown => "not noted".to_owned(),
    }
}

/// What was injected into each partition, by who says so.
fn injected(html: &mut Html, _: &Sources<'_>, disk: &Disk) {
    for partition in disk.partitions.iter().filter(|p| !p.given.is_empty()) {
        let all = partition.given.iter().map(|given| given.bytes).fold(0, sum);
        let text = format!(
            "{}: {}, {}",
            partition.name,
            entries(partition.given.len()),
            bytes(all)
        );
        html.element("h3", &[], &text);
        by_who(html, partition);
        html.open("details", &[]);
        html.element("summary", &[], "All of them");
        let mut table = Table::new(html, &["Path", "Kind", "Said by", "Label", "#Bytes"]);
        for given in &partition.given {
            let size = match given.kind {
                "file" => bytes(given.bytes),
                _ => String::new(),
            };
            table.row(&[
                &given.note.dest,
                given.kind,
                &given.note.by,
                given.note.label.as_deref().unwrap_or(""),
                &size,
            ]);
        }
        table.end();
        html.close();
    }
}

fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

/// How much of a partition each map or attribute put there.
fn by_who(html: &mut Html, partition: &Partition) {
    let mut sums: std::collections::BTreeMap<(&str, &str), (u64, u64)> = Default::default();
    for Given { note, bytes, .. } in &partition.given {
        let entry = sums.entry((&note.by, &note.tree)).or_default();
        *entry = (sum(entry.0, 1), sum(entry.1, *bytes));
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(a, (_, most)), (b, (_, least))| (least, a).cmp(&(most, b)));
    let mut table = Table::new(html, &["Said by", "Tree", "#Entries", "#Bytes"]);
    for ((by, tree), (entries, size)) in sums {
        table.row(&[by, tree, &thousands(entries), &bytes(size)]);
    }
    table.end();
}

/// What differs from another image's manifest.
fn previous(html: &mut Html, sources: &Sources<'_>, _: &Disk) {
    let Some(previous) = &sources.previous else {
        return;
    };
    let changes = changes(previous, &sources.manifest);
    let count = |changes: &[Change], what: fn(&Change) -> bool| {
        changes.iter().filter(|change| what(change)).count()
    };
    let packages = &changes.packages;
    let text = format!(
        "Since {} {}: packages: {} added, {} removed, {} of another version; {} partitions and {} files of the release differ.",
        previous.name,
        previous.version,
        count(packages, |change| change.old.is_none()),
        count(packages, |change| change.new.is_none()),
        count(packages, |change| change.old.is_some() && change.new.is_some()),
        changes.partitions.len(),
        changes.artifacts.len()
    );
    html.element("p", &[("class", "note")], &text);
    for (head, changes) in [
        ("Package", &changes.packages),
        ("Partition", &changes.partitions),
        ("File", &changes.artifacts),
    ] {
        if changes.is_empty() {
            continue;
        }
        let heads = [head, "Before", "Now"];
        let mut table = Table::new(html, &heads);
        for change in changes {
            let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
            table.row(&[&change.what, &said(&change.old), &said(&change.new)]);
        }
        table.end();
    }
}

/// A bill of materials in numbers.
fn sbom(html: &mut Html, sources: &Sources<'_>, _: &Disk) {
    let Some(sbom) = &sources.sbom else {
        return;
    };
    let kinds: Vec<String> = sbom
        .kinds
        .iter()
        .map(|(kind, count)| {
            let name = match kind.as_str() {
                "deb" => "Debian packages",
                "cargo" => "crates",
                "" => "without a package URL",
                other => other,
            };
            format!("{} {name}", thousands(*count))
        })
        .collect();
    let stated = without(sbom.packages(), sbom.unlicensed);
    let text = format!(
        "{}: packages: {} ({}); files: {}. Packages with a licence stated: {}; different statements: {}.",
        sbom.name,
        thousands(sbom.packages()),
        kinds.join(", "),
        thousands(sbom.files),
        thousands(stated),
        sbom.licences.len()
    );
    html.element("p", &[("class", "note")], &text);
    let mut licences: Vec<_> = sbom.licences.iter().collect();
    licences.sort_by(|(a, most), (b, least)| (least, a).cmp(&(most, b)));
    let mut table = Table::new(html, &["Licence", "#Packages"]);
    for (licence, count) in licences.into_iter().take(MOST) {
        table.row(&[licence, &thousands(*count)]);
    }
    table.end();
}

/// What a build took.
fn time(html: &mut Html, sources: &Sources<'_>, _: &Disk) {
    let Some(profile) = &sources.profile else {
        return;
    };
    let all: u64 = profile.kinds.iter().map(|kind| kind.sum).fold(0, sum);
    let critical = match profile.critical {
        0 => String::new(),
        critical => format!(
            " The chain of actions that nothing else could shorten took {}.",
            seconds(critical)
        ),
    };
    let text = format!(
        "The build took {}; its actions took {} together.{critical}",
        seconds(profile.wall),
        seconds(all)
    );
    html.element("p", &[("class", "note")], &text);
    html.element("h3", &[], "By kind of action");
    let heads = ["Action", "#Count", "#Together", "#Percent", "#Longest"];
    let mut table = Table::new(html, &heads);
    for kind in profile.kinds.iter().take(MOST) {
        table.row(&[
            &kind.mnemonic,
            &thousands(kind.count),
            &seconds(kind.sum),
            &percent(kind.sum, all),
            &seconds(kind.longest),
        ]);
    }
    table.end();
    html.element("h3", &[], "Longest actions");
    let mut table = Table::new(html, &["What", "Action", "#Took"]);
    for action in &profile.longest {
        table.row(&[&action.what, &action.mnemonic, &seconds(action.took)]);
    }
    table.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_packages_declare_together_may_be_more_than_64_bits_hold() {
        let one = Package {
            name: "one".to_owned(),
            version: "1".to_owned(),
            section: String::new(),
            installed: Some(u64::MAX),
            bytes: 7,
            files: 1,
        };
        let text = all_packages("A_root", &[&one, &one]);
        let want = "2 packages in A_root: 14 B of their files are in the image, of 36.8 EB that they declare.";
        assert!(text.starts_with(want), "{text}");
    }
}
