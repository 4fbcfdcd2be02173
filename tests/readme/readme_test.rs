//! What a README says of its image is what the image holds. Lists are blocks ```` ```KIND ````, of every env, and
//! ```` ```KIND ENV ````, of that one in addition; partitions are the rows of the table below `## Partitions`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use serde_json::Value;

/// The words of a block; none of that kind: nothing.
fn block(readme: &str, kind: &str) -> Vec<String> {
    let after = readme.split(&format!("```{kind}\n")).nth(1);
    let text = after.map_or("", |rest| rest.split("```").next().unwrap());
    text.lines().map(str::to_owned).collect()
}

/// What the README lists for this env, sorted.
fn listed(kind: &str) -> Vec<String> {
    let readme = fs::read_to_string(env!("README")).unwrap();
    let mut lines = block(&readme, kind);
    lines.extend(block(&readme, &format!("{kind} {}", env!("ENV"))));
    lines.sort();
    lines
}

/// The image's entries by path.
fn tree() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(env!("TREE")).unwrap();
    let entries = text.lines().skip(1).map(|line| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (entry["path"].as_str().unwrap().to_owned(), entry)
    });
    entries.collect()
}

/// A file of the base, out of the root file system's tar: input 0.
fn base_file(tree: &BTreeMap<String, Value>, path: &str) -> String {
    let source: Vec<u64> = serde_json::from_value(tree[path]["source"].clone()).unwrap();
    assert_eq!(source[0], 0, "{path} is not of the base");
    let mut bytes = vec![0; usize::try_from(source[2]).unwrap()];
    let tar = File::open(env!("ROOTFS")).unwrap();
    tar.read_exact_at(&mut bytes, source[1]).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn units() {
    let units = fs::read_to_string(env!("UNITS")).unwrap();
    let mut enabled: Vec<&str> = units.lines().collect();
    enabled.sort();
    assert_eq!(
        listed("units"),
        enabled,
        "left: README, right: computed from presets and units"
    );
}

#[test]
fn partitions() {
    let readme = fs::read_to_string(env!("README")).unwrap();
    let section = readme.split("## Partitions\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|l| l.starts_with("| `"));
    let mut told: Vec<(String, String)> = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in cells[1].split(", ") {
            told.push((name.trim_matches('`').to_owned(), cells[2].to_owned()));
        }
    }
    let csv = fs::read_to_string(env!("PARTITIONS")).unwrap();
    let lines = csv
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty())
        .skip(1);
    let mut are: Vec<(String, String)> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            (fields[0].to_owned(), fields[2].to_owned())
        })
        .collect();
    told.sort();
    are.sort();
    assert_eq!(told, are, "left: README, right: partitions.csv");
}

/// Accounts with a shell, and their passwords: none in production, root's alone in development.
#[test]
fn users() {
    let tree = tree();
    let passwd = base_file(&tree, "etc/passwd");
    let mut are: Vec<String> = Vec::new();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let closed = ["nologin", "false", "sync"].iter();
        if !closed.clone().any(|end| fields[6].ends_with(end)) {
            are.push(format!("{} {}", fields[0], fields[2]));
        }
    }
    are.sort();
    assert_eq!(
        listed("users"),
        are,
        "left: README, right: /etc/passwd of the image"
    );
    let shadow = base_file(&tree, "etc/shadow");
    let open: Vec<&str> = shadow
        .lines()
        .filter(|line| !line.split(':').nth(1).unwrap().starts_with(['!', '*']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let want: &[&str] = if env!("ENV") == "dev" { &["root"] } else { &[] };
    assert_eq!(open, want, "accounts with a password");
}

/// Whoever runs these gets rights that are not his.
#[test]
fn rights() {
    let tree = tree();
    let raised: Vec<String> = tree
        .iter()
        .filter(|(_, entry)| entry["type"] == "file")
        .filter(|(_, entry)| {
            let mode = u32::from_str_radix(entry["mode"].as_str().unwrap(), 8).unwrap();
            mode & 0o6000 != 0 || entry.to_string().contains("security.capability")
        })
        .map(|(path, _)| format!("/{path}"))
        .collect();
    assert_eq!(listed("setuid"), raised, "left: README, right: the image");
    for gone in ["perl", "apt", "apt-get", "dpkg"] {
        assert!(!tree.contains_key(&format!("usr/bin/{gone}")), "{gone}");
    }
    assert!(tree.contains_key("usr/bin/bash"));
}

/// What listens does not start without a firewall.
#[test]
fn listeners() {
    let tree = tree();
    let units = fs::read_to_string(env!("UNITS")).unwrap();
    let mut there = Vec::new();
    for pair in env!("LISTENERS").split_whitespace() {
        let (unit, file) = pair.split_once('=').unwrap();
        let text = fs::read_to_string(file).unwrap();
        for want in ["Requires=", "After="] {
            let lines = text.lines().filter_map(|line| line.strip_prefix(want));
            let mut names = lines.flat_map(str::split_whitespace);
            assert!(
                names.any(|name| name == "nftables.service"),
                "{unit}: {want}"
            );
        }
        if units.lines().any(|line| line == unit) {
            let dropin = format!("usr/lib/systemd/system/{unit}.d/50-firewall.conf");
            let own = format!("usr/lib/systemd/system/{unit}");
            assert!(
                tree.contains_key(&dropin) || file.ends_with(&format!("/{unit}")),
                "{unit}"
            );
            assert!(tree.contains_key(&own), "{unit}");
            there.push(unit.to_owned());
        }
    }
    assert_eq!(listed("listeners"), there, "left: README, right: the image");
    assert!(units.lines().any(|line| line == "nftables.service"));
}

#[test]
fn ports() {
    let mut ports = BTreeSet::new();
    let mut names = BTreeSet::new();
    for file in env!("OPENED").split_whitespace() {
        let name = file.rsplit('/').next().unwrap();
        names.insert(format!("etc/nftables.d/{name}"));
        let text = fs::read_to_string(file).unwrap();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let rule = line.strip_prefix("add rule inet filter services ").unwrap();
            let rule = rule.strip_suffix(" accept").unwrap();
            let (protocol, rest) = rule.split_once(" dport ").unwrap();
            for port in rest.trim_matches(['{', '}', ' ']).split(',').map(str::trim) {
                ports.insert(format!("{protocol} {}", port.parse::<u16>().unwrap()));
            }
        }
    }
    let tree = tree();
    let below = |path: &&String| path.starts_with("etc/nftables.d/");
    let there: BTreeSet<String> = tree.keys().filter(below).cloned().collect();
    assert_eq!(names, there, "files that open ports");
    assert!(tree.contains_key("etc/nftables.conf"));
    assert_eq!(
        BTreeSet::from_iter(listed("ports")),
        ports,
        "left: README, right: /etc/nftables.d"
    );
}
