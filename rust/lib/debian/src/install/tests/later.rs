//! Packages that come after the first: scripts have run, and packages are configured.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::super::order;
use super::super::package::Package;
use super::bed::{named, one, Bed, Device, Dir, Hard, Link, Made, Text};

/// As scripts see it that run before their package is unpacked.
#[test]
fn a_script_comes_before_its_files() {
    let bed = Bed::new(&[
        one("a", "", &[("f", Text("a")), ("d", Dir), ("d/a", Text("a"))]),
        one("b", "", &[("f", Text("b")), ("d", Dir), ("d/b", Text("b"))]),
    ]);
    let list = |root: &Path| fs::read_to_string(root.join("var/lib/dpkg/diversions"));
    let tree = bed.tree_of(1, &|name, root| {
        assert!(!root.join("d/b").exists());
        if name == "b" {
            assert!(list(root).is_err());
            fs::rename(root.join("f"), root.join("f.real")).unwrap();
            fs::write(root.join("var/lib/dpkg/diversions"), "/f\n/f.real\nb\n").unwrap();
        }
    });
    let tree = tree.unwrap();
    assert_eq!((&*tree["f"], &*tree["f.real"]), ("b", "a"));
    assert_eq!(tree["var/lib/dpkg/info/a.list"], "/f\n/d\n/d/a\n");
    let status = &tree["var/lib/dpkg/status"];
    assert_eq!(status.matches("Status: install ok unpacked\n").count(), 2);

    // Diverted, but left where it is: dpkg would write over it.
    let error = bed.tree_of(1, &|name, root| {
        if name == "b" {
            fs::write(root.join("var/lib/dpkg/diversions"), "/f\n/f.real\nb\n").unwrap();
        }
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("package b: got another package's file at /f,"),
        "{error}"
    );

    // By one that comes earlier, or by nobody.
    for by in ["a", ":"] {
        let noted = format!("/f\n/f.real\n{by}\n");
        let tree = bed.tree_of(0, &|name, root| match (by, name) {
            ("a", "") => fs::write(root.join("var/lib/dpkg/diversions"), &noted).unwrap(),
            (":", "b") => {
                fs::rename(root.join("f"), root.join("f.real")).unwrap();
                fs::write(root.join("var/lib/dpkg/diversions"), &noted).unwrap();
            }
            _ => {}
        });
        match by {
            "a" => {
                let tree = tree.unwrap();
                assert_eq!((&*tree["f"], &*tree["f.real"]), ("a", "b"));
            }
            _ => {
                let error = tree.unwrap_err().to_string();
                assert!(
                    error.starts_with("b has /f, which is also a file of a"),
                    "{error}"
                );
            }
        }
    }
}

/// A folder that a script made or changed stays as it is; one that only packages have gets their latest time.
#[test]
fn folders_and_scripts() {
    let files = [("d", Dir), ("d/e", Dir), ("g", Dir), ("g/h", Dir)];
    let bed = Bed::new(&[
        one("a", "", &files),
        one(
            "b",
            "",
            &[
                ("d", Dir),
                ("d/i", Dir),
                ("g", Dir),
                ("g/k", Dir),
                ("s", Dir),
            ],
        ),
    ]);
    let script = |name: &str, root: &Path| {
        if name == "b" {
            fs::create_dir(root.join("s")).unwrap();
            fs::set_permissions(root.join("s"), fs::Permissions::from_mode(0o711)).unwrap();
            fs::create_dir(root.join("d/s")).unwrap();
        }
    };
    bed.tree_of(1, &script).unwrap();
    let of = |name: &str| fs::metadata(bed.dir.path().join("root").join(name)).unwrap();
    assert_eq!(of("g").mtime(), 1000);
    assert!(of("d").mtime() > 1000 && of("s").mtime() > 1000);
    assert_eq!(of("s").mode() & 0o7777, 0o711);
    assert_eq!(of("d/i").mode() & 0o7777, 0o750);
}

/// A script that puts a link in the place of a folder leads no file out of the tree.
#[test]
fn a_link_of_a_script_stays_inside() {
    let files = [("d", Dir), ("d/e", Dir)];
    let bed = Bed::new(&[
        one("a", "", &files),
        one("b", "", &[("d", Dir), ("d/e", Dir), ("d/e/f", Text("b"))]),
    ]);
    let outside = bed.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let tree = bed.tree_of(1, &|name, root| {
        if name == "b" {
            fs::remove_dir(root.join("d/e")).unwrap();
            std::os::unix::fs::symlink("../../outside", root.join("d/e")).unwrap();
        }
    });
    assert_eq!(tree.unwrap()["outside/f"], "b");
    assert!(!outside.join("f").exists());
}

/// Nor does one in the place of dpkg's records: they are where the tree's own programs would find them.
#[test]
fn records_stay_inside() {
    let bed = Bed::new(&[one("a", "", &[]), one("b", "", &[("b", Text("b"))])]);
    let outside = bed.dir.path().join("outside");
    for link in ["var/lib/dpkg", "var/lib/dpkg/info", "var/lib/dpkg/status"] {
        let _ = fs::remove_dir_all(&outside);
        fs::create_dir_all(outside.join("info")).unwrap();
        let target = outside.join(Path::new(link).file_name().unwrap());
        let target = match link {
            "var/lib/dpkg" => outside.clone(),
            _ => target,
        };
        let inside = target.strip_prefix("/").unwrap();
        let tree = bed.tree_of(1, &|name, root| {
            if name == "b" {
                let (link, inside) = (root.join(link), root.join(inside));
                fs::create_dir_all(inside.parent().unwrap()).unwrap();
                fs::rename(&link, inside).unwrap();
                std::os::unix::fs::symlink(&target, link).unwrap();
            }
        });
        let (tree, inside) = (tree.unwrap(), inside.to_str().unwrap());
        let of = |name: &str| {
            let path = format!("var/lib/dpkg/{name}");
            let moved = path
                .strip_prefix(link)
                .map(|rest| format!("{inside}{rest}"));
            tree[&moved.unwrap_or(path)].as_str()
        };
        assert!(of("status").contains("Package: b\n"), "{link}");
        assert_eq!(of("info/b.list"), "/b\n", "{link}");
        let names = walkdir::WalkDir::new(&outside).into_iter();
        assert_eq!(names.count(), 2, "{link}");
    }
}

#[test]
fn what_configured_packages_wait_for() {
    let called = "activate n\nactivate-noawait m\nactivate nobody\nactivate-await /v/x\n";
    let bed = Bed::new(&[
        Made {
            name: "a",
            fields: "",
            control: &[(
                "triggers",
                "interest /w\ninterest-noawait /v\ninterest m\ninterest-noawait n\n",
            )],
            files: &[("w", Dir), ("w/a", Text(""))],
        },
        one("b", "Multi-Arch: same\n", &[("w", Dir), ("w/b", Text(""))]),
        one("c", "", &[("ww", Dir)]),
        Made {
            name: "d",
            fields: "",
            control: &[("triggers", called)],
            files: &[],
        },
    ]);
    let tree = bed.tree_of(1, &|_, _| {}).unwrap();
    assert_eq!(
        tree["var/lib/dpkg/triggers/Unincorp"],
        "/w b:all\nn -\nm -\n/v -\n"
    );
    assert_eq!(tree["var/lib/dpkg/triggers/File"], "/w a\n/v a/noawait\n");
    // Of packages that nobody waits for yet, or that wait themselves, nothing is noted.
    let tree = bed.tree_of(0, &|_, _| {}).unwrap();
    assert_eq!(
        tree["var/lib/dpkg/triggers/Unincorp"],
        "/w b:all\nn -\nm -\n/v -\n"
    );
}

/// dpkg calls those who wait for the path where it lies, and not those who wait for a folder above that.
#[test]
fn who_waits_for_a_diverted_file() {
    let bed = Bed::new(&[
        Made {
            name: "a",
            fields: "",
            control: &[(
                "triggers",
                "interest /o/f\ninterest /w\ninterest /w/g\ninterest /o/h\n",
            )],
            files: &[("w", Dir)],
        },
        one(
            "b",
            "",
            &[("o", Dir), ("o/f", Text("b")), ("o/h", Text("b"))],
        ),
    ]);
    let tree = bed.tree_of(1, &|_, root| {
        fs::write(root.join("var/lib/dpkg/diversions"), "/o/f\n/w/g\n:\n").unwrap();
    });
    let tree = tree.unwrap();
    assert_eq!(tree["w/g"], "b");
    assert_eq!(tree["var/lib/dpkg/triggers/Unincorp"], "/o/h b\n/w/g b\n");
}

/// A conffile that another package diverts, which has none there, a plain file or a conffile of its own.
#[test]
fn conffiles_that_are_diverted() {
    let settings: &[(&str, &str)] = &[("conffiles", "/etc/x\n")];
    let files = |text| [("etc", Dir), ("etc/x", Text(text))];
    let (a, b) = (files("a"), files("b"));
    for (files, control, own) in [
        (&b[..1], &[][..], None),
        (&b, &[], Some("etc/x")),
        (&b, settings, Some("etc/x.dpkg-new")),
    ] {
        let made = |name, control, files| Made {
            name,
            fields: "",
            control,
            files,
        };
        let third = [("etc", Dir), ("etc/x.div", Text("c"))];
        let all = [made("a", settings, &a), made("b", control, files)];
        let with_third = Bed::new(&[
            made("a", settings, &a),
            made("b", control, files),
            one("c", "", &third),
        ]);
        let bed = Bed::new(&all);
        for configured in [true, false] {
            let script = |name: &str, root: &Path| {
                let at = |name: &str| root.join("etc").join(name);
                if name == "b" {
                    if configured {
                        fs::rename(at("x.dpkg-new"), at("x")).unwrap();
                        fs::rename(at("x"), at("x.div")).unwrap();
                    }
                    let noted = "/etc/x\n/etc/x.div\nb\n";
                    fs::write(root.join("var/lib/dpkg/diversions"), noted).unwrap();
                }
            };
            let tree = bed.tree_of(1, &script).unwrap();
            let suffix = if configured { "" } else { ".dpkg-new" };
            let found = tree.iter().filter(|(name, _)| name.starts_with("etc/x"));
            let found: Vec<(&str, &str)> = found.map(|(n, text)| (&**n, &**text)).collect();
            let diverted = format!("etc/x.div{suffix}");
            let mut want: Vec<(&str, &str)> = own.iter().map(|own| (*own, "b")).collect();
            want.push((&diverted, "a"));
            want.sort_unstable();
            assert_eq!(found, want);
            // Its place is taken there.
            let error = with_third.tree_of(1, &script).unwrap_err().to_string();
            assert!(
                error.starts_with("package c: got /etc/x.div, a conffile of it or of a"),
                "{error}"
            );
        }
    }
}

/// Nor is the place free from which dpkg has taken its `.dpkg-new`.
#[test]
fn a_configured_conffile_of_two_packages() {
    let settings: &[(&str, &str)] = &[("conffiles", "/etc/x\n")];
    let files = [("etc", Dir), ("etc/x", Text(""))];
    for control in [&[][..], settings] {
        let made = |name, control| Made {
            name,
            fields: "",
            control,
            files: &files,
        };
        let bed = Bed::new(&[made("a", settings), made("b", control)]);
        let error = bed.tree_of(1, &|name, root| {
            if name == "b" {
                let at = |name: &str| root.join("etc").join(name);
                fs::rename(at("x.dpkg-new"), at("x")).unwrap();
            }
        });
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("package b: got /etc/x, a conffile of it or of a"),
            "{error}"
        );
    }
}

