//! What a RUN step and a package's script see of the machine that builds: docs/container.md has the table.
//!
//! As root, and as root of an ordinary user's container, which has 65,536 ids in all. `ci/real-root.sh` runs these.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "support/programs.rs"]
mod programs;

const TIMESTAMP: i64 = 1_000_000_000;
/// Where an ordinary user's ids begin in these tests.
const USER: u32 = 1_000_000;

/// The script that looks around.
const LOOK: &str = "tests/data/look.sh";

const PROGRAMS: [&str; 34] = [
    "cat",
    "chmod",
    "chown",
    "chroot",
    "cmp",
    "cp",
    "date",
    "diff",
    "dpkg",
    "dpkg-deb",
    "dpkg-divert",
    "dpkg-query",
    "dpkg-split",
    "dpkg-trigger",
    "find",
    "gzip",
    "hostname",
    "id",
    "ldconfig",
    "ln",
    "ls",
    "mkdir",
    "mknod",
    "mount",
    "mv",
    "readlink",
    "rm",
    "setpriv",
    "sh",
    "start-stop-daemon",
    "tar",
    "touch",
    "umount",
    "unshare",
];

/// What both see. What differs from outside a test looks at itself.
const WANT: &str = "\
users: 0 65536
groups: 0 65536
CapInh: 0000000000000000
CapEff: 00000000800400fb
CapBnd: 00000000800400fb
CapAmb: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
checkout: absent
checkout through process 1: absent
file of the caller: absent
file of the caller through process 1: absent
write to the programs of process 1: done
write to the program of process 1: refused
program of process 1: /memfd:program (deleted)
descriptor of the caller: none
devices: fd full null ptmx pts random shm stderr stdin stdout tty urandom zero
make a block device: refused
make a character device: refused
make a pipe: done
open the terminal: refused
mount: refused
unmount /proc/sys: refused
another mount namespace: refused
another user namespace: refused
set the time: refused
set the host name: refused
host name: localhost
where core dumps go: refused
a setting of a network: refused
sysrq: refused
own the null device: refused
/sys:
kernel log: absent,
memory of the kernel:
uptime: since the sandbox began
network devices: lo:
own a file as another user: done
become another user: done 1234
";

/// A folder with a tree of programs.
struct Bed {
    dir: tempfile::TempDir,
    user: bool,
}

