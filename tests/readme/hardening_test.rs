//! What READMEs list of an image's hardening is what its components and its kernel's line say, and every service of ours is shut in. What the
//! running system has of it is looked at by the boot tests (`rust/os/boot_test/src/hardening.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[path = "../../rust/os/boot_test/src/lists.rs"]
mod lists;

const UNITS: &str = "/usr/lib/systemd/system/";

/// What the READMEs list for this env, sorted.
fn listed(kind: &str) -> Vec<String> {
    let mut lists = lists::Lists::default();
    for readme in env!("READMES").split_whitespace() {
        let text = fs::read_to_string(readme).unwrap();
        lists.add(&text, env!("ENV")).unwrap();
    }
    lists.of(kind).to_vec()
}

/// The image's late files below a folder: destination to file.
fn late(folder: &str) -> BTreeMap<PathBuf, &'static str> {
    let pairs = env!("LATE").split_whitespace().map(|pair| {
        let (dest, file) = pair.split_once('=').unwrap();
        (PathBuf::from(dest), file)
    });
    pairs.filter(|(dest, _)| dest.starts_with(folder)).collect()
}

/// Services of ours, not what they have in addition.
fn services() -> Vec<String> {
    let units = late(UNITS).into_keys();
    let names = units.map(|path| path.strip_prefix(UNITS).unwrap().to_path_buf());
    let names = names.map(|path| path.to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.contains('/')).collect();
    names.retain(|name| name.ends_with(".service"));
    names
}

/// Lines of a file that say something.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

fn all_lines(folder: &str) -> Vec<String> {
    let mut all: Vec<String> = late(folder).values().flat_map(|file| lines(file)).collect();
    all.sort();
    all
}

#[test]
fn services_of_ours() {
    assert_eq!(
        listed("services"),
        services(),
        "left: README, right: the image"
    );
}

#[test]
fn settings_of_the_kernel() {
    let set = all_lines("/usr/lib/sysctl.d").into_iter();
    let mut set: Vec<String> = set.map(|line| line.replacen(" = ", " ", 1)).collect();
    set.sort();
    assert_eq!(
        listed("sysctl"),
        set,
        "left: README, right: /usr/lib/sysctl.d"
    );
}

#[test]
fn modules_that_are_loaded_early() {
    // Those of boards load where the board has what they are for, so boots do not look for them.
    let mut modules = [listed("modules"), listed("modules-of-boards")].concat();
    modules.sort();
    assert_eq!(
        modules,
        all_lines("/usr/lib/modules-load.d"),
        "left: README, right: /usr/lib/modules-load.d"
    );
}

#[test]
fn arguments_of_the_kernel() {
    let mut words: Vec<&str> = env!("ARGUMENTS").split_whitespace().collect();
    words.sort();
    assert_eq!(
        listed("arguments"),
        words,
        "left: README, right: the image's boot_args"
    );
}

/// By systemd's own measure, from the unit files alone and what is laid over them.
#[test]
fn services_are_shut_in() {
    let root = PathBuf::from(std::env::var("TEST_TMPDIR").unwrap()).join("root");
    for (dest, file) in late(UNITS) {
        let path = root.join(dest.strip_prefix("/").unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(file, path).unwrap();
    }
    for service in services() {
        let output = security(&root, &service);
        assert!(
            output.status.success(),
            "{service}: want 3.0 at most:\n{output:?}"
        );
    }
    // What is open is told apart.
    let open = root.join("usr/lib/systemd/system/open.service");
    fs::write(open, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(!security(&root, "open.service").status.success());
}

/// It makes a folder in /run, which Bazel's sandbox doesn't let anybody write to: it gets one of its own.
fn security(root: &Path, service: &str) -> std::process::Output {
    Command::new("/usr/bin/unshare")
        .args(["--user", "--map-root-user", "--mount", "/bin/sh", "-ec"])
        .arg("mount -t tmpfs run /run; exec systemd-analyze \"$@\"")
        .args(["sh", "security", "--offline=true", "--threshold=30"])
        .arg("--no-pager")
        .arg(format!("--root={}", root.display()))
        .arg(service)
        .output()
        .unwrap()
}

/// The image's files by path.
fn files() -> Vec<(String, u64)> {
    let text = fs::read_to_string(env!("TREE")).unwrap();
    let entries = text.lines().skip(1).map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (
            entry["path"].as_str().unwrap().to_owned(),
            entry["source"][2].as_u64().unwrap_or(0),
        )
    });
    entries.collect()
}

#[test]
fn programs_that_debug() {
    let files = files();
    for name in listed("absent") {
        let places = ["usr/bin", "usr/sbin", "opt/ic/bin"].map(|place| format!("{place}/{name}"));
        let found = files.iter().find(|(path, _)| places.contains(path));
        assert_eq!(found, None, "{name}");
    }
}

/// Megabytes that an image's root file system and its initrd may have, at most.
#[test]
fn sizes() {
    // The kernel is in the boot partition, microcode in the initrd.
    let elsewhere = [
        "boot/",
        "usr/lib/firmware/amd-ucode/",
        "usr/lib/firmware/intel-ucode/",
    ];
    let root = files()
        .into_iter()
        .filter(|(path, _)| !elsewhere.iter().any(|folder| path.starts_with(folder)));
    let sizes = [
        ("root", root.map(|(_, len)| len).sum::<u64>()),
        ("initrd", fs::metadata(env!("INITRD")).unwrap().len()),
    ];
    let limits = listed("sizes");
    for (what, bytes) in sizes {
        println!("{what}: {bytes} bytes");
        let limit = limits.iter().find_map(|line| line.strip_prefix(what));
        let Some(limit) = limit else { continue };
        let most: u64 = limit.trim().strip_suffix(" MB").unwrap().parse().unwrap();
        assert!(
            bytes <= most * 1_000_000,
            "{what}: {bytes} bytes, want {most} MB at most"
        );
    }
}
