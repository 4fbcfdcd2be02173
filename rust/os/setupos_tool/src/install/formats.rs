//! In which formats the data are that stay, and whether the systems of this medium read them.
//!
//! What programs keep on `data` and `config` has a numbered format (`docs/guestos.md`, "State and upgrades"); a system says in
//! `/opt/ic/share/os.json` of its root which ones it writes. A system that finds a higher number than its own puts the data aside.
//!
//! | a slot of the installed system               | then                                                                       |
//! |----------------------------------------------|----------------------------------------------------------------------------|
//! | says its formats                             | of both slots the higher number counts: either may have written last        |
//! | holds nothing: zeros                         | it never ran                                                               |
//! | says something that this program can't know  | it is newer than this medium: a problem                                     |
//! | does not read                                | a remark: data are kept above all where a system is broken                  |
//!
//! An installation overwrites the roots, so what they said goes into its mark ([`super::marker`]): started again it compares with that.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use base::as_u64;
use base::bounded::sum;
use ext4_view::{Ext4, Ext4Read};
use serde::{Deserialize, Serialize};
use update::{older_formats, Identity};

use super::layout::{length, Layout};
use super::table::Table;
use super::Images;

/// Where a system says what it is.
const IDENTITY: &str = "/opt/ic/share/os.json";
/// The roots of a system with two slots.
const ROOTS: [(&str, &str); 2] = [("A", "A_root"), ("B", "B_root")];
/// What to do about data that are too new.
const REMEDY: &str = ": take a medium that is as new as what ran there, or give the data up with erase=yes and keep_data=no (--any-data-format keeps them all the same)";
/// An ext4 file system begins in it.
const HEAD: u64 = 64 << 10;

/// Kinds of data and the number of the format of each; none where nothing is known.
type Numbers = BTreeMap<String, u64>;

/// The formats of both systems.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Formats {
    host: Numbers,
    guest: Numbers,
}

/// What an installed machine says of its data.
#[derive(Debug, Default)]
pub(crate) struct Said {
    formats: Formats,
    /// What makes it newer than this medium, whatever the numbers.
    problems: Vec<String>,
    remarks: Vec<String>,
}

/// Why a root says nothing.
enum Silent {
    /// There is nothing.
    Empty,
    /// It can't be read.
    Broken(String),
    /// It says what this program does not know.
    Unknown(String),
}

/// A root file system in a file or on a drive.
struct Root {
    file: File,
    range: Range<u64>,
}

impl Ext4Read for Root {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let end = start.checked_add(as_u64(buffer.len()));
        let inside = end.is_some_and(|end| end <= length(&self.range));
        match inside {
            true => Ok(self
                .file
                .read_exact_at(buffer, sum(self.range.start, start))?),
            false => Err(format!("byte {start} lies behind the partition").into()),
        }
    }
}

/// What the system is whose root lies in `range` of `file`.
fn identity(file: &File, range: Range<u64>) -> Result<Identity, Silent> {
    let broken = |error: &dyn std::fmt::Display| Silent::Broken(error.to_string());
    let mut head = vec![0; base::as_usize(length(&range).min(HEAD))];
    file.read_exact_at(&mut head, range.start)
        .map_err(|error| broken(&error))?;
    if head.iter().all(|byte| *byte == 0) {
        return Err(Silent::Empty);
    }
    let file = file.try_clone().map_err(|error| broken(&error))?;
    let files =
        Ext4::load(Box::new(Root { file, range })).map_err(|error| broken(&cli::chain(&error)))?;
    let in_front = |error| Silent::Broken(format!("{IDENTITY}: {error}"));
    let meta = files.metadata(IDENTITY).map_err(in_front)?;
    // A file system may say any length of any file.
    if meta.len() > as_u64(Identity::MAX_LEN) {
        let text = format!("{IDENTITY}: {} bytes", meta.len());
        return Err(Silent::Unknown(text));
    }
    let text = files.read(IDENTITY).map_err(in_front)?;
    Identity::parse(&text)
        .map_err(|error| Silent::Unknown(format!("{IDENTITY}: {}", cli::chain(&error))))
}

