//! Programs that were laid late over a tree, loaded as the dynamic loader would load them from that tree's files.
//!
//! For each program the loader's own list is made: the program, the libraries that it names, then theirs, each name once. A library is
//! looked for where ld.so(8) says: in the `DT_RPATH` of whoever asks and of those that asked for it, unless there is a `DT_RUNPATH`, in
//! that one, in the cache, in the folders that the loader knows. A library that a program loads by itself (a plugin) is looked at alone, unless
//! some program's list has it. Folders that the environment names don't count, nor those of hardware capabilities: what is
//! in these is there in the plain folders too.
//!
//! Programs of the tree below are not loaded: whether they still start with a library that was laid late in the place of one of theirs is
//! not looked at. Nor is a library that is named by a path from where the program is started (`lib/libfoo.so`): that is one that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tree::{Kind, Source, Tree};

use crate::cache::Cache;
use crate::error::Error;
use crate::misfit::{Misfit, Reason};
use crate::read::{is_elf, Machine, Program, Type};

/// Says in errors of [`Tree::resolve`] who asks; none of them is shown.
const ORIGIN: &str = "a program";
/// What `ldconfig` writes.
const CACHE: &[u8] = b"etc/ld.so.cache";

/// A program or library that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Where it is in the image.
    pub path: Vec<u8>,
    /// How it fits.
    pub how: How,
}

/// How a program fits its image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It needs nothing of the image.
    Static,
    /// It is no program and no library: nothing loads it.
    NotLoaded,
    /// It was loaded with these libraries, or what is wrong is among the misfits.
    Dynamic(Vec<Vec<u8>>),
}

/// Looks at every ELF file of layer 1 of `tree`; `read` reads bytes of it, or says that an input is an image that nobody has written, in
/// which case the file is none that is looked at. What was looked at, by path, and what does not fit.
pub fn check<R>(tree: &Tree, read: R) -> Result<(Vec<Checked>, Vec<Misfit>), Error>
where
    R: Fn(Source) -> Result<Option<Vec<u8>>, tree::Error>,
{
    let mut fit = Fit {
        tree,
        read,
        objects: BTreeMap::new(),
        cache: None,
        misfits: Vec::new(),
    };
    let (mut checked, mut later, mut reached) = (Vec::new(), Vec::new(), BTreeSet::new());
    let image = fit.machine()?;
    for (path, entry) in tree.entries() {
        if entry.layer == 0 || !fit.is_elf(path)? {
            continue;
        }
        let program = match fit.object(path)? {
            Some(program) => program,
            None => continue,
        };
        // A library is loaded whatever its mode says.
        let library = program.kind == Type::Shared && program.interpreter.is_none();
        let runs = library || entry.stamp.mode & 0o111 != 0;
        if let (Some(have), true) = (image, runs) {
            let want = program.machine;
            if !matches!(program.kind, Type::Other(_)) && !have.runs(want) {
                fit.misfit(path, None, Reason::Machine { want, have });
                continue;
            }
        }
        let how = match program.kind {
            Type::Other(_) => How::NotLoaded,
            _ if program.is_static() => How::Static,
            _ if library => {
                later.push((path.clone(), program));
                continue;
            }
            _ => {
                let libraries = fit.load(path, &program)?;
                reached.extend(libraries.iter().cloned());
                How::Dynamic(libraries)
            }
        };
        let path = path.clone();
        checked.push(Checked { path, how });
    }
    for (path, library) in later {
        let how = match reached.contains(&path) {
            true => How::Dynamic(Vec::new()),
            false => How::Dynamic(fit.load(&path, &library)?),
        };
        checked.push(Checked { path, how });
    }
    checked.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((checked, fit.misfits))
}

struct Fit<'a, R> {
    tree: &'a Tree,
    read: R,
    /// By path; `None`: no ELF file, or one that is noted as unreadable.
    objects: BTreeMap<Vec<u8>, Option<Rc<Program>>>,
    /// Read when it is asked for first.
    cache: Option<Rc<Cache>>,
    misfits: Vec<Misfit>,
}

/// A program or library of the loader's list.
struct Loaded {
    /// The name that it was asked for by, and its own.
    names: Vec<Vec<u8>>,
    /// The folder that `$ORIGIN` is.
    origin: Vec<u8>,
    path: Vec<u8>,
    program: Rc<Program>,
    /// Who asked for it first: its place in the list.
    by: Option<usize>,
}