/// Likewise among the packages that come first, whichever of the two is before the other.
#[test]
fn conffiles_that_are_diverted_among_the_first() {
    let settings: &[(&str, &str)] = &[("conffiles", "/x\n")];
    for by in ["a", "b"] {
        for is_settings in [[true, false], [false, true], [true, true]] {
            let control = is_settings.map(|is| if is { settings } else { &[] });
            let made = |name, control| Made {
                name,
                fields: "",
                control,
                files: if name == "a" {
                    &[("x", Text("a"))]
                } else {
                    &[("x", Text("b"))]
                },
            };
            let bed = Bed::new(&[made("a", control[0]), made("b", control[1])]);
            let tree = bed.tree(&format!("/x\n/x.div\n{by}\n")).unwrap();
            for (name, is) in [("a", is_settings[0]), ("b", is_settings[1])] {
                let place = if name == by { "x" } else { "x.div" };
                let suffix = if is { ".dpkg-new" } else { "" };
                assert_eq!(tree[&format!("{place}{suffix}")], name);
            }
            let names = tree.keys().filter(|name| name.starts_with('x'));
            assert_eq!(names.count(), 2);
            let error = bed.tree("").unwrap_err().to_string();
            assert!(
                error.starts_with("package b: got /x, a conffile of it or of a"),
                "{error}"
            );
        }
    }
}

