//! An initial RAM disk, put together.

use std::collections::BTreeSet;

use base::as_u64;
use elf::Program;

use crate::choose::{choose, Chosen};
use crate::cpio::Archive;
use crate::error::Error;
use crate::firmware;
use crate::index::{Index, Line, Module, MODULES};
use crate::microcode;
use crate::modinfo;
use crate::names::Name;
use crate::pack::pack;
use crate::root::Root;
use crate::unpack::{plain, unpack, MOST};

/// The most that all modules and firmware may have: a machine unpacks them into its memory.
const MOST_OF_ALL: u64 = 512 << 20;
/// Folders that a program finds at its start, besides those of its files.
const FOLDERS: [&str; 5] = ["dev", "proc", "run", "sys", "sysroot"];
/// What is loaded at once, a name a line (modules-load.d(5)).
const LOAD: &str = "etc/modules-load.d/initrd.conf";

/// What is to be in an initial RAM disk.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The program that the kernel starts, linked statically.
    pub init: &'a [u8],
    /// Modules that are there for devices that want them.
    pub available: &'a [Name],
    /// Modules that the program is to load at once, in this order.
    pub at_once: &'a [Name],
    /// The kernel's release; none: that of the only one in the tree.
    pub release: Option<&'a str>,
    /// Whether the processors' microcode goes in, too.
    pub microcode: bool,
}

/// The bytes of the initial RAM disk that `request` asks for, of what `root` has.
pub fn build(root: &Root<'_>, request: &Request<'_>) -> Result<Vec<u8>, Error> {
    check_init(request.init)?;
    let index = Index::read(root, request.release)?;
    let chosen = choose(&index, request.available, request.at_once)?;
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder)?;
    }
    // The kernel opens it for the program before that has mounted anything. Where there is none, a program in Rust opens the other one.
    archive.device("dev/console", 0o600, 5, 1)?;
    archive.device("dev/null", 0o666, 1, 3)?;
    archive.file("init", 0o755, request.init.to_vec())?;
    let lines = chosen.at_once.iter().map(String::as_str);
    archive.file(LOAD, 0o644, text(lines))?;
    add_texts(&mut archive, &index, &chosen)?;
    add_modules(&mut archive, root, &index, &chosen)?;
    let mut bytes = match request.microcode {
        true => microcode::archive(root)?,
        false => Vec::new(),
    };
    bytes.extend(pack(&archive.write()?)?);
    Ok(bytes)
}

/// Nothing in the initial RAM disk loads libraries for the program.
fn check_init(bytes: &[u8]) -> Result<(), Error> {
    let program = Program::read(bytes).map_err(|source| Error::Init(Box::new(source)))?;
    let libraries = program.needed.iter();
    let wants = program.interpreter.iter().chain(libraries).next();
    match wants {
        None => Ok(()),
        Some(wants) => Err(Error::Dynamic {
            wants: base::path::text(wants),
        }),
    }
}

/// Lines, each with its end.
fn text<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let lines = lines.flat_map(|line| [line, "\n"]);
    lines.collect::<String>().into_bytes()
}

/// Adds what the kernel's texts say of the chosen modules, in the order in which they say it.
fn add_texts(archive: &mut Archive, index: &Index, chosen: &Chosen) -> Result<(), Error> {
    let folder = format!("lib/modules/{}", index.release);
    let of = |lines: &[Line]| {
        let lines = lines.iter();
        let lines = lines.filter(|line| chosen.modules.contains(&line.module));
        text(lines.map(|line| line.text.as_str()))
    };
    let needs = modules(index, chosen).map(|(_, module)| needs_line(index, module));
    let needs: Vec<String> = needs.collect();
    let needs = text(needs.iter().map(String::as_str));
    archive.file(&format!("{folder}/modules.dep"), 0o644, needs)?;
    archive.file(
        &format!("{folder}/modules.alias"),
        0o644,
        of(&index.alias_lines),
    )?;
    archive.file(
        &format!("{folder}/modules.softdep"),
        0o644,
        of(&index.softdep_lines),
    )
}

/// The chosen modules in the order of `modules.dep`.
fn modules<'a>(
    index: &'a Index,
    chosen: &'a Chosen,
) -> impl Iterator<Item = (&'a String, &'a Module)> {
    let names = index.order.iter();
    let names = names.filter(|name| chosen.modules.contains(*name));
    names.filter_map(|name| Some((name, index.modules.get(name)?)))
}

fn needs_line(index: &Index, module: &Module) -> String {
    let needs = module.needs.iter();
    let needs = needs.filter_map(|need| index.modules.get(need));
    let needs = needs.flat_map(|need| [" ", plain(&need.path)]);
    [plain(&module.path), ":"]
        .into_iter()
        .chain(needs)
        .collect()
}

/// Adds the chosen modules, unpacked, and the firmware that they name.
fn add_modules(
    archive: &mut Archive,
    root: &Root<'_>,
    index: &Index,
    chosen: &Chosen,
) -> Result<(), Error> {
    let mut firmware = BTreeSet::new();
    let mut total = Total(0);
    for (_, module) in modules(index, chosen) {
        let path = format!("{MODULES}/{}/{}", index.release, module.path);
        if !plain(&path).ends_with(".ko") {
            return Err(Error::Packing { path });
        }
        let Some(bytes) = root.content(&path, MOST)? else {
            let why = "which modules.dep names: run depmod again";
            return Err(Error::Missing { path, why });
        };
        let bytes = unpack(&path, bytes)?;
        total.add(&path, &bytes)?;
        for name in modinfo::firmware(&path, &bytes)? {
            firmware.extend(firmware::meant(root, name)?);
        }
        let to = format!("lib/modules/{}/{}", index.release, plain(&module.path));
        archive.file(&to, 0o644, bytes)?;
    }
    for name in firmware {
        let Some(path) = firmware::file(root, &name)? else {
            continue;
        };
        if let Some(bytes) = root.content(&path, MOST)? {
            let bytes = unpack(&path, bytes)?;
            total.add(&path, &bytes)?;
            archive.file(&format!("lib/firmware/{name}"), 0o644, bytes)?;
        }
    }
    Ok(())
}

/// How many bytes all files have so far.
struct Total(u64);

impl Total {
    fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let sum = self.0.checked_add(as_u64(bytes.len()));
        let sum = sum.filter(|sum| *sum <= MOST_OF_ALL);
        self.0 = sum.ok_or_else(|| Error::TooMuch {
            path: path.to_owned(),
            most: MOST_OF_ALL,
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_is_bounded() {
        let mut total = Total(MOST_OF_ALL - 1);
        total.add("a", b"1").unwrap();
        assert_eq!(
            total.add("b", b"2").unwrap_err().to_string(),
            "modules and firmware are more than 536870912 bytes when they are unpacked (at b): ask for fewer modules"
        );
    }
}
