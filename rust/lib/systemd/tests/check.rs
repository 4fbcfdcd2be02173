//! Late units that would not do what they are there for, each with the text of its fault; and systemd's own word on the same files.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use common::{in_memory, root, Root, E, P, U};
use tree::{Entry, Stamp, Tree};

/// What packages brought.
fn base() -> Root {
    let files = [
        ("etc/motd", "hello\n"),
        ("usr/bin/good", "program"),
        (
            "usr/lib/systemd/system/multi-user.target",
            "[Unit]\nDescription=x\n",
        ),
        (
            "usr/lib/systemd/system/old.service",
            "[Servce]\nbroken\nExecStart=/gone\n[Install]\nWantedBy=gone.target\n",
        ),
        (
            "usr/lib/systemd/system/static.service",
            "[Service]\nExecStart=/usr/bin/good\n",
        ),
        (
            "usr/lib/systemd/system/wanted.service",
            "[Unit]\nWants=by-another.service\n[Service]\nExecStart=/usr/bin/good\n",
        ),
        ("usr/lib/systemd/system/al.service", "-> static.service"),
        (
            "usr/lib/udev/rules.d/1.rules",
            "ACTION==\"add\", ENV{SYSTEMD_WANTS}=\"by-udev.service\"\n",
        ),
    ];
    let mut files = root(&files);
    files.insert(
        format!("{P}90-other.preset"),
        "enable gone-too.service\n".into(),
    );
    files
}