/// A link in whose place a script has made a folder: that stays, and has no owner and no mode of the link's.
#[test]
fn a_folder_in_the_place_of_a_link() {
    let files = [("s", Link("elsewhere")), ("t", Link("elsewhere"))];
    let bed = Bed::new(&[one("a", "", &[]), one("b", "", &files)]);
    let me = fs::metadata(bed.dir.path()).unwrap();
    let tree = bed.tree_of(1, &|name, root| {
        if name == "b" {
            fs::create_dir(root.join("s")).unwrap();
            fs::set_permissions(root.join("s"), fs::Permissions::from_mode(0o711)).unwrap();
            let noted = format!("#{} #{} 700 /s\n", me.uid(), me.gid());
            fs::write(root.join("var/lib/dpkg/statoverride"), noted).unwrap();
        }
    });
    let tree = tree.unwrap();
    assert_eq!(tree["t"], "-> elsewhere");
    assert_eq!(tree["var/lib/dpkg/info/b.list"], "/s\n/t\n");
    let folder = fs::symlink_metadata(bed.dir.path().join("root/s")).unwrap();
    assert_eq!((folder.is_dir(), folder.mode() & 0o7777), (true, 0o711));
}

/// They are for folders that come, not for those that are there; a diversion of the same path is not theirs, nor leads it out of the tree.
#[test]
fn overrides_of_folders() {
    let bed = Bed::new(&[
        one("a", "", &[("d", Dir)]),
        one("b", "", &[("d", Dir), ("e", Dir)]),
    ]);
    let me = fs::metadata(bed.dir.path()).unwrap();
    let me = format!("#{} #{}", me.uid(), me.gid());
    let with = |diversions: &str| {
        bed.tree_of(1, &|name, root| {
            let admin = root.join("var/lib/dpkg");
            if name == "b" {
                fs::create_dir(root.join("z")).unwrap();
                fs::set_permissions(root.join("z"), fs::Permissions::from_mode(0o755)).unwrap();
                let noted = format!("{me} 700 /d\n{me} 711 /e\n");
                fs::write(admin.join("statoverride"), noted).unwrap();
                fs::write(admin.join("diversions"), diversions).unwrap();
            }
        })
    };
    with("/e\n/z\nx\n").unwrap();
    let mode = |name: &str| {
        let at = bed.dir.path().join("root").join(name);
        fs::metadata(at).unwrap().mode() & 0o7777
    };
    assert_eq!((mode("d"), mode("e"), mode("z")), (0o750, 0o711, 0o755));
    let error = with("/e\n/..\nx\n").unwrap_err().to_string();
    assert!(error.starts_with("dpkg's diversions: want"), "{error}");
}

