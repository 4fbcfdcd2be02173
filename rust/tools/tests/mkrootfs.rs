//! `mkrootfs` for real: steps in namespaces, trees with owners, and the same trees that buildah makes.
//!
//! Needs root and mounts, so it is no part of an ordinary test run: `ci/real-root.sh` runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "support/programs.rs"]
mod programs;

const TIMESTAMP: i64 = 1_000_000_000;

/// Relative under Bazel, absolute under cargo.
fn program(path: &str) -> PathBuf {
    fs::canonicalize(path).unwrap()
}

/// A base image, a context, and what is built from them.
struct Bed {
    dir: tempfile::TempDir,
    digest: String,
}

impl Bed {
    /// A base with a shell and a few programs of this machine.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("base");
        programs::folders(&base);
        fs::create_dir_all(base.join("home/app")).unwrap();
        for program in [
            "sh", "cat", "id", "ln", "mkdir", "chmod", "chown", "ls", "touch", "sleep", "env",
            "mknod",
        ] {
            programs::install(&base, program);
        }
        put(&base, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:7:d:/:/bin/false\napp:x:1000:1005:App:/home/app:/bin/sh\n", 0o644);
        put(
            &base,
            "etc/group",
            "root:x:0:\ndaemon:x:7:\nstaff:x:50:app\napp:x:1005:\n",
            0o644,
        );
        put(&base, "etc/real", "real\n", 0o644);
        symlink("real", base.join("etc/link")).unwrap();
        symlink("/../../..", base.join("out")).unwrap();
        fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        std::os::unix::fs::chown(base.join("home/app"), Some(1000), Some(1005)).unwrap();
        let mut bed = Self {
            dir,
            digest: String::new(),
        };
        bed.pack_base();
        let context = bed.path("context");
        for (name, mode) in [
            ("a.txt", 0o644),
            ("b.txt", 0o644),
            ("c.conf", 0o600),
            ("dir/sub/s", 0o644),
            ("dir/x.sh", 0o755),
            ("dir/ignored.log", 0o644),
            ("dir/deep/e", 0o644),
            ("wild/d1/one", 0o644),
            ("wild/d2/two", 0o644),
            ("wild/three", 0o644),
            ("keep.log", 0o644),
            ("never", 0o644),
        ] {
            put(&context, name, &format!("{name}\n"), mode);
        }
        put(
            &context,
            ".dockerignore",
            "**/*.log\n!keep.log\nnever\n",
            0o644,
        );
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn pack_base(&mut self) {
        let command = "find base -exec touch -h -d @1000 {} + && tar --numeric-owner --sort=name -C base -cf base.tar . && sha256sum base.tar";
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        self.digest = String::from_utf8(output.stdout).unwrap()[..64].to_owned();
        fs::write(self.path("digest"), format!("sha256:{}\n", self.digest)).unwrap();
    }

    /// Runs mkrootfs on `dockerfile`.
    fn try_build(&self, dockerfile: &str, output: &str, more: &[&str]) -> Output {
        fs::write(self.path("Dockerfile"), dockerfile).unwrap();
        let mut list = String::new();
        for entry in walkdir(&self.path("context")) {
            let mode = fs::metadata(self.path("context").join(&entry))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777;
            list.push_str(&format!("{entry}\tcontext/{entry}\t{mode:04o}\n"));
        }
        fs::write(self.path("list"), list).unwrap();
        self.try_build_listed(output, more)
    }

    /// Runs mkrootfs on the Dockerfile and the list that are there.
    fn try_build_listed(&self, output: &str, more: &[&str]) -> Output {
        Command::new(program(env!("CARGO_BIN_EXE_mkrootfs")))
            .current_dir(self.dir.path())
            .args([
                "--dockerfile",
                "Dockerfile",
                "--context",
                "list",
                "--base-tar",
                "base.tar",
                "--base-digest",
                "digest",
                "--output",
                output,
            ])
            .args(more)
            .args(if more.contains(&"--timestamp") {
                vec![]
            } else {
                vec!["--timestamp".to_owned(), TIMESTAMP.to_string()]
            })
            .output()
            .unwrap()
    }

    fn build_with(&self, dockerfile: &str, output: &str, more: &[&str]) -> String {
        let done = self.try_build(dockerfile, output, more);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stderr).unwrap()
    }