/// What both slots of a system say whose table is `table`, of a disk that begins at byte `start` of `file`.
fn of_slots(name: &str, file: &File, table: &Table, start: u64, said: &mut Said) -> Numbers {
    let mut numbers = Numbers::new();
    let mut known = false;
    for (slot, root) in ROOTS {
        // One without an end was refused when the table was read.
        let Ok(place) = table.place(root) else {
            continue;
        };
        match identity(file, sum(place.start, start)..sum(place.end, start)) {
            Ok(identity) => {
                known = true;
                for (kind, number) in identity.data_formats {
                    let highest = numbers.entry(kind).or_default();
                    *highest = number.max(*highest);
                }
            }
            Err(Silent::Empty) => {}
            Err(Silent::Broken(why)) => said.remarks.push(format!(
                "{name} in slot {slot} does not say in which formats its data are: {why}"
            )),
            Err(Silent::Unknown(why)) => {
                known = true;
                said.problems.push(format!(
                    "{name} in slot {slot} is newer than this medium: {why}"
                ));
            }
        }
    }
    if !known {
        said.remarks.push(format!(
            "whether {name} of this medium reads the data that stay is not known: no slot says in which formats they are"
        ));
    }
    numbers
}

/// In which formats the data are that `layout` keeps on the drive at `path`, from now on part of it: as an installation `marked` them that was
/// cut off, else as what is installed there says.
pub(crate) fn kept(
    path: &Path,
    layout: &mut Layout,
    marked: Option<Formats>,
) -> Result<Said, String> {
    let said = match marked {
        _ if layout.keep.is_empty() => Said::default(),
        Some(formats) => Said {
            formats,
            ..Said::default()
        },
        None => {
            let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
            installed(&file, layout)
        }
    };
    layout.formats = said.formats.clone();
    Ok(said)
}

/// What is installed on the drive `file`, which has the partitions of `layout`.
fn installed(file: &File, layout: &Layout) -> Said {
    let mut said = Said::default();
    let host = of_slots("HostOS", file, &layout.host, 0, &mut said);
    let start = layout.guestos.start;
    let guest = of_slots("GuestOS", file, &layout.guest, start, &mut said);
    said.formats = Formats { host, guest };
    said
}

/// What the images of this medium say: they have a system in slot A, or one without slots, which says nothing.
fn of_medium(images: &Images) -> Result<Formats, String> {
    let numbers = |source: &super::source::Source, table: &Table| {
        let (_, root) = ROOTS[0];
        let Ok(place) = table.place(root) else {
            return Ok(Numbers::new());
        };
        match identity(source.file(), place) {
            Ok(identity) => Ok(identity.data_formats),
            Err(Silent::Empty) => Ok(Numbers::new()),
            Err(Silent::Broken(why) | Silent::Unknown(why)) => {
                Err(format!("{}: partition {root}: {why}", source.name))
            }
        }
    };
    Ok(Formats {
        host: numbers(&images.host, &images.host_table)?,
        guest: numbers(&images.guest, &images.guest_table)?,
    })
}

impl Said {
    /// What is in the way of the systems in `images`, and remarks; nothing is if `any` format is kept.
    pub(crate) fn judge(
        self,
        images: &Images,
        any: bool,
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let Self {
            formats,
            mut problems,
            mut remarks,
        } = self;
        if formats != Formats::default() {
            problems.extend(formats.too_new_for(&of_medium(images)?));
        }
        if any {
            remarks.append(&mut problems);
        }
        for problem in &mut problems {
            problem.push_str(REMEDY);
        }
        Ok((problems, remarks))
    }
}

impl Formats {
    /// What of the data that stay in these formats the systems that say `new` would not read.
    fn too_new_for(&self, new: &Self) -> Vec<String> {
        let systems = [
            ("HostOS", &self.host, &new.host),
            ("GuestOS", &self.guest, &new.guest),
        ];
        let mut problems = Vec::new();
        for (name, old, new) in systems {
            for change in older_formats(old, new) {
                let (kind, from) = (change.name, change.from);
                let knows = match change.to {
                    0 => "does not know it".to_owned(),
                    to => format!("knows it up to {to}"),
                };
                problems.push(format!(
                    "{name}'s data {kind} stay in format {from}, and {name} of this medium {knows}"
                ));
            }
        }
        problems
    }
}
