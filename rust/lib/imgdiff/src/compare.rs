//! Two images, from the outside in.

use dpkg::Status;
use inspect::{Dump, Gap, Gpt, Image, Name, Parameter, Partition, Verity};

use crate::error::Error;
use crate::files::{self, Contents, Item, Items};
use crate::formats::{self, Format};
use crate::model::{facts, Area, Change, Content, Difference, Report, Side, Values, VERSION};
use crate::view::Stretch;
use crate::{bytes, content, packages};

/// How much to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Lines of a text's difference.
    pub max_lines: usize,
    /// Stretches of bytes that are told of, if nothing else tells what differs.
    pub max_places: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_lines: 200,
            max_places: 16,
        }
    }
}

/// Only whether it is an image that can be read at all.
const SHALLOW: inspect::Options = inspect::Options {
    digests: false,
    verify: false,
    depth: None,
};

/// Lists of packages that are longer are none.
const MAX_STATUS: u64 = 256 << 20;

/// Images in images in images: deeper ones are contents.
const DEEPEST: usize = 4;

/// Compares `old` with `new`, each with what it is called.
pub fn compare(
    old: (&str, &dyn Image),
    new: (&str, &dyn Image),
    options: &Options,
) -> Result<Report, Error> {
    let side = |(name, image): (&str, &dyn Image)| Side {
        name: name.to_owned(),
        length: image.len(),
    };
    let mut report = Report {
        imgdiff: VERSION,
        old: side(old),
        new: side(new),
        identical: false,
        bytes: None,
        differences: Vec::new(),
        not_read: Vec::new(),
    };
    let (old, new) = (old.1, new.1);
    let Some((mut found, places)) = bytes::compare(old, new, options.max_places)? else {
        report.identical = true;
        return Ok(report);
    };
    let mut comparison = Comparison {
        options,
        report: &mut report,
        outer: String::new(),
        depth: 0,
    };
    comparison.value(
        Area::Image,
        comparison.whole(),
        &vec![("length".to_owned(), old.len().to_string())],
        &vec![("length".to_owned(), new.len().to_string())],
    );
    comparison.images(old, new)?;
    let told = report.differences.iter().any(|one| one.area != Area::Image);
    // One place shows where it begins, all are wanted if there is nothing else to go by.
    let most = if told { 1 } else { options.max_places };
    let places = places.get(..most.min(places.len())).unwrap_or_default();
    found.places = bytes::located(old, new, places)?;
    report.bytes = Some(found);
    Ok(report)
}

struct Comparison<'a> {
    options: &'a Options,
    report: &'a mut Report,
    /// What stands in front of places: where the images are in outer ones.
    outer: String,
    depth: usize,
}