/// The faults of `late` files over the base, with presets applied.
fn faults(late: &[(&str, &str)]) -> Vec<String> {
    let mut all = base();
    for (number, (_, text)) in late.iter().enumerate() {
        all.insert(format!("late/{number}"), (*text).to_owned());
    }
    let (mut tree, bytes) = in_memory(&all);
    let stamp = |mode| Stamp {
        mode,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    };
    // The archive of a test has one mode for all files.
    let good = tree.get(b"usr/bin/good").unwrap().clone();
    tree.remove(b"usr/bin/good").unwrap();
    let good = Entry {
        stamp: stamp(0o755),
        ..good
    };
    tree.insert(b"usr/bin/good", good, "test").unwrap();
    for (number, (path, _)) in late.iter().enumerate() {
        let at = format!("late/{number}");
        let kind = tree.get(at.as_bytes()).unwrap().kind.clone();
        tree.insert(
            expand(path).as_bytes(),
            Entry::injected(kind, stamp(0o644)),
            "test",
        )
        .unwrap();
    }
    common::plan(&tree, &bytes)
        .unwrap()
        .apply(&mut tree, 0)
        .unwrap();
    check(&tree, &bytes)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn check(tree: &Tree, bytes: &[u8]) -> Vec<systemd::Fault> {
    systemd::check(tree, |source| {
        let start = usize::try_from(source.offset).unwrap();
        let len = usize::try_from(source.len).unwrap();
        Ok(bytes[start..start + len].to_vec())
    })
    .unwrap()
}

fn expand(path: &str) -> String {
    match path.split_once('/') {
        Some(("U", rest)) => format!("{U}{rest}"),
        Some(("E", rest)) => format!("{E}{rest}"),
        Some(("P", rest)) => format!("{P}{rest}"),
        _ => path.to_owned(),
    }
}

const GOOD: &str = "[Unit]\nDescription=x\nX-Mine=y\n[X-Section]\na\n[Service]\nExecStart=good --flag\nExecReload=/usr/bin/good -a ; -/usr/bin/gone\n\
    ExecStartPre=-/usr/bin/gone\n[Install]\nWantedBy=multi-user.target\n";

#[test]
fn nothing_to_say() {
    let plain = "[Service]\nExecStart=/usr/bin/good\n";
    for late in [
        &[("U/my.service", GOOD)][..],
        &[("etc/motd", "late, and no unit\n")],
        // Off by name, or started by something else.
        &[("U/my.service", plain), ("P/1.preset", "disable my.service\ndisable *\n")],
        &[("U/my.service", plain), ("U/my.timer", "[Timer]\nOnBootSec=1\n[Install]\nWantedBy=multi-user.target\n")],
        &[("U/by-another.service", plain)],
        &[("U/by-udev.service", plain)],
        &[("U/t@.service", plain), ("U/my.service", "[Unit]\nWants=t@x.service\n[Service]\nExecStart=good\n[Install]\nWantedBy=multi-user.target\n")],
        // Made when the machine runs.
        &[("U/my.service", "[Service]\nExecStart=/run/later\nExecStop=/opt/%p\n[Install]\nWantedBy=multi-user.target\n")],
        // Nothing to be started.
        &[("U/my.target", "[Unit]\nDescription=x\n"), ("U/static.service.d/1.conf", "[Service]\nNice=1\n")],
        &[("U/service.d/1.conf", "[Service]\nNice=1\n"), ("U/a-.service.d/1.conf", "[Unit]\nAfter=gone.service\n")],
        &[("U/my.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStop=good\n[Install]\nWantedBy=multi-user.target\n")],
        &[("U/my.service", "[Install]\nWantedBy=multi-user.target\n"), ("U/my.service.d/1.conf", plain)],
        &[("U/my.service", "[Service]\nRootDirectory=/srv\nExecStart=/a\n[Install]\nWantedBy=multi-user.target\n")],
        &[("P/1.preset", "# c\n; c\n\nenable old*\ndisable gone.service\nignore *\n")],
    ] {
        assert_eq!(faults(late), Vec::<String>::new(), "{late:?}");
    }
}

#[test]
fn each_fault() {
    let on = "[Install]\nWantedBy=multi-user.target\n";
    let service = |lines: &str| format!("[Service]\nExecStart=good\n{lines}{on}");
    let my = "'/usr/lib/systemd/system/my.service'";
    for (text, want) in [
        (
            service("[Servce]\n"),
            "line 3: a .service has no section [Servce], only [Unit], [Service], [Install]",
        ),
        (
            service("[Socket]\n"),
            "line 3: a .service has no section [Socket], only [Unit], [Service], [Install]",
        ),
        (
            service("Restrat=no\n"),
            "line 3: [Service] has no key Restrat=",
        ),
        (
            service("After=x.target\n"),
            "line 3: [Service] has no key After=; it belongs into [Unit]",
        ),
        (
            service("[Unit]\nnonsense\n"),
            "line 4: 'nonsense' is neither a section nor KEY=VALUE",
        ),
        (
            format!("Nice=1\n{}", service("")),
            "line 1: Nice= stands before the first section",
        ),
        (
            service("ExecReload=/usr/bin/gone -x\n"),
            "line 3: ExecReload=/usr/bin/gone: there is no such program in the tree",
        ),
        (
            service("ExecReload=/etc/motd\n"),
            "line 3: ExecReload=/etc/motd: it may not be executed (its mode)",
        ),
        (
            service("ExecReload=/usr/bin\n"),
            "line 3: ExecReload=/usr/bin: it is no file",
        ),
        (
            service("ExecReload=good ; gone\n"),
            "line 3: ExecReload=gone: there is no such program in the tree",
        ),
        (
            service("[Unit]\nRequires=gone.service x.mount\n"),
            "line 4: Requires=gone.service: there is no such unit",
        ),
        (
            service("[Install]\nRequiredBy=mutli-user.target\n"),
            "line 4: RequiredBy=mutli-user.target: there is no such unit",
        ),
        (
            service("[Install]\nUpheldBy=multi-user\n"),
            "line 4: UpheldBy=multi-user: there is no such unit",
        ),
    ] {
        assert_eq!(
            faults(&[("U/my.service", &text)]),
            [format!("{my} {want}")],
            "{text}"
        );
    }
    let nothing = format!("[Service]\nExecStop=good\n{on}");
    assert_eq!(
        faults(&[("U/my.service", &nothing)]),
        [format!("{my}: no ExecStart= in it or in its drop-ins; only one of Type=oneshot with ExecStop= and RemainAfterExit=yes may lack it")]
    );
    // The case that started this: a file in its folder, and no preset.
    let unnamed = [("U/my.service", GOOD), ("P/1.preset", "disable *\n")];
    assert_eq!(
        faults(&unnamed),
        [format!("{my}: nothing starts my.service: name it in a preset file, 'enable my.service', or 'disable my.service' if a program starts it")]
    );
    for (line, want) in [
        ("enable gone.service", "enables gone.service, but there is no such unit"),
        ("enable gone", "enables 'gone', which is no name of a unit"),
        ("enable gone*", "enables 'gone*', but no unit is called so"),
        ("enable gone@.service x", "enables gone@.service, but there is no such unit"),
        ("enable al.service", "enables al.service, another name of static.service: presets take a unit by its own"),
        ("enable static.service", "enables static.service, which has no [Install] section that says what starts it, and nothing else does"),
        ("enabel old.service", "got 'enabel old.service', want 'enable UNIT', 'disable UNIT' or 'ignore UNIT'"),
    ] {
        let preset = format!("# c\n{line}\n");
        let want = format!("'/usr/lib/systemd/system-preset/1.preset' line 2: {want}");
        assert_eq!(faults(&[("P/1.preset", &preset)]), [want]);
    }
}

/// The list of sections and keys is that of the systemd at hand.
#[test]
fn known_as_systemd_knows() {
    let output = Command::new("/usr/lib/systemd/systemd")
        .arg("--dump-configuration-items")
        .output()
        .expect("this test compares with systemd: package systemd");
    let mut section = String::new();
    let mut unknown = Vec::new();
    let mut count = 0;
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']').to_owned();
        } else if let Some((key, _)) = line.split_once('=') {
            count += 1;
            let unit = format!("x.{}", section.to_lowercase());
            let unit = if section == "Unit" || section == "Install" {
                "x.target"
            } else {
                &unit
            };
            let text = format!("[{section}]\n{key}=\n");
            let found = faults(&[(&format!("U/{unit}"), &text)]);
            unknown.extend(found.into_iter().filter(|text| text.contains("has no")));
        }
    }
    assert!(count > 1000, "{count}");
    assert_eq!(unknown, Vec::<String>::new());
}

