//! What a kernel's modules are: the texts that depmod(8) writes beside them, and the kernel's own list of what is built in.
//!
//! | file              | a line                                        | must be there                               |
//! |-------------------|-----------------------------------------------|---------------------------------------------|
//! | `modules.dep`     | `PATH: PATH …`: what a module needs           | yes                                         |
//! | `modules.alias`   | `alias PATTERN NAME`: devices and other names | yes                                         |
//! | `modules.builtin` | `PATH`                                        | yes                                         |
//! | `modules.softdep` | `softdep NAME pre: NAME … post: NAME …`       | no: a kernel whose modules have none        |
//!
//! Paths count from the folder that the files are in. Names of modules are kept as the kernel says them, with `_`.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::names::{canonical, of_file};
use crate::root::Root;

/// Where kernels have their modules.
pub(crate) const MODULES: &str = "usr/lib/modules";
/// The longest of the texts: those of Debian's kernels have 1 to 2 MB.
const LONGEST: u64 = 16 << 20;

const DEPMOD: &str = "which depmod writes: run it after the kernel's modules are in place";

/// A module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its path in the kernel's folder.
    pub(crate) path: String,
    /// What it needs, in the order of the list.
    pub(crate) needs: Vec<String>,
}

/// A line of a text about the module of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) module: String,
    pub(crate) text: String,
}

/// All modules of a kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Which kernel.
    pub(crate) release: String,
    pub(crate) modules: BTreeMap<String, Module>,
    /// Names of `modules`, in the order of `modules.dep`.
    pub(crate) order: Vec<String>,
    pub(crate) builtin: BTreeSet<String>,
    /// Modules by other names, without patterns.
    pub(crate) aliases: BTreeMap<String, Vec<String>>,
    pub(crate) alias_lines: Vec<Line>,
    pub(crate) softdep_lines: Vec<Line>,
    /// What a module wants to have loaded besides, before or after it, if that is there.
    pub(crate) wishes: BTreeMap<String, Vec<String>>,
}

impl Index {
    /// That of the kernel `release` in `root`, or of its only kernel.
    pub(crate) fn read(root: &Root<'_>, release: Option<&str>) -> Result<Self, Error> {
        let mut index = Self {
            release: choose_release(root, release)?,
            ..Self::default()
        };
        let folder = format!("{MODULES}/{}", index.release);
        let read = |name: &str, why| -> Result<(String, String), Error> {
            let path = format!("{folder}/{name}");
            match root.text(&path, LONGEST)? {
                Some(text) => Ok((path, text)),
                None => Err(Error::Missing { path, why }),
            }
        };
        let (path, text) = read("modules.dep", DEPMOD)?;
        index.add_modules(&path, &text)?;
        let (path, text) = read("modules.alias", DEPMOD)?;
        index.add_aliases(&path, &text)?;
        let (path, text) = read("modules.builtin", "which comes with the kernel's modules")?;
        index.add_builtin(&path, &text)?;
        let path = format!("{folder}/modules.softdep");
        if let Some(text) = root.text(&path, LONGEST)? {
            index.add_softdeps(&path, &text)?;
        }
        Ok(index)
    }

    fn add_modules(&mut self, path: &str, text: &str) -> Result<(), Error> {
        for (line, content) in lines(text) {
            let bad = |reason| bad_line(path, line, reason);
            let (file, needs) = content
                .split_once(':')
                .ok_or_else(|| bad(format!("got {content:?}, want PATH: PATH …")))?;
            let name = module_of(file).map_err(bad)?;
            let needs = needs.split_ascii_whitespace().map(module_of);
            let module = Module {
                path: file.to_owned(),
                needs: needs.collect::<Result<_, _>>().map_err(bad)?,
            };
            self.order.push(name.clone());
            if let Some(before) = self.modules.insert(name.clone(), module) {
                let before = before.path;
                return Err(bad(format!(
                    "got {file} for the module {name}, which is {before} before"
                )));
            }
        }
        Ok(())
    }

    fn add_aliases(&mut self, path: &str, text: &str) -> Result<(), Error> {
        for (line, content) in lines(text) {
            let parts = content.strip_prefix("alias ");
            let parts = parts.and_then(|rest| rest.trim().rsplit_once(' '));
            let (pattern, module) = parts.ok_or_else(|| {
                bad_line(
                    path,
                    line,
                    format!("got {content:?}, want alias PATTERN NAME"),
                )
            })?;
            let module = canonical(module).into_owned();
            if !pattern.contains(['*', '?', '[']) {
                let alias = canonical(pattern.trim()).into_owned();
                self.aliases.entry(alias).or_default().push(module.clone());
            }
            let text = content.to_owned();
            self.alias_lines.push(Line { module, text });
        }
        Ok(())
    }

