//! An image with what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base::{as_usize, past};
use inspect::{Locator, Step, What};
use plan::{Extent, List, Piece, Plan, Reader};

use crate::answer::{Answer, Answers, Change, Injected, Member, Origin, Total};
use crate::error::Error;
use crate::packages::Archive;
use crate::roots::Roots;
use crate::side::{self, Given, Side};

/// So many pieces of a plan are put together into one range: bytes that repeat come in pieces, and there can be any number.
const MOST_PIECES: usize = 1 << 16;

/// So many extents are summed up.
const MOST_EXTENTS: usize = 1 << 24;

/// An image, open, with its side files.
pub struct Image {
    reader: Reader,
    /// Paths of the inputs as the list has them, by which side files know them; empty for a raw image without a list.
    inputs: Vec<String>,
    side: Side,
    roots: Roots,
    archives: BTreeMap<PathBuf, Archive>,
    steps: BTreeMap<String, Vec<side::Step>>,
}

impl Image {
    /// Opens the image at `path`, a list (`NAME.image`, with `NAME.why` beside it) or a raw one (`FILE`, with `FILE.why`, which names the
    /// list). Relative paths in them count from the current folder, from `workspace`, or from where the build has its outputs.
    pub fn open(path: &Path, workspace: Option<PathBuf>) -> Result<Self, Error> {
        let roots = Roots::of(path, workspace);
        let beside = match List::is_named(path) {
            true => path.with_extension("why"),
            false => {
                let mut name = OsString::from(path);
                name.push(".why");
                PathBuf::from(name)
            }
        };
        let mut side = Side::read(&beside, &roots)?;
        let list = match List::is_named(path) {
            true => Some(path.to_owned()),
            false => side.image.clone(),
        };
        let (reader, inputs) = match list {
            Some(list) => open_list(&list, &roots, &side)?,
            None => (Reader::open_any(path)?, Vec::new()),
        };
        if inputs.is_empty() {
            side.missing.push(
                "of a raw image alone only structures are known: ask for the list that a rule made of it (NAME.image)"
                    .to_owned(),
            );
        }
        Ok(Self {
            reader,
            inputs,
            side,
            roots,
            archives: BTreeMap::new(),
            steps: BTreeMap::new(),
        })
    }

    /// Says of `place` (as in [`Locator::stretches`]) where its bytes come from, in at most `most` ranges.
    pub fn ask(&mut self, place: &[u8], most: usize) -> Result<Answers, Error> {
        let (ranges, more_bytes, totals) = self.look(place, most)?;
        let mut answers = Vec::new();
        for (start, size, steps, piece) in ranges {
            let from = self.origin(piece, &steps)?;
            answers.push(Answer {
                start,
                size,
                steps,
                from,
            });
        }
        Ok(Answers {
            ranges: answers,
            more_bytes,
            totals,
            missing: self.side.missing.clone(),
        })
    }

    /// Ranges of `place`, and if there are more how many bytes they have and where all of the place comes from.
    fn look(&self, place: &[u8], most: usize) -> Result<(Vec<Range>, u64, Vec<Total>), Error> {
        let mut locator = Locator::new(&self.reader);
        let stretches = locator.stretches(place)?;
        let (ranges, more_bytes) = self.ranges(&mut locator, &stretches, most)?;
        let totals = match more_bytes {
            0 => Vec::new(),
            _ => self.totals(&stretches)?,
        };
        Ok((ranges, more_bytes, totals))
    }

    /// `stretches`, cut where structure or origin change; how many bytes are in none of the first `most`.
    fn ranges(
        &self,
        locator: &mut Locator<'_>,
        stretches: &[(u64, u64)],
        most: usize,
    ) -> Result<(Vec<Range>, u64), Error> {
        let (mut ranges, mut more_bytes) = (Vec::new(), 0);
        for &(start, size) in stretches {
            let (mut at, mut left) = (start, size);
            while left > 0 {
                if ranges.len() >= most {
                    more_bytes = past(more_bytes, as_usize(left));
                    break;
                }
                let found = locator.at(at)?;
                // Of an offset all that is like it, of a place no more than that.
                let len = match size {
                    1 => found.size,
                    _ => found.size.min(left),
                };
                let (piece, len) = first_piece(self.reader.plan(), at, len)?;
                ranges.push((at, len, found.steps, piece));
                at = past(at, as_usize(len));
                // Of a byte that was asked for there may be more than was asked for.
                let Some(rest) = left.checked_sub(len) else {
                    break;
                };
                left = rest;
            }
        }
        Ok((ranges, more_bytes))
    }

