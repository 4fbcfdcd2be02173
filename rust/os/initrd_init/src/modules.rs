//! Kernel modules: which one a device asks for, what each needs, in which order they are loaded. The files are those of depmod(8).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::kmod::init_module;

use crate::cmdline::words;
use crate::log;
use crate::pattern::matches;

/// What is known of the initrd's modules, by names with `_` for each `-`.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    files: BTreeMap<String, Module>,
    /// Pattern of an alias to the module, as they stand.
    aliases: Vec<(String, String)>,
    at_once: Vec<String>,
    /// What the command line says to each, as `key=value key=value`.
    params: BTreeMap<String, String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Module {
    path: PathBuf,
    /// What is loaded before it, and behind it.
    before: Vec<String>,
    after: Vec<String>,
}

impl Modules {
    /// Reads `modules.dep`, `modules.alias` and `modules.softdep` of a folder, the names of the modules that are loaded unasked, and the modules'
    /// parameters on the kernel's command line.
    pub(crate) fn open(folder: &Path, at_once: &Path, line: &str) -> Result<Self> {
        let text = |name: &str| read(&folder.join(name));
        let mut modules = Self::parse(
            folder,
            &text("modules.dep")?,
            &text("modules.alias")?,
            &text("modules.softdep")?,
        );
        modules.at_once = names(&read(at_once)?);
        modules.params = params(line);
        Ok(modules)
    }

    fn parse(folder: &Path, dep: &str, alias: &str, softdep: &str) -> Self {
        let mut modules = Self::default();
        for (path, needs) in dep.lines().filter_map(|line| line.split_once(':')) {
            // modules.dep has what is loaded first at the end.
            let before = needs.split_whitespace().rev().map(name_of).collect();
            let module = Module {
                path: folder.join(path),
                before,
                after: Vec::new(),
            };
            modules.files.insert(name_of(path), module);
        }
        for line in alias.lines() {
            if let ["alias", pattern, name] = line.split_whitespace().collect::<Vec<_>>().as_slice()
            {
                modules.aliases.push(((*pattern).to_owned(), plain(name)));
            }
        }
        for line in softdep.lines() {
            modules.soft(line);
        }
        modules
    }

    /// Takes a line as `softdep NAME pre: A B post: C`; those that are not there are not needed.
    fn soft(&mut self, line: &str) {
        let mut parts = line.split_whitespace();
        let (Some("softdep"), Some(name)) = (parts.next(), parts.next()) else {
            return;
        };
        let Some(module) = self.files.get_mut(&plain(name)) else {
            return;
        };
        let mut behind = false;
        for word in parts {
            match word {
                "pre:" => behind = false,
                "post:" => behind = true,
                _ if behind => module.after.push(plain(word)),
                _ => module.before.push(plain(word)),
            }
        }
    }

    /// Loads the modules that no device asks for.
    pub(crate) fn load_at_once(&self) {
        self.load(&self.order(&self.at_once));
    }

    /// Loads modules in this order. One that the kernel does not take is told and ends nothing: the disk may well do without.
    pub(crate) fn load(&self, names: &[String]) {
        for name in names {
            let Some(module) = self.files.get(name) else {
                continue;
            };
            let params = self.params.get(name).map_or("", String::as_str);
            if let Err(error) = insert(&module.path, params) {
                log::warning(&format!("module {name}: {error:#}"));
            }
        }
    }

    /// The modules of what a device asks for by its alias, with what they need, in the order of loading. What others may have loaded is among them:
    /// the kernel knows, and waits for one that is being loaded.
    pub(crate) fn order_for(&self, alias: &str) -> Vec<String> {
        self.order(&self.names(alias))
    }

    fn order(&self, names: &[String]) -> Vec<String> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for name in names {
            self.visit(&plain(name), &mut seen, &mut order);
        }
        order
    }

    /// The modules of an alias.
    fn names(&self, alias: &str) -> Vec<String> {
        let fitting = self
            .aliases
            .iter()
            .filter(|(pattern, _)| matches(pattern, alias));
        fitting.map(|(_, name)| name.clone()).collect()
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        let Some(module) = self.files.get(name) else {
            // A name that softdep lines have may be an alias, as `crc32c`; a module that is part of the kernel has no file.
            let by_alias = self
                .names(name)
                .into_iter()
                .filter(|name| self.files.contains_key(name));
            for name in by_alias {
                self.visit(&name, seen, order);
            }
            return;
        };
        if !seen.insert(name.to_owned()) {
            return;
        }
        for need in &module.before {
            self.visit(need, seen, order);
        }
        order.push(name.to_owned());
        for more in &module.after {
            self.visit(more, seen, order);
        }
    }
}