    /// Builds `steps` on the base; path -> `mode owner content-or-target`.
    fn tree(&self, steps: &str) -> BTreeMap<String, String> {
        self.build_with(
            &format!("FROM base@sha256:{}\n{steps}", self.digest),
            "out.tar",
            &[],
        );
        let file = fs::read(self.path("out.tar")).unwrap();
        let show = |entry: archive::Entry| {
            let what = match entry.kind {
                archive::Kind::File { offset, len } => {
                    let (start, len) = (
                        usize::try_from(offset).unwrap(),
                        usize::try_from(len).unwrap(),
                    );
                    String::from_utf8_lossy(&file[start..start + len]).into_owned()
                }
                archive::Kind::Symlink { target } => {
                    format!("-> {}", String::from_utf8_lossy(&target))
                }
                archive::Kind::Dir => "/".to_owned(),
                other => format!("{other:?}"),
            };
            assert!(entry.mtime <= TIMESTAMP);
            let text = format!("{:o} {}:{} {what}", entry.mode, entry.uid, entry.gid);
            (String::from_utf8(entry.path).unwrap(), text)
        };
        archive::index(std::io::Cursor::new(&file))
            .unwrap()
            .into_iter()
            .map(show)
            .collect()
    }

    /// What a failing build says; nothing is written.
    fn error(&self, steps: &str) -> String {
        let done = self.try_build(
            &format!("FROM base@sha256:{}\n{steps}", self.digest),
            "bad.tar",
            &[],
        );
        // The input is refused; nothing is wrong with the machine.
        assert_eq!(done.status.code(), Some(1));
        assert!(!self.path("bad.tar").exists());
        let text = String::from_utf8(done.stderr).unwrap();
        text[text.find("mkrootfs: error: ").unwrap()..]
            .trim_end()
            .to_owned()
    }
}

fn put(dir: &Path, name: &str, text: &str, mode: u32) {
    let path = dir.join(name);
    for parent in path
        .parent()
        .unwrap()
        .ancestors()
        .take_while(|parent| !parent.exists())
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        fs::create_dir(parent).unwrap();
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Files below `dir`, sorted.
fn walkdir(dir: &Path) -> Vec<String> {
    let output = Command::new("find")
        .args([".", "-type", "f"])
        .current_dir(dir)
        .output()
        .unwrap();
    let mut names: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line[2..].to_owned())
        .collect();
    names.sort();
    names
}

const BUILDAH: &str = r#"
set -e
D=$PWD/buildah; mkdir -p $D/oci/blobs/sha256 $D/helpers $D/run
trap 'buildah --storage-driver vfs --root $D/store --runroot $D/run rmi -af >/dev/null 2>&1; rm -rf $D' EXIT
# Looked up, never run.
ln -s /usr/bin/false $D/helpers/netavark
printf '[engine]\nhelper_binaries_dir = ["%s"]\n' $D/helpers > $D/containers.conf; export CONTAINERS_CONF=$D/containers.conf
put() { h=$(sha256sum "$1" | cut -d' ' -f1); cp "$1" $D/oci/blobs/sha256/$h; echo $h; }
layer=$(put base.tar)
printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' $layer > $D/c
config=$(put $D/c)
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}' \
  $config $(stat -c %s $D/c) $layer $(stat -c %s base.tar) > $D/m
manifest=$(put $D/m)
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"annotations":{"org.opencontainers.image.ref.name":"base"}}]}' \
  $manifest $(stat -c %s $D/m) > $D/oci/index.json
echo '{"imageLayoutVersion":"1.0.0"}' > $D/oci/oci-layout
B="buildah --storage-driver vfs --root $D/store --runroot $D/run"
$B tag $($B pull -q oci:$D/oci:base) localhost/base:latest
lim() { echo $(sh -c "ulimit -S$1"):$(sh -c "ulimit -H$1"); }
unshare -n $B bud --isolation chroot --network host --ulimit nproc=$(bash -c 'ulimit -Su'):$(bash -c 'ulimit -Hu') --ulimit nofile=$(lim n) \
  --timestamp 1000000000 --pull=never --layers=false --build-arg BASE_IMAGE=localhost/base -f Dockerfile --output type=tar,dest=buildah.tar context