impl Comparison<'_> {
    fn push(
        &mut self,
        area: Area,
        place: &str,
        change: Change,
        facts: Vec<crate::Fact>,
        content: Option<Content>,
    ) {
        if change == Change::Changed && facts.is_empty() && content.is_none() {
            return;
        }
        self.report.differences.push(Difference {
            area,
            place: self.placed(place),
            change,
            facts,
            content,
        });
    }

    /// A place with what stands in front of it.
    fn placed(&self, place: &str) -> String {
        format!("{}{place}", self.outer).trim_end().to_owned()
    }

    /// The place of what the images are themselves: within others it is known by the place there.
    fn whole(&self) -> &'static str {
        if self.outer.is_empty() {
            "as a whole"
        } else {
            ""
        }
    }

    /// Values of one thing that both have.
    fn value(&mut self, area: Area, place: &str, old: &Values, new: &Values) {
        self.push(area, place, Change::Changed, facts(old, new), None);
    }

    /// Images of any kind.
    fn images(&mut self, old: &dyn Image, new: &dyn Image) -> Result<(), Error> {
        match (formats::of(old)?, formats::of(new)?) {
            (Format::Tar, Format::Tar) => {
                let (a, b) = (files::of_archive(old)?, files::of_archive(new)?);
                let contents = (Contents::Archive(old), Contents::Archive(new));
                self.items("", (&a, &b), Some(&contents))
            }
            (Format::Other, Format::Other) => {
                if self.depth == 0 {
                    // What an image is packed in says nothing of it.
                    for image in [old, new] {
                        inspect::dump(&Stretch::new(image, 0, 8192), SHALLOW, None)?;
                    }
                }
                let content = self.plain(self.whole(), old, new)?;
                self.push(Area::Image, "content", Change::Changed, Vec::new(), content);
                Ok(())
            }
            (Format::Image, Format::Image) => {
                let read = |image| inspect::dump(image, inspect::Options::default(), None);
                let (a, b) = (read(old)?, read(new)?);
                self.dumps((old, &a), (new, &b))
            }
            (old, new) => {
                let kind = |format| vec![("format".to_owned(), word(format).to_owned())];
                self.value(Area::Image, self.whole(), &kind(old), &kind(new));
                Ok(())
            }
        }
    }

    fn dumps(&mut self, old: (&dyn Image, &Dump), new: (&dyn Image, &Dump)) -> Result<(), Error> {
        match (&old.1.gpt, &new.1.gpt) {
            (Some(a), Some(b)) => self.tables((old.0, a), (new.0, b)),
            (None, None) => {
                let (a, b) = (&old.1.content, &new.1.content);
                match (a, b) {
                    (Some(a), Some(b)) => self.contents("", (old.0, None, a), (new.0, None, b)),
                    _ => Ok(()),
                }
            }
            (a, b) => {
                let kind = |gpt: &Option<Gpt>| {
                    let word = if gpt.is_some() { "disk" } else { "file system" };
                    vec![("format".to_owned(), word.to_owned())]
                };
                self.value(Area::Image, self.whole(), &kind(a), &kind(b));
                Ok(())
            }
        }
    }

    fn tables(&mut self, old: (&dyn Image, &Gpt), new: (&dyn Image, &Gpt)) -> Result<(), Error> {
        let (a, b) = (old.1, new.1);
        self.value(Area::Table, "table", &of_table(a), &of_table(b));
        for partition in &a.partitions {
            let slot = &partition.slot;
            let row = of_partition(partition);
            match b.partitions.iter().find(|other| other.slot == *slot) {
                None => {
                    let facts = facts(&row, &Values::new());
                    self.push(Area::Partition, slot, Change::Removed, facts, None);
                }
                Some(other) => {
                    self.value(Area::Partition, slot, &row, &of_partition(other));
                    if let (Some(a), Some(b)) = (&partition.content, &other.content) {
                        let old = (old.0, Some(partition), a);
                        self.contents(slot, old, (new.0, Some(other), b))?;
                    }
                }
            }
        }
        for partition in &b.partitions {
            if !a
                .partitions
                .iter()
                .any(|other| other.slot == partition.slot)
            {
                let facts = facts(&Values::new(), &of_partition(partition));
                self.push(Area::Partition, &partition.slot, Change::Added, facts, None);
            }
        }
        Ok(())
    }

    /// What a partition holds, or a bare image.
    fn contents(
        &mut self,
        slot: &str,
        old: (&dyn Image, Option<&Partition>, &inspect::Content),
        new: (&dyn Image, Option<&Partition>, &inspect::Content),
    ) -> Result<(), Error> {
        let place = if slot.is_empty() { self.whole() } else { slot };
        self.value(
            Area::FileSystem,
            place,
            &of_content(old.2),
            &of_content(new.2),
        );
        let tree = |content: &inspect::Content| content.verity.as_ref().map(of_verity);
        let (a, b) = (tree(old.2), tree(new.2));
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        self.value(Area::Verity, place, &a, &b);
        let kinds = (old.2.kind, new.2.kind);
        if kinds == (inspect::Kind::Data, inspect::Kind::Data) {
            if old.2.digest != new.2.digest {
                let part = |(image, partition): (_, Option<&Partition>)| match partition {
                    Some(partition) => Stretch::new(image, partition.start(), partition.size()),
                    None => Stretch::new(image, 0, image.len()),
                };
                let (a, b) = (part((old.0, old.1)), part((new.0, new.1)));
                let content = self.plain(place, &a, &b)?;
                self.push(
                    Area::FileSystem,
                    place,
                    Change::Changed,
                    Vec::new(),
                    content,
                );
            }
            return Ok(());
        }
        let files = |content: &inspect::Content| files::of_entries(&content.entries);
        let (a, b) = (files(old.2), files(new.2));
        // Files are listed once more only if some differ.
        let name =
            |partition: Option<&Partition>| partition.map(|partition| partition.slot.clone());
        let open = |image, partition| Contents::open(image, name(partition).as_deref());
        let prefix = match slot {
            "" => String::new(),
            slot => format!("{slot}:"),
        };
        let same = |(path, item): (&Name, &Item)| {
            b.get(path).is_some_and(|other| other.digest == item.digest)
        };
        if a.iter().all(same) {
            return self.items(&prefix, (&a, &b), None);
        }
        let contents = open(old.0, old.1).and_then(|a| Ok((a, open(new.0, new.1)?)));
        if let (Err(error), true) = (&contents, a.keys().any(|path| b.contains_key(path))) {
            // Without a file system on one side there are no contents to compare.
            self.not_read(place, "contents of its files", error);
        }
        self.items(&prefix, (&a, &b), contents.ok().as_ref())
    }

    /// Files: packages first, which explain most of them.
    fn items(
        &mut self,
        prefix: &str,
        (old, new): (&Items, &Items),
        contents: Option<&(Contents<'_>, Contents<'_>)>,
    ) -> Result<(), Error> {
        if let Some(contents) = contents {
            self.packages(prefix, (old, new), contents)?;
        }
        let mut paths: Vec<&Name> = old.keys().chain(new.keys()).collect();
        paths.sort();
        paths.dedup();
        let none = Values::new();
        for path in paths {
            let place = format!("{prefix}{}", path.word());
            let (change, facts) = match (old.get(path), new.get(path)) {
                (Some(a), Some(b)) => {
                    let facts = facts(&a.values, &b.values);
                    let content = match (contents, a.digest != b.digest) {
                        _ if self.unknown(&place, (a, b)) => None,
                        (Some(contents), true) => self.content(&place, path, (a, b), contents)?,
                        _ => None,
                    };
                    self.push(Area::File, &place, Change::Changed, facts, content);
                    continue;
                }
                (Some(a), None) => (Change::Removed, facts(&a.values, &none)),
                (None, Some(b)) => (Change::Added, facts(&none, &b.values)),
                (None, None) => continue,
            };
            self.push(Area::File, &place, change, facts, None);
        }
        Ok(())
    }

    /// Whether the content of a file is not known on one side, which is noted then.
    fn unknown(&mut self, place: &str, (old, new): (&Item, &Item)) -> bool {
        let why = old.unknown.as_ref().or(new.unknown.as_ref());
        let notes = why.map(|why| format!("{}: its content: {why}", self.placed(place)));
        self.report.not_read.extend(notes);
        why.is_some()
    }

    fn packages(
        &mut self,
        prefix: &str,
        (old, new): (&Items, &Items),
        contents: &(Contents<'_>, Contents<'_>),
    ) -> Result<(), Error> {
        let path = Name(format!("/{}", dpkg::STATUS).into_bytes());
        let known = |items: &Items| items.get(&path).map(|item| item.digest.clone());
        if known(old) == known(new) {
            return Ok(());
        }
        let read = |items: &Items, contents: &Contents<'_>| -> Result<_, Error> {
            let found = items.get(&path).and_then(|item| contents.of(&path, item));
            Ok(match &found {
                Some(content) if content.image().len() > MAX_STATUS => {
                    Err(format!("it is longer than {MAX_STATUS} bytes"))
                }
                Some(content) => {
                    let bytes = crate::view::head(content.image(), MAX_STATUS)?;
                    Status::read(&bytes).map_err(|error| error.to_string())
                }
                None => Ok(Status::default()),
            })
        };
        let (old, new) = match (read(old, &contents.0)?, read(new, &contents.1)?) {
            (Ok(old), Ok(new)) => (old, new),
            // The file itself is compared as any other is.
            (Err(why), _) | (_, Err(why)) => {
                let place = self.placed(&format!("{prefix}{path}"));
                let note = format!("{place}: as a list of packages: {why}");
                self.report.not_read.push(note);
                return Ok(());
            }
        };
        let differences = packages::compare(&old, &new);
        for one in differences {
            let place = format!("{prefix}{}", one.place);
            self.push(one.area, &place, one.change, one.facts, one.content);
        }
        Ok(())
    }

    /// The contents of a file that both have.
    fn content(
        &mut self,
        place: &str,
        path: &Name,
        (a, b): (&Item, &Item),
        contents: &(Contents<'_>, Contents<'_>),
    ) -> Result<Option<Content>, Error> {
        let (Some(old), Some(new)) = (contents.0.of(path, a), contents.1.of(path, b)) else {
            let place = self.placed(place);
            self.report.not_read.push(format!(
                "{place}: its content cannot be had as one stretch of bytes"
            ));
            return Ok(None);
        };
        let (old, new) = (old.image(), new.image());
        let formats = (formats::of(old)?, formats::of(new)?);
        let known = formats.0 == formats.1 && formats.0 != Format::Other;
        if !known || self.depth >= DEEPEST {
            return self.plain(place, old, new);
        }
        if self.inner(place, old, new) {
            return Ok(Some(Content::Image));
        }
        self.plain(place, old, new)
    }

    /// Contents that are no images.
    fn plain(
        &mut self,
        place: &str,
        old: &dyn Image,
        new: &dyn Image,
    ) -> Result<Option<Content>, Error> {
        let mut notes = Vec::new();
        let content = content::compare(old, new, self.options, &mut notes)?;
        let place = self.placed(place);
        let notes = notes.into_iter().map(|note| format!("{place}: {note}"));
        self.report.not_read.extend(notes);
        Ok(content)
    }

    /// Goes into two contents that look like images. Whether they are: of others nothing is told but that.
    fn inner(&mut self, place: &str, old: &dyn Image, new: &dyn Image) -> bool {
        let report = &*self.report;
        let before = (report.differences.len(), report.not_read.len());
        let mut inner = Comparison {
            options: self.options,
            outer: format!("{}{place} ", self.outer),
            depth: base::as_usize(base::past(base::as_u64(self.depth), 1)),
            report: self.report,
        };
        let Err(error) = inner.images(old, new) else {
            return true;
        };
        self.report.differences.truncate(before.0);
        self.report.not_read.truncate(before.1);
        self.not_read(place, "as an image", &error);
        false
    }

    /// Notes that something was not compared, with all that is known of why.
    fn not_read(&mut self, place: &str, what: &str, error: &dyn std::error::Error) {
        let mut note = format!("{}: {what}: {error}", self.placed(place));
        let mut next = error.source();
        while let Some(cause) = next {
            note.push_str(&format!(": {cause}"));
            next = cause.source();
        }
        self.report.not_read.push(note);
    }
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Image => "disk or file system",
        Format::Tar => "archive (tar)",
        Format::Other => "of no known format",
    }
}

