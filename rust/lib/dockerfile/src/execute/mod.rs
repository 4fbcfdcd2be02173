//! Carries a [`Plan`] out. Needs root, or root of a user namespace (`sandbox::private_mounts` gives it).

mod changes;
mod copy;
mod log;
mod run;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::context::Context;
use crate::error::{At, Error, Result};
use crate::ignore::Ignore;
use crate::plan::{Action, ActionKind, Base, Plan, PlannedStage};
use crate::users::{Accounts, User};
use changes::Tracker;
use copy::CopyStep;
use log::Log;
use tree::resolve;

pub use changes::Changes;

/// Larger account files are no account files.
const MAX_ACCOUNTS: u64 = 16 << 20;

/// What a build works on.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The declared files.
    pub context: &'a Context,
    /// Which of them COPY does not see.
    pub ignore: &'a Ignore,
    /// Archive of the base image, for the stages that begin with one (already checked against its pin).
    pub base_tar: Option<&'a Path>,
    /// `SOURCE_DATE_EPOCH` of steps; must not lie in the future, or the time of the build would show.
    pub timestamp: i64,
}

/// Builds the plan's last stage below the empty directory `work` and returns the directory with the finished tree.
/// Steps, what they print and their times go to `log`; which step changed what goes to `changes`, if somebody wants to know.
pub fn execute(
    plan: &Plan,
    inputs: &Inputs<'_>,
    work: &Path,
    log: &mut dyn Write,
    changes: Option<&mut Vec<Changes>>,
) -> Result<PathBuf> {
    build(plan, inputs, work, log, changes).map_err(|error| full(error, work))
}

/// Adds what the work folder holds, if that was too little for `error`.
fn full(error: Error, work: &Path) -> Error {
    let said = matches!(&error, Error::Failed { output, .. } if sandbox::says_full(output));
    if !said && !sandbox::is_full(&error) {
        return error;
    }
    match sandbox::Room::of(work) {
        Ok(room) => Error::Full {
            room,
            source: io::Error::new(io::ErrorKind::StorageFull, error),
        },
        Err(_) => error,
    }
}

fn build(
    plan: &Plan,
    inputs: &Inputs<'_>,
    work: &Path,
    log: &mut dyn Write,
    changes: Option<&mut Vec<Changes>>,
) -> Result<PathBuf> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Io {
            action: "write",
            path,
            source,
        }
    };
    let context = work.join("context");
    fs::create_dir(&context).map_err(io(&context))?;
    let now = fs::metadata(&context).map_err(io(&context))?.mtime();
    if inputs.timestamp > now {
        return Err(Error::Future {
            timestamp: inputs.timestamp,
            now,
        });
    }
    inputs.context.write(inputs.ignore, &context)?;
    let mut builder = Builder {
        plan,
        inputs,
        work,
        context,
        trees: BTreeMap::new(),
        trackers: BTreeMap::new(),
        tracked: match changes {
            Some(_) => plan.ancestry(),
            None => BTreeSet::new(),
        },
        log: Log::new(log),
    };
    let mut last = work.to_path_buf();
    for stage in &plan.stages {
        last = builder.stage(stage)?;
        builder.free(stage.index)?;
    }
    for name in ["run", "tmp"] {
        let dir = last.join(name);
        if fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
            empty(&dir).map_err(io(&dir))?;
        }
    }
    if let (Some(changes), Some((_, tracker))) = (changes, builder.trackers.pop_last()) {
        *changes = tracker.finish(inputs.context);
    }
    Ok(last)
}