/// A library, or where it was looked for in vain.
enum Found {
    At {
        asked: Vec<u8>,
        path: Vec<u8>,
        program: Rc<Program>,
    },
    Nowhere {
        looked: Vec<Vec<u8>>,
        other: Vec<(Vec<u8>, &'static str)>,
    },
}

impl<R> Fit<'_, R>
where
    R: Fn(Source) -> Result<Option<Vec<u8>>, tree::Error>,
{
    fn misfit(&mut self, program: &[u8], library: Option<&[u8]>, reason: Reason) {
        let misfit = Misfit {
            program: program.to_vec(),
            library: library.map(<[u8]>::to_vec),
            reason,
        };
        self.misfits.push(misfit);
    }

    /// The bytes of the file at `path`, `most` of them; `None`: it is no file, or none that is written.
    fn bytes(&self, path: &[u8], most: u64) -> Result<Option<Vec<u8>>, Error> {
        match self.tree.inode(path).map(|entry| &entry.kind) {
            Some(Kind::File(source)) => {
                let len = source.len.min(most);
                Ok((self.read)(Source { len, ..*source })?)
            }
            // With holes it is no program that a linker wrote.
            _ => Ok(None),
        }
    }

    fn is_elf(&self, path: &[u8]) -> Result<bool, Error> {
        Ok(self.bytes(path, 4)?.is_some_and(|bytes| is_elf(&bytes)))
    }

    /// The ELF file at `path`, which is one without links. One that cannot be read is noted once.
    fn object(&mut self, path: &[u8]) -> Result<Option<Rc<Program>>, Error> {
        if let Some(known) = self.objects.get(path) {
            return Ok(known.clone());
        }
        let bytes = match self.is_elf(path)? {
            true => self.bytes(path, u64::MAX)?,
            false => None,
        };
        let program = match bytes.map(|bytes| Program::read(&bytes)) {
            None => None,
            Some(Ok(program)) => Some(Rc::new(program)),
            Some(Err(error)) => {
                self.misfit(path, None, Reason::Unreadable(error.to_string()));
                None
            }
        };
        self.objects.insert(path.to_vec(), program.clone());
        Ok(program)
    }

    /// What the image is for: what the first program of its base is for.
    fn machine(&mut self) -> Result<Option<Machine>, Error> {
        let tree = self.tree;
        for folder in [&b"usr/bin"[..], b"bin", b"usr/sbin", b"sbin"] {
            for (name, entry) in tree.children(folder) {
                let path = [folder, b"/", name].concat();
                if entry.layer != 0 || !self.is_elf(&path)? {
                    continue;
                }
                if let Some(program) = self.object(&path)? {
                    return Ok(Some(program.machine));
                }
            }
        }
        Ok(None)
    }

    /// Where `path` leads in the tree, if there is something.
    fn real(&self, path: &[u8]) -> Option<Vec<u8>> {
        let path = self.tree.resolve(path, true, ORIGIN).ok()?;
        self.tree.get(&path).is_some().then_some(path)
    }

    fn cache(&mut self) -> Result<Rc<Cache>, Error> {
        if let Some(cache) = &self.cache {
            return Ok(Rc::clone(cache));
        }
        let bytes = match self.real(CACHE) {
            Some(path) => self.bytes(&path, u64::MAX)?,
            None => None,
        };
        let cache = match bytes {
            Some(bytes) => Cache::read(&bytes)?,
            None => Cache::default(),
        };
        let cache = Rc::new(cache);
        self.cache = Some(Rc::clone(&cache));
        Ok(cache)
    }

    /// Loads the program at `path`; the paths of its libraries. What is missing is noted.
    fn load(&mut self, path: &[u8], program: &Rc<Program>) -> Result<Vec<Vec<u8>>, Error> {
        let mut list = vec![Loaded {
            names: program.soname.iter().cloned().collect(),
            origin: folder(path),
            path: path.to_vec(),
            program: Rc::clone(program),
            by: None,
        }];
        list.extend(self.interpreter(path, program)?);
        let mut at = 0;
        while let Some(asking) = list.get(at) {
            let asking = Rc::clone(&asking.program);
            for name in &asking.needed {
                if list.iter().any(|loaded| loaded.names.contains(name)) {
                    continue;
                }
                match self.find(&list, at, name)? {
                    Found::At {
                        asked,
                        path,
                        program,
                    } => {
                        // Two names may lead to one file.
                        if let Some(known) = list.iter_mut().find(|loaded| loaded.path == path) {
                            known.names.push(name.clone());
                            continue;
                        }
                        let own = program.soname.iter().cloned();
                        list.push(Loaded {
                            names: own.chain([name.clone()]).collect(),
                            origin: folder(&asked),
                            path,
                            program,
                            by: Some(at),
                        });
                    }
                    Found::Nowhere { looked, other } => {
                        let want = name.clone();
                        let reason = Reason::Library {
                            want,
                            looked,
                            other,
                        };
                        self.noted(&list, at, reason);
                    }
                }
            }
            // The list is in memory.
            at = at.wrapping_add(1);
        }
        self.versions(&list);
        Ok(list.into_iter().skip(1).map(|loaded| loaded.path).collect())
    }

    /// Notes what the entry at `at` of a list lacks.
    fn noted(&mut self, list: &[Loaded], at: usize, reason: Reason) {
        if let (Some(program), Some(asking)) = (list.first(), list.get(at)) {
            let library = (at > 0).then_some(asking.path.as_slice());
            self.misfit(&program.path, library, reason);
        }
    }

    /// The loader of the program at `path`, which is there before all libraries.
    fn interpreter(&mut self, path: &[u8], program: &Program) -> Result<Option<Loaded>, Error> {
        let Some(want) = &program.interpreter else {
            return Ok(None);
        };
        let real = self.real(want);
        let found = match &real {
            Some(path) => self.object(path)?,
            None => None,
        };
        match (real, found) {
            (Some(path), Some(loader)) if loader.machine == program.machine => Ok(Some(Loaded {
                names: loader.soname.iter().cloned().collect(),
                origin: folder(&path),
                path,
                program: loader,
                by: None,
            })),
            (_, found) => {
                let have = found.map(|found| found.machine);
                let want = want.clone();
                self.misfit(path, None, Reason::Interpreter { want, have });
                Ok(None)
            }
        }
    }

    /// Looks for the library `name`, for the entry at `at` of the list.
    fn find(&mut self, list: &[Loaded], at: usize, name: &[u8]) -> Result<Found, Error> {
        let Some(asking) = list.get(at) else {
            let (looked, other) = (Vec::new(), Vec::new());
            return Ok(Found::Nowhere { looked, other });
        };
        let machine = asking.program.machine;
        let (mut looked, mut other) = (Vec::new(), Vec::new());
        let mut places = Vec::new();
        if name.contains(&b'/') {
            // One that is not absolute depends on where the program is started, and is nowhere.
            let path = expanded(name, asking);
            places.extend(path.starts_with(b"/").then_some(path));
        } else {
            for folder in own_folders(list, at) {
                places.push([folder.as_slice(), b"/", name].concat());
                looked.push(folder);
            }
            if !asking.program.no_default {
                let cache = self.cache()?;
                places.extend(cache.find(name).iter().cloned());
                looked.push([b"/", CACHE].concat());
                for folder in usual_folders(machine) {
                    places.push([folder.as_slice(), b"/", name].concat());
                    looked.push(folder);
                }
            }
        }
        for asked in places {
            let Some(path) = self.real(&asked) else {
                continue;
            };
            match self.object(&path)? {
                Some(program) if program.machine == machine => {
                    return Ok(Found::At {
                        asked,
                        path,
                        program,
                    })
                }
                // The loader goes on after one of another machine.
                Some(_) => other.push((asked, "is for another processor")),
                None => other.push((asked, "is no ELF file")),
            }
        }
        other.extend(self.elsewhere(name, &other));
        Ok(Found::Nowhere { looked, other })
    }

    /// Files of that name where the loader does not look.
    fn elsewhere(
        &self,
        name: &[u8],
        known: &[(Vec<u8>, &'static str)],
    ) -> Vec<(Vec<u8>, &'static str)> {
        let ends = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next() == Some(name);
        let paths = self.tree.entries().keys();
        let paths = paths.filter(|path| ends(path));
        let new = |path: &&Vec<u8>| {
            let same = |known: &[u8]| known.strip_prefix(b"/").unwrap_or(known) == path.as_slice();
            !known.iter().any(|(known, _)| same(known))
        };
        let why = "is where the loader does not look";
        paths
            .filter(new)
            .take(3)
            .map(|path| (path.clone(), why))
            .collect()
    }

    /// Notes the versions that entries of a list want and others of it don't have.
    fn versions(&mut self, list: &[Loaded]) {
        for (at, asking) in list.iter().enumerate() {
            for want in &asking.program.wants {
                let named = |loaded: &&Loaded| loaded.names.contains(&want.library);
                // One that is missing is noted already.
                let Some(found) = list.iter().find(named) else {
                    continue;
                };
                // The loader takes a library that knows of no versions for one that has all.
                let Some(has) = &found.program.has else {
                    continue;
                };
                if !want.weak && !has.contains(&want.version) {
                    let reason = Reason::Version {
                        want: want.clone(),
                        found: found.path.clone(),
                        have: family(has, &want.version),
                    };
                    self.noted(list, at, reason);
                }
            }
        }
    }
}

/// The folder that `path` is in, absolute.
fn folder(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let end = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    [b"/", path.get(..end).unwrap_or_default()].concat()
}

/// The folders that the entry at `at` of a list names itself, or has from those that asked for it.
fn own_folders(list: &[Loaded], at: usize) -> Vec<Vec<u8>> {
    let mut folders = Vec::new();
    let asking = list.get(at);
    if let Some((asking, runpath)) = asking.and_then(|a| Some((a, a.program.runpath.as_ref()?))) {
        expand(runpath, asking, &mut folders);
        return folders;
    }
    let mut next = asking;
    while let Some(loaded) = next {
        if let (Some(rpath), None) = (&loaded.program.rpath, &loaded.program.runpath) {
            expand(rpath, loaded, &mut folders);
        }
        // Who asked comes earlier in the list.
        next = loaded.by.and_then(|by| list.get(by));
    }
    folders
}

/// Adds the folders of a search path. Those that are not absolute depend on where a program is started, and count as none.
fn expand(path: &[u8], of: &Loaded, folders: &mut Vec<Vec<u8>>) {
    let parts = path.split(|byte| *byte == b':');
    let parts = parts.map(|part| expanded(part, of));
    folders.extend(parts.filter(|part| part.starts_with(b"/")));
}

/// A path with what `$ORIGIN` and `$LIB` stand for in it.
fn expanded(path: &[u8], of: &Loaded) -> Vec<u8> {
    let mut path = path.to_vec();
    let lib = match of.program.machine.folder() {
        Some(folder) => [b"lib/", folder.as_bytes()].concat(),
        None => b"lib".to_vec(),
    };
    for (token, value) in [("ORIGIN", &of.origin), ("LIB", &lib)] {
        for form in [format!("${{{token}}}"), format!("${token}")] {
            path = replaced(&path, form.as_bytes(), value);
        }
    }
    path
}

/// `text` with `value` in place of the first `token`; more than one makes no sense in a folder's name.
fn replaced(text: &[u8], token: &[u8], value: &[u8]) -> Vec<u8> {
    let at = text.windows(token.len()).position(|window| window == token);
    let parts = at.and_then(|at| text.split_at_checked(at));
    match parts.and_then(|(before, rest)| Some((before, rest.strip_prefix(token)?))) {
        Some((before, after)) => [before, value, after].concat(),
        None => text.to_vec(),
    }
}

/// The folders that Debian's loader knows.
fn usual_folders(machine: Machine) -> Vec<Vec<u8>> {
    let of_machine = machine.folder().into_iter();
    let of_machine = of_machine.flat_map(|folder| {
        ["/lib/", "/usr/lib/"].map(|start| [start.as_bytes(), folder.as_bytes()].concat())
    });
    let plain = [&b"/lib"[..], b"/usr/lib"].map(<[u8]>::to_vec);
    of_machine.chain(plain).collect()
}

/// The versions of `has` whose name begins as that of `want` does (`GLIBC_`), by their numbers.
fn family(has: &[Vec<u8>], want: &[u8]) -> Vec<Vec<u8>> {
    let end = want.iter().position(u8::is_ascii_digit);
    let start = want.get(..end.unwrap_or(want.len())).unwrap_or_default();
    let numbers = |version: &Vec<u8>| -> Option<Vec<u64>> {
        let rest = std::str::from_utf8(version.strip_prefix(start)?).ok()?;
        rest.split('.').map(|part| part.parse().ok()).collect()
    };
    let mut found: Vec<_> = has.iter().filter_map(|v| Some((numbers(v)?, v))).collect();
    found.sort();
    found
        .into_iter()
        .map(|(_, version)| version.clone())
        .collect()
}