"#;

#[test]
#[ignore = "needs real root and buildah"]
fn equals_buildah() {
    let bed = Bed::new();
    let text = include_str!("data/everything.Dockerfile");
    bed.build_with(
        text,
        "out.tar",
        &[
            "--build-arg",
            &format!("BASE_IMAGE=base@sha256:{}", bed.digest),
        ],
    );
    let buildah = Command::new("bash")
        .args(["-c", BUILDAH])
        .current_dir(bed.dir.path())
        .output()
        .unwrap();
    assert!(
        buildah.status.success(),
        "{}",
        String::from_utf8_lossy(&buildah.stderr)
    );
    // /run and /tmp are emptied here only.
    let compared = Command::new(program(env!("CARGO_BIN_EXE_treecmp")))
        .current_dir(bed.dir.path())
        .args([
            "--want",
            "buildah.tar",
            "--got",
            "out.tar",
            "--ignore",
            "run/",
            "--ignore",
            "tmp/",
        ])
        .output()
        .unwrap();
    assert!(
        compared.status.success(),
        "{}",
        String::from_utf8_lossy(&compared.stderr)
    );
    // It would notice.
    let tampered = Command::new(program(env!("CARGO_BIN_EXE_treecmp")))
        .current_dir(bed.dir.path())
        .args(["--want", "buildah.tar", "--got", "base.tar"])
        .output()
        .unwrap();
    assert_eq!(tampered.status.code(), Some(1));
}

#[test]
#[ignore = "needs real root"]
fn twice_the_same() {
    let text = include_str!("data/everything.Dockerfile");
    let build = || {
        let bed = Bed::new();
        bed.build_with(
            text,
            "out.tar",
            &[
                "--build-arg",
                &format!("BASE_IMAGE=base@sha256:{}", bed.digest),
            ],
        );
        fs::read(bed.path("out.tar")).unwrap()
    };
    assert!(build() == build());
}

/// A build knows its inputs by their bytes: modes are the list's, 0644 unless it says other.
#[test]
#[ignore = "needs real root"]
fn modes_and_times_of_inputs_do_not_count() {
    let build = |mode: u32, seconds: u64| {
        let bed = Bed::new();
        let text = format!("FROM base@sha256:{}\nCOPY a.txt dir/x.sh /\n", bed.digest);
        fs::write(bed.path("Dockerfile"), text).unwrap();
        let list = "a.txt\tcontext/a.txt\ndir/x.sh\tcontext/dir/x.sh\t0755\n";
        fs::write(bed.path("list"), list).unwrap();
        for name in [
            "Dockerfile",
            "context/a.txt",
            "context/dir/x.sh",
            "base.tar",
            "digest",
        ] {
            let file = fs::File::options()
                .write(true)
                .open(bed.path(name))
                .unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
            file.set_permissions(fs::Permissions::from_mode(mode))
                .unwrap();
        }
        let done = bed.try_build_listed("out.tar", &[]);
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        fs::read(bed.path("out.tar")).unwrap()
    };
    let plain = build(0o644, 1_700_000_000);
    assert!(plain == build(0o755, 5));
    assert!(plain == build(0o600, 4_000_000_000));
    let entries = archive::index(std::io::Cursor::new(&plain)).unwrap();
    let mode = |name: &str| {
        let mut all = entries.iter();
        all.find(|entry| entry.path == name.as_bytes())
            .unwrap()
            .mode
    };
    assert_eq!((mode("a.txt"), mode("x.sh")), (0o644, 0o755));
}

/// Work goes on in a folder of memory; no folder that a caller can name may be under it.
#[test]
#[ignore = "needs real root"]
fn the_output_may_lie_in_any_empty_folder() {
    let bed = Bed::new();
    let text = format!("FROM base@sha256:{}\nRUN true\n", bed.digest);
    for folder in ["/mnt", "/media", "/srv", "/opt"] {
        let folder = Path::new(folder);
        fs::create_dir_all(folder).unwrap();
        // Others may use it, so it is looked at, not emptied.
        let output = folder.join(format!("mkrootfs-test-{}.tar", std::process::id()));
        bed.build_with(&text, output.to_str().unwrap(), &[]);
        fs::remove_file(&output).unwrap();
    }
}

