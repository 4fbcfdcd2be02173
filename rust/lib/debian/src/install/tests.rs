//! Packages made by hand, from their files to a tree whose packages dpkg would configure.

mod bed;
mod later;

use std::fs;
use std::os::unix::fs::MetadataExt;

use self::bed::{named, one, Bed, Dir, Hard, Link, Made, Text};
use crate::error::Error;
use crate::paths::PathRule;

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
fn what_rules_leave_out() {
    let mut bed = Bed::new(&[
        Made {
            name: "a",
            fields: "",
            control: &[],
            files: &[
                ("usr", Dir),
                ("usr/doc", Dir),
                ("usr/doc/text", Text("long")),
                ("usr/doc/same", Hard("usr/doc/text")),
                ("usr/doc/licence", Text("short")),
                ("usr/program", Text("a")),
            ],
        },
        // Nobody has what is left out: two packages may.
        Made {
            name: "b",
            fields: "",
            control: &[("md5sums", "0  usr/doc/text\n")],
            files: &[("usr", Dir), ("usr/doc", Dir), ("usr/doc/text", Text("b"))],
        },
    ]);
    let rules = ["path-exclude=/usr/doc/*", "path-include=/usr/doc/l*"];
    bed.rules = rules.map(|rule| PathRule::parse(rule).unwrap()).to_vec();
    let tree = bed.tree("").unwrap();
    let there: Vec<&str> = tree.keys().filter_map(|p| p.strip_prefix("usr/")).collect();
    assert_eq!(there, ["doc/licence", "program"]);
    // dpkg's records have them, but for sums that are made of files that came.
    assert_eq!(
        tree["var/lib/dpkg/info/a.list"],
        "/usr\n/usr/doc\n/usr/doc/text\n/usr/doc/same\n/usr/doc/licence\n/usr/program\n"
    );
    assert_eq!(tree["var/lib/dpkg/info/a.md5sums"].lines().count(), 2);
    assert_eq!(tree["var/lib/dpkg/info/b.md5sums"], "0  usr/doc/text\n");

    let [documents, licences] = rules;
    for (rules, path, needed) in [
        (
            vec![documents, "path-include=/usr/doc/same"],
            "doc/same",
            "doc/text",
        ),
        (
            vec![documents, licences, "path-exclude=/usr/doc"],
            "doc/licence",
            "doc",
        ),
    ] {
        bed.rules = rules
            .iter()
            .map(|rule| PathRule::parse(rule).unwrap())
            .collect();
        let error = bed.tree("").unwrap_err().to_string();
        let want = format!(
            "package a: got /usr/{path}, which lies in or is a hard link to /usr/{needed}, which a rule on paths leaves out"
        );
        assert!(error.starts_with(&want), "{error}");
    }
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

#[test]
fn a_file_of_two_packages() {
    let (a, b) = (
        [("f", Text("a")), ("own-a", Text(""))],
        [("f", Text("b")), ("own-b", Text(""))],
    );
    for (fields_a, fields_b, want) in [
        ("Replaces: b (<< 2)\n", "", "a"),
        ("", "Replaces: a\n", "b"),
        ("Replaces: b\n", "Replaces: a\n", "b"),
    ] {
        let bed = Bed::new(&[one("a", fields_a, &a), one("b", fields_b, &b)]);
        for first in [2, 1, 0] {
            let tree = bed.tree_of(first, &|_, _| {}).unwrap();
            assert_eq!(tree["f"], want);
            for name in ["a", "b"] {
                let list = &tree[&format!("var/lib/dpkg/info/{name}.list")];
                let both = format!("/f\n/own-{name}\n");
                let own = format!("/own-{name}\n");
                assert_eq!(*list, if name == want { both } else { own });
            }
        }
    }
    for fields in ["", "Replaces: b (<< 1)\n", "Replaces: v\n"] {
        let bed = Bed::new(&[one("a", fields, &a), one("b", "Provides: v\n", &b)]);
        for first in [2, 1, 0] {
            assert_eq!(
                bed.tree_of(first, &|_, _| {}).unwrap_err().to_string(),
                "b has /f, which is also a file of a, and neither replaces or diverts the other: take one of the two off the list"
            );
        }
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
