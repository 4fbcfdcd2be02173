//! What systemd would not complain about when an image is built: misspelt sections and keys, programs that are not there, units
//! that nothing starts, presets for units that do not exist.
//!
//! Only files that were laid over the tree late are looked at: what packages bring is their matter.

mod fault;
mod known;
mod programs;
mod started;

use tree::{Kind, Source, Tree};

pub use fault::Fault;

use crate::error::Error;
use crate::lookup::{self, Found, Search};
use crate::name::{is_valid, Name};
use crate::preset::{self, Presets, Verb};
use crate::syntax::{self, Content, Line};
use started::Started;

/// A unit or drop-in file that was laid over the tree.
struct File {
    path: Vec<u8>,
    /// The unit it is, if it is no drop-in.
    unit: Option<String>,
    /// The type of the units it speaks of.
    kind: String,
    lines: Vec<Line>,
}

/// What is wrong with the late unit and preset files of `tree`, in which presets have been applied; `read` gives the bytes of files.
pub fn check<R>(tree: &Tree, mut read: R) -> Result<Vec<Fault>, Error>
where
    R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
{
    let search = Search::of(tree)?;
    let presets = Presets::load(tree, &mut read)?;
    let mut checker = Checker {
        tree,
        search: &search,
        faults: Vec::new(),
    };
    let files = checker.files(&mut read)?;
    for file in &files {
        checker.words(file);
        checker.programs(file)?;
        checker.needs(file)?;
    }
    let mut started = Started::new(tree, &search);
    for file in &files {
        let Some(unit) = &file.unit else { continue };
        checker.command(file, unit, &mut read)?;
        if !presets.name(unit) && !started.starts(unit, &mut read)? {
            checker.faults.push(Fault::Unstarted {
                path: tree::display(&file.path),
                unit: unit.clone(),
            });
        }
    }
    checker.presets(&mut started, &mut read)?;
    Ok(checker.faults)
}

