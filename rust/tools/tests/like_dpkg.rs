//! The same packages installed by dpkg and by `mkbase`: the trees have the same files, owners, modes, links, times and records.
//!
//! dpkg is called as a package manager does, one package after another, with what a package asks for in `Pre-Depends` configured before.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use archive::{Kind, PackOptions};

#[path = "support/programs.rs"]
mod programs;

const TIMESTAMP: i64 = 1_000_000_000;
/// When files of packages were made, by `touch`.
const MADE: &str = "@900000000";

const PROGRAMS: [&str; 25] = [
    "cat",
    "chmod",
    "chown",
    "cp",
    "diff",
    "dpkg",
    "dpkg-deb",
    "dpkg-divert",
    "dpkg-query",
    "dpkg-split",
    "dpkg-statoverride",
    "dpkg-trigger",
    "id",
    "ldconfig",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "sh",
    "sort",
    "start-stop-daemon",
    "tar",
    "update-alternatives",
];

/// A package to make: its name, further fields, files of `control.tar`, and what makes its files, a script in its folder.
struct Made {
    name: &'static str,
    fields: &'static str,
    control: &'static [(&'static str, &'static str)],
    files: &'static str,
}

/// In the order in which they are installed, behind the one that has the programs.
const PACKAGES: [Made; 7] = [
    Made {
        name: "a-early",
        fields: "Architecture: amd64\nMulti-Arch: same\nDepends: programs\nReplaces: d-waits\n",
        control: &[
            ("conffiles", "/etc/a.conf\n/etc/a.d/other\n/etc/a.plain\n"),
            (
                "postinst",
                "#!/bin/sh\nset -e\necho \"$@\" >/a-configured\n\
                 dpkg-statoverride --add '#77' '#88' 2711 /usr/share/c/own\n\
                 dpkg-statoverride --add '#78' '#89' 600 /etc/c.conf\n\
                 dpkg-statoverride --add '#79' '#90' 2710 /usr/share/c\n\
                 dpkg-statoverride --add '#79' '#90' 700 /usr/share/a\n\
                 dpkg-divert --local --add --no-rename --divert /usr/share/watched-place /usr/share/z\n",
            ),
        ],
        files: "mkdir -p etc/a.d usr/bin usr/share/a/sticky usr/share/taken
            echo one >etc/a.conf; echo two >etc/a.d/other; chmod 640 etc/a.d/other; ln -s a.conf etc/a.link; echo a >etc/a.plain
            echo tool >usr/bin/tool; ln usr/bin/tool usr/bin/tool-too; chmod 4755 usr/bin/tool
            echo a >usr/share/taken/x; echo a >usr/share/taken/y; echo a >usr/share/taken/z; mkfifo -m 620 usr/share/a/pipe
            echo 'odd name' >'usr/share/a/an odd n\u{e4}me'; : >usr/share/a/empty
            name=$(printf %0150d 7); mkdir usr/share/a/$name; echo long >usr/share/a/$name/$name
            echo owned >usr/share/a/owned; chown 12345:23456 usr/share/a/owned; chmod 2750 usr/share/a/owned
            chown 12345:23456 usr/share/a/sticky; chmod 1777 usr/share/a/sticky; ln -s nowhere usr/share/a/sticky/dead",
    },
    Made {
        name: "b-takes",
        fields: "Architecture: all\nReplaces: a-early (<< 2)\n",
        control: &[
            ("conffiles", "/etc/b.conf\n"),
            ("md5sums", "60b725f10c9c85c70d97880dfe8191b3  usr/share/b/own\n"),
        ],
        files: "mkdir -p etc lib/b usr/lib/c usr/share/taken usr/share/b
            echo b >etc/b.conf; echo b >lib/b/by-link; echo b >usr/lib/c/plain
            echo b >usr/share/taken/x; echo a >usr/share/b/own",
    },
    Made {
        name: "c-diverts",
        fields: "Architecture: all\nPre-Depends: a-early\n",
        control: &[
            (
                "preinst",
                "#!/bin/sh\nset -e\n\
                 [ ! -e /usr/share/c/own ] || { echo 'its files are there'; exit 1; }\n\
                 [ -e /a-configured ] && [ -e /etc/a.conf ] || { echo 'a-early is not configured'; exit 1; }\n\
                 dpkg-divert --package c-diverts --add --rename --divert /usr/bin/tool.real /usr/bin/tool\n\
                 dpkg-divert --package c-diverts --add --rename --divert /etc/a.moved /etc/a.plain\n\
                 dpkg-divert --package c-diverts --add --no-rename --divert /usr/share/e.real /usr/share/e\n\
                 echo \"$0 $@ $DPKG_MAINTSCRIPT_NAME $DPKG_MAINTSCRIPT_PACKAGE $DPKG_MAINTSCRIPT_ARCH\" >/said-c\n",
            ),
            (
                "postinst",
                "#!/bin/sh\nset -e\nupdate-alternatives --install /usr/bin/alt alt /usr/bin/tool 10 \
                 --slave /usr/share/alt.txt alt.txt /usr/share/c/own\n",
            ),
            ("conffiles", "/etc/c.conf\n"),
        ],
        files: "mkdir -p etc usr/bin usr/share/a usr/share/c
            echo c >etc/a.plain; echo c >etc/c.conf; echo c >usr/bin/tool; echo c >usr/share/c/own; echo c >usr/share/e",
    },
    Made {
        name: "d-waits",
        fields: "Architecture: all\n",
        control: &[
            (
                "triggers",
                "interest /usr/share/watched\ninterest-noawait d-call\ninterest-noawait /usr/share/watched-too\n\
                 interest /usr/share/watched-place\ninterest /usr/share/z\ninterest d-call-too\n",
            ),
            // Nobody promises an order of the names.
            (
                "postinst",
                "#!/bin/sh\nset -e\necho \"$1\" $(printf '%s\\n' $2 | sort) >>/said-d\n",
            ),
        ],
        files: "mkdir -p usr/share/d usr/share/taken; echo d >usr/share/d/d; echo d >usr/share/taken/z",
    },
    Made {
        name: "e-calls",
        fields: "Architecture: all\n",
        control: &[("triggers", "activate d-call\n")],
        files: "mkdir -p usr/share/watched; echo e >usr/share/watched/e; echo e >usr/share/e",
    },
    Made {
        name: "f-empty",
        fields: "Architecture: all\nDepends: e-calls\n",
        control: &[],
        files: "",
    },
    Made {
        name: "z-last",
        fields: "Architecture: all\nPre-Depends: d-waits\n",
        control: &[
            ("preinst", "#!/bin/sh\nset -e\ncp /said-d /said-z\nmkdir -m 711 /usr/share/z-folder\n"),
            ("triggers", "activate d-call-too\nactivate-noawait nobody\n"),
        ],
        files: "mkdir -p usr/share/watched usr/share/watched-too; ln -s watched usr/share/z-folder
            echo z >usr/share/watched-too/z; echo z >usr/share/z; echo z >usr/share/watched/z; ln usr/share/watched/z usr/share/watched/same",
    },
];

