//! From presets to links.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tree::{Entry, Kind, Source, Stamp, Tree};

use crate::error::{Error, Problem};
use crate::expand::expand;
use crate::install::Install;
use crate::lookup::{
    absolute, base_name, parent, text_name, Found, Linked, OwnFile, Search, UnitFile, NULL,
};
use crate::name::{is_valid, Name};
use crate::preset::{Presets, Verdict};
use crate::ETC;

/// Links to add and remove. Paths are the tree's, without a leading slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New or changed links with their targets.
    pub add: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Links that go.
    pub remove: BTreeSet<Vec<u8>>,
    /// Directories that go because nothing is left in them.
    pub remove_dirs: BTreeSet<Vec<u8>>,
    /// What is wrong with single units; the rest of the plan is as if they had not asked.
    pub problems: Vec<Problem>,
}

/// Computes what `systemctl preset-all --preset-mode=full` would do in `tree`; `read` gives the bytes of files.
pub fn preset_all<R>(tree: &Tree, mut read: R) -> Result<Plan, Error>
where
    R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
{
    let presets = Presets::load(tree, &mut read)?;
    let search = Search::of(tree)?;
    let mut disabled = BTreeSet::new();
    let mut wanted = Vec::new();
    for name in search.names(tree) {
        if !matches!(search.find(tree, &name)?, Found::Unit(_)) {
            continue;
        }
        match presets.verdict(&name) {
            Verdict::Ignore => {}
            Verdict::Disable => {
                disabled.insert(name);
            }
            Verdict::Enable([]) => wanted.push(name),
            Verdict::Enable(instances) => {
                let template = Name::parse(&name);
                let named = |i: &String| template.and_then(|template| template.with_instance(i));
                for unit in instances.iter().filter_map(named) {
                    match search.find(tree, &unit)? {
                        Found::Unit(_) => wanted.push(unit),
                        // With it ends the line: those before are enabled, those behind are not.
                        Found::Masked => break,
                        _ => return Err(Error::ListedLink { unit }),
                    }
                }
            }
        }
    }
    let mut planner = Planner {
        search: &search,
        work: tree.clone(),
        plan: Plan::default(),
    };
    planner.remove_links(&disabled)?;
    // Only now: a unit that was there by a link alone may be gone.
    let units = planner.collect(&wanted, &mut read)?;
    for unit in units {
        planner.enable(&unit)?;
    }
    planner.plan.forget_unchanged(tree);
    Ok(planner.plan)
}

impl Plan {
    /// Drops what is removed for a disabled unit and made again because another unit wants the same link.
    fn forget_unchanged(&mut self, tree: &Tree) {
        let Self {
            add,
            remove,
            remove_dirs,
            ..
        } = self;
        add.retain(|path, target| {
            let kind = tree.get(path).map(|entry| &entry.kind);
            let same = matches!(kind, Some(Kind::Symlink { target: old }) if old == target);
            if same {
                remove.remove(path);
                let mut dir = parent(path);
                while remove_dirs.remove(dir) {
                    dir = parent(dir);
                }
            }
            !same
        });
    }
}

/// How a unit came to be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// A preset, or the want of one, says so.
    Preset,
    /// Another unit names it in `Also=`.
    Also,
    /// Another unit names an alias of it in `Also=`.
    Alias,
}

/// A unit to enable.
struct Unit {
    name: String,
    file: UnitFile,
    install: Install,
}

struct Planner<'a> {
    search: &'a Search,
    /// The tree as it becomes.
    work: Tree,
    plan: Plan,
}

/// What to do when another link is in the place of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Replace,
    /// Keep it if it leads anywhere.
    Respect,
}