#[test]
#[ignore = "needs real root"]
fn steps_see_a_clean_machine() {
    let bed = Bed::new();
    let tree = bed.tree(
        "ENV E=e\nARG A=a\nRUN env > /env; cat /proc/net/dev > /net; cat /proc/sys/kernel/hostname > /name; id > /id; ls -a /etc /run /tmp > /files\n\
         RUN sleep 1000 & echo $$ > /pid; touch /run/r /tmp/t\nUSER app\nRUN id -u > /tmp/u; cat /tmp/t; env | cat > /home/app/env\n",
    );
    let mut env: Vec<&str> = tree["env"].trim_start_matches("644 0:0 ").lines().collect();
    env.sort_unstable();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let want = [
        "A=a",
        "E=e",
        "HOME=/root",
        path,
        "PWD=/",
        "SOURCE_DATE_EPOCH=1000000000",
    ];
    assert_eq!(env, want);
    assert_eq!(
        tree["net"]
            .lines()
            .filter(|line| line.contains(':') && !line.contains("Inter"))
            .count(),
        1,
        "{}",
        tree["net"]
    );
    assert_eq!(tree["name"], "644 0:0 localhost\n");
    assert!(tree["id"].starts_with("644 0:0 uid=0(root) gid=0(root)"));
    assert!(
        tree["files"]
            .ends_with("/etc:\n.\n..\ngroup\nlink\npasswd\nreal\n\n/run:\n.\n..\n\n/tmp:\n.\n..\n"),
        "{}",
        tree["files"]
    );
    assert!(
        tree["home/app/env"].starts_with("644 1000:1005 ")
            && tree["home/app/env"].contains("HOME=/home/app\n")
    );
    let rest: Vec<_> = tree
        .keys()
        .filter(|path| {
            ["run/", "tmp/", "dev/", "proc/", "sys/"]
                .iter()
                .any(|top| path.starts_with(top))
        })
        .collect();
    assert!(rest.is_empty(), "{rest:?}");
    assert!(
        !tree.contains_key("etc/resolv.conf")
            && !tree.contains_key("etc/hosts")
            && !tree.contains_key("etc/hostname")
    );
}

#[test]
#[ignore = "needs real root"]
fn nothing_leaves_the_tree() {
    let bed = Bed::new();
    // `out` leads to /../../.. in the tree.
    let tree = bed.tree("COPY a.txt /out/escaped-file\nCOPY dir /out/escaped-dir\nWORKDIR /out/escaped-work\nRUN ln -s /etc /abs && ln -s ../../../../../../etc /rel\nCOPY a.txt /abs/one\nCOPY a.txt /rel/two\n");
    for path in [
        "escaped-file",
        "escaped-dir/x.sh",
        "escaped-work",
        "etc/one",
        "etc/two",
    ] {
        assert!(tree.contains_key(path), "{path}");
        assert!(!Path::new("/").join(path).exists(), "{path}");
    }
    let digest = &bed.digest;
    let text = format!("FROM base@sha256:{digest} AS s\nRUN ln -s /etc/shadow /l && ln -s ../../../../etc/real /m\nFROM base@sha256:{digest}\nCOPY --from=s /m /got\nCOPY --from=s /l /bad\n");
    let done = bed.try_build(&text, "bad.tar", &[]);
    let error = String::from_utf8(done.stderr).unwrap();
    assert!(
        error.ends_with(
            "mkrootfs: error: Dockerfile:5: cannot copy from /l: \"l\" in stage 0 is a link to \"/etc/shadow\", where nothing is: name what is to be copied, or remove the link first\n"
        ),
        "{error}"
    );
}

