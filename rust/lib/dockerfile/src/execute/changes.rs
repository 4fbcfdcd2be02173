//! Which step changed what: a look at the tree after each step, by what the kernel notes of every change.
//!
//! A file is another one if its inode is, or the time of its last change, which nobody can set. So owner and mode count, too. Nothing
//! of it is written but paths, sorted: a build's times and inodes don't show.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::context::Context;
use crate::plan::{Action, ActionKind, CopyAction, SourceAction};

/// A step and what of the finished tree it changed last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Line of the instruction.
    pub line: usize,
    /// The instruction on one line, as written.
    pub text: String,
    /// What it made or changed, from the root without a slash in front, sorted. Of directories only those that it made.
    pub paths: Vec<Vec<u8>>,
    /// Of these the files of the context, with their paths there.
    pub copied: BTreeMap<Vec<u8>, String>,
}

/// What tells a file from what was there before.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    inode: u64,
    changed: (i64, i64),
    is_dir: bool,
}

/// A tree as it was after the last step.
#[derive(Clone, Default)]
pub(crate) struct Tracker {
    files: BTreeMap<PathBuf, (Mark, Option<usize>)>,
    steps: Vec<Action>,
}

impl Tracker {
    /// For `tree` as a stage begins with it: what it holds is of no step, or of those that `before` knows.
    pub(crate) fn begin(tree: &Path, before: Option<Self>) -> io::Result<Self> {
        let mut tracker = before.unwrap_or_default();
        let known = std::mem::take(&mut tracker.files);
        // A copy of a tree has other inodes, and the same files.
        tracker.files = marks(tree, |path, _| known.get(path).and_then(|(_, step)| *step))?;
        Ok(tracker)
    }

    /// Notes what `action` did to `tree`.
    pub(crate) fn step(&mut self, tree: &Path, action: &Action) -> io::Result<()> {
        let known = std::mem::take(&mut self.files);
        let this = Some(self.steps.len());
        self.steps.push(action.clone());
        self.files = marks(tree, |path, mark| match known.get(path) {
            Some((before, step)) if before == mark || (before.is_dir && mark.is_dir) => *step,
            _ => this,
        })?;
        Ok(())
    }

    /// Steps in their order, with what is still there.
    pub(crate) fn finish(self, context: &Context) -> Vec<Changes> {
        let mut changes: Vec<Changes> = self.steps.iter().map(empty).collect();
        for (path, (_, step)) in &self.files {
            let found = step.and_then(|step| Some((self.steps.get(step)?, changes.get_mut(step)?)));
            let Some((action, changes)) = found else {
                continue;
            };
            let name = path.as_os_str().as_bytes().to_vec();
            if let ActionKind::Copy(copy @ CopyAction { from: None, .. }) = &action.kind {
                if let Some(source) = source(copy, path, context) {
                    changes.copied.insert(name.clone(), source);
                }
            }
            changes.paths.push(name);
        }
        changes.retain(|changes| !changes.paths.is_empty());
        changes
    }
}

fn empty(action: &Action) -> Changes {
    Changes {
        line: action.at.line,
        text: action.text.clone(),
        paths: Vec::new(),
        copied: BTreeMap::new(),
    }
}