fn empty(dir: &Path) -> io::Result<()> {
    for name in tree::children(dir)? {
        let path = dir.join(name);
        if fs::symlink_metadata(&path)?.is_dir() {
            fs::remove_dir_all(&path)?;
        } else {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

struct Builder<'a> {
    plan: &'a Plan,
    inputs: &'a Inputs<'a>,
    work: &'a Path,
    context: PathBuf,
    /// Trees of finished stages, by their number.
    trees: BTreeMap<usize, PathBuf>,
    /// Stages whose changes get into the finished tree as theirs, and what is known of the finished ones.
    tracked: BTreeSet<usize>,
    trackers: BTreeMap<usize, Tracker>,
    log: Log<'a>,
}

impl Builder<'_> {
    fn stage(&mut self, stage: &PlannedStage) -> Result<PathBuf> {
        let tree = self.begin(stage)?;
        let mut tracker = self.tracker(stage, &tree)?;
        for action in &stage.actions {
            self.log.begin(&action.text);
            let start = Instant::now();
            self.action(action, &tree)?;
            if let Some(tracker) = &mut tracker {
                let look = tracker.step(&tree, action);
                look.map_err(|source| step_io(&action.at, "look at", &tree, &tree, source))?;
            }
            self.log
                .line(&format!("done in {:.1} s", start.elapsed().as_secs_f64()));
        }
        self.trees.insert(stage.index, tree.clone());
        self.trackers
            .extend(tracker.map(|tracker| (stage.index, tracker)));
        Ok(tree)
    }

    /// Looks at the tree that a stage starts from, if its changes are wanted.
    fn tracker(&self, stage: &PlannedStage, tree: &Path) -> Result<Option<Tracker>> {
        if !self.tracked.contains(&stage.index) {
            return Ok(None);
        }
        let before = match &stage.base {
            Base::Stage(parent) => self.trackers.get(parent).cloned(),
            _ => None,
        };
        let tracker = Tracker::begin(tree, before);
        let tracker =
            tracker.map_err(|source| step_io(&stage.at, "look at", tree, tree, source))?;
        Ok(Some(tracker))
    }

    /// The tree that a stage starts from.
    fn begin(&mut self, stage: &PlannedStage) -> Result<PathBuf> {
        let tree = self.work.join(format!("stage-{}", stage.index));
        let io = |source| Error::Io {
            action: "write",
            path: tree.clone(),
            source,
        };
        let start = Instant::now();
        match &stage.base {
            Base::Stage(parent) => {
                self.log.begin(&format!("FROM stage {parent}"));
                let parent_tree = self.tree(*parent, &stage.at)?;
                if self.needed_after(*parent, stage.index) {
                    fs::create_dir(&tree).map_err(io)?;
                    duplicate(&parent_tree, &tree)?;
                } else {
                    self.trees.remove(parent);
                    fs::rename(&parent_tree, &tree).map_err(io)?;
                }
            }
            base => {
                fs::create_dir(&tree).map_err(io)?;
                fs::set_permissions(&tree, fs::Permissions::from_mode(0o755)).map_err(io)?;
                if let Base::Image(image) = base {
                    self.log.begin(&format!("FROM {image}"));
                    self.unpack(stage, image, &tree)?;
                } else {
                    self.log.begin("FROM scratch");
                }
            }
        }
        self.log
            .line(&format!("done in {:.1} s", start.elapsed().as_secs_f64()));
        Ok(tree)
    }

    fn unpack(&self, stage: &PlannedStage, image: &str, tree: &Path) -> Result<()> {
        let path = self.inputs.base_tar.ok_or_else(|| Error::Base {
            at: stage.at.clone(),
            image: image.to_owned(),
            problem: "no base image was given".to_owned(),
        })?;
        let file = File::open(path).map_err(|source| Error::Io {
            action: "read",
            path: path.to_path_buf(),
            source,
        })?;
        archive::unpack(io::BufReader::with_capacity(1 << 20, file), tree).map_err(|source| {
            Error::Archive {
                action: "unpack the base image",
                source: source.into(),
            }
        })?;
        Ok(())
    }

    fn tree(&self, index: usize, at: &At) -> Result<PathBuf> {
        self.trees.get(&index).cloned().ok_or_else(|| Error::Step {
            at: at.clone(),
            instruction: "FROM",
            problem: format!("stage {index} was not built"),
        })
    }

    /// Whether a stage after `here` (or a step of `here`) reads the tree of stage `index`.
    fn needed_after(&self, index: usize, here: usize) -> bool {
        self.plan.stages.iter().any(|stage| {
            let copies = stage.index >= here && stage.copies_from(index);
            copies || (stage.index > here && stage.base == Base::Stage(index))
        })
    }

    /// Gives back the memory of trees that nothing after stage `here` reads.
    fn free(&mut self, here: usize) -> Result<()> {
        let last = self.plan.stages.last().map(|stage| stage.index);
        let unused: Vec<usize> = self
            .trees
            .keys()
            .copied()
            .filter(|index| {
                Some(*index) != last
                    && !self
                        .plan
                        .stages
                        .iter()
                        .any(|s| s.index > here && s.reads(*index))
            })
            .collect();
        for index in unused {
            if let Some(tree) = self.trees.remove(&index) {
                fs::remove_dir_all(&tree).map_err(|source| Error::Io {
                    action: "remove",
                    path: tree,
                    source,
                })?;
            }
        }
        Ok(())
    }

    fn action(&mut self, action: &Action, tree: &Path) -> Result<()> {
        let at = &action.at;
        match &action.kind {
            ActionKind::Workdir { path, user } => {
                let user = self.user(at, "WORKDIR", user.as_deref(), tree)?;
                make_workdir(at, tree, path, &user)
            }
            ActionKind::Run(run) => {
                let user = self.user(at, "RUN", run.user.as_deref(), tree)?;
                make_workdir(at, tree, &run.workdir, &user)?;
                run::run(at, run, &user, tree, self.inputs.timestamp, &mut self.log)
            }
            ActionKind::Copy(copy) => self.copy(at, copy, tree),
        }
    }

    fn copy(&mut self, at: &At, action: &crate::plan::CopyAction, tree: &Path) -> Result<()> {
        let owner = match &action.chown {
            None => action.from.is_none().then_some((0, 0)),
            Some(owner) => {
                Some(
                    accounts(at, tree)?
                        .owner(owner)
                        .map_err(|problem| Error::Step {
                            at: at.clone(),
                            instruction: "COPY --chown",
                            problem,
                        })?,
                )
            }
        };
        let (from, from_name) = match action.from {
            None => (self.context.clone(), "the context".to_owned()),
            Some(index) => (self.tree(index, at)?, format!("stage {index}")),
        };
        let why_missing = |path: &str| {
            let ignored = action.from.is_none() && self.inputs.context.declares(path);
            ignored.then(|| "it is declared, but .dockerignore leaves it out".to_owned())
        };
        let scratch = self.work.join("here-documents");
        let io = |source| step_io(at, "write", tree, tree, source);
        fs::create_dir(&scratch).map_err(io)?;
        CopyStep {
            at,
            action,
            from: &from,
            from_name: &from_name,
            to: tree,
            owner,
            why_missing: &why_missing,
        }
        .run(&scratch)?;
        fs::remove_dir_all(&scratch).map_err(io)
    }

    fn user(
        &self,
        at: &At,
        instruction: &'static str,
        user: Option<&str>,
        tree: &Path,
    ) -> Result<User> {
        accounts(at, tree)?
            .user(user.unwrap_or("0"))
            .map_err(|problem| Error::Step {
                at: at.clone(),
                instruction,
                problem,
            })
    }
}

impl PlannedStage {
    fn copies_from(&self, index: usize) -> bool {
        self.actions.iter().any(
            |action| matches!(&action.kind, ActionKind::Copy(copy) if copy.from == Some(index)),
        )
    }

    fn reads(&self, index: usize) -> bool {
        self.base == Base::Stage(index) || self.copies_from(index)
    }
}

/// A copy of a whole tree, through an archive in a socket.
fn duplicate(from: &Path, to: &Path) -> Result<()> {
    let error = |source: Box<dyn std::error::Error + Send + Sync>| Error::Archive {
        action: "copy a stage's tree",
        source,
    };
    let (reader, writer) = UnixStream::pair().map_err(|e| error(e.into()))?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let writer = io::BufWriter::with_capacity(1 << 20, writer);
            archive::pack(from, &archive::PackOptions::new(i64::MAX), writer)
        });
        let unpacked = archive::unpack(io::BufReader::with_capacity(1 << 20, reader), to);
        let packed = packing
            .join()
            .map_err(|_| error("the packing thread ended early".into()))?;
        unpacked.map_err(|e| error(e.into()))?;
        packed.map_err(|e| error(e.into()))
    })
}

