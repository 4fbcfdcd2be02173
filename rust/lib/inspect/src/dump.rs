//! A whole image.

use crate::bounds::Source;
use crate::content;
use crate::error::Error;
use crate::formats;
use crate::gpt;
use crate::image::{Image, Window};
use crate::model::{Dump, Gpt, Kind, Partition, VERSION};
use crate::names::Name;
use crate::span::Span;

/// Of a disk that is none any more.
const NO_GPT: &str =
    "the first sector announces a partition table (GPT), and neither of its two copies is good";

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether to hash contents.
    pub digests: bool,
    /// Whether to check hash trees against the data.
    pub verify: bool,
    /// Leave out files whose path has more names.
    pub depth: Option<usize>,
}

impl Default for Options {
    /// Everything but the check of hash trees.
    fn default() -> Self {
        Self {
            digests: true,
            verify: false,
            depth: None,
        }
    }
}

/// Reads all of `image`, or of a disk only the partition called `only` (a name or a number).
pub fn dump(image: &dyn Image, options: Options, only: Option<&str>) -> Result<Dump, Error> {
    let source = Source::new(image);
    let window = Window::all(&source);
    let mut dump = Dump {
        imgdump: VERSION,
        length: window.len(),
        gpt: None,
        content: None,
    };
    let Some(gpt::Table { mut gpt, own }) = gpt::read(window)? else {
        if let Some(name) = only {
            return Err(no_table(window, name));
        }
        refuse_wrapped(window)?;
        let mut content = content::read(window, options)?;
        if content.kind == Kind::Data && formats::announces_gpt(window)? {
            content.problems.push(NO_GPT.to_owned());
        }
        dump.content = Some(content);
        return Ok(dump);
    };
    let chosen = only.map(|name| find(&gpt, name)).transpose()?;
    let chosen = chosen.map(|partition| partition.number);
    if chosen.is_none() {
        gaps(window, &mut gpt, own, options)?;
    }
    for partition in &mut gpt.partitions {
        if chosen.is_none_or(|number| number == partition.number) {
            let part = window.part(partition.place);
            partition.content = Some(content::read(part, options)?);
        }
    }
    if chosen.is_some() {
        gpt.partitions
            .retain(|partition| partition.content.is_some());
    }
    dump.gpt = Some(gpt);
    Ok(dump)
}

/// What lies outside of partitions and table.
fn gaps(window: Window<'_>, gpt: &mut Gpt, own: Vec<Span>, options: Options) -> Result<(), Error> {
    let mut taken = own;
    taken.extend(gpt.partitions.iter().map(|partition| partition.place));
    taken.sort_unstable();
    let mut rest = Span::up_to(window.len());
    for place in taken {
        let gap = rest.until(place.start());
        gpt.gaps.extend(content::nonzero(window, gap, options)?);
        rest = rest.from(place.end());
    }
    gpt.gaps.extend(content::nonzero(window, rest, options)?);
    Ok(())
}

/// An image inside another format is no image that we read.
pub(crate) fn refuse_wrapped(window: Window<'_>) -> Result<(), Error> {
    match formats::find(window)? {
        Some(format) if format.is_wrapping() => Err(Error::Wrapped {
            what: format.what,
            hint: format.advice,
        }),
        _ => Ok(()),
    }
}

/// The partition called `name`: by name first, as it is or as dumps show it, then by number.
pub(crate) fn find<'a>(gpt: &'a Gpt, name: &str) -> Result<&'a Partition, Error> {
    let all = &gpt.partitions;
    all.iter()
        .find(|partition| partition.slot == name)
        .or_else(|| all.iter().find(|p| p.name.0 == name.as_bytes()))
        .or_else(|| {
            let plain = Name::parse(name.as_bytes())?;
            all.iter().find(|p| p.name.0 == plain)
        })
        .or_else(|| all.iter().find(|p| p.number.to_string() == name))
        .ok_or_else(|| Error::NoPartition {
            name: name.to_owned(),
            have: slots(all),
        })
}

/// There is no partition called `name`, for there is no table, or none that is good.
pub(crate) fn no_table(window: Window<'_>, name: &str) -> Error {
    let name = name.to_owned();
    match formats::announces_gpt(window) {
        Ok(true) => Error::NoPartition {
            name,
            have: "a partition table (GPT), and neither of its two copies is good".to_owned(),
        },
        Ok(false) => Error::NoTable { name },
        Err(error) => error,
    }
}

/// What the partitions are called, for messages.
pub(crate) fn slots(partitions: &[Partition]) -> String {
    let names: Vec<&str> = partitions.iter().map(|p| p.slot.as_str()).collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    }
}
