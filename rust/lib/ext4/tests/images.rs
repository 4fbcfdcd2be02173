//! Images as e2fsck and debugfs see them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ext4::{write, Error, Params, Size};
use tree::{Sources, Tree};

const UUID: &str = "11111111-2222-4333-8444-555555555555";
const SEED: &str = "11111111-2222-4333-8444-666666666666";

fn params(size: Size) -> Params {
    Params {
        size,
        uuid: UUID.into(),
        hash_seed: SEED.into(),
        label: "root".into(),
        mtime: 1_700_000_000,
        journal: false,
    }
}

/// Members of an archive, with data.
#[derive(Default)]
struct Archive(Vec<(archive::Entry, Vec<u8>)>);

impl Archive {
    fn add(&mut self, path: &str, kind: archive::Kind, mode: u32) -> &mut archive::Entry {
        self.0
            .push((archive::Entry::new(path, kind, mode), Vec::new()));
        &mut self.0.last_mut().unwrap().0
    }

    fn file(&mut self, path: &str, data: &[u8]) -> &mut archive::Entry {
        let kind = archive::Kind::File {
            offset: 0,
            len: data.len() as u64,
        };
        self.add(path, kind, 0o644);
        let last = self.0.last_mut().unwrap();
        last.1 = data.to_vec();
        &mut last.0
    }

    fn open(&self, dir: &Path) -> (Tree, Sources) {
        let mut writer = archive::Writer::new(Vec::new());
        for (entry, data) in &self.0 {
            writer.append(entry, &data[..]).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let path = dir.join("base.tar");
        fs::write(&path, &bytes).unwrap();
        let index = archive::index(fs::File::open(&path).unwrap()).unwrap();
        let tree = Tree::from_tar(index, bytes.len() as u64).unwrap();
        let sources = Sources::open(&tree, &[path]).unwrap();
        (tree, sources)
    }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0] | 1
    };
    (0..len).map(|_| step()).collect()
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|e| panic!("{program} (package e2fsprogs): {e}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

fn check(image: &Path) {
    run("/usr/sbin/e2fsck", &["-f", "-n", image.to_str().unwrap()]);
}

fn debugfs(image: &Path, command: &str) -> String {
    run(
        "/usr/sbin/debugfs",
        &["-R", command, image.to_str().unwrap()],
    )
}

fn scene() -> Archive {
    let mut a = Archive::default();
    let root = a.add("", archive::Kind::Dir, 0o751);
    root.mtime = 99;
    let bin = a.file("bin/ping", b"ping");
    bin.mode = 0o4755;
    bin.mtime = 1_600_000_000;
    bin.xattrs.insert(
        b"security.capability".to_vec(),
        b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
    );
    bin.xattrs.insert(b"user.long".to_vec(), noise(300));
    a.add(
        "bin/alias",
        archive::Kind::HardLink {
            target: "bin/ping".into(),
        },
        0o4755,
    );
    a.file("data", &noise(10_000));
    let dir = a.add("home", archive::Kind::Dir, 0o1770);
    (dir.uid, dir.gid, dir.mtime) = (1000, 70_000, 1_800_000_000);
    dir.xattrs.insert(b"user.dir".to_vec(), b"x".to_vec());
    a.add(
        "l",
        archive::Kind::Symlink {
            target: "bin/ping".into(),
        },
        0o777,
    );
    a.add(
        "long",
        archive::Kind::Symlink {
            target: "x".repeat(100).into(),
        },
        0o777,
    );
    a.add("null", archive::Kind::Char { major: 1, minor: 3 }, 0o666);
    a.add("pipe", archive::Kind::Fifo, 0o600);
    a.add("caf\u{e9}", archive::Kind::Dir, 0o755);
    let odd = a.file("with space and \"", b"x");
    odd.xattrs.insert(b"user.odd".to_vec(), b"y".to_vec());
    a
}

fn image(dir: &Path, name: &str, tree: &Tree, sources: &Sources, params: &Params) -> PathBuf {
    let path = dir.join(name);
    write(tree, sources, params, &path).unwrap();
    path
}

#[test]
fn everything_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, sources) = scene().open(dir.path());
    let image = image(dir.path(), "i", &tree, &sources, &params(Size::Mib(8)));
    check(&image);
    assert_eq!(fs::metadata(&image).unwrap().len(), 8 << 20);
    // Sparse: data, tables and little else.
    assert!(fs::metadata(&image).unwrap().blocks() * 512 < 1 << 20);
    let wanted = [
        ("/", "Mode:  0751"),
        ("/", "mtime: 0x00000063:"),
        ("/bin/ping", "Mode:  04755"),
        ("/bin/ping", "Links: 2"),
        ("/bin/ping", "mtime: 0x5f5e1000:"),
        ("/bin/alias", "Links: 2"),
        ("/data", "Size: 10000"),
        ("/home", "Mode:  01770"),
        ("/home", "User:  1000   Group: 70000"),
        // Later than the image: cut.
        ("/home", "mtime: 0x6553f100:"),
        ("/l", "Fast link dest: \"bin/ping\""),
        ("/long", "Size: 100"),
        ("/null", "Type: character special    Mode:  0666"),
        ("/null", "Device major/minor number: 01:03"),
        ("/pipe", "Type: FIFO    Mode:  0600"),
        ("/bin", "User:     0   Group:     0"),
        ("caf\u{e9}", "Type: directory"),
    ];
    for (path, want) in wanted {
        let stat = debugfs(&image, &format!("stat {path}"));
        assert!(stat.contains(want), "{path}: want {want}\n{stat}");
    }
    let listed = debugfs(&image, "ea_list /bin/ping");
    assert!(listed.contains("security.capability (20)"), "{listed}");
    assert!(listed.contains("user.long (300)"), "{listed}");
    assert!(debugfs(&image, "ea_list /home").contains("user.dir (1) = \"x\""));
    let out = dir.path().join("out");
    debugfs(
        &image,
        &format!("ea_get -f {} /bin/ping user.long", out.display()),
    );
    assert_eq!(fs::read(&out).unwrap(), noise(300));
    debugfs(&image, &format!("dump /data {}", out.display()));
    assert_eq!(fs::read(&out).unwrap(), noise(10_000));
    let head = run("/usr/sbin/dumpe2fs", &["-h", image.to_str().unwrap()]);
    for want in [
        UUID,
        SEED,
        "root",
        "Reserved block count:     0",
        "Block size:               4096",
    ] {
        assert!(head.contains(want), "{want}\n{head}");
    }
    assert!(!head.contains("has_journal"), "{head}");
}