#[test]
#[ignore = "needs real root"]
fn errors() {
    let bed = Bed::new();
    let table = [
        ("RUN echo one; \\\n  echo two >&2; exit 3\n", "Dockerfile:2: RUN failed with exit status 3: echo one;   echo two >&2; exit 3\n  | one\n  | two"),
        ("\nRUN kill -9 $$\n", "Dockerfile:3: RUN failed with signal 9: kill -9 $$"),
        ("RUN [\"nothere\", \"x\"]\n", "Dockerfile:2: RUN cannot be started: sandbox: cannot start `nothere` in /: No such file or directory (os error 2)"),
        ("COPY nothere /x\n", "Dockerfile:2: COPY: source \"nothere\" does not exist in the context"),
        ("COPY no* /x/\n", "Dockerfile:2: COPY: source \"no*\" matches nothing in the context"),
        ("COPY never /x\n", "Dockerfile:2: COPY: source \"never\" does not exist in the context (it is declared, but .dockerignore leaves it out)"),
        ("COPY ?.txt /x\n", "Dockerfile:2: COPY: 2 sources matched, so the destination must be a directory and end with /, got \"/x\""),
        ("COPY --chown=who a.txt /x\n", "Dockerfile:2: COPY --chown: user \"who\" is not in the image's /etc/passwd"),
        ("COPY --chown=0:who a.txt /x\n", "Dockerfile:2: COPY --chown: group \"who\" is not in the image's /etc/group"),
        ("USER who\nRUN true\n", "Dockerfile:3: RUN: user \"who\" is not in the image's /etc/passwd"),
        ("COPY a.txt /etc/link\n", "Dockerfile:2: COPY: the destination \"/etc/link\" is a link to \"real\"; builders differ in whether it is followed, so name the file itself or remove the link first"),
        ("COPY a.txt /etc/passwd/\n", "Dockerfile:2: cannot copy to /etc/passwd: it exists and is no directory"),
        ("COPY dir /etc/passwd\n", "Dockerfile:2: cannot copy to /etc/passwd: it exists and is no directory"),
        ("RUN mkdir -p /x/a.txt\nCOPY a.txt /x/\n", "Dockerfile:3: cannot copy to /x/a.txt: a file cannot replace a directory"),
        ("RUN mkdir /x && ln -s /etc /x/sub\nCOPY dir /x\n", "Dockerfile:3: cannot copy to /x/sub: a directory cannot replace a file or link"),
        ("WORKDIR /etc/passwd\n", "Dockerfile:2: cannot make /etc/passwd: it exists and is no directory"),
        ("RUN ln -s /loop /loop\nCOPY a.txt /loop/x\n", "Dockerfile:3: cannot copy to /: too many symbolic links"),
    ];
    for (steps, want) in table {
        assert_eq!(
            bed.error(steps),
            format!("mkrootfs: error: {want}"),
            "{steps}"
        );
    }
    let stderr = |dockerfile: &str, more: &[&str]| {
        String::from_utf8(bed.try_build(dockerfile, "bad.tar", more).stderr).unwrap()
    };
    let other = "0".repeat(64);
    fs::write(
        bed.path("context/pin"),
        format!("base@sha256:{other}\nlibx 1 aa\n"),
    )
    .unwrap();
    fs::write(bed.path("packages"), "libx 2 bb\n").unwrap();
    let got = stderr(
        "ARG B\nFROM $B\n",
        &[
            "--build-arg-file",
            "B=pin",
            "--base-packages",
            "packages",
            "--pin-command",
            "update it",
        ],
    );
    assert_eq!(got, format!("mkrootfs: error: Dockerfile:2: FROM base@sha256:{other}: the base image built here is sha256:{}; packages that differ from the pin: libx 2 (pinned 1); if that is meant, update the pin: update it\n", bed.digest));
    let future = stderr("FROM scratch\n", &["--timestamp", "99999999999"]);
    assert!(
        future.contains("99999999999 lies in the future"),
        "{future}"
    );
    // Programs take SOURCE_DATE_EPOCH for a number without a sign.
    let past = stderr("FROM scratch\n", &["--timestamp", "-1"]);
    assert!(past.contains("-1 is not in 0.."), "{past}");
    assert!(!bed.path("bad.tar").exists());
}