struct Checker<'a> {
    tree: &'a Tree,
    search: &'a Search,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn line(&mut self, path: &[u8], line: usize, reason: String) {
        let path = tree::display(path);
        self.faults.push(Fault::Line { path, line, reason });
    }

    /// The late unit and drop-in files; one that systemd refuses as a whole is a fault.
    fn files<R>(&mut self, read: &mut R) -> Result<Vec<File>, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let mut files = Vec::new();
        for (path, entry) in self.tree.entries() {
            let Kind::File(source) = entry.kind else {
                continue;
            };
            let of = self.search.file_of(path);
            let (Some((name, own)), true) = (of, entry.layer > 0 && source.len > 0) else {
                continue;
            };
            let kind = name.rsplit('.').next().unwrap_or(&name).to_owned();
            match syntax::lines(&String::from_utf8_lossy(&read(source)?)) {
                Ok(lines) => files.push(File {
                    path: path.clone(),
                    kind,
                    unit: own.then_some(name),
                    lines,
                }),
                Err(refused) => self.line(path, refused.line, refused.reason),
            }
        }
        Ok(files)
    }

    /// Sections and keys that systemd does not know.
    fn words(&mut self, file: &File) {
        for line in &file.lines {
            let section = line.section.as_str();
            if section.starts_with("X-") {
                continue;
            }
            let reason = match &line.content {
                Content::Header => unknown_section(section, &file.kind),
                Content::Other(text) => {
                    Some(format!("'{text}' is neither a section nor KEY=VALUE"))
                }
                Content::Assignment(key, _) => unknown_key(section, key, &file.kind),
            };
            if let Some(reason) = reason {
                self.line(&file.path, line.number, reason);
            }
        }
    }

    /// Units that must be there for this one to start, or to be started.
    fn needs(&mut self, file: &File) -> Result<(), Error> {
        for line in &file.lines {
            let Content::Assignment(key, value) = &line.content else {
                continue;
            };
            let installs = match (line.section.as_str(), key.as_str()) {
                ("Install", "WantedBy" | "RequiredBy" | "UpheldBy") => true,
                ("Unit", "Requires" | "Requisite" | "BindsTo") => false,
                _ => continue,
            };
            // A value with an open quote is passed over whole.
            for word in syntax::words(value).into_iter().flatten() {
                if word.contains('%') || !self.is_missing(&word, installs)? {
                    continue;
                }
                let reason = format!("{key}={word}: there is no such unit");
                self.line(&file.path, line.number, reason);
            }
        }
        Ok(())
    }

    /// Whether `word` names no unit. What generators make of devices and mounts is not known here.
    fn is_missing(&self, word: &str, strict: bool) -> Result<bool, Error> {
        let Some(name) = Name::parse(word) else {
            return Ok(true);
        };
        let made_later = ["device", "mount", "automount", "swap", "slice", "scope"];
        if !strict && made_later.contains(&name.kind) {
            return Ok(false);
        }
        Ok(
            self.search.find(self.tree, word)? == Found::Missing
                && !made_later.contains(&name.kind),
        )
    }

    /// A service needs something to start.
    fn command<R>(&mut self, file: &File, unit: &str, read: &mut R) -> Result<(), Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        if file.kind != "service" {
            return Ok(());
        }
        let mut service = programs::Service::default();
        service.add(&file.lines);
        for path in self.search.drop_ins(self.tree, unit)? {
            let end = self.tree.resolve(&path, true, unit)?;
            let source = match self.tree.inode(&end).map(|entry| &entry.kind) {
                Some(Kind::File(source)) if source.len > 0 => *source,
                // A mask, or a file with a mebibyte of zeros in it, which no text has.
                _ => continue,
            };
            if let Ok(lines) = syntax::lines(&String::from_utf8_lossy(&read(source)?)) {
                service.add(&lines);
            }
        }
        if !service.does_something() {
            let path = tree::display(&file.path);
            self.faults.push(Fault::NoCommand { path });
        }
        Ok(())
    }

    /// Programs that are not in the tree.
    fn programs(&mut self, file: &File) -> Result<(), Error> {
        for (line, reason) in programs::missing(self.tree, &file.lines)? {
            self.line(&file.path, line, reason);
        }
        Ok(())
    }

    /// Lines of late preset files that do nothing.
    fn presets<R>(&mut self, started: &mut Started<'_>, read: &mut R) -> Result<(), Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        for dir in preset::DIRS {
            let real = self.tree.resolve(dir, true, "preset folder")?;
            let children = self.tree.children(&real);
            let late =
                children.filter(|(name, entry)| entry.layer > 0 && name.ends_with(b".preset"));
            let files: Vec<(Vec<u8>, Source)> = late
                .filter_map(|(name, entry)| match entry.kind {
                    Kind::File(source) => Some(([&real[..], b"/", name].concat(), source)),
                    _ => None,
                })
                .collect();
            for (path, source) in files {
                let text = read(source)?;
                for (number, line) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
                    let line = lookup::trim(line);
                    if line.is_empty() || line.starts_with(['#', ';']) {
                        continue;
                    }
                    if let Some(reason) = self.preset(line, started, read)? {
                        self.line(&path, number, reason);
                    }
                }
            }
        }
        Ok(())
    }

    fn preset<R>(
        &self,
        line: &str,
        started: &mut Started<'_>,
        read: &mut R,
    ) -> Result<Option<String>, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let Some(rule) = preset::rule(line) else {
            let want = "want 'enable UNIT', 'disable UNIT' or 'ignore UNIT'";
            return Ok(Some(format!("got '{line}', {want}")));
        };
        if rule.verb != Verb::Enable {
            return Ok(None);
        }
        let unit = rule.pattern.as_str();
        if rule.is_glob() {
            let any = self
                .search
                .names(self.tree)
                .iter()
                .any(|name| rule.fits(name));
            return Ok((!any).then(|| format!("enables '{unit}', but no unit is called so")));
        }
        Ok(match self.search.find(self.tree, unit)? {
            Found::Missing if is_valid(unit) => {
                Some(format!("enables {unit}, but there is no such unit"))
            }
            Found::Missing => Some(format!("enables '{unit}', which is no name of a unit")),
            Found::Alias(other) => Some(format!(
                "enables {unit}, another name of {other}: presets take a unit by its own"
            )),
            Found::Unit(_) if !started.starts(unit, read)? => Some(format!(
                "enables {unit}, which has no [Install] section that says what starts it, and nothing else does"
            )),
            Found::Unit(_) | Found::Masked | Found::Refused => None,
        })
    }
}

/// The keys of a section that units of the type `kind` may have.
fn keys(section: &str, kind: &str) -> Option<&'static str> {
    let fits = ["Unit", "Install"].contains(&section) || section.eq_ignore_ascii_case(kind);
    let known = known::SECTIONS.iter().find(|(name, _)| *name == section);
    known.filter(|_| fits).map(|(_, keys)| *keys)
}

fn unknown_section(section: &str, kind: &str) -> Option<String> {
    if keys(section, kind).is_some() {
        return None;
    }
    let known = known::SECTIONS.iter().map(|(name, _)| *name);
    let known: Vec<String> = known
        .filter(|name| keys(name, kind).is_some())
        .map(|name| format!("[{name}]"))
        .collect();
    Some(format!(
        "a .{kind} has no section [{section}], only {}",
        known.join(", ")
    ))
}

fn unknown_key(section: &str, key: &str, kind: &str) -> Option<String> {
    if section.is_empty() {
        return Some(format!("{key}= stands before the first section"));
    }
    // Of an unknown section its header is told.
    let here = keys(section, kind)?;
    let has = |keys: &str| keys.split_whitespace().any(|known| known == key);
    if has(here) || key.starts_with("X-") {
        return None;
    }
    let mut others = known::SECTIONS.iter().map(|(name, _)| *name);
    let other = others.find(|name| keys(name, kind).is_some_and(has));
    let hint = other.map_or_else(String::new, |name| format!("; it belongs into [{name}]"));
    Some(format!("[{section}] has no key {key}={hint}"))
}