#[test]
fn the_same_bytes_again() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, sources) = scene().open(dir.path());
    let params = params(Size::Mib(8));
    let one = image(dir.path(), "one", &tree, &sources, &params);
    // Over other content, from another folder, in another time zone: none of it shows.
    let two = dir.path().join("two");
    fs::write(&two, vec![0xff; 1 << 20]).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::env::set_current_dir(elsewhere.path()).unwrap();
    write(&tree, &sources, &params, &two).unwrap();
    assert!(fs::read(&one).unwrap() == fs::read(&two).unwrap());
    let other = Params {
        mtime: params.mtime - 1,
        ..params
    };
    let three = image(dir.path(), "three", &tree, &sources, &other);
    assert!(fs::read(&one).unwrap() != fs::read(&three).unwrap());
}

#[test]
fn with_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, sources) = scene().open(dir.path());
    let params = Params {
        journal: true,
        ..params(Size::Smallest { free_percent: 0 })
    };
    let image = image(dir.path(), "i", &tree, &sources, &params);
    check(&image);
    let head = run("/usr/sbin/dumpe2fs", &["-h", image.to_str().unwrap()]);
    assert!(head.contains("has_journal"), "{head}");
}

#[test]
fn as_small_as_fits() {
    for (files, len) in [(0, 0), (1, 3 << 20), (400, 100), (60, 50_000)] {
        let dir = tempfile::tempdir().unwrap();
        let mut a = scene();
        for i in 0..files {
            a.file(&format!("f/{i:05}-{}", "n".repeat(40)), &noise(len + i));
        }
        let (tree, sources) = a.open(dir.path());
        for free_percent in [0, 30] {
            let path = dir.path().join("i");
            let smallest = params(Size::Smallest { free_percent });
            let written = write(&tree, &sources, &smallest, &path).unwrap();
            check(&path);
            assert_eq!(fs::metadata(&path).unwrap().len(), written.size_mib << 20);
            let head = run("/usr/sbin/dumpe2fs", &["-h", path.to_str().unwrap()]);
            let field = |name: &str| -> u64 {
                let line = head.lines().find(|line| line.starts_with(name)).unwrap();
                line.rsplit(' ').next().unwrap().parse().unwrap()
            };
            let (free, all) = (field("Free blocks:"), field("Block count:"));
            assert!(
                free * 100 >= all * u64::from(free_percent),
                "{free} of {all}"
            );
            // Not a MiB more than that.
            let want = all * u64::from(free_percent) / 100;
            assert!(free <= want + 256 + 64, "{free} of {all}, want {want}");
        }
        // A MiB less is refused before mke2fs runs.
        let written = write(
            &tree,
            &sources,
            &params(Size::Smallest { free_percent: 0 }),
            &dir.path().join("i"),
        )
        .unwrap();
        if written.size_mib > 1 {
            let less = params(Size::Mib(written.size_mib - 1));
            let error = write(&tree, &sources, &less, &dir.path().join("j")).unwrap_err();
            let want = Error::DoesNotFit {
                needs_mib: written.size_mib,
                has_mib: written.size_mib - 1,
            };
            assert_eq!(error.to_string(), want.to_string());
            assert!(!dir.path().join("j").exists());
        }
    }
}