/// What dpkg is told, step by step, for these.
const STEPS: [(&str, &[&str]); 7] = [
    ("--install", &["programs"]),
    ("--unpack", &["a-early", "b-takes"]),
    ("--configure", &["a-early"]),
    ("--unpack", &["c-diverts", "d-waits", "e-calls", "f-empty"]),
    ("--configure", &["d-waits"]),
    ("--unpack", &["z-last"]),
    (
        "--configure",
        &["b-takes", "c-diverts", "e-calls", "f-empty", "z-last"],
    ),
];

/// What is said of a file: its kind, what is in it, mode, owners, and time, which folders have of when something was last put into them.
type Said = (String, Vec<u8>, u32, u32, u32, i64);

struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let bed = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let tree = bed.path("programs");
        programs::folders(&tree);
        for program in PROGRAMS {
            programs::install(&tree, program);
        }
        let fields = "Architecture: amd64\nEssential: yes\n";
        bed.pack("programs", fields, &[]);
        for made in &PACKAGES {
            fs::create_dir(bed.path(made.name)).unwrap();
            bed.run("sh", &["-ec", &format!("cd {}; {}", made.name, made.files)]);
            bed.pack(made.name, made.fields, made.control);
        }
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, program: &str, args: &[&str]) -> Output {
        let done = Command::new(program)
            .args(args)
            .current_dir(self.dir.path())
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let also = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{program} {args:?}: {also}{said}");
        done
    }

    /// Makes the package of a folder's files.
    fn pack(&self, name: &str, fields: &str, control: &[(&str, &str)]) {
        let about = format!("Package: {name}\nVersion: 1\nMaintainer: A <a@example.org>\n{fields}Description: it\n more of it\n");
        let folder = self.path(name).join("DEBIAN");
        fs::create_dir(&folder).unwrap();
        for (file, text) in control.iter().chain(&[("control", &*about)]) {
            fs::write(folder.join(file), text).unwrap();
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(folder.join(file), fs::Permissions::from_mode(mode)).unwrap();
        }
        let touch = format!("find {name} -exec touch --no-dereference --date={MADE} {{}} +");
        self.run("sh", &["-ec", &touch]);
        self.run(
            "dpkg-deb",
            &["-Zxz", "-z0", "--build", name, &format!("{name}.deb")],
        );
    }

    /// The archive of the tree that dpkg makes with these rules on paths, without what every new one is cleared of.
    fn by_dpkg(&self, rules: &[&str]) -> Vec<u8> {
        let root = self.path("by-dpkg");
        for folder in ["alternatives", "info", "parts", "triggers", "updates"] {
            fs::create_dir_all(root.join("var/lib/dpkg").join(folder)).unwrap();
        }
        fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
        for (what, names) in STEPS {
            let file = |name: &&str| match what {
                "--configure" => (*name).to_owned(),
                _ => format!("{name}.deb"),
            };
            let names: Vec<String> = names.iter().map(file).collect();
            let mut args = vec![
                "--root=by-dpkg",
                "--log=/dev/null",
                "--force-unsafe-io",
                what,
            ];
            // As apt does.
            args.extend((what == "--unpack").then_some("--no-triggers"));
            let rules: Vec<String> = rules.iter().map(|rule| format!("--{rule}")).collect();
            args.extend(rules.iter().map(String::as_str));
            args.extend(names.iter().map(String::as_str));
            self.run("dpkg", &args);
        }
        debian::normalise(&root).unwrap();
        let mut tar = Vec::new();
        archive::pack(&root, &PackOptions::new(TIMESTAMP), &mut tar).unwrap();
        tar
    }

    /// The archive that `mkbase` makes.
    fn by_us(&self, rules: &[&str]) -> Vec<u8> {
        let names = || {
            ["programs"]
                .into_iter()
                .chain(PACKAGES.iter().map(|made| made.name))
        };
        let locked = names().map(|name| {
            let file = self.path(&format!("{name}.deb"));
            let size = fs::metadata(&file).unwrap().len();
            let sum = self.run("sha256sum", &[file.to_str().unwrap()]).stdout;
            let sum = String::from_utf8(sum).unwrap()[..64].to_owned();
            let all = PACKAGES.iter().any(|made| made.name == name && made.fields.contains("Architecture: all"));
            let architecture = if all { "all" } else { "amd64" };
            format!(
                r#"{{"name": "{name}", "version": "1", "architecture": "{architecture}", "suite": "trixie", "source": "{name}",
                "source_version": "1", "size": {size}, "sha256": "{sum}", "path": "pool/{name}_1_{architecture}.deb"}}"#
            )
        });
        let locked: Vec<String> = locked.collect();
        let lock = format!(
            r#"{{"format": {}, "architecture": "amd64",
            "suites": [{{"suite": "trixie", "root": "main", "components": ["main"], "date": "2026-01-01T00:00:00Z"}}],
            "requested": ["programs"], "paths": {rules:?}, "packages": [{}]}}"#,
            if rules.is_empty() { 2 } else { 3 },
            locked.join(",\n")
        );
        fs::write(self.path("lock"), lock).unwrap();
        let timestamp = TIMESTAMP.to_string();
        let mut args = vec!["--lock", "lock", "--timestamp", &timestamp];
        let debs: Vec<String> = names().map(|name| format!("{name}.deb")).collect();
        // In no order that means anything.
        args.extend(debs.iter().rev().flat_map(|deb| ["--deb", deb]));
        args.extend(["--output-tar", "out.tar", "--output-packages", "packages"]);
        args.extend(["--output-oci-config", "config"]);
        args.extend([
            "--output-oci-manifest",
            "manifest",
            "--output-digest",
            "digest",
        ]);
        // Bazel's name of it begins where tests begin.
        let tool = fs::canonicalize(env!("CARGO_BIN_EXE_mkbase")).unwrap();
        self.run(tool.to_str().unwrap(), &args);
        fs::read(self.path("out.tar")).unwrap()
    }

    /// What dpkg says of a tree: what is not as it should be, which files have other content than a package brought, and its list.
    fn checked(&self, root: &str) -> [String; 3] {
        let root = format!("--root={root}");
        ["--audit", "--verify", "--list"].map(|what| {
            let said = Command::new("dpkg")
                .args([&root, what])
                .current_dir(self.dir.path())
                .output();
            String::from_utf8(said.unwrap().stdout).unwrap()
        })
    }
}