impl Planner<'_> {
    /// The units called `names`, and those that they name in `Also=`, and so on.
    fn collect<R>(&mut self, names: &[String], read: &mut R) -> Result<Vec<Unit>, Error>
    where
        R: FnMut(Source) -> Result<Vec<u8>, tree::Error>,
    {
        let queue = names.iter().map(|name| (name.clone(), Why::Preset));
        let mut queue: VecDeque<(String, Why)> = queue.collect();
        let mut seen = BTreeSet::new();
        let mut units = Vec::new();
        while let Some((name, why)) = queue.pop_front() {
            if !seen.insert(name.clone()) {
                continue;
            }
            match self.search.find(&self.work, &name)? {
                Found::Alias(other) => queue.push_back((other, Why::Alias)),
                // `Also=` does not reach units that an administrator linked.
                Found::Unit(file) if why != Why::Preset && file.linked == Linked::FromEtc => {}
                Found::Unit(file) => {
                    let install = Install::load(&self.work, self.search, &name, &file.path, read)?;
                    match install.also_of(&name) {
                        Ok(also) => queue.extend(also.into_iter().map(|name| (name, Why::Also))),
                        Err(problem) => self.plan.problems.push(problem),
                    }
                    units.push(Unit {
                        name,
                        file,
                        install,
                    });
                }
                Found::Missing | Found::Refused if why == Why::Alias => {
                    let unit = name;
                    self.plan.problems.push(Problem::Missing { unit });
                }
                Found::Missing | Found::Masked | Found::Refused => {}
            }
        }
        Ok(units)
    }

    /// Removes every link in /etc/systemd/system whose name, or whose target's, is a disabled unit's.
    fn remove_links(&mut self, disabled: &BTreeSet<String>) -> Result<(), Error> {
        let marked = |path: &[u8]| text_name(path).is_some_and(|name| disabled.contains(name));
        let mut gone = Vec::new();
        for (path, target) in links(&self.work) {
            let Some(parsed) = text_name(path).and_then(Name::parse) else {
                continue;
            };
            let template = parsed.template();
            let end = self.work.resolve(path, true, "link of a unit");
            if marked(path)
                || template.is_some_and(|template| disabled.contains(&template))
                || marked(target)
                || end.is_ok_and(|end| marked(&end))
            {
                gone.push(path.to_vec());
            }
        }
        for path in gone {
            self.work.remove(&path)?;
            let mut dir = parent(&path).to_vec();
            self.plan.remove.insert(path);
            while dir.len() > ETC.len() && self.work.children(&dir).next().is_none() {
                self.work.remove(&dir)?;
                let above = parent(&dir).to_vec();
                self.plan.remove_dirs.insert(dir);
                dir = above;
            }
        }
        Ok(())
    }

    fn enable(&mut self, unit: &Unit) -> Result<(), Error> {
        let name = unit.install.effective(&unit.name);
        let file = &unit.file.path;
        if unit.file.linked != Linked::No {
            self.link(unit, &unit.name, file, Existing::Respect)?;
        }
        let takes = Name::parse(&unit.name).is_some_and(|name| name.takes_aliases());
        for text in unit.install.alias.iter().filter(|_| takes) {
            match expand(text, &name) {
                Ok(alias) => self.alias(unit, &alias)?,
                Err(problem) => self.plan.problems.push(problem),
            }
        }
        if !self.may_be_wanted(unit, &name)? {
            return Ok(());
        }
        let lists = [
            (&unit.install.wanted_by, "wants"),
            (&unit.install.required_by, "requires"),
            (&unit.install.upheld_by, "upholds"),
        ];
        for (list, suffix) in lists {
            for text in list {
                match expand(text, &name) {
                    // A name that is none is passed over.
                    Ok(other) if !is_valid(&other) => {}
                    Ok(other) => self.depend(unit, &name, &other, suffix)?,
                    Err(problem) => self.plan.problems.push(problem),
                }
            }
        }
        Ok(())
    }

    /// Whether others get links to `name`: not to the default instance of a template that has a mask of its own, or a link that
    /// is none of a unit.
    fn may_be_wanted(&mut self, unit: &Unit, name: &str) -> Result<bool, Error> {
        let install = &unit.install;
        let wanted = [&install.wanted_by, &install.required_by, &install.upheld_by];
        if name == unit.name || wanted.iter().all(|list| list.is_empty()) {
            return Ok(true);
        }
        match self.search.own_file(&self.work, name)? {
            OwnFile::Good => Ok(true),
            OwnFile::Masked => Ok(false),
            OwnFile::Refused => {
                self.plan.problems.push(Problem::Instance {
                    unit: unit.name.clone(),
                    instance: name.to_owned(),
                });
                Ok(false)
            }
        }
    }

    /// `other.wants/name`; a template without instance can be wanted only by another or an instance of one.
    fn depend(&mut self, unit: &Unit, name: &str, other: &str, suffix: &str) -> Result<(), Error> {
        let template = Name::parse(name).is_some_and(|name| name.is_template());
        let plain = Name::parse(other).is_none_or(|other| other.instance.is_none());
        if template && plain {
            return Ok(());
        }
        let place = format!("{other}.{suffix}/{name}");
        self.link(unit, &place, &unit.file.path, Existing::Replace)
    }

    fn alias(&mut self, unit: &Unit, alias: &str) -> Result<(), Error> {
        let place = match alias.split_once('/') {
            Some((dir, link)) => may_link(&unit.name, dir, link).then(|| alias.to_owned()),
            None => may_alias(&unit.name, alias),
        };
        match place {
            Some(place) if place == unit.name => Ok(()),
            Some(place) if unit.file.linked == Linked::No => {
                self.link(unit, &place, &unit.file.path, Existing::Respect)
            }
            // Aliases of a file outside the load path lead to the link that brings it in.
            Some(place) => {
                let link = [ETC, b"/", unit.name.as_bytes()].concat();
                self.link(unit, &place, &link, Existing::Respect)
            }
            None => {
                self.plan.problems.push(Problem::Alias {
                    unit: unit.name.clone(),
                    alias: alias.to_owned(),
                });
                Ok(())
            }
        }
    }

    /// Makes the link `place` of /etc/systemd/system to `file`.
    fn link(
        &mut self,
        unit: &Unit,
        place: &str,
        file: &[u8],
        existing: Existing,
    ) -> Result<(), Error> {
        let written = [ETC, b"/", place.as_bytes()].concat();
        let path = self.work.resolve(&written, false, &unit.name)?;
        match self.work.inode(&path).map(|entry| &entry.kind) {
            None => {}
            Some(Kind::Symlink { target }) => {
                let dest = absolute(parent(&path), target);
                if self.same(&dest, file)? {
                    return Ok(());
                }
                // unit@x.service has a file of its own, and unit@.service has x for its default.
                if self.plan.add.contains_key(&path) && base_name(target) == base_name(&path) {
                    return Ok(());
                }
                let end = self.work.resolve(&path, true, &unit.name);
                let end = end.ok().filter(|end| end.as_slice() != NULL);
                let leads = end.is_some_and(|end| self.work.get(&end).is_some());
                if existing == Existing::Respect && leads {
                    let holder = format!("one to '{}'", tree::display(target));
                    self.occupied(unit, &path, holder);
                    return Ok(());
                }
                self.work.remove(&path)?;
            }
            Some(kind) => {
                let holder = format!("a {}", kind.word());
                self.occupied(unit, &path, holder);
                return Ok(());
            }
        }
        let target = [b"/", file].concat();
        let link = link_entry(target.clone(), 0);
        self.work.insert(&path, link, &unit.name)?;
        self.plan.add.insert(path, target);
        Ok(())
    }

    fn occupied(&mut self, unit: &Unit, path: &[u8], holder: String) {
        self.plan.problems.push(Problem::Occupied {
            unit: unit.name.clone(),
            path: tree::display(path),
            holder,
        });
    }

    /// Whether a link to `dest` is as good as one to `file`: it leads there, or to that name in the load path.
    fn same(&self, dest: &[u8], file: &[u8]) -> Result<bool, Error> {
        if self.search.holds_text(dest) && base_name(dest) == base_name(file) {
            return Ok(true);
        }
        let Ok(end) = self.work.resolve(dest, true, "link of a unit") else {
            return Ok(false);
        };
        Ok(end == self.work.resolve(file, true, "unit")?)
    }
}

