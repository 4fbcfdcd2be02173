//! Small roots, on disk for systemctl and in memory for us.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tree::Tree;

pub const U: &str = "usr/lib/systemd/system/";
pub const E: &str = "etc/systemd/system/";
pub const P: &str = "usr/lib/systemd/system-preset/";

/// Path -> content; content `-> x` is a symbolic link to x.
pub type Root = BTreeMap<String, String>;

/// What lies in /etc/systemd/system: links with their targets, directories with a slash.
pub type Listing = BTreeMap<String, String>;

pub fn root<S: AsRef<str>>(files: &[(S, S)]) -> Root {
    let files = files.iter();
    files
        .map(|(path, text)| (path.as_ref().to_owned(), text.as_ref().to_owned()))
        .collect()
}

/// The root as a tree over one archive.
pub fn in_memory(root: &Root) -> (Tree, Vec<u8>) {
    let mut writer = archive::Writer::new(Vec::new());
    let mut dirs: Vec<String> = vec![
        "etc/systemd/system".into(),
        "usr/lib/systemd/system".into(),
        "run".into(),
    ];
    for path in root.keys() {
        dirs.push(
            Path::new(path)
                .parent()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        );
    }
    let mut all: Vec<String> = Vec::new();
    for dir in dirs {
        let mut dir = Some(Path::new(&dir));
        while let Some(path) = dir {
            all.push(path.to_str().unwrap().to_owned());
            dir = path.parent();
        }
    }
    all.sort();
    all.dedup();
    for dir in all {
        writer
            .append(
                &archive::Entry::new(dir, archive::Kind::Dir, 0o755),
                std::io::empty(),
            )
            .unwrap();
    }
    for (path, text) in root {
        let kind = match text.strip_prefix("-> ") {
            Some(target) => archive::Kind::Symlink {
                target: target.into(),
            },
            None => archive::Kind::File {
                offset: 0,
                len: text.len() as u64,
            },
        };
        let data: &[u8] = if text.starts_with("-> ") {
            b""
        } else {
            text.as_bytes()
        };
        writer
            .append(&archive::Entry::new(path.as_str(), kind, 0o644), data)
            .unwrap();
    }
    let bytes = writer.finish().unwrap();
    let index = archive::index(Cursor::new(&bytes)).unwrap();
    (Tree::from_tar(index, bytes.len() as u64).unwrap(), bytes)
}

pub fn plan(tree: &Tree, bytes: &[u8]) -> Result<systemd::Plan, systemd::Error> {
    systemd::preset_all(tree, |source| {
        let start = source.offset as usize;
        Ok(bytes[start..start + source.len as usize].to_vec())
    })
}

pub fn listing(tree: &Tree) -> Listing {
    let mut out = Listing::new();
    for (path, entry) in tree.entries() {
        let path = String::from_utf8(path.clone()).unwrap();
        let Some(rest) = path.strip_prefix(E) else {
            continue;
        };
        match &entry.kind {
            tree::Kind::Dir => out.insert(format!("{rest}/"), String::new()),
            tree::Kind::Symlink { target } => {
                out.insert(rest.to_owned(), String::from_utf8(target.clone()).unwrap())
            }
            _ => out.insert(rest.to_owned(), "file".to_owned()),
        };
    }
    out
}

/// What systemctl makes of the root, and whether it was content.
pub fn systemctl(root: &Root) -> (Listing, bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path();
    for sub in [E, U, "run"] {
        fs::create_dir_all(base.join(sub)).unwrap();
    }
    for (path, text) in root {
        let path = base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.strip_prefix("-> ") {
            Some(target) => symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    let output = Command::new("/usr/bin/systemctl")
        .arg(format!("--root={}", base.display()))
        .args(["preset-all", "--preset-mode=full"])
        .output()
        .expect("this test compares with systemctl: package systemd");
    let mut out = Listing::new();
    walk(&base.join(E), "", &mut out);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (out, output.status.success(), said)
}

fn walk(dir: &Path, prefix: &str, out: &mut Listing) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            out.insert(name, target.to_str().unwrap().to_owned());
        } else if kind.is_dir() {
            let name = format!("{name}/");
            walk(&entry.path(), &name, out);
            out.insert(name, String::new());
        } else {
            out.insert(name, "file".to_owned());
        }
    }
}

/// Runs both on `root` and compares what is in /etc/systemd/system afterwards.
pub fn compare(title: &str, root: &Root) -> Result<(), String> {
    let (want, content, said) = systemctl(root);
    let (mut tree, bytes) = in_memory(root);
    let plan = match plan(&tree, &bytes) {
        Ok(plan) => plan,
        Err(error) if content => return Err(format!("{title}: {error}, but systemctl is content")),
        Err(_) => return Ok(()),
    };
    plan.apply(&mut tree, 0).unwrap();
    let got = listing(&tree);
    // Of two units that want one alias, systemctl takes the one that its tables hold first.
    let contested = |p: &systemd::Problem| matches!(p, systemd::Problem::Occupied { .. });
    if got != want && plan.problems.iter().any(contested) {
        return Ok(());
    }
    if got != want {
        let only = |a: &Listing, b: &Listing| -> Vec<String> {
            let differs = a.iter().filter(|(k, v)| b.get(*k) != Some(v));
            differs.map(|(k, v)| format!("{k} -> {v}")).collect()
        };
        return Err(format!(
            "{title}\n  only here: {:#?}\n  only systemctl: {:#?}\n{said}\nroot: {root:#?}",
            only(&got, &want),
            only(&want, &got)
        ));
    }
    // A unit that was there by a link alone, now gone: systemctl still speaks of what it wanted.
    let by_link = plan
        .remove
        .iter()
        .any(|path| path.iter().filter(|b| **b == b'/').count() == 3);
    // Nor is a mask a fault of the tree: systemctl fails over a template whose default instance has one.
    let masked = said.contains("is masked");
    if !content && plan.problems.is_empty() && !by_link && !masked {
        return Err(format!(
            "{title}: systemctl failed, but no problem is reported\n{said}"
        ));
    }
    Ok(())
}

pub mod cases;

/// The trees of [`cases::CASES`] with their titles.
pub fn cases() -> Vec<(String, Root)> {
    let mut out: Vec<(String, Root)> = Vec::new();
    for line in cases::CASES.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("= ") {
            out.push((title.to_owned(), Root::new()));
            continue;
        }
        let (path, text) = line
            .split_once(" : ")
            .unwrap_or_else(|| panic!("no ' : ' in {line}"));
        let path = match path.split_once('/') {
            Some(("U", rest)) => format!("{U}{rest}"),
            Some(("E", rest)) => format!("{E}{rest}"),
            Some(("P", rest)) => format!("{P}{rest}"),
            _ => path.to_owned(),
        };
        let (_, root) = out.last_mut().unwrap();
        root.insert(path, decode(text));
    }
    out
}

fn decode(text: &str) -> String {
    let section = "[Service]\nExecStart=/x\n";
    let wanted = "[Install]\nWantedBy=multi-user.target\n";
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('B')) => out.push('\u{feff}'),
            ('\\', Some(other)) => out.push(other),
            _ => out.push(c),
        }
    }
    out.replace("{F}", &format!("{section}{wanted}"))
        .replace("{S}", section)
}