/// All files of an archive.
fn contents(tar: &[u8]) -> BTreeMap<String, Said> {
    let entries = archive::index(Cursor::new(tar)).unwrap();
    let said = entries.into_iter().map(|entry| {
        let (kind, data) = match &entry.kind {
            Kind::File { offset, len } => {
                let range =
                    usize::try_from(*offset).unwrap()..usize::try_from(offset + len).unwrap();
                ("file".to_owned(), tar[range].to_vec())
            }
            kind => (format!("{kind:?}"), Vec::new()),
        };
        let time = if entry.kind.is_dir() { 0 } else { entry.mtime };
        let said = (kind, data, entry.mode, entry.uid, entry.gid, time);
        (String::from_utf8(entry.path).unwrap(), said)
    });
    said.collect()
}

/// The files of ours and of theirs, but for what ours alone is to have.
fn both(ours: &[u8], theirs: &[u8]) -> (BTreeMap<String, Said>, BTreeMap<String, Said>) {
    let (mut ours, theirs) = (contents(ours), contents(theirs));
    // Of the machine, not of any package: what an image is to have, and which architecture it is of.
    for name in ["etc/fstab", "var/lib/dpkg/arch"] {
        assert!(
            ours.remove(name).is_some() && !theirs.contains_key(name),
            "{name}"
        );
    }
    (ours, theirs)
}