/// Everything in `tree` by path from its root, each with what `step` says of it. What lies in `run` and `tmp` does not stay.
fn marks(
    tree: &Path,
    step: impl Fn(&Path, &Mark) -> Option<usize>,
) -> io::Result<BTreeMap<PathBuf, (Mark, Option<usize>)>> {
    let mut files = Vec::new();
    let walk = WalkDir::new(tree).min_depth(1).into_iter();
    let stays = |entry: &walkdir::DirEntry| {
        let name = entry.file_name();
        entry.depth() != 1 || (name != "run" && name != "tmp")
    };
    for entry in walk.filter_entry(stays) {
        let entry = entry?;
        let meta = entry.metadata()?;
        let Ok(path) = entry.path().strip_prefix(tree) else {
            continue;
        };
        let mark = Mark {
            inode: meta.ino(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            is_dir: meta.is_dir(),
        };
        files.push((path.to_owned(), (mark, step(path, &mark))));
    }
    Ok(files.into_iter().collect())
}

/// The file of the context that COPY made `path` of.
fn source(copy: &CopyAction, path: &Path, context: &Context) -> Option<String> {
    let dest = Path::new(copy.dest.trim_start_matches('/'));
    let declared = |name: PathBuf| {
        let name = name.to_str()?;
        context.has_file(name).then(|| name.to_owned())
    };
    copy.sources.iter().find_map(|source| {
        let SourceAction::Path(source) = source else {
            return None;
        };
        let source = Path::new(source.trim_start_matches('/'));
        // The file itself, a file of a folder, or one that a wildcard matched.
        let itself = (path == dest
            || Some(path) == source.file_name().map(|name| dest.join(name)).as_deref())
        .then(|| source.to_owned());
        let within = path.strip_prefix(dest).ok().map(|rest| source.join(rest));
        let matched = source
            .parent()
            .zip(path.file_name())
            .map(|(folder, name)| folder.join(name));
        [itself, within, matched]
            .into_iter()
            .flatten()
            .find_map(declared)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::At;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn action(line: usize, kind: ActionKind) -> Action {
        let at = At {
            file: "Dockerfile".into(),
            line,
        };
        Action {
            at,
            text: format!("step {line}"),
            kind,
        }
    }

    fn other(line: usize) -> Action {
        let (path, user) = ("/".to_owned(), None);
        action(line, ActionKind::Workdir { path, user })
    }

    fn copy(line: usize, sources: &[&str], dest: &str) -> Action {
        let sources = sources
            .iter()
            .map(|path| SourceAction::Path((*path).to_owned()));
        action(
            line,
            ActionKind::Copy(CopyAction {
                from: None,
                chown: None,
                chmod: None,
                sources: sources.collect(),
                dest: dest.to_owned(),
            }),
        )
    }

    #[test]
    fn the_last_step_that_changed_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path();
        let write = |name: &str, text: &str| {
            fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs::write(tree.join(name), text).unwrap();
        };
        for name in ["etc/base", "etc/mode", "etc/gone", "tmp/x"] {
            write(name, "1");
        }
        let context = Context::parse("list", "early/one\tx\ndir/a/b\ty\n").unwrap();
        let mut tracker = Tracker::begin(tree, None).unwrap();
        write("etc/one", "copied");
        write("opt/a/b", "copied");
        tracker
            .step(tree, &copy(3, &["early/one"], "/etc/"))
            .unwrap();
        write("opt/d/a/b", "copied");
        tracker.step(tree, &copy(4, &["dir"], "/opt/d")).unwrap();
        // Of times that a clock counts coarsely: a change within one tick of the last look can only be told by its inode.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::set_permissions(tree.join("etc/mode"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(tree.join("etc/gone")).unwrap();
        write("tmp/y", "");
        write("etc/new", "");
        tracker.step(tree, &other(7)).unwrap();
        // Nothing to say of this one.
        tracker.step(tree, &other(9)).unwrap();
        let changes = tracker.finish(&context);
        let shown = changes.iter().map(|changes| {
            let text = |path: &Vec<u8>| String::from_utf8(path.clone()).unwrap();
            let paths: Vec<String> = changes.paths.iter().map(text).collect();
            let copied = changes.copied.iter();
            let copied: Vec<String> = copied
                .map(|(to, from)| format!("{}={from}", text(to)))
                .collect();
            format!(
                "{}: {} ({})",
                changes.line,
                paths.join(" "),
                copied.join(" ")
            )
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "3: etc/one opt opt/a opt/a/b (etc/one=early/one)",
                "4: opt/d opt/d/a opt/d/a/b (opt/d/a/b=dir/a/b)",
                "7: etc/mode etc/new ()",
            ]
        );
    }
}