impl Bed {
    fn new(user: bool) -> Self {
        let bed = Self {
            dir: tempfile::tempdir().unwrap(),
            user,
        };
        let tree = bed.path("tree");
        programs::folders(&tree);
        for program in PROGRAMS {
            programs::install(&tree, program);
        }
        let checkout = checkout();
        let caller = bed.path("caller");
        fs::write(&caller, "the caller's").unwrap();
        fs::write(
            tree.join("outside"),
            format!("{}\n{}\n", checkout.display(), caller.display()),
        )
        .unwrap();
        fs::write(tree.join("usr/bin/look"), include_str!("data/look.sh")).unwrap();
        fs::set_permissions(tree.join("usr/bin/look"), fs::Permissions::from_mode(0o755)).unwrap();
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a tool with an open file of the caller's that nobody has told it about.
    fn tool(&self, program: &str, args: &[&str]) -> (bool, String) {
        fs::set_permissions(self.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("env");
        if self.user {
            let owner = format!("{USER}:{USER}");
            let done = Command::new("chown")
                .args(["-Rh", &owner])
                .arg(self.dir.path())
                .status();
            assert!(done.unwrap().success());
            let ids = format!("0:{USER}:65536");
            command = Command::new("unshare");
            command.args([
                "--user",
                "--map-users",
                &ids,
                "--map-groups",
                &ids,
                "--setuid",
                "0",
                "--setgid",
                "0",
            ]);
        }
        // The tool itself may lie where this user has no way to.
        let copy = self.path("tool");
        fs::copy(program, &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        let done = command
            .args(["--", "sh", "-c", r#"exec 7<"$1"; shift; exec "$@""#, "sh"])
            .arg(self.path("caller"))
            .arg(&copy)
            .args(args)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.success(), said)
    }

    /// Compares what was seen with what is to be seen.
    fn check(&self, (done, said): (bool, String)) {
        assert!(done, "{said}");
        let owner = fs::metadata(self.path("out.tar")).unwrap().uid();
        assert_eq!(
            owner,
            if self.user { USER } else { 0 },
            "the output is the caller's"
        );
        let tar = fs::read(self.path("out.tar")).unwrap();
        let entries = archive::index(std::io::Cursor::new(&tar)).unwrap();
        let entry = |name: &str| entries.iter().find(|e| e.path == name.as_bytes()).unwrap();
        let owned = entry("owned");
        assert_eq!((owned.uid, owned.gid), (65_535, 65_535));
        let archive::Kind::File { offset, len } = entry("looks").kind else {
            panic!("no file");
        };
        let range = usize::try_from(offset).unwrap()..usize::try_from(offset + len).unwrap();
        let text = String::from_utf8(tar[range].to_vec()).unwrap();
        let mut got = String::new();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap();
            if let Some(kind) = name.strip_prefix("namespace ") {
                let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
                assert_ne!(value.trim(), ours.to_str().unwrap(), "{kind}");
            } else {
                got.push_str(line.trim_end());
                got.push('\n');
            }
        }
        assert_eq!(text.matches("namespace ").count(), 8);
        for (got, want) in got.lines().zip(WANT.lines()) {
            assert_eq!(got, want);
        }
        assert_eq!(got, WANT);
        assert!(!Path::new("/usr/looked").exists());
    }

    fn look_from_a_run(&self) {
        let digest = "0".repeat(64);
        let packed = Command::new("tar")
            .args([
                "--create",
                "--file",
                "base.tar",
                "--owner=0",
                "--group=0",
                "--numeric-owner",
            ])
            .args(["--directory", "tree", "."])
            .current_dir(self.dir.path())
            .status();
        assert!(packed.unwrap().success());
        let text = format!("FROM base@sha256:{digest}\nRUN look\n");
        for (name, text) in [
            ("Dockerfile", text.as_str()),
            ("digest", &format!("sha256:{digest}\n")),
            ("list", ""),
        ] {
            fs::write(self.path(name), text).unwrap();
        }
        let timestamp = TIMESTAMP.to_string();
        let done = self.tool(
            env!("CARGO_BIN_EXE_mkrootfs"),
            &[
                "--dockerfile",
                "Dockerfile",
                "--context",
                "list",
                "--base-tar",
                "base.tar",
                "--base-digest",
                "digest",
                "--timestamp",
                &timestamp,
                "--output",
                "out.tar",
            ],
        );
        self.check(done);
    }

    /// Makes a package of the tree whose script `name` is `script`.
    fn package(&self, name: &str, script: &str) {
        let control = self.path("tree/DEBIAN");
        fs::create_dir(&control).unwrap();
        let text = "Package: looks\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody\nDescription: looks out\n";
        fs::write(control.join("control"), text).unwrap();
        fs::write(control.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(control.join(name), mode).unwrap();
        let made = Command::new("dpkg-deb")
            .args([
                "--root-owner-group",
                "-Znone",
                "--build",
                "tree",
                "looks.deb",
            ])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let summed = Command::new("sha256sum")
            .arg(self.path("looks.deb"))
            .output()
            .unwrap();
        let sum = String::from_utf8(summed.stdout).unwrap()[..64].to_owned();
        let size = fs::metadata(self.path("looks.deb")).unwrap().len();
        let lock = format!(
            r#"{{"format": 2, "architecture": "amd64",
            "suites": [{{"suite": "trixie", "root": "main", "components": ["main"], "date": "2026-01-01T00:00:00Z"}}],
            "requested": ["looks"], "packages": [{{"name": "looks", "version": "1", "architecture": "amd64", "suite": "trixie",
            "source": "looks", "source_version": "1", "size": {size}, "sha256": "{sum}", "path": "pool/looks_1_amd64.deb"}}]}}"#
        );
        fs::write(self.path("lock"), lock).unwrap();
    }

    fn install(&self) -> (bool, String) {
        let timestamp = TIMESTAMP.to_string();
        self.tool(
            env!("CARGO_BIN_EXE_mkbase"),
            &[
                "--lock",
                "lock",
                "--deb",
                "looks.deb",
                "--timestamp",
                &timestamp,
                "--output-tar",
                "out.tar",
                "--output-packages",
                "packages",
                "--output-oci-config",
                "config",
                "--output-oci-manifest",
                "manifest",
                "--output-digest",
                "digest",
            ],
        )
    }

    fn look_from_a_package(&self) {
        self.package("postinst", "exec look");
        self.check(self.install());
    }
}

/// The folder of the checkout that this file lies in.
fn checkout() -> PathBuf {
    // The test's own files are links into it under Bazel, absolute names under cargo.
    let looks = ["rust/tools", env!("CARGO_MANIFEST_DIR")].map(|at| Path::new(at).join(LOOK));
    let found = looks.iter().find_map(|path| fs::canonicalize(path).ok());
    found.unwrap().parent().unwrap().to_owned()
}

/// A script that needs more than there is ends the build, and the error says what it was.
#[test]
#[ignore = "needs real root"]
fn a_refusal_names_what_is_refused() {
    for (script, want) in [
        ("mknod /dev/looked b 7 0", "makes a device node"),
        ("mount -t tmpfs none /media", "mounts something"),
        (
            "echo 1 >/proc/sys/vm/drop_caches",
            "reaches for the machine",
        ),
        ("echo why; exit 3", "the package named above failed"),
    ] {
        for (name, named) in [
            ("preinst", "the script preinst of the package looks failed"),
            (
                "postinst",
                "dpkg: error processing package looks (--configure)",
            ),
        ] {
            let bed = Bed::new(false);
            bed.package(name, &format!("set -e\n{script}"));
            let (done, said) = bed.install();
            assert!(!done && said.contains(want), "{script}: {said}");
            assert!(said.contains(named), "{script}: {said}");
            assert!(!bed.path("out.tar").exists());
        }
    }
}

/// Who asks whether a service may start hears no, and who starts one by itself starts none. The image has nothing of it.
#[test]
#[ignore = "needs real root"]
fn no_service_starts() {
    let bed = Bed::new(false);
    let script =
        "policy-rc.d; echo \"policy $?\" >/said\nstart-stop-daemon --no-such-option 2>>/said";
    bed.package("postinst", &format!("PATH=/usr/sbin\n{script}"));
    let (done, said) = bed.install();
    assert!(done, "{said}");
    let tar = fs::read(bed.path("out.tar")).unwrap();
    let entries = archive::index(std::io::Cursor::new(&tar)).unwrap();
    let len = |name: &str| {
        let entry = entries.iter().find(|e| e.path.ends_with(name.as_bytes()));
        entry.and_then(|entry| match entry.kind {
            archive::Kind::File { len, .. } => Some(len),
            _ => None,
        })
    };
    let said = "policy 101\nWarning: Fake start-stop-daemon called, doing nothing\n";
    assert_eq!(len("said"), Some(said.len().try_into().unwrap()));
    assert_eq!(len("policy-rc.d"), None);
    let whole = fs::metadata(bed.path("tree/usr/bin/start-stop-daemon")).unwrap();
    assert_eq!(len("start-stop-daemon"), Some(whole.len()));
}

#[test]
#[ignore = "needs real root"]
fn a_run_of_roots() {
    Bed::new(false).look_from_a_run();
}

#[test]
#[ignore = "needs real root"]
fn a_run_of_a_users() {
    Bed::new(true).look_from_a_run();
}

#[test]
#[ignore = "needs real root"]
fn a_package_of_roots() {
    Bed::new(false).look_from_a_package();
}

#[test]
#[ignore = "needs real root"]
fn a_package_of_a_users() {
    Bed::new(true).look_from_a_package();
}