#[test]
fn overrides_of_files_that_come() {
    let bed = Bed::new(&[Made {
        name: "a",
        fields: "",
        control: &[("conffiles", "/c\n")],
        files: &[("f", Text("")), ("c", Text("")), ("l", Link("f"))],
    }]);
    let me = fs::metadata(bed.dir.path()).unwrap();
    let me = format!("#{} #{}", me.uid(), me.gid());
    let noted = format!("{me} 4711 /f\n{me} 600 /c\n{me} 777 /l\n{me} 600 /not-here\n");
    bed.tree_of(0, &|_, root| {
        fs::write(root.join("var/lib/dpkg/statoverride"), &noted).unwrap();
    })
    .unwrap();
    let mode = |name: &str| {
        fs::metadata(bed.dir.path().join("root").join(name))
            .unwrap()
            .mode()
    };
    assert_eq!(
        (mode("f") & 0o7777, mode("c.dpkg-new") & 0o7777),
        (0o4711, 0o600)
    );
    let error = bed.tree_of(0, &|_, root| {
        fs::write(
            root.join("var/lib/dpkg/statoverride"),
            "nobody-here root 644 /f\n",
        )
        .unwrap();
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("got the name \"nobody-here\""), "{error}");
}

#[test]
fn packages_that_are_refused() {
    for (files, want) in [
        (
            &[("x", Device)][..],
            "package a: got the device node /x, want none",
        ),
        (
            &[("x", Text("1")), ("x", Text("2"))],
            "package a: got /x twice",
        ),
    ] {
        let bed = Bed::new(&[one("a", "", files)]);
        let error = bed.tree("").unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
    // All that it has another has, too.
    let (d, both) = (
        [("d", Dir), ("d/f", Text("a"))],
        [("d", Dir), ("d/f", Text("b")), ("g", Dir)],
    );
    let bed = Bed::new(&[one("a", "", &d), one("b", "Replaces: a\n", &both)]);
    for first in [2, 0] {
        let error = bed.tree_of(first, &|_, _| {}).unwrap_err().to_string();
        assert!(
            error.starts_with("package a: got no file that b does not have"),
            "{error}"
        );
    }
    // One that comes later, and another keeps what it has: dpkg takes no notice.
    let bed = Bed::new(&[one("a", "Replaces: b\n", &both), one("b", "", &d)]);
    for first in [2, 1, 0] {
        let tree = bed.tree_of(first, &|_, _| {}).unwrap();
        assert_eq!(tree["d/f"], "b");
        assert_eq!(tree["var/lib/dpkg/info/b.list"], "/d\n");
    }
    // Settings of two packages, whichever has them as such.
    for settings in [[true, true], [true, false], [false, true]] {
        let control: [&[(&str, &str)]; 2] = settings.map(|is: bool| match is {
            true => &[("conffiles", "/d/f\n")][..],
            false => &[],
        });
        let made = |name, fields, control| Made {
            name,
            fields,
            control,
            files: &both,
        };
        let bed = Bed::new(&[
            made("a", "", control[0]),
            made("b", "Replaces: a\n", control[1]),
        ]);
        for first in [2, 0] {
            let error = bed.tree_of(first, &|_, _| {}).unwrap_err().to_string();
            assert!(
                error.starts_with("package b: got /d/f, a conffile of it or of a"),
                "{error}"
            );
        }
    }
}

#[test]
fn sums_of_a_package_without_any() {
    let files = [
        ("d", Dir),
        ("d/f", Text("a")),
        ("d/h", Hard("d/f")),
        ("d/l", Link("f")),
    ];
    let bed = Bed::new(&[
        one("a", "", &files),
        Made {
            name: "b",
            fields: "",
            control: &[("md5sums", "its own")],
            files: &[("b", Text("b"))],
        },
        one("c", "", &[]),
    ]);
    let tree = bed.tree("").unwrap();
    let of = |name: &str| tree[&format!("var/lib/dpkg/info/{name}.md5sums")].as_str();
    let sum = "0cc175b9c0f1b6a831c399e269772661";
    assert_eq!(of("a"), format!("{sum}  d/f\n{sum}  d/h\n"));
    assert_eq!((of("b"), of("c")), ("its own", ""));
}

/// What another package keeps is not there to be summed up; what another takes later was.
#[test]
fn sums_of_what_another_has() {
    let files = [("f", Text("a")), ("g", Text("a"))];
    let sum = "0cc175b9c0f1b6a831c399e269772661";
    for (a, b, want) in [
        ("Replaces: b\n", "", format!("{sum}  h\n")),
        ("", "Replaces: a\n", format!("{sum}  f\n{sum}  h\n")),
    ] {
        let own = [("f", Text("a")), ("h", Text("a"))];
        let bed = Bed::new(&[one("a", a, &files), one("b", b, &own)]);
        for first in [2, 1, 0] {
            let tree = bed.tree_of(first, &|_, _| {}).unwrap();
            assert_eq!(tree["var/lib/dpkg/info/b.md5sums"], want);
            let a = &tree["var/lib/dpkg/info/a.md5sums"];
            assert_eq!(*a, format!("{sum}  f\n{sum}  g\n"));
        }
    }
}

#[test]
fn what_comes_first_and_what_is_configured_before() {
    let bed = Bed::new(&[
        named("a", "Pre-Depends: p | q\n"),
        named("e", "Essential: yes\nDepends: n\n"),
        named("n", ""),
        named("p", "Depends: r, n\n"),
        named("r", ""),
        named("z", "Pre-Depends: y\n"),
        named("y", "Depends: z\n"),
    ]);
    let packages = bed.packages().unwrap();
    let names = |all: &[Package<'_>]| all.iter().map(|p| p.name.to_owned()).collect::<Vec<_>>();
    let (first, rest) = order::split(&packages);
    assert_eq!(names(first), ["n", "e"]);
    assert_eq!(names(rest), ["r", "p", "a", "z", "y"]);
    let before = |name: &str| {
        let package = packages.iter().find(|p| p.name == name).unwrap();
        let found = order::before_unpacking(&packages, package).into_iter();
        found.map(|i| packages[i].name).collect::<Vec<_>>()
    };
    assert_eq!(before("a"), ["n", "r", "p"]);
    assert_eq!(before("z"), ["z", "y"]);
    assert_eq!(before("n"), [""; 0]);
    let bed = Bed::new(&[named("a", "")]);
    let packages = bed.packages().unwrap();
    assert!(order::split(&packages).0.is_empty());
}