#[test]
fn holes_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = Archive::default();
    let mut data = vec![0; 20 << 20];
    data[10 << 20..11 << 20].copy_from_slice(&noise(1 << 20));
    a.file("sparse", &data);
    let (tree, sources) = a.open(dir.path());
    for size in [Size::Mib(2), Size::Smallest { free_percent: 0 }] {
        let image = image(dir.path(), "i", &tree, &sources, &params(size));
        check(&image);
        assert_eq!(fs::metadata(&image).unwrap().len(), 2 << 20);
        let out = dir.path().join("out");
        debugfs(&image, &format!("dump /sparse {}", out.display()));
        assert!(fs::read(&out).unwrap() == data);
    }
}

#[test]
fn refused_parameters() {
    let dir = tempfile::tempdir().unwrap();
    let (tree, sources) = scene().open(dir.path());
    let good = params(Size::Mib(8));
    let bad = [
        Params {
            uuid: "random".into(),
            ..good.clone()
        },
        Params {
            hash_seed: "time".into(),
            ..good.clone()
        },
        Params {
            label: "x".repeat(17),
            ..good.clone()
        },
        Params {
            mtime: -1,
            ..good.clone()
        },
        Params {
            size: Size::Mib(0),
            ..good.clone()
        },
        Params {
            size: Size::Smallest { free_percent: 100 },
            ..good.clone()
        },
    ];
    for params in bad {
        let error = write(&tree, &sources, &params, &dir.path().join("i")).unwrap_err();
        assert!(matches!(error, Error::Param { .. }), "{error}");
    }
}

#[test]
fn an_input_that_shrinks_is_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = Archive::default();
    a.file("big", &noise(3 << 20));
    let (tree, sources) = a.open(dir.path());
    let base = fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("base.tar"))
        .unwrap();
    base.set_len(1 << 20).unwrap();
    let error = write(
        &tree,
        &sources,
        &params(Size::Mib(8)),
        &dir.path().join("i"),
    )
    .unwrap_err();
    assert!(matches!(error, Error::Tree(_)), "{error}");
}