    /// What all bytes of `stretches` come from.
    fn totals(&self, stretches: &[(u64, u64)]) -> Result<Vec<Total>, Error> {
        let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
        for &(start, size) in stretches {
            let extents = self.reader.plan().extents_in(start, size)?;
            for extent in extents.take(MOST_EXTENTS) {
                let from = match Source::of(&extent) {
                    Source::Zero => "zero".to_owned(),
                    Source::Computed => "computed".to_owned(),
                    Source::Input { input, .. } => match self.inputs.get(as_usize(input)) {
                        Some(path) => path.clone(),
                        None => return Ok(Vec::new()),
                    },
                };
                let sum = bytes.entry(from).or_default();
                *sum = past(*sum, as_usize(extent.len));
            }
        }
        let totals = bytes.into_iter().map(|(from, bytes)| Total {
            bytes,
            label: self.side.labels.get(&from).cloned(),
            from,
        });
        let mut totals: Vec<Total> = totals.collect();
        totals.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.from.cmp(&b.from)));
        Ok(totals)
    }

    fn origin(&mut self, piece: Source, steps: &[Step]) -> Result<Option<Origin>, Error> {
        let (input, offset) = match piece {
            Source::Zero => return Ok(Some(Origin::Zero)),
            Source::Computed => return self.computed(steps).map(Some),
            Source::Input { input, offset } => (input, offset),
        };
        let Some(path) = self.inputs.get(as_usize(input)).cloned() else {
            return Ok(None);
        };
        let label = self.side.labels.get(&path).cloned();
        let injected = injected(&self.side, &path, steps);
        let member = self.member(&path, offset)?.map(Box::new);
        Ok(Some(Origin::Input {
            path,
            offset,
            label,
            injected,
            member,
        }))
    }

    /// What byte `offset` of a root file system's archive is.
    fn member(&mut self, path: &str, offset: u64) -> Result<Option<Member>, Error> {
        let Some(rootfs) = self.side.rootfs.get(path).cloned() else {
            return Ok(None);
        };
        let Some(archive) = self.archive(path)? else {
            return Ok(None);
        };
        let Some(member) = archive.member(offset).map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        self.describe(&rootfs, &member).map(Some)
    }

    /// Whose `member` of a root file system is.
    fn describe(&mut self, rootfs: &side::Rootfs, member: &[u8]) -> Result<Member, Error> {
        let owner = match self.archive(&rootfs.base)? {
            Some(base) => base.owner(member)?,
            None => None,
        };
        let (package, version) = owner.unzip();
        let name = base::path::text(member);
        let change = self.change(rootfs, &name)?;
        Ok(Member {
            path: format!("/{name}"),
            package,
            version,
            change,
        })
    }

    /// What the layout made: about a file that one tree was given, or that one root file system has. Of several nothing is said: which
    /// one it is, such bytes don't tell.
    fn computed(&mut self, steps: &[Step]) -> Result<Origin, Error> {
        let (mut injected, mut member) = (Vec::new(), None);
        let path = steps.last().and_then(|step| step.what.file());
        if let Some(path) = path.and_then(|path| path.0.strip_prefix(b"/")) {
            injected = given_at(&self.side, path);
            if injected.is_empty() && !path.is_empty() {
                member = self.member_at(path)?.map(Box::new);
            }
        }
        Ok(Origin::Computed { injected, member })
    }

    /// The member called `path` of the only root file system that has it.
    fn member_at(&mut self, path: &[u8]) -> Result<Option<Member>, Error> {
        let mut found = Vec::new();
        for (archive, rootfs) in self.side.rootfs.clone() {
            if self
                .archive(&archive)?
                .is_some_and(|archive| archive.has(path))
            {
                found.push(rootfs);
            }
        }
        match found.as_slice() {
            [rootfs] => self.describe(rootfs, path).map(Some),
            _ => Ok(None),
        }
    }

    /// The step that changed a member last.
    fn change(&mut self, rootfs: &side::Rootfs, name: &str) -> Result<Option<Change>, Error> {
        let Some(file) = &rootfs.steps else {
            return Ok(None);
        };
        if !self.steps.contains_key(file) {
            let path = self.roots.find(Path::new(file));
            let steps = side::steps(&path, &mut self.side.missing)?;
            self.steps.insert(file.clone(), steps);
        }
        let steps = self.steps.get(file).into_iter().flatten();
        let last = steps
            .rev()
            .find(|step| step.paths.iter().any(|path| path == name));
        Ok(last.map(|step| Change {
            file: rootfs.dockerfile.clone(),
            line: step.line,
            text: step.text.clone(),
            label: step
                .copied
                .get(name)
                .and_then(|path| rootfs.context.get(path))
                .cloned(),
        }))
    }

    /// The archive at `path`; nothing if it is not there.
    fn archive(&mut self, path: &str) -> Result<Option<&Archive>, Error> {
        let path = self.roots.find(Path::new(path));
        if !path.exists() {
            let text = format!("{} is not there", path.display());
            if !self.side.missing.contains(&text) {
                self.side.missing.push(text);
            }
            return Ok(None);
        }
        if !self.archives.contains_key(&path) {
            let archive = Archive::open(&path)?;
            self.archives.insert(path.clone(), archive);
        }
        Ok(self.archives.get(&path))
    }
}

