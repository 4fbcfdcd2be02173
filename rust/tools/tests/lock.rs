//! `lock` over archives of its own: two roots, suites that are newer, older, expired, unsigned or not there.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

#[path = "support/archive.rs"]
mod archive;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive::{deb, Deb, Key, Suite, BASE};

const EARLY: &str = "Thu, 01 Jan 2026 00:00:00 UTC";
const LATER: &str = "Fri, 02 Jan 2026 12:30:00 UTC";

/// A folder with archives, a machine whose apt knows none, and a source tree.
struct World {
    dir: tempfile::TempDir,
    key: Key,
    lock: PathBuf,
}

impl World {
    /// The release has `base` and these, the security archive nothing but `base`.
    fn new(main: &[Deb]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Key::new(dir.path(), "key");
        key.keyring(&dir.path().join("ring.gpg"));
        let world = Self {
            key,
            lock: fs::canonicalize(env!("CARGO_BIN_EXE_lock")).unwrap(),
            dir,
        };
        for folder in [
            "etc/apt",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
        ] {
            fs::create_dir_all(world.path("machine").join(folder)).unwrap();
        }
        let machine = world.path("machine");
        world.put("machine.conf", &format!("Dir \"{}\";\n", machine.display()));
        world.put("machine/var/lib/dpkg/status", "");
        fs::create_dir(world.path("tree")).unwrap();
        world.put("tree/list", "tool\n");
        world.release(main, EARLY);
        world.security(&[], EARLY);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn suite(&self, root: &str, name: &str, debs: &[Deb], date: &str, valid_until: Option<&str>) {
        let mut all = vec![BASE];
        all.extend(debs.iter().map(|d| Deb { ..*d }));
        let suite = Suite {
            root,
            name,
            date,
            valid_until,
            debs: &all,
        };
        archive::write(self.dir.path(), &self.key, &suite);
    }

    fn release(&self, debs: &[Deb], date: &str) {
        self.suite("debian", "trixie", debs, date, None);
    }

    fn security(&self, debs: &[Deb], date: &str) {
        self.suite("debian-security", "trixie-security", debs, date, None);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.lock);
        command
            .env("APT_CONFIG", self.path("machine.conf"))
            .env_remove("DEBIAN_MIRROR")
            .env_remove("DEBIAN_SECURITY_MIRROR")
            .env_remove("DEBIAN_ACCEPT_EXPIRED")
            .arg("--workspace")
            .arg(self.path("tree"))
            .arg("--keyring")
            .arg(self.path("ring.gpg"))
            .arg(format!("--mirror=copy:{}", self.path("debian").display()));
        command
    }

    /// Locks `list` in both suites.
    fn run(&self, args: &[&str]) -> Output {
        let ours = [
            "--suite=trixie",
            "--suite=trixie-security",
            "--lock=out=list",
        ];
        self.command().args(ours).args(args).output().unwrap()
    }