#[test]
#[ignore = "needs real root"]
fn progress_is_shown() {
    let bed = Bed::new();
    let text = bed.build_with(
        &format!(
            "FROM base@sha256:{}\nWORKDIR /w\nRUN echo a; echo b >&2; printf c\n",
            bed.digest
        ),
        "out.tar",
        &[],
    );
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split(" done in").next().unwrap())
        .collect();
    assert_eq!(
        lines[2..],
        [
            "#2 WORKDIR /w",
            "#2",
            "#3 RUN echo a; echo b >&2; printf c",
            "#3 | a",
            "#3 | b",
            "#3 | c",
            "#3"
        ]
    );
}

#[test]
#[ignore = "needs real root"]
fn scratch_and_scripts() {
    let bed = Bed::new();
    bed.build_with(
        "FROM scratch\nCOPY --chmod=4755 --chown=3:4 a.txt /\n",
        "out.tar",
        &[],
    );
    let entries = archive::index(fs::File::open(bed.path("out.tar")).unwrap()).unwrap();
    let shown: Vec<_> = entries
        .iter()
        .map(|entry| (entry.path.as_slice(), entry.mode, entry.uid, entry.gid))
        .collect();
    assert_eq!(
        shown,
        [(&b""[..], 0o755, 0, 0), (&b"a.txt"[..], 0o4755, 3, 4)]
    );
    let tree = bed.tree(
        "USER app\nRUN <<S\n#!/bin/sh -e\nid -u > /home/app/who; echo $0 >> /home/app/who\nS\n",
    );
    assert_eq!(tree["home/app/who"], "644 1000:1005 1000\n/dev/pipes/S\n");
    assert!(!tree.keys().any(|path| path.starts_with("dev/")));
}

/// Names of ours are in nobody's way, and a name of the file's leads nowhere.
#[test]
#[ignore = "needs real root"]
fn scripts_stay_out_of_the_tree() {
    let bed = Bed::new();
    let tree = bed.tree(
        "RUN mkdir /.dockerfile-script && touch /.dockerfile-script/S /here-documents\n\
         RUN <<S\n#!/bin/sh -e\nls /.dockerfile-script > /list\nS\nCOPY <<context /\nx\ncontext\n",
    );
    assert_eq!(tree["list"], "644 0:0 S\n");
    for path in [".dockerfile-script/S", "here-documents", "context"] {
        assert!(tree.contains_key(path), "{path}");
    }
    let escape = "/tmp/mkrootfs-test-escaped";
    let name = format!("{}{escape}", "../".repeat(20).trim_end_matches('/'));
    let error = bed.error(&format!("RUN <<\"{name}\"\n#!/bin/sh\n{name}\n"));
    assert!(error.contains("holds a /; wanted a file name"), "{error}");
    assert!(!Path::new(escape).exists());
}

/// A file of which nearly all is a hole takes no memory, however it comes into the tree.
#[test]
#[ignore = "needs real root"]
fn holes_stay_holes() {
    let bed = Bed::new();
    let big = fs::File::create(bed.path("context/big")).unwrap();
    big.set_len(1 << 40).unwrap();
    bed.build_with(
        "FROM scratch AS a\nCOPY big a.txt /\nFROM scratch AS b\nCOPY --from=a /big /copy\nCOPY --from=a /a.txt /\n\
         FROM scratch\nCOPY --from=b /a.txt /\n",
        "out.tar",
        &[],
    );
}

/// A tmpfs, as long as the value lives.
struct Small(PathBuf);

impl Small {
    fn new(place: PathBuf, options: &str) -> Self {
        fs::create_dir(&place).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "small"])
            .arg(&place)
            .status()
            .unwrap();
        assert!(status.success());
        Self(place)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