/// What both have, and what one of them alone has, for good reasons.
#[test]
#[ignore = "needs real root"]
fn the_trees_are_the_same() {
    let bed = Bed::new();
    let ours = bed.by_us(&[]);
    assert_eq!(ours, bed.by_us(&[]), "twice the same");
    fs::create_dir(bed.path("by-us")).unwrap();
    bed.run(
        "tar",
        &["-xpf", "out.tar", "-C", "by-us", "--numeric-owner"],
    );
    let theirs = bed.by_dpkg(&[]);
    let [audit, verify, list] = bed.checked("by-us");
    assert_eq!(
        [audit.clone(), verify.clone(), list.clone()],
        bed.checked("by-dpkg")
    );
    // A package keeps the sum of the file that another took.
    let taken = "??5??????   /usr/share/taken/x\n";
    assert_eq!((audit.as_str(), verify.as_str()), ("", taken));
    let installed = list.lines().filter(|line| line.starts_with("ii "));
    assert_eq!(installed.count(), PACKAGES.len() + 1);

    let (ours, theirs) = both(&ours, &theirs);
    let text = |tree: &BTreeMap<String, Said>, name: &str| {
        String::from_utf8(tree[name].1.clone()).unwrap()
    };
    assert_eq!(text(&ours, "said-z"), "configure\n");
    assert!(ours.contains_key("usr/bin/tool.real") && ours.contains_key("usr/share/e.real"));
    assert_eq!(
        (ours["usr/share/c/own"].2, ours["usr/share/c/own"].3),
        (0o2711, 77)
    );
    assert_eq!((ours["etc/c.conf"].2, ours["etc/c.conf"].3), (0o600, 78));
    let modes = ["c", "a", "z-folder"].map(|name| ours[&format!("usr/share/{name}")].2);
    assert_eq!(modes, [0o2710, 0o755, 0o711]);
    assert_eq!(text(&ours, "etc/a.moved"), "a\n");
    let sums = text(&ours, "var/lib/dpkg/info/d-waits.md5sums");
    assert!(!sums.contains("usr/share/taken/z"), "{sums}");
    same(&ours, &theirs);
}

/// Rules on paths: files, settings, a pipe, what others divert, and what somebody waits for.
#[test]
#[ignore = "needs real root"]
fn paths_that_are_left_out() {
    let rules = [
        "path-exclude=/usr/share/a/*",
        "path-include=/usr/share/a/*/dead",
        "path-include=/usr/share/a/o*",
        "path-exclude=/etc/a.d/*",
        "path-exclude=/usr/share/watched-too/*",
        "path-exclude=/usr/share/taken/[!xz]",
        "path-exclude=/usr/share/e",
        "path-exclude=/usr/share/d/*",
    ];
    let bed = Bed::new();
    let (ours, theirs) = both(&bed.by_us(&rules), &bed.by_dpkg(&rules));
    for (name, there) in [
        ("usr/share/a/owned", true),
        ("usr/share/a/pipe", false),
        ("usr/share/a/sticky/dead", true),
        ("etc/a.d", true),
        ("etc/a.d/other", false),
        ("usr/share/watched-too/z", false),
        ("usr/share/e.real", false),
    ] {
        assert_eq!(theirs.contains_key(name), there, "{name}");
    }
    same(&ours, &theirs);
}

/// Whether two trees are the same, told file by file.
fn same(ours: &BTreeMap<String, Said>, theirs: &BTreeMap<String, Said>) {
    let names = |tree: &BTreeMap<String, Said>| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs));
    for (name, said) in theirs {
        let own = &ours[name];
        let shown = |said: &Said| {
            String::from_utf8_lossy(&said.1)
                .chars()
                .take(4000)
                .collect::<String>()
        };
        assert!(
            own == said,
            "{name}: {:?} and {:?}\n{}\nand\n{}",
            (&own.0, own.2, own.3, own.4, own.5),
            (&said.0, said.2, said.3, said.4, said.5),
            shown(own),
            shown(said)
        );
    }
}