/// Gives a module to the kernel. One that is there, or for whose hardware there is none, is no error.
fn insert(path: &Path, params: &str) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let params = CString::new(params).context("its parameters")?;
    match init_module(&bytes, &params) {
        Ok(()) | Err(Errno::EEXIST | Errno::ENODEV) => Ok(()),
        Err(errno) => Err(errno).context("the kernel does not take it"),
    }
}

/// A file's text; nothing if there is no such file.
fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The name of the module in a file `PATH/NAME.ko`.
fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    plain(name.split('.').next().unwrap_or(name))
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

/// The names in a file of modules-load.d(5).
fn names(text: &str) -> Vec<String> {
    let names = text.lines().map(str::trim);
    names
        .filter(|name| !name.is_empty() && !name.starts_with(['#', ';']))
        .map(plain)
        .collect()
}

/// What a command line says to modules, by words as `NAME.KEY=VALUE`.
fn params(line: &str) -> BTreeMap<String, String> {
    let mut params = BTreeMap::<String, String>::new();
    for word in words(line) {
        let Some((name, param)) = word.split_once('.') else {
            continue;
        };
        if name.contains('=') {
            continue;
        }
        let text = params.entry(plain(name)).or_default();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(param);
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko\n\
        kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko\n\
        kernel/drivers/md/dm-mod.ko:\n\
        kernel/drivers/scsi/sd_mod.ko: kernel/drivers/scsi/scsi_mod.ko\n\
        kernel/drivers/scsi/scsi_mod.ko:\n\
        kernel/lib/a.ko: kernel/lib/b.ko\n\
        kernel/lib/b.ko: kernel/lib/a.ko\n";
    const ALIAS: &str = "# a comment\nalias scsi:t-0x00* sd_mod\nalias scsi:t-0x0[a-e]* sd-mod\nalias broken\nalias disk sd_mod\nalias gone not_there\nalias virtio:d00000002v* virtio_blk\n";

    fn modules() -> Modules {
        let softdep =
            "softdep dm-verity pre: sha256 post: disk\nsoftdep cifs gcm\nsoftdep none pre: dm_mod\nnothing\n";
        Modules::parse(Path::new("/m"), DEP, ALIAS, softdep)
    }

    #[test]
    fn what_is_needed_comes_first() {
        let modules = modules();
        let order = |name: &str| modules.order(&[name.to_owned()]);
        assert_eq!(
            order("dm-verity"),
            ["dm_mod", "dm_bufio", "dm_verity", "scsi_mod", "sd_mod"]
        );
        assert!(order("virtio_blk").is_empty());
        // A circle ends.
        assert_eq!(order("a"), ["b", "a"]);
        let both = ["sd_mod".to_owned(), "dm_bufio".to_owned()];
        assert_eq!(
            modules.order(&both),
            ["scsi_mod", "sd_mod", "dm_mod", "dm_bufio"]
        );
    }

    #[test]
    fn an_alias_names_its_modules() {
        let modules = modules();
        assert_eq!(modules.order_for("scsi:t-0x0e"), ["scsi_mod", "sd_mod"]);
        assert!(modules.order_for("virtio:d00000002v00001AF4").is_empty());
        // None of the files is there: that is told, and no more.
        modules.load(&modules.order_for("scsi:t-0x00"));
    }

    #[test]
    fn the_command_line_has_parameters() {
        let params = params("ro nvme.io_timeout=9 nvme-core.multipath=N nvme.poll_queues=2 a.b systemd.x=1.5 c=d.e\n");
        let of = |name: &str| params.get(name).map(String::as_str);
        assert_eq!(of("nvme"), Some("io_timeout=9 poll_queues=2"));
        assert_eq!(of("nvme_core"), Some("multipath=N"));
        assert_eq!(of("a"), Some("b"));
        assert_eq!(of("c=d"), None);
    }

    #[test]
    fn files_are_read_where_depmod_puts_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("modules.dep"), DEP).unwrap();
        std::fs::write(
            folder.path().join("initrd.conf"),
            "# first\n\n dm-verity \n;x\nsha256-ssse3",
        )
        .unwrap();
        let modules = Modules::open(
            folder.path(),
            &folder.path().join("initrd.conf"),
            "dm_verity.x=1",
        )
        .unwrap();
        assert_eq!(modules.at_once, ["dm_verity", "sha256_ssse3"]);
        assert_eq!(
            modules.files["sd_mod"].path,
            folder.path().join("kernel/drivers/scsi/sd_mod.ko")
        );
        assert_eq!(modules.params["dm_verity"], "x=1");
    }
}