/// Opens what a list stands for, with its inputs' paths as they stand there.
fn open_list(path: &Path, roots: &Roots, side: &Side) -> Result<(Reader, Vec<String>), Error> {
    let list = List::open(path)?;
    let plan = Plan::open(&roots.find(&list.plan))?;
    let inputs: Vec<PathBuf> = list.inputs.iter().map(|path| roots.find(path)).collect();
    let names = list.inputs.iter().map(|path| path.display().to_string());
    let names: Vec<String> = names.collect();
    let lost = names.iter().zip(&inputs).filter(|(_, path)| !path.exists());
    let lost: BTreeSet<&String> = lost.filter_map(|(name, _)| side.labels.get(name)).collect();
    if !lost.is_empty() {
        let labels: Vec<&str> = lost.into_iter().map(String::as_str).collect();
        return Err(Error::Lost {
            labels: labels.join(" "),
        });
    }
    Ok((Reader::open(plan, &inputs)?, names))
}

/// Start, length, structures and origin.
type Range = (u64, u64, Vec<Step>, Source);

/// Where bytes come from, as the plan has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Zero,
    Computed,
    Input { input: u32, offset: u64 },
}

impl Source {
    fn of(extent: &Extent<'_>) -> Self {
        match extent.piece {
            Piece::Zero => Self::Zero,
            Piece::Inline(_) => Self::Computed,
            Piece::Source { input, offset } => Self::Input { input, offset },
        }
    }
}

/// Where the first of `len` bytes from `at` on come from, and how many of them from there.
fn first_piece(plan: &Plan, at: u64, len: u64) -> Result<(Source, u64), Error> {
    let mut extents = plan.extents_in(at, len)?.take(MOST_PIECES);
    let Some(first) = extents.next() else {
        return Ok((Source::Zero, len));
    };
    let from = Source::of(&first);
    let mut end = first.end();
    if from == Source::Computed {
        let same = extents.take_while(|extent| Source::of(extent) == from);
        end = same.last().map_or(end, |extent| extent.end());
    }
    Ok((from, end.abs_diff(at)))
}

/// What a tree was given at `path`, if it is one tree.
fn given_at(side: &Side, path: &[u8]) -> Vec<Injected> {
    let at = |given: &&Given| given.dest.as_bytes().strip_prefix(b"/") == Some(path);
    let found: Vec<Injected> = side.given.iter().filter(at).map(Injected::from).collect();
    match found.as_slice() {
        [one] => vec![one.clone()],
        _ => Vec::new(),
    }
}

impl From<&Given> for Injected {
    fn from(given: &Given) -> Self {
        Self {
            dest: given.dest.clone(),
            tree: given.tree.clone(),
            by: given.by.clone(),
            label: given.label.clone(),
        }
    }
}