    fn add_builtin(&mut self, path: &str, text: &str) -> Result<(), Error> {
        for (line, content) in lines(text) {
            let name = module_of(content).map_err(|reason| bad_line(path, line, reason))?;
            self.builtin.insert(name);
        }
        Ok(())
    }

    fn add_softdeps(&mut self, path: &str, text: &str) -> Result<(), Error> {
        for (line, content) in lines(text) {
            let mut words = content.split_ascii_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
                let reason = format!("got {content:?}, want softdep NAME pre: NAME … post: NAME …");
                return Err(bad_line(path, line, reason));
            };
            let module = canonical(module).into_owned();
            // What stands before either word is nothing to modprobe(8).
            let wishes = words.skip_while(|word| !is_when(word));
            let wishes = wishes.filter(|word| !is_when(word));
            let wishes = wishes.map(|word| canonical(word).into_owned());
            let entry = self.wishes.entry(module.clone()).or_default();
            entry.extend(wishes);
            let text = content.to_owned();
            self.softdep_lines.push(Line { module, text });
        }
        Ok(())
    }
}

fn is_when(word: &str) -> bool {
    matches!(word, "pre:" | "post:")
}

/// Lines with their numbers, without comments and empty ones.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = (1..).zip(text.lines());
    let lines = lines.map(|(number, line)| (number, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn bad_line(path: &str, line: u64, reason: String) -> Error {
    Error::Line {
        path: path.to_owned(),
        line,
        reason: base::text::shorten(&reason).into_owned(),
    }
}

/// The module in a file that a text names.
fn module_of(path: &str) -> Result<String, String> {
    base::path::check(path.as_ref()).map_err(|wrong| wrong.to_string())?;
    of_file(path).ok_or_else(|| {
        format!("got {path:?}, want the path of a module, as kernel/fs/ext4/ext4.ko")
    })
}

fn choose_release(root: &Root<'_>, wanted: Option<&str>) -> Result<String, Error> {
    let names = root.names(MODULES)?;
    let names = names.into_iter().filter(|(_, folder)| *folder);
    let mut names: Vec<String> = names.map(|(name, _)| name).collect();
    let have = match names.as_slice() {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    let folder = MODULES;
    match wanted {
        Some(wanted) if names.iter().any(|name| name == wanted) => Ok(wanted.to_owned()),
        Some(wanted) => Err(Error::NoRelease {
            folder,
            wanted: wanted.to_owned(),
            have,
        }),
        None if names.len() > 1 => Err(Error::Releases { folder, have }),
        None => names.pop().ok_or_else(|| Error::NoRelease {
            folder,
            wanted: "of a kernel's release".to_owned(),
            have,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let mut index = Index::default();
        index
            .add_modules("d", "kernel/a-b.ko.xz: kernel/c.ko.xz\n\nkernel/c.ko.xz:\n")
            .unwrap();
        assert_eq!(index.order, ["a_b", "c"]);
        assert_eq!(index.modules["a_b"].needs, ["c"]);
        index
            .add_aliases("a", "# x\nalias pci:v*d* a_b\nalias crc-x c\n")
            .unwrap();
        assert_eq!(index.aliases["crc_x"], ["c"]);
        assert_eq!(index.aliases.len(), 1);
        assert_eq!(index.alias_lines[0].text, "alias pci:v*d* a_b");
        index.add_builtin("b", "kernel/fs/ext4/ext4.ko\n").unwrap();
        assert!(index.builtin.contains("ext4"));
        index
            .add_softdeps("s", "softdep a_b odd pre: c d-e post: f\nsoftdep c none\n")
            .unwrap();
        assert_eq!(index.wishes["a_b"], ["c", "d_e", "f"]);
        assert!(index.wishes["c"].is_empty());
    }

    #[test]
    fn lines_that_are_refused() {
        let says = |done: Result<(), Error>| done.unwrap_err().to_string();
        let new = Index::default;
        assert_eq!(
            says(new().add_modules("d", "#\nkernel/a.ko\n")),
            "d line 2: got \"kernel/a.ko\", want PATH: PATH …"
        );
        assert_eq!(
            says(new().add_modules("d", "../a.ko:\n")),
            "d line 1: \"../a.ko\" holds the name ..; wanted a path below a folder, such as a/b"
        );
        assert_eq!(
            says(new().add_modules("d", "kernel/a.txt:\n")),
            "d line 1: got \"kernel/a.txt\", want the path of a module, as kernel/fs/ext4/ext4.ko"
        );
        assert_eq!(
            says(new().add_modules("d", "k/a.ko:\nu/a.ko:\n")),
            "d line 2: got u/a.ko for the module a, which is k/a.ko before"
        );
        assert_eq!(
            says(new().add_aliases("a", "alias x\n")),
            "a line 1: got \"alias x\", want alias PATTERN NAME"
        );
        assert_eq!(
            says(new().add_softdeps("s", "softdep\n")),
            "s line 1: got \"softdep\", want softdep NAME pre: NAME … post: NAME …"
        );
    }
}
