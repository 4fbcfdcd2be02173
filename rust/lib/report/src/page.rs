//! The page as a whole: its head, its sections, and the parts that they are made of.

use base::text::bytes;
use plan::Reader;

use crate::disk::{Disk, OfPartition};
use crate::error::Error;
use crate::html::{Attribute, Html};
use crate::manifest::Manifest;
use crate::profile::Profile;
use crate::sbom::Sbom;
use crate::{sections, style};

/// What a page is made from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The disk.
    pub image: &'a Reader,
    /// Its manifest.
    pub manifest: Manifest,
    /// Notes on images, by the partition that the image was put into.
    pub notes: Vec<OfPartition>,
    /// Archives of root file systems with dpkg's records in them, by partition; of a partition without one its own records count.
    pub packages: Vec<OfPartition>,
    /// The manifest of an older image.
    pub previous: Option<Manifest>,
    /// A bill of materials.
    pub sbom: Option<Sbom>,
    /// What a build took.
    pub profile: Option<Profile>,
}

/// The page.
pub fn page(sources: &Sources<'_>) -> Result<String, Error> {
    let disk = Disk::read(sources.image, &sources.notes, &sources.packages)?;
    let mut html = Html::new();
    html.open(
        "html",
        &[("lang", "en"), ("xmlns", "http://www.w3.org/1999/xhtml")],
    );
    let manifest = &sources.manifest;
    let title = format!("{} {}", manifest.name, manifest.version);
    head(&mut html, &title);
    html.open("body", &[]);
    html.open("header", &[]);
    html.element("h1", &[], &title);
    let sections = sections::of(sources, &disk);
    html.open("nav", &[("aria-label", "Sections")]);
    for section in &sections {
        html.element("a", &[("href", &format!("#{}", section.id))], section.title);
        html.text(" ");
    }
    html.close();
    html.close();
    html.open("main", &[]);
    summary(&mut html, sources, &disk);
    for section in sections {
        html.open("section", &[("id", section.id)]);
        html.element("h2", &[], section.title);
        (section.write)(&mut html, sources, &disk);
        html.close();
    }
    html.close();
    Ok(html.finish())
}

fn head(html: &mut Html, title: &str) {
    html.open("head", &[]);
    html.empty("meta", &[("charset", "utf-8")]);
    html.empty(
        "meta",
        &[
            ("http-equiv", "Content-Security-Policy"),
            (
                "content",
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
            ),
        ],
    );
    html.empty(
        "meta",
        &[
            ("name", "viewport"),
            ("content", "width=device-width, initial-scale=1"),
        ],
    );
    html.empty(
        "meta",
        &[("name", "color-scheme"), ("content", "light dark")],
    );
    html.element("title", &[], title);
    html.style(style::CSS);
    html.close();
}

/// The image in a few numbers.
fn summary(html: &mut Html, sources: &Sources<'_>, disk: &Disk) {
    let count = |what: &dyn Fn(&crate::disk::Partition) -> usize| -> usize {
        disk.partitions.iter().map(what).sum()
    };
    let files: u64 = disk.partitions.iter().map(|p| p.files).sum();
    html.open("dl", &[("class", "facts")]);
    let mut fact = |name: &str, value: &str| {
        html.open("div", &[]);
        html.element("dt", &[], name);
        html.element("dd", &[], value);
        html.close();
    };
    fact("Disk", &bytes(disk.len));
    fact("Data on it", &bytes(disk.data));
    fact("Partitions", &disk.partitions.len().to_string());
    fact("Files", &thousands(files));
    fact(
        "Packages",
        &count(&|partition| partition.packages.all.len()).to_string(),
    );
    fact(
        "Injected",
        &count(&|partition| partition.given.len()).to_string(),
    );
    if let Some(sbom) = &sources.sbom {
        fact("Bill of materials", &sbom.packages().to_string());
    }
    if let Some(profile) = &sources.profile {
        fact("Build", &seconds(profile.wall));
    }
    html.close();
}

/// A table whose columns have these heads; a head that begins with `#` is of numbers.
pub(crate) struct Table<'a> {
    html: &'a mut Html,
    heads: &'a [&'static str],
}

impl<'a> Table<'a> {
    /// Begins a table.
    pub(crate) fn new(html: &'a mut Html, heads: &'a [&'static str]) -> Self {
        html.open("table", &[]);
        html.open("thead", &[]);
        html.open("tr", &[]);
        for head in heads {
            let attributes: &[Attribute<'_>] = match head.strip_prefix('#') {
                Some(_) => &[("scope", "col"), ("class", "n")],
                None => &[("scope", "col")],
            };
            html.element("th", attributes, head.trim_start_matches('#'));
        }
        html.close();
        html.close();
        html.open("tbody", &[]);
        Self { html, heads }
    }

    /// A row. On a small screen a cell has its column's head in front, an empty one is left out.
    pub(crate) fn row(&mut self, cells: &[&str]) {
        self.html.open("tr", &[]);
        for (number, (head, cell)) in self.heads.iter().zip(cells).enumerate() {
            let name = head.trim_start_matches('#');
            let class = if head.starts_with('#') { "n" } else { "t" };
            match number {
                0 => self
                    .html
                    .element("th", &[("scope", "row"), ("class", class)], cell),
                _ => self
                    .html
                    .element("td", &[("class", class), ("data-of", name)], cell),
            }
        }
        self.html.close();
    }

    /// Ends the table.
    pub(crate) fn end(self) {
        self.html.close();
        self.html.close();
    }
}

/// A number with a thin space before each three digits.
pub(crate) fn thousands(number: u64) -> String {
    let digits: Vec<char> = number.to_string().chars().rev().collect();
    let groups: Vec<String> = digits
        .chunks(3)
        .map(|group| group.iter().rev().collect())
        .collect();
    let groups: Vec<String> = groups.into_iter().rev().collect();
    groups.join("\u{2009}")
}

/// Microseconds as seconds, cut to hundredths.
pub(crate) fn seconds(micros: u64) -> String {
    let hundredths = micros / 10_000;
    format!("{}.{:02} s", thousands(hundredths / 100), hundredths % 100)
}

/// So many of a hundred, cut to tenths.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part)
        .checked_mul(1000)
        .and_then(|part| part.checked_div(u128::from(whole)));
    match tenths {
        Some(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        // Of nothing there are no parts.
        None => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(seconds(1_239_999), "1.23 s");
        assert_eq!(seconds(59_000), "0.05 s");
        assert_eq!(percent(1, 3), "33.3");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0");
        assert_eq!(percent(0, 0), "0");
    }
}