/// How an input came into the image late, on the way that `steps` say: images in which it is first.
fn injected(side: &Side, input: &str, steps: &[Step]) -> Vec<Injected> {
    let files = || {
        steps.iter().filter_map(|step| match &step.what {
            What::FileData { path } => Some(&path.0),
            _ => None,
        })
    };
    // A file system may be made of a folder of the tree.
    let fits = |dest: &str| files().any(|path| dest.as_bytes().ends_with(path));
    let is_image = |src: &str| List::is_named(Path::new(src));
    let outer = side.given.iter().filter(|given| {
        let src = given.src.as_deref();
        src.is_some_and(is_image) && fits(&given.dest)
    });
    let own: Vec<_> = side
        .given
        .iter()
        .filter(|given| given.src.as_deref() == Some(input))
        .collect();
    let named = own.iter().any(|given| fits(&given.dest));
    let own = own.into_iter().filter(|given| !named || fits(&given.dest));
    let mut all: Vec<Injected> = Vec::new();
    for given in outer.chain(own) {
        let injected = Injected::from(given);
        if !all.contains(&injected) {
            all.push(injected);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use inspect::Name;

    fn side() -> Side {
        let given = |tree: &str, dest: &str, src: Option<&str>| Given {
            tree: tree.to_owned(),
            dest: dest.to_owned(),
            by: "files".to_owned(),
            src: src.map(str::to_owned),
            label: None,
        };
        Side {
            given: vec![
                given("//inner:tree", "/bin/tool", Some("tool")),
                given("//inner:tree", "/boot/copy", Some("tool")),
                given("//inner:tree", "/etc/link", None),
                given("//inner:tree", "/etc/motd", Some("motd")),
                given("//outer:tree", "/etc/motd", Some("motd")),
                given("//outer:tree", "/disks/inner.img", Some("inner.image")),
            ],
            ..Side::default()
        }
    }

    fn in_files(paths: &[&str]) -> Vec<Step> {
        let step = |path: &&str| Step {
            what: What::FileData {
                path: Name(path.as_bytes().to_vec()),
            },
            byte: 0,
            size: 1,
        };
        paths.iter().map(step).collect()
    }

    #[test]
    fn inputs_that_a_cache_kept() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let plan = Plan::whole(5).unwrap();
        std::fs::write(at("x.plan"), plan.encode()).unwrap();
        std::fs::write(at("x.image"), format!("{}\n{}\n", at("x.plan"), at("tar"))).unwrap();
        let note = format!(
            r#"{{"is":"input","path":"{}","label":"//os:tar"}}"#,
            at("tar")
        );
        std::fs::write(at("x.why"), note + "\n").unwrap();
        let open = || Image::open(Path::new(&at("x.image")), None);
        let error = open().err().unwrap().to_string();
        assert!(
            error.ends_with("get them with: bazel build //os:tar"),
            "{error}"
        );
        std::fs::write(at("tar"), b"12345").unwrap();
        assert!(open().is_ok());
    }

    #[test]
    fn the_way_in() {
        let side = side();
        let shown = |all: Vec<Injected>| -> Vec<String> {
            let one = |one: Injected| format!("{} {}", one.tree, one.dest);
            all.into_iter().map(one).collect()
        };
        let way = |input: &str, paths: &[&str]| shown(injected(&side, input, &in_files(paths)));
        // One file at two places: which one, its name tells, also in a file system of a folder.
        assert_eq!(way("tool", &["/bin/tool"]), ["//inner:tree /bin/tool"]);
        assert_eq!(way("tool", &["/copy"]), ["//inner:tree /boot/copy"]);
        assert_eq!(
            way("tool", &[]),
            ["//inner:tree /bin/tool", "//inner:tree /boot/copy"]
        );
        // Within an image that is a file: that one first.
        assert_eq!(
            way("tool", &["/disks/inner.img", "/bin/tool"]),
            ["//outer:tree /disks/inner.img", "//inner:tree /bin/tool"]
        );
        assert_eq!(way("other", &["/bin/tool"]), [""; 0]);
        // Of what was laid out only the name is known.
        assert_eq!(
            shown(given_at(&side, b"etc/link")),
            ["//inner:tree /etc/link"]
        );
        assert_eq!(shown(given_at(&side, b"etc/motd")), [""; 0]);
    }
}
