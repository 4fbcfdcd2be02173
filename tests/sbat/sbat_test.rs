//! The versions in the boot loader's SBAT lines are those of the locked packages: shim's users look a boot loader up by them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

/// The package that Debian makes of GRUB.
const SOURCE: &str = "grub2";

/// Package and version in the line of `component`.
fn said(table: &str, component: &str) -> (String, String) {
    let lines: Vec<Vec<&str>> = table.lines().map(|l| l.split(',').collect()).collect();
    let found: Vec<_> = lines.iter().filter(|line| line[0] == component).collect();
    let [line] = found[..] else {
        panic!(
            "{}: {} lines of {component}, want one",
            env!("SBAT"),
            found.len()
        );
    };
    let [_, _, _, package, version, _] = line[..] else {
        panic!("{}: {line:?}: want 6 fields", env!("SBAT"));
    };
    (package.to_owned(), version.to_owned())
}

/// The version of the packages that a source package became.
fn locked(source: &str) -> String {
    let lock: Value = serde_json::from_str(&fs::read_to_string(env!("LOCK")).unwrap()).unwrap();
    let packages = lock["packages"].as_array().unwrap();
    // As pool/main/g/grub2/grub-common_2.12-9+deb13u4_amd64.deb.
    let folder = format!("/{source}/");
    let of_source = packages
        .iter()
        .filter(|package| package["path"].as_str().unwrap().contains(&folder));
    let versions: BTreeSet<&str> = of_source
        .map(|package| package["version"].as_str().unwrap())
        .collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let [version] = versions[..] else {
        panic!(
            "{}: {source} in versions {versions:?}, want one",
            env!("LOCK")
        );
    };
    version.to_owned()
}

/// `[epoch:]upstream[-revision]` (deb-version(7)).
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    version
        .rsplit_once('-')
        .map_or(version, |(upstream, _)| upstream)
}

#[test]
fn versions_are_the_locked_ones() {
    let table = fs::read_to_string(env!("SBAT")).unwrap();
    let version = locked(SOURCE);
    for (component, package, want) in [
        ("grub", "grub", upstream(&version)),
        ("grub.debian", SOURCE, &version),
    ] {
        assert_eq!(
            said(&table, component),
            (package.to_owned(), want.to_owned()),
            "{}: line of {component}: put in what {} has; a fix without which unsigned code runs raises a generation, too (docs/signing.md)",
            env!("SBAT"),
            env!("LOCK")
        );
    }
}

#[test]
fn upstream_versions() {
    for (version, want) in [
        ("2.12-9+deb13u4", "2.12"),
        ("1:2.12~rc1-1-2", "2.12~rc1-1"),
        ("7", "7"),
    ] {
        assert_eq!(upstream(version), want);
    }
}
