//! Data that outlives upgrades: no system is installed or gone back to that is too old for what the running one has written.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use std::process::Command;

use grubenv::Slot;
use update::Identity;

use support::{boot, root, Node, Recipe, TRIES};

/// Kinds of data, with the number of the format that a system keeps each in.
type Formats<'a> = &'a [(&'a str, u64)];

fn identity(formats: Formats) -> String {
    let identity = Identity {
        format: Identity::FORMAT,
        os: "node".to_owned(),
        env: "test".to_owned(),
        version: "1.0".parse().unwrap(),
        boot_limit: TRIES,
        data_formats: formats.iter().map(|(n, f)| ((*n).to_owned(), *f)).collect(),
    };
    identity.to_json().unwrap()
}

fn node(formats: Formats) -> Node {
    let node = Node::new();
    node.reboot();
    node.ok(&["confirm"]);
    fs::write(node.path("os.json"), identity(formats)).unwrap();
    node
}

/// A complete system in slot B, whose root says this of itself.
fn other_slot(node: &Node, os_json: Option<&str>) {
    let tree = node.path("tree");
    let share = tree.join("opt/ic/share");
    fs::create_dir_all(&share).unwrap();
    if let Some(text) = os_json {
        fs::write(share.join("os.json"), text).unwrap();
    }
    let image = node.partition("b1");
    // Bazel's PATH for tests does not lead there.
    let made = Command::new("/usr/sbin/mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"])
        .args([&tree, &image])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    fs::write(node.partition("b0"), boot(1)).unwrap();
}

/// What runs, what the other one knows, and what is wrong with that.
const CASES: [(Formats, Formats, Option<&str>); 8] = [
    (&[], &[], None),
    (&[], &[("history", 1)], None),
    (&[("history", 2)], &[("history", 2)], None),
    // One that keeps it in a newer format reads the older one.
    (&[("history", 2)], &[("history", 3)], None),
    (&[("history", 2)], &[("history", 2), ("more", 1)], None),
    (
        &[("history", 2)],
        &[("history", 1)],
        Some("history is kept in format 2, and the other version knows up to 1"),
    ),
    (
        &[("history", 2)],
        &[],
        Some("history is kept in format 2, and the other version knows up to 0"),
    ),
    (
        &[("a", 1), ("history", 2)],
        &[("a", 1), ("history", 1)],
        Some("history is kept in format 2, and the other version knows up to 1"),
    ),
];

#[test]
fn what_is_installed() {
    for (ours, theirs, wrong) in CASES {
        let node = node(ours);
        let mut recipe = Recipe::of("2.0", boot(1), root(2));
        recipe.manifest.data_formats = theirs.iter().map(|(n, f)| ((*n).to_owned(), *f)).collect();
        let path = node.write("update.tar", &recipe.tar());
        match wrong {
            None => {
                node.ok(&["upgrade-install", &path]);
                assert!(node.holds(Slot::B, &boot(1), &root(2)));
            }
            Some(wrong) => {
                let why = node.refused(&["upgrade-install", &path], 1);
                let said = format!("version 2.0 is too old for this node's data: {wrong}");
                assert!(why.contains(&said), "{ours:?} {theirs:?}: {why}");
                // Whatever is said.
                node.refused(&["upgrade-install", "--any-version", &path], 1);
                assert_eq!(node.counted()["refused"]["version"], 2);
            }
        }
    }
}

#[test]
fn what_is_gone_back_to() {
    for (ours, theirs, wrong) in CASES {
        let node = node(ours);
        other_slot(&node, Some(&identity(theirs)));
        if let Some(wrong) = wrong {
            let why = node.refused(&["rollback"], 1);
            let said = format!("slot B is not gone back to (--force does it): {wrong}");
            assert!(why.contains(&said), "{ours:?} {theirs:?}: {why}");
            node.ok(&["rollback", "--force"]);
        } else {
            node.ok(&["rollback"]);
        }
        assert_eq!(node.reboot(), Slot::B, "{ours:?} {theirs:?}");
        if wrong.is_none() {
            // What B writes from here on A reads if it knows as much, and only then is it fallen back to.
            node.ok(&["confirm"]);
            let barred = &node.json(&["status"])["slots"]["A"]["barred"];
            assert_eq!(*barred, ours != theirs, "{ours:?} {theirs:?}");
        }
    }
}

/// A system that does not say what it knows is not one that knows everything.
#[test]
fn what_does_not_say() {
    for (os_json, wrong) in [
        (None, "/opt/ic/share/os.json"),
        (Some("{}"), "missing field"),
        (
            Some("{\"format\": 1, \"os\": \"node\", \"env\": \"test\", \"version\": \"1.0\", \"boot_limit\": 3}"),
            "missing field `data_formats`",
        ),
        // One that comes after this program.
        (
            Some("{\"format\": 2, \"system\": \"node\"}"),
            "format: got 2, want 1: that system comes after this program",
        ),
    ] {
        let node = node(&[]);
        other_slot(&node, os_json);
        let why = node.refused(&["rollback"], 1);
        assert!(
            why.contains("--force does it") && why.contains(wrong),
            "{os_json:?}: {why}"
        );
    }
    // Nor does the running one: what it has written is not known.
    let node = node(&[]);
    other_slot(&node, Some(&identity(&[])));
    fs::remove_file(node.path("os.json")).unwrap();
    let why = node.refused(&["rollback"], 2);
    assert!(why.contains("os.json"), "{why}");
}