/// A symbolic link as the run makes them.
pub(crate) fn link_entry(target: Vec<u8>, mtime: i64) -> Entry {
    let stamp = Stamp {
        mode: 0o777,
        uid: 0,
        gid: 0,
        mtime,
        mtime_nanos: 0,
    };
    Entry::injected(Kind::Symlink { target }, stamp)
}

/// All symbolic links under /etc/systemd/system with their texts.
pub(crate) fn links(tree: &Tree) -> impl Iterator<Item = (&[u8], &[u8])> {
    let all = tree.entries().range(ETC.to_vec()..);
    let all = all.take_while(|(path, _)| path.starts_with(ETC));
    all.filter_map(|(path, entry)| match &entry.kind {
        Kind::Symlink { target } if path.get(ETC.len()) == Some(&b'/') => {
            Some((path.as_slice(), target.as_slice()))
        }
        _ => None,
    })
}

/// Whether `unit` may have the link `dir/link`: `X.wants/` or `X.requires/` and its own name, an instance for a template.
fn may_link(unit: &str, dir: &str, link: &str) -> bool {
    let other = dir
        .strip_suffix(".wants")
        .or_else(|| dir.strip_suffix(".requires"));
    let (Some(unit_name), Some(link_name)) = (Name::parse(unit), Name::parse(link)) else {
        return false;
    };
    let own = match unit_name.is_template() {
        true => link_name.template().as_deref() == Some(unit),
        false => link == unit,
    };
    own && other.is_some_and(is_valid)
}

/// The name under which `unit` may be known as `alias`: of the same type and shape; a template's instance of that name.
fn may_alias(unit: &str, alias: &str) -> Option<String> {
    let (unit, other) = (Name::parse(unit)?, Name::parse(alias)?);
    if unit.kind != other.kind {
        return None;
    }
    match (unit.instance, other.instance) {
        (None, None) => Some(alias.to_owned()),
        (Some(""), Some(_)) => Some(alias.to_owned()),
        (Some(instance), Some("")) => other.with_instance(instance),
        (Some(instance), Some(same)) if instance == same => Some(alias.to_owned()),
        _ => None,
    }
}