    #[track_caller]
    fn works(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// It fails with these words, and changes nothing.
    #[track_caller]
    fn refused(&self, args: &[&str], words: &[&str]) {
        let before = fs::read(self.path("tree/out")).ok();
        let output = self.run(args);
        // 2 is what could not be written.
        let code = output.status.code();
        assert!(matches!(code, Some(1 | 2)), "{}", said(&output));
        for word in words {
            assert!(
                said(&output).contains(word),
                "{:?} lacks {word:?}",
                said(&output)
            );
        }
        assert_eq!(fs::read(self.path("tree/out")).ok(), before);
    }

    /// Version and suite of `tool` in the lock.
    #[track_caller]
    fn locked(&self) -> (String, String) {
        let lock = debian::Lock::read(&self.get("tree/out")).unwrap();
        let package = lock
            .packages
            .into_iter()
            .find(|p| p.name == "tool")
            .unwrap();
        (package.version, package.suite)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn pair(version: &str, suite: &str) -> (String, String) {
    (version.to_owned(), suite.to_owned())
}

#[test]
fn security_is_newer() {
    let world = World::new(&[deb("tool", "1")]);
    let fixed = Deb {
        control: "Source: tools (2-0)\n",
        ..deb("tool", "2+fixed~1")
    };
    world.security(&[fixed], LATER);
    let told = world.works(&[]);
    assert!(told.contains("  1  out   2         "), "{told}");
    assert!(
        told.contains("  trixie-security  security  2026-01-02T12:30:00Z"),
        "{told}"
    );
    let lock = debian::Lock::read(&world.get("tree/out")).unwrap();
    let [base, tool] = &lock.packages[..] else {
        panic!("{lock:?}");
    };
    // Both suites have it: the first one's.
    assert_eq!(base.suite, "trixie");
    assert_eq!(
        [
            &tool.version,
            &tool.suite,
            &tool.source,
            &tool.source_version
        ],
        ["2+fixed~1", "trixie-security", "tools", "2-0"]
    );
    let dates: Vec<&str> = lock.suites.iter().map(|s| s.date.as_str()).collect();
    assert_eq!(dates, ["2026-01-01T00:00:00Z", "2026-01-02T12:30:00Z"]);
    world.works(&["--check"]);
}

#[test]
fn what_is_locked_stays_until_it_is_to_be_upgraded() {
    let world = World::new(&[deb("tool", "1"), deb("other", "1")]);
    world.works(&[]);
    assert_eq!(world.locked(), pair("1", "trixie"));
    let first = world.get("tree/out");

    // Something newer changes nothing, not even the date.
    world.security(&[deb("tool", "2"), deb("other", "2")], LATER);
    let told = world.works(&[]);
    assert!(told.contains("no package changed"), "{told}");
    assert_eq!(world.get("tree/out"), first);

    // What a list asks for anew comes in its newest version, and takes nothing along.
    world.put("tree/list", "tool\nother\n");
    let told = world.works(&[]);
    assert!(told.contains("Added (1)\n"), "{told}");
    assert!(
        told.contains("  other    2        trixie-security"),
        "{told}"
    );
    assert_eq!(world.locked(), pair("1", "trixie"));

    world.refused(&["--upgrade", "tol"], &["no lock here has tol"]);
    let told = world.works(&["--upgrade", "tool"]);
    assert!(told.contains("Upgraded (1)\n"), "{told}");
    assert!(
        told.contains("  tool     1     2   trixie-security  "),
        "{told}"
    );
    assert_eq!(world.locked(), pair("2", "trixie-security"));

    // What the suites no longer have becomes their newest.
    world.security(&[deb("tool", "3"), deb("other", "2")], LATER);
    let told = world.works(&[]);
    assert!(
        told.contains("  tool     2     3   trixie-security  "),
        "{told}"
    );
    world.put("tree/list", "tool\n");
    let told = world.works(&[]);
    assert!(told.contains("Removed (1)\n"), "{told}");
}

#[test]
fn what_cannot_stay_beside_the_new_is_told() {
    let world = World::new(&[deb("tool", "1")]);
    world.works(&[]);
    let needs = Deb {
        control: "Depends: tool (>= 2)\n",
        ..deb("needs", "1")
    };
    world.security(&[deb("tool", "2"), needs], LATER);
    world.put("tree/list", "tool\nneeds\n");
    world.refused(
        &[],
        &[
            "cannot all stay",
            "--upgrade [NAME",
            "needs : Depends: tool (>= 2)",
        ],
    );
    world.works(&["--upgrade", "tool"]);
    assert_eq!(world.locked(), pair("2", "trixie-security"));
}

#[test]
fn a_downgrade_is_called_that() {
    let world = World::new(&[deb("tool", "10")]);
    world.works(&[]);
    world.release(&[deb("tool", "9")], LATER);
    let told = world.works(&[]);
    assert!(told.contains("1 downgraded"), "{told}");
    assert!(told.contains("Downgraded (1)\n"), "{told}");
    assert!(told.contains("  tool     10    9   trixie"), "{told}");
    assert!(!told.contains("Upgraded"), "{told}");
}

#[test]
fn check_says_what_is_newer_and_writes_nothing() {
    let world = World::new(&[deb("tool", "1"), deb("plain", "1")]);
    world.put("tree/list", "plain\ntool\n");
    world.works(&[]);
    world.release(&[deb("tool", "1"), deb("plain", "2")], LATER);
    world.refused(&["--check"], &["1 locked package is older"]);
    world.works(&["--check=security"]);
    world.security(&[deb("tool", "1.1")], LATER);
    let output = world.run(&["--check"]);
    assert_eq!(output.status.code(), Some(1));
    // Security first, though not by the alphabet.
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "out:\n  tool: have 1, want 1.1 (trixie-security)\n  plain: have 1, want 2 (trixie)\n"
    );
    world.refused(&["--check=security"], &["1 locked package is older"]);
}

#[test]
fn an_expired_index_is_refused_unless_asked_for() {
    let world = World::new(&[deb("tool", "1")]);
    // The machine's own setting does not count.
    let machine = world.get("machine.conf");
    world.put(
        "machine.conf",
        &format!(
            "{machine}Acquire::Check-Valid-Until \"false\";\nAcquire::Check-Date \"false\";\n"
        ),
    );
    let expired = Some("Sat, 03 Jan 2026 00:00:00 UTC");
    world.suite("debian-security", "trixie-security", &[], EARLY, expired);
    world.refused(
        &[],
        &[
            "an index has expired",
            "trixie-security",
            "--accept-expired",
        ],
    );
    for (value, code, said_so) in [
        ("0", 1, "an index has expired"),
        ("yes", 1, "DEBIAN_ACCEPT_EXPIRED: got `yes`, want 1"),
        ("1", 0, ""),
    ] {
        let output = world
            .command()
            .args(["--suite=trixie", "--suite=trixie-security"])
            .arg("--lock=out=list")
            .env("DEBIAN_ACCEPT_EXPIRED", value)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(said_so), "{}", said(&output));
    }
    world.works(&["--accept-expired"]);
}

#[test]
fn a_missing_security_archive_is_told() {
    let world = World::new(&[deb("tool", "1")]);
    let elsewhere = world.path("elsewhere");
    fs::rename(world.path("debian-security"), &elsewhere).unwrap();
    let beside = format!("tried copy:{}-security/: ", world.path("debian").display());
    world.refused(
        &[],
        &[
            "trixie-security lies below a root of its own",
            "DEBIAN_SECURITY_MIRROR=URL",
            &beside,
        ],
    );
    let ours = [
        "--suite=trixie",
        "--suite=trixie-security",
        "--lock=out=list",
    ];
    let mirror = format!("copy:{}/", elsewhere.display());
    let output = world
        .command()
        .args(ours)
        .env("DEBIAN_SECURITY_MIRROR", mirror)
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn what_is_not_signed_is_refused() {
    let world = World::new(&[deb("tool", "1")]);
    let release = world.path("debian/dists/trixie/Release");
    let text = fs::read_to_string(&release).unwrap();
    fs::write(&release, text.replace("Origin: Test", "Origin: Tess")).unwrap();
    world.refused(&[], &["fetching the indexes of trixie failed"]);
    fs::write(&release, text).unwrap();
    world.works(&[]);
    Key::new(world.dir.path(), "other").keyring(&world.path("ring.gpg"));
    world.refused(&["--upgrade"], &["fetching the indexes of trixie failed"]);
}

#[test]
fn all_locks_or_none() {
    let world = World::new(&[deb("tool", "1")]);
    world.put("tree/wrong", "tool\ntoll\n");
    world.refused(
        &["--lock=second=wrong"],
        &["wrong:2: no package `toll` in trixie, trixie-security; near: tool"],
    );
    world.refused(
        &["--lock=no/second=list"],
        &["no/second; no lock was changed"],
    );
    assert!(!world.path("tree/second").exists());
    world.works(&["--lock=second=list"]);
    assert!(world.path("tree/second").exists());
}

#[test]
fn what_new_packages_bring() {
    let world = World::new(&[Deb {
        files: &[
            ("usr/bin/tool", "1", 0o4755),
            ("usr/lib/modules/6.1/old-one.ko", "", 0o644),
        ],
        ..deb("tool", "1")
    }]);
    world.works(&[]);
    world.security(
        &[Deb {
            files: &[
                ("usr/bin/tool", "2", 0o4755),
                ("usr/bin/raise", "", 0o2755),
                ("usr/lib/modules/6.2/new-one.ko.xz", "", 0o644),
                (
                    "usr/lib/systemd/system/tool.socket",
                    "[Socket]\nListenStream=8080\n",
                    0o644,
                ),
                (
                    "DEBIAN/postinst",
                    "#!/bin/sh\ndeb-systemd-helper enable 'tool.socket' || true\n",
                    0o755,
                ),
            ],
            ..deb("tool", "2")
        }],
        LATER,
    );
    let told = world.works(&["--upgrade"]);
    for table in [
        "New set-uid files and capabilities (1)\n  file            how       package\n  /usr/bin/raise  2755 0:0  tool\n",
        "New listening sockets (1)\n  unit         listens on  package\n  tool.socket  8080        tool\n",
        "New units that start (1)\n  unit         by                    package\n  tool.socket  the package's script  tool\n",
        "New kernel modules (1)\n  module   package\n  new_one  tool\n",
        "Kernel modules that are gone (1)\n  module   package\n  old_one  tool\n",
    ] {
        assert!(told.contains(table), "{told}\nlacks\n{table}");
    }

    // An old version that is not to be had any more.
    fs::remove_file(world.path("debian-security/pool/tool_2_amd64.deb")).unwrap();
    world.security(&[deb("tool", "3")], LATER);
    let told = world.works(&["--markdown"]);
    assert!(
        told.contains("### Upgraded (1)\n\n| package | from | to |"),
        "{told}"
    );
    assert!(
        told.contains("No archive gave tool 2; what they had before counts as new above."),
        "{told}"
    );
    world.security(&[deb("tool", "4")], LATER);
    let told = world.works(&["--no-contents"]);
    assert!(!told.contains("Note"), "{told}");
}

#[test]
fn plans() {
    let world = World::new(&[deb("tool", "1")]);
    let plan = |lock: &str, update: &str| {
        format!(
            r#"{{"suites": ["trixie", "trixie-security"], "components": ["main"], "architecture": "amd64", "update": "{update}", "locks": {{"{lock}": ["list"]}}}}"#
        )
    };
    world.put("one.json", &plan("one", "//one:lock"));
    world.put("two.json", &plan("two", "//two:lock"));
    let run = |args: &[&str]| {
        let plans = ["one", "two"].map(|name| {
            let file: &Path = &world.path(&format!("{name}.json"));
            format!("--plan={name}={}", file.display())
        });
        world.command().args(plans).args(args).output().unwrap()
    };
    let output = run(&["--os", "three"]);
    assert!(
        said(&output).contains("--os: got three, want one of one, two"),
        "{}",
        said(&output)
    );
    let output = run(&["--os", "two"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(!world.path("tree/one").exists());
    assert!(world.get("tree/two").contains("\"update\": \"//two:lock\""));
    let output = run(&[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(world.path("tree/one").exists());
    // One archive for both: its indexes are fetched once.
    assert_eq!(said(&output).matches("fetching the indexes").count(), 1);
}

#[test]
fn a_lock_of_format_1_is_brought_up_to_date() {
    let world = World::new(&[deb("tool", "1")]);
    world.works(&[]);
    let lock = debian::Lock::read(&world.get("tree/out")).unwrap();
    let package = lock.packages.iter().find(|p| p.name == "tool").unwrap();
    let old = format!(
        r#"{{"suite": "trixie", "architecture": "amd64", "lists": ["list"], "requested": ["tool"], "packages": [{{"name": "tool",
        "version": "1", "architecture": "amd64", "size": {}, "sha256": "{}", "path": "{}"}}]}}"#,
        package.size, package.sha256, package.path
    );
    world.put("tree/out", &old);
    world.security(&[deb("tool", "2")], LATER);
    let told = world.works(&[]);
    assert!(told.contains("1 added"), "{told}");
    assert_eq!(world.locked(), pair("1", "trixie"));
    // What is no lock at all is not written over.
    world.put("tree/out", "{");
    world.refused(
        &[],
        &["out, which is to be brought up to date; to begin anew, remove it"],
    );
}
