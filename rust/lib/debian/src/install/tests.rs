//! Packages made by hand, from their files to a tree whose packages dpkg would configure.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use archive::{Entry, Kind, Writer};
use base::Sha256Digest;

use super::{diversions, merge, order, package::Package, records, unpack};
use crate::error::Error;
use crate::lock;

/// A package to make: name, other fields, files of `control.tar`, and its own files.
struct Made<'a> {
    name: &'a str,
    fields: &'a str,
    control: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, File<'a>)],
}

enum File<'a> {
    Dir,
    Text(&'a str),
    Link(&'a str),
    Hard(&'a str),
}
use File::{Dir, Hard, Link, Text};

fn tar(files: &[(&str, &File<'_>)], owner: &fs::Metadata) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (path, file) in files {
        let (kind, mode, data) = match file {
            Dir => (Kind::Dir, 0o750, ""),
            Link(to) => (
                Kind::Symlink {
                    target: to.as_bytes().to_vec(),
                },
                0o777,
                "",
            ),
            Hard(to) => (
                Kind::HardLink {
                    target: to.as_bytes().to_vec(),
                },
                0o644,
                "",
            ),
            Text(text) => {
                let len = text.len().try_into().unwrap();
                (Kind::File { offset: 0, len }, 0o644, *text)
            }
        };
        let mut entry = Entry::new(*path, kind, mode);
        (entry.uid, entry.gid, entry.mtime) = (owner.uid(), owner.gid(), 1000);
        writer.append(&entry, data.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

/// The package's file.
fn deb(made: &Made<'_>, owner: &fs::Metadata) -> Vec<u8> {
    let about = format!(
        "Package: {}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\n{}Description: a\n",
        made.name, made.fields
    );
    let about = Text(&about);
    let texts: Vec<(&str, File<'_>)> = made.control.iter().map(|(n, t)| (*n, Text(t))).collect();
    let mut control: Vec<(&str, &File<'_>)> = texts.iter().map(|(n, f)| (*n, f)).collect();
    control.push(("control", &about));
    let files: Vec<(&str, &File<'_>)> = made.files.iter().map(|(n, f)| (*n, f)).collect();
    let mut out = b"!<arch>\n".to_vec();
    for (name, data) in [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar", tar(&control, owner)),
        ("data.tar", tar(&files, owner)),
    ] {
        let head = format!("{name:<48}{:<10}`\n", data.len());
        out.extend(head.into_bytes());
        out.extend(data);
    }
    out
}

/// A folder with packages' files, and a tree.
struct Bed {
    dir: tempfile::TempDir,
    locked: Vec<lock::Package>,
    files: Vec<PathBuf>,
}

impl Bed {
    fn new(made: &[Made<'_>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let owner = fs::metadata(dir.path()).unwrap();
        let mut bed = Self {
            dir,
            locked: Vec::new(),
            files: Vec::new(),
        };
        for made in made {
            let bytes = deb(made, &owner);
            let file = bed.dir.path().join(format!("{}.deb", made.name));
            fs::write(&file, &bytes).unwrap();
            bed.files.push(file);
            bed.locked.push(lock::Package {
                name: made.name.to_owned(),
                version: "1".to_owned(),
                architecture: "all".to_owned(),
                suite: "trixie".to_owned(),
                source: made.name.to_owned(),
                source_version: "1".to_owned(),
                size: base::as_u64(bytes.len()),
                sha256: Sha256Digest::of_reader(&bytes[..]).unwrap(),
                path: format!("pool/{}.deb", made.name),
            });
        }
        bed
    }

    fn packages(&self) -> Result<Vec<Package<'_>>, Error> {
        let jobs = self.locked.iter().zip(&self.files);
        let read: Result<Vec<_>, _> = jobs.map(|(l, f)| Package::read(l, f)).collect();
        order::sort(read?)
    }

    fn order(&self) -> Vec<String> {
        let packages = self.packages().unwrap();
        packages.iter().map(|p| p.name.to_owned()).collect()
    }

    /// All up to the records; `diversions` is what scripts would have noted.
    fn tree(&self, diversions: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut packages = self.packages()?;
        let (to, root) = (self.dir.path().join("staged"), self.dir.path().join("root"));
        for folder in [&to, &root] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir(folder).unwrap();
        }
        unpack(&mut packages, &to)?;
        let mut merged = merge::merge(&packages, &root)?;
        records::write(&merged, "amd64", &root)?;
        fs::write(root.join("var/lib/dpkg/diversions"), diversions).unwrap();
        diversions::settle(&mut merged, &root)?;
        Ok(contents(&root))
    }
}

/// All files below a folder, with what is in them.
fn contents(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(root).unwrap();
        let text = if entry.file_type().is_dir() {
            continue;
        } else if entry.file_type().is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            fs::read_to_string(entry.path()).unwrap()
        };
        found.insert(path.to_str().unwrap().to_owned(), text);
    }
    found
}

fn named<'a>(name: &'a str, fields: &'a str) -> Made<'a> {
    Made {
        name,
        fields,
        control: &[],
        files: &[],
    }
}

#[test]
fn the_order() {
    let bed = Bed::new(&[
        named("a", "Depends: z (>= 1), p | q\nPre-Depends: m\n"),
        named("c", "Depends: d\n"),
        named("d", "Depends: c\n"),
        named("e", "Essential: yes\nDepends: y\n"),
        named("m", ""),
        named("q", ""),
        named("x", "Provides: p, v (= 3)\n"),
        named("y", ""),
        named("z", "Depends: v (>= 2)\n"),
    ]);
    assert_eq!(bed.order(), ["y", "e", "m", "x", "z", "a", "d", "c", "q"]);
}

#[test]
fn sets_that_are_refused() {
    for (fields, want) in [
        (
            "Depends: b, c | d (>= 2)\n",
            "a needs `c | d (>= 2)` (Depends): the lock lacks",
        ),
        (
            "Pre-Depends: b (>> 1)\n",
            "a needs `b (>> 1)` (Pre-Depends): the lock lacks",
        ),
        // What is provided has no version.
        (
            "Depends: v (>= 1)\n",
            "a needs `v (>= 1)` (Depends): the lock lacks",
        ),
        (
            "Conflicts: v\n",
            "a excludes `v` (Conflicts), which b 1 is or provides",
        ),
        (
            "Breaks: b (<< 2)\n",
            "a excludes `b (<< 2)` (Breaks), which b 1 is or provides",
        ),
        ("Depends: b c\n", "package a: got Depends \"b c\", want"),
        (
            "version: 2\n",
            "package a: got the field \"version\", want each field once",
        ),
    ] {
        let bed = Bed::new(&[named("a", fields), named("b", "Provides: v\n")]);
        let error = bed.packages().unwrap_err().to_string();
        assert!(error.starts_with(want), "{fields}: {error}");
    }
    // None of these excludes anything here.
    let fields = "Provides: v\nConflicts: v, a, b (<< 1), v2 (>= 1)\nReplaces: v\n";
    Bed::new(&[named("a", fields), named("b", "Provides: v2\n")])
        .packages()
        .unwrap();
}

#[test]
fn a_damaged_package_is_named() {
    let bed = Bed::new(&[named("a", "")]);
    let bytes = fs::read(&bed.files[0]).unwrap();
    fs::write(&bed.files[0], &bytes[..bytes.len() - 1100]).unwrap();
    let error = bed.tree("").unwrap_err();
    let Error::Deb {
        package, source, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(package, "a");
    assert!(
        matches!(&**source, deb::Error::Truncated { .. }),
        "{source}"
    );
}

#[test]
fn folders_that_are_links() {
    let bed = Bed::new(&[
        Made {
            name: "a",
            fields: "",
            control: &[],
            files: &[("bin", Dir), ("bin/a", Text("a")), ("bin/b", Hard("bin/a"))],
        },
        Made {
            name: "base",
            fields: "",
            control: &[],
            files: &[("bin", Link("usr/bin")), ("usr", Dir), ("usr/bin", Dir)],
        },
    ]);
    let tree = bed.tree("").unwrap();
    assert_eq!(tree["bin"], "-> usr/bin");
    assert_eq!(tree["usr/bin/a"], "a");
    assert_eq!(tree["var/lib/dpkg/info/a.list"], "/bin\n/bin/a\n/bin/b\n");
    let root = bed.dir.path().join("root/usr/bin");
    let of = |name: &str| fs::metadata(root.join(name)).unwrap().ino();
    assert_eq!(of("a"), of("b"));
    let folder = fs::metadata(bed.dir.path().join("root/usr")).unwrap();
    assert_eq!((folder.mode() & 0o7777, folder.mtime()), (0o750, 1000));
    // Once more, and nothing else comes out.
    assert_eq!(bed.tree("").unwrap(), tree);
}

#[test]
fn records_of_dpkg() {
    let bed = Bed::new(&[Made {
        name: "a",
        fields: "Multi-Arch: same\nX-Own: 1\n",
        control: &[
            ("conffiles", "/etc/b\n/etc/a\nremove-on-upgrade /etc/c\n"),
            ("postinst", "#!/bin/sh\n"),
            (
                "triggers",
                "# what\ninterest /usr/x\ninterest-noawait t # why\nactivate ldconfig\n",
            ),
        ],
        files: &[
            ("", Dir),
            ("etc", Dir),
            ("etc/a", Text("a")),
            ("etc/b", Text("b")),
        ],
    }]);
    let tree = bed.tree("").unwrap();
    let of = |name: &str| tree[&format!("var/lib/dpkg/{name}")].as_str();
    assert_eq!(tree["etc/a.dpkg-new"], "a");
    assert!(!tree.contains_key("etc/a"));
    assert_eq!(
        of("status"),
        "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nMulti-Arch: same\nX-Own: 1\nDescription: a\n\
         Status: install ok unpacked\nConffiles:\n /etc/b newconffile\n /etc/a newconffile\n /etc/c newconffile remove-on-upgrade\n\n"
    );
    assert_eq!(of("info/a:all.list"), "/.\n/etc\n/etc/a\n/etc/b\n");
    assert_eq!(of("info/a:all.postinst"), "#!/bin/sh\n");
    assert_eq!(of("triggers/File"), "/usr/x a:all\n");
    assert_eq!(of("triggers/t"), "a:all/noawait\n");
    assert_eq!((of("arch"), of("info/format")), ("amd64\n", "1\n"));
    let postinst = bed.dir.path().join("root/var/lib/dpkg/info/a:all.postinst");
    assert_eq!(fs::metadata(postinst).unwrap().mtime(), 1000);
    assert!(!tree.contains_key("var/lib/dpkg/info/a:all.control"));
    for (bad, want) in [
        ("watch x\n", "watch x"),
        ("interest ../x\n", "../x"),
        ("interest\n", "interest"),
    ] {
        let bed = Bed::new(&[Made {
            name: "a",
            fields: "",
            control: &[("triggers", bad)],
            files: &[],
        }]);
        let error = bed.tree("").unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

fn one<'a>(name: &'a str, fields: &'a str, files: &'a [(&'a str, File<'a>)]) -> Made<'a> {
    Made {
        name,
        fields,
        control: &[],
        files,
    }
}

#[test]
fn a_file_of_two_packages() {
    let (a, b) = ([("f", Text("a"))], [("f", Text("b"))]);
    for (fields_a, fields_b, want) in [
        ("Replaces: b (<< 2)\n", "", "a"),
        ("", "Replaces: a\n", "b"),
        ("Replaces: b\n", "Replaces: a\n", "b"),
    ] {
        let bed = Bed::new(&[one("a", fields_a, &a), one("b", fields_b, &b)]);
        let tree = bed.tree("").unwrap();
        assert_eq!(tree["f"], want);
        for name in ["a", "b"] {
            let list = &tree[&format!("var/lib/dpkg/info/{name}.list")];
            assert_eq!(list, if name == want { "/f\n" } else { "" });
        }
    }
    for fields in ["", "Replaces: b (<< 1)\n", "Replaces: v\n"] {
        let bed = Bed::new(&[one("a", fields, &a), one("b", "Provides: v\n", &b)]);
        assert_eq!(
            bed.tree("").unwrap_err().to_string(),
            "b has /f, which is also a file of a, and neither replaces or diverts the other: take one of the two off the list"
        );
    }
    let folder = [("f", Dir), ("f/x", Text("x"))];
    let bed = Bed::new(&[one("a", "", &folder), one("b", "", &b)]);
    let error = bed.tree("").unwrap_err().to_string();
    assert!(
        error.starts_with("b has /f, which is also a folder of another package"),
        "{error}"
    );
    let bed = Bed::new(&[one("a", "", &a), one("b", "", &folder)]);
    let error = bed.tree("").unwrap_err().to_string();
    assert!(
        error.starts_with("b has /f, which is also a file of a"),
        "{error}"
    );
}

#[test]
fn files_that_are_diverted() {
    let (a, b) = ([("f", Text("a"))], [("f", Text("b"))]);
    for by in ["a", "b"] {
        let bed = Bed::new(&[one("a", "", &a), one("b", "", &b)]);
        let tree = bed.tree(&format!("/f\n/f.real\n{by}\n")).unwrap();
        let other = if by == "a" { "b" } else { "a" };
        assert_eq!((tree["f"].as_str(), tree["f.real"].as_str()), (by, other));
        assert_eq!(tree["var/lib/dpkg/info/a.list"], "/f\n");
    }
    // One that has no file there.
    let bed = Bed::new(&[one("a", "", &a), one("b", "", &[])]);
    let tree = bed.tree("/f\n/f.real\nb\n/x\n/y\nb\n").unwrap();
    assert_eq!(tree["f.real"], "a");
    assert!(!tree.contains_key("f"));
    let bed = Bed::new(&[one("a", "", &a), one("b", "", &[])]);
    let tree = bed.tree("/f\n/f.real\na\n").unwrap();
    assert!(tree.contains_key("f") && !tree.contains_key("f.real"));
}