fn value(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn of_table(gpt: &Gpt) -> Values {
    let mut values = vec![
        value("guid", &gpt.guid),
        value("sector-size", gpt.sector_size),
        value("first-usable", gpt.first_usable),
        value("end-usable", gpt.end_usable),
        value("entries", gpt.entries),
        value("mbr-signature", format!("{:08x}", gpt.mbr.signature)),
    ];
    values.extend(gpt.mbr.code.map(|code| value("mbr-code sha256", code)));
    for entry in &gpt.mbr.entries {
        let name = format!("mbr {}", entry.number);
        let text = format!(
            "type {:02x} status {:02x} start {} sectors {}",
            entry.kind, entry.status, entry.start, entry.sectors
        );
        values.push((name, text));
    }
    values.extend(
        gpt.problems
            .iter()
            .map(|problem| value(&format!("damaged: {problem}"), "yes")),
    );
    values.extend(gpt.gaps.iter().map(of_gap));
    values
}

fn of_gap(gap: &Gap) -> (String, String) {
    let digest = gap
        .digest
        .map(|digest| format!(" {}", digest_text(&digest)));
    let text = format!("{} bytes{}", gap.size, digest.unwrap_or_default());
    (format!("not zero at {}", gap.start), text)
}

fn digest_text(digest: &inspect::BytesDigest) -> String {
    match digest {
        inspect::BytesDigest::Whole(digest) => format!("sha256:{digest}"),
        inspect::BytesDigest::Sparse(digest) => format!("sparse-sha256:{digest}"),
    }
}

fn of_partition(partition: &Partition) -> Values {
    vec![
        value("number", partition.number),
        value("name", &partition.name),
        value("type", &partition.type_guid),
        value("partuuid", &partition.uuid),
        value("start", partition.start()),
        value("size", partition.size()),
        value("flags", format!("{:#x}", partition.flags)),
    ]
}

fn of_content(content: &inspect::Content) -> Values {
    let mut values = vec![value("holds", content.kind.as_str())];
    values.extend(content.looks_like.map(|name| value("looks-like", name)));
    for (name, parameter) in &content.parameters {
        let text = match parameter {
            Parameter::Number(number) => number.to_string(),
            Parameter::Text(text) => text.clone(),
            Parameter::Name(name) => name.word(),
            Parameter::Time(Some(time)) => time.to_string(),
            Parameter::Time(None) => "never".to_owned(),
            Parameter::Words(words) => words.join(" "),
        };
        values.push(value(name, text));
    }
    values.extend(
        content
            .rest
            .map(|digest| value("structures sha256", digest)),
    );
    for (name, variable) in content.grubenv.iter().flatten() {
        values.push((format!("grubenv {}", name.word()), variable.word()));
    }
    values.extend(
        content
            .problems
            .iter()
            .map(|problem| value(&format!("damaged: {problem}"), "yes")),
    );
    values.extend(
        content
            .unread
            .iter()
            .map(|what| value(&format!("not-read: {what}"), "yes")),
    );
    values.extend(content.gaps.iter().map(of_gap));
    values
}

fn of_verity(tree: &Verity) -> Values {
    let mut values = vec![
        value("root-hash", &tree.root_hash),
        value("salt", &tree.salt),
        value("uuid", &tree.uuid),
        value("data-blocks", tree.data_blocks),
        value("data-block-size", tree.data_block_size),
        value("hash-block-size", tree.hash_block_size),
        value("start", tree.start),
        value("size", tree.size),
    ];
    values.extend(
        tree.digest
            .as_ref()
            .map(|digest| value("tree", digest_text(digest))),
    );
    values
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