/// What is refused here, systemd-analyze remarks on; what is not, it is content with.
#[test]
fn as_systemd_analyze() {
    let on = "[Install]\nWantedBy=multi-user.target\n";
    for (text, good) in [
        (GOOD.to_owned(), true),
        (
            format!("[Servce]\n[Service]\nExecStart=/usr/bin/good\n{on}"),
            false,
        ),
        (
            format!("[Service]\nExecStart=/usr/bin/good\nRestrat=no\n{on}"),
            false,
        ),
        (
            format!("[Service]\nExecStart=/usr/bin/good\nnonsense\n{on}"),
            false,
        ),
        (format!("[Service]\nExecStart=/usr/bin/gone\n{on}"), false),
        (format!("[Service]\nExecStop=/usr/bin/good\n{on}"), false),
        (
            format!("[Service]\nRemainAfterExit=yes\nExecStop=/usr/bin/good\n{on}"),
            true,
        ),
        (
            format!("[Service]\nType=simple\nRemainAfterExit=yes\nExecStop=/usr/bin/good\n{on}"),
            false,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for sub in [U, "usr/bin", "run"] {
            fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let program = dir.path().join("usr/bin/good");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // What comes from the search path is the host's: analyze does not look for it in the tree.
        let text = text.replace("ExecStart=good", "ExecStart=/usr/bin/good");
        fs::write(dir.path().join(U).join("my.service"), &text).unwrap();
        // It makes folders in /run, which a sandbox does not let it.
        let run = "mount -t tmpfs tmpfs /run && exec systemd-analyze \"--root=$0\" verify --man=no --recursive-errors=no \
            /usr/lib/systemd/system/my.service";
        let output = Command::new("/usr/bin/unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", run])
            .arg(dir.path())
            .output()
            .expect("this test compares with systemd-analyze: package systemd");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.is_empty(), good, "{text}{said}");
        assert_eq!(
            faults(&[("U/my.service", &text)]).is_empty(),
            good,
            "{text}"
        );
    }
}