fn make_workdir(at: &At, tree: &Path, path: &str, user: &User) -> Result<()> {
    let real = resolve(tree, Path::new(path)).map_err(|e| step_io(at, "make", tree, tree, e))?;
    tree::make_directories(tree, &real, (user.uid, user.gid))
        .map_err(|e| step_io(at, "make", tree, &real, e))
}

fn accounts(at: &At, tree: &Path) -> Result<Accounts> {
    let read = |name: &str| {
        let failed = |source| step_io(at, "read", tree, &tree.join(name), source);
        let path = resolve(tree, Path::new(name)).map_err(failed)?;
        let wrong = |what: String| Err(failed(io::Error::other(what)));
        match fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => return wrong("it is no file".to_owned()),
            Ok(meta) if meta.len() > MAX_ACCOUNTS => {
                let len = meta.len();
                return wrong(format!("it has {len} bytes, want at most {MAX_ACCOUNTS}"));
            }
            Ok(_) => {}
            // An image without it has no users but by number. One that can't be read may give that number a group.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            Err(error) => return Err(failed(error)),
        }
        let bytes = fs::read(&path).map_err(failed)?;
        // Names, numbers and homes are looked for, not the names of people beside them.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Accounts {
        passwd: read("etc/passwd")?,
        group: read("etc/group")?,
    })
}

/// An error about `path`, shown as the tree's own path.
fn step_io(at: &At, action: &'static str, tree: &Path, path: &Path, source: io::Error) -> Error {
    let shown = path
        .strip_prefix(tree)
        .map_or_else(|_| path.to_path_buf(), |path| Path::new("/").join(path));
    let at = at.clone();
    // What we say ourselves is about the Dockerfile, not about the machine.
    if source.kind() == io::ErrorKind::Other && source.raw_os_error().is_none() {
        return Error::Refused {
            at,
            action,
            path: shown,
            problem: source.to_string(),
        };
    }
    Error::StepIo {
        at,
        action,
        path: shown,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_cant_be_read_are_not_none() {
        let dir = tempfile::tempdir().unwrap();
        let at = At {
            file: "Dockerfile".into(),
            line: 2,
        };
        let of = || accounts(&at, dir.path());
        assert_eq!(of().unwrap().user("7").unwrap().gid, 0);
        fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd = dir.path().join("etc/passwd");
        fs::write(&passwd, "a:x:7:8:caf\u{e9}:/a:/bin/sh\n").unwrap();
        assert_eq!(of().unwrap().user("7").unwrap().gid, 8);
        let file = fs::File::options().write(true).open(&passwd).unwrap();
        file.set_len(16_777_217).unwrap();
        let error = of().err().unwrap().to_string();
        assert!(
            error.contains("it has 16777217 bytes, want at most 16777216"),
            "{error}"
        );
        fs::remove_file(&passwd).unwrap();
        fs::create_dir(&passwd).unwrap();
        let error = of().err().unwrap().to_string();
        assert!(error.contains("it is no file"), "{error}");
    }
}