#[ignore = "needs real root"]
fn a_full_work_folder_says_so() {
    let bed = Bed::new();
    let small = Small::new(bed.path("small"), "size=8m");
    let room = ", in memory, holds 8 MiB, 0 MiB of them free now; let the steps leave less, or give --work-dir a folder on a disk (in a BUILD file: work_on_disk = True): ";
    let large = "x".repeat(9 << 20);
    fs::write(bed.path("context/large"), large).unwrap();
    for (steps, cause) in [
        (
            "COPY large /\n",
            "Dockerfile:2: cannot copy to /large: No space left on device (os error 28)\n",
        ),
        ("COPY a.txt /\n", "cannot write"),
    ] {
        let text = format!("FROM scratch\n{steps}");
        let done = bed.try_build(&text, "bad.tar", &["--work-dir", "small"]);
        let error = String::from_utf8(done.stderr).unwrap();
        let (_, error) = error.split_at(error.find("mkrootfs: error").unwrap());
        assert_eq!(done.status.code(), Some(2), "{error}");
        let rest = error
            .strip_prefix("mkrootfs: error: there was no room: the work folder ")
            // Where it is seen depends on the run.
            .and_then(|rest| rest.split_once(room))
            .map(|(_, rest)| rest)
            .unwrap_or_else(|| panic!("{error}"));
        assert!(
            rest.contains("cannot copy") || rest.starts_with(cause),
            "{error}"
        );
    }
    assert!(!bed.path("bad.tar").exists());
    assert_eq!(fs::read_dir(&small.0).unwrap().count(), 0);
}

#[test]
#[ignore = "needs real root"]
fn a_tree_on_a_disk_is_the_same() {
    let bed = Bed::new();
    fs::create_dir(bed.path("disk")).unwrap();
    let text = include_str!("data/everything.Dockerfile");
    let base = format!("BASE_IMAGE=base@sha256:{}", bed.digest);
    let args = ["--build-arg", base.as_str()];
    bed.build_with(text, "memory.tar", &args);
    bed.build_with(
        text,
        "disk.tar",
        &[&args[..], &["--work-dir", "disk"]].concat(),
    );
    let read = |name| fs::read(bed.path(name)).unwrap();
    assert!(read("memory.tar") == read("disk.tar"));
    assert_eq!(fs::read_dir(bed.path("disk")).unwrap().count(), 0);
    let _small = Small::new(bed.path("small"), "noexec");
    let done = bed.try_build("FROM scratch\n", "bad.tar", &["--work-dir", "small"]);
    let error = String::from_utf8(done.stderr).unwrap();
    let want =
        "small cannot hold a work folder: it is mounted noexec, so no step could start a program\n";
    assert!(error.ends_with(want), "{error}");
}

#[test]
#[ignore = "needs real root"]
fn which_step_changed_what() {
    let bed = Bed::new();
    let text = format!(
        "FROM base@sha256:{} AS made\nRUN touch /etc/made /etc/again\nFROM scratch AS other\nCOPY a.txt /x\nFROM made\n\
         COPY dir/ /opt/\nCOPY --from=other /x /etc/x\nRUN chmod 0600 /etc/again /etc/real && echo 1 > /tmp/gone\n",
        bed.digest
    );
    bed.build_with(&text, "plain.tar", &[]);
    let steps = ["--provenance-output", "steps.jsonl"];
    bed.build_with(&text, "noted.tar", &steps);
    let first = fs::read_to_string(bed.path("steps.jsonl")).unwrap();
    bed.build_with(&text, "again.tar", &steps);
    let read = |name| fs::read(bed.path(name)).unwrap();
    // It says nothing of when, and changes nothing.
    assert!(read("plain.tar") == read("noted.tar"));
    assert_eq!(fs::read_to_string(bed.path("steps.jsonl")).unwrap(), first);
    let want = r#"{"copied":{},"is":"step","line":2,"paths":["etc/made"],"text":"RUN touch /etc/made /etc/again"}
{"copied":{"opt/deep/e":"dir/deep/e","opt/sub/s":"dir/sub/s","opt/x.sh":"dir/x.sh"},"is":"step","line":6,"paths":["opt","opt/deep","opt/deep/e","opt/sub","opt/sub/s","opt/x.sh"],"text":"COPY dir/ /opt/"}
{"copied":{},"is":"step","line":7,"paths":["etc/x"],"text":"COPY --from=other /x /etc/x"}
{"copied":{},"is":"step","line":8,"paths":["etc/again","etc/real"],"text":"RUN chmod 0600 /etc/again /etc/real && echo 1 > /tmp/gone"}
"#;
    assert_eq!(first, want);
}
