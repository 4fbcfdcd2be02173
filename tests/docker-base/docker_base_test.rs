//! What `docker build -f Dockerfile.base` asks apt for, in the folder of the Dockerfile, is what the package lists have; and apt prefers
//! the locked versions.
//!
//! The steps that read the lock are run here, as the Dockerfile has them, with a folder in place of /tmp. The whole is built by
//! ci/docker-base.sh.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dockerfile::{ActionKind, Ignore, Run, SourceAction, Vars};

/// What the Dockerfile says, with its argument for the lock.
fn steps(args: &[(&str, &str)]) -> Vec<ActionKind> {
    let text = fs::read(env!("DOCKERFILE")).unwrap();
    let file = dockerfile::parse(env!("DOCKERFILE"), &text).unwrap();
    let args = args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let plan = dockerfile::plan(&file, &args.collect::<Vars>()).unwrap();
    let [stage] = &plan.stages[..] else {
        panic!("{}: {} stages", env!("DOCKERFILE"), plan.stages.len());
    };
    stage.actions.iter().map(|a| a.kind.clone()).collect()
}

/// The one file that it copies, and where to.
fn copied(steps: &[ActionKind]) -> (String, String) {
    let copies = steps.iter().filter_map(|step| match step {
        ActionKind::Copy(copy) => Some(copy),
        _ => None,
    });
    let copies: Vec<_> = copies.collect();
    let [copy] = &copies[..] else {
        panic!("{} steps copy, want one", copies.len());
    };
    let [SourceAction::Path(path)] = &copy.sources[..] else {
        panic!("{:?}", copy.sources);
    };
    (path.clone(), copy.dest.clone())
}

/// Shell commands of the RUN steps.
fn commands(steps: &[ActionKind]) -> Vec<String> {
    let runs = steps.iter().filter_map(|step| match step {
        ActionKind::Run(run) => match &run.command {
            Run::Shell(text) => Some(text.clone()),
            other => panic!("{other:?}: want a shell's"),
        },
        _ => None,
    });
    runs.collect()
}

fn context() -> PathBuf {
    Path::new(env!("DOCKERFILE")).parent().unwrap().to_owned()
}

/// Runs the step that reads the lock; the folder in which it has written `requested`, `paths` and `locked`.
fn read_lock(lock: &Path) -> (PathBuf, bool) {
    let temporary = std::env::var_os("TEST_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let name = format!("{:?}", std::thread::current().id());
    let work = temporary.join(name.replace(['(', ')'], "-"));
    fs::create_dir_all(&work).unwrap();
    let steps = steps(&[("LOCK", env!("LOCK"))]);
    let (_, dest) = copied(&steps);
    assert_eq!(dest, "/tmp/lock.json");
    fs::copy(lock, work.join("lock.json")).unwrap();
    let command = commands(&steps)[0].replace("/tmp", work.to_str().unwrap());
    let status = Command::new("sh").args(["-c", &command]).status().unwrap();
    (work, status.success())
}

#[test]
fn the_lock_is_in_the_folder_and_not_left_out() {
    let default = copied(&steps(&[])).0;
    assert_eq!(default == env!("LOCK"), env!("IS_DEFAULT") == "yes");
    let (path, _) = copied(&steps(&[("LOCK", env!("LOCK"))]));
    assert_eq!(path, env!("LOCK"));
    assert!(context().join(&path).is_file(), "{path}");
    let file = context().join(".dockerignore");
    let text = fs::read_to_string(&file).unwrap();
    let ignore = Ignore::parse(&file.display().to_string(), &text).unwrap();
    assert!(
        !ignore.excludes(&path),
        "{} excludes {path}",
        file.display()
    );
}

/// What the lists say, in their order: names of packages, and rules on paths.
fn listed() -> (Vec<String>, Vec<String>) {
    let mut words = Vec::new();
    for list in env!("LISTS").split(' ') {
        let text = fs::read_to_string(list).unwrap();
        let lines = text.lines().map(|line| line.split('#').next().unwrap());
        words.extend(lines.flat_map(str::split_whitespace).map(str::to_owned));
    }
    words.into_iter().partition(|word| !word.contains('='))
}

#[test]
fn what_is_installed_is_what_the_lists_have() {
    let wanted: BTreeSet<String> = listed().0.into_iter().collect();
    let (work, read) = read_lock(&context().join(env!("LOCK")));
    assert!(read);
    let requested = fs::read_to_string(work.join("requested")).unwrap();
    let requested: BTreeSet<String> = requested.lines().map(str::to_owned).collect();
    assert!(wanted.len() > 9, "{wanted:?}");
    assert_eq!(requested, wanted);
    let installs = &commands(&steps(&[]))[1];
    let install =
        "xargs apt-get install --yes --no-install-recommends --allow-downgrades < /tmp/requested";
    assert!(installs.contains(install), "{installs}");
}

#[test]
fn dpkg_unpacks_what_the_lists_let_in() {
    let (work, read) = read_lock(&context().join(env!("LOCK")));
    assert!(read);
    let (_, wanted) = listed();
    assert!(wanted.len() > 9, "{wanted:?}");
    let rules = fs::read_to_string(work.join("paths")).unwrap();
    assert_eq!(rules.lines().collect::<Vec<_>>(), wanted);
    let installs = &commands(&steps(&[]))[1];
    let (before, after) = installs.split_once("apt-get update").unwrap();
    assert!(
        before.contains("cp /tmp/paths /etc/dpkg/dpkg.cfg.d/locked"),
        "{installs}"
    );
    assert!(after.contains(" /etc/dpkg/dpkg.cfg.d/locked"), "{installs}");
}

#[test]
fn apt_prefers_every_locked_version() {
    let lock = context().join(env!("LOCK"));
    let (work, read) = read_lock(&lock);
    assert!(read);
    let lock: serde_json::Value = serde_json::from_slice(&fs::read(lock).unwrap()).unwrap();
    let packages = lock["packages"].as_array().unwrap().iter().map(|package| {
        let (name, version) = (&package["name"], &package["version"]);
        let (name, version) = (name.as_str().unwrap(), version.as_str().unwrap());
        format!("Package: {name}\nPin: version {version}\nPin-Priority: 1001\n\n")
    });
    let wanted: String = packages.collect();
    assert!(wanted.len() > 1000, "{wanted}");
    let locked = fs::read_to_string(work.join("locked")).unwrap();
    assert_eq!(locked, wanted);
}

#[test]
fn what_is_no_lock_installs_nothing() {
    assert!(!read_lock(Path::new(env!("DOCKERFILE"))).1);
}
