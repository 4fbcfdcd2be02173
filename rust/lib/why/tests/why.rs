//! A small image of a root file system and an injected file, with its side files.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use plan::{Builder, Input};
use why::{Answers, Image, Origin};

const STATUS: &str =
    "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 13.8\n";

/// A folder as Bazel has its outputs: `bazel-out/bin` with lists, notes and a root file system.
struct Bed(tempfile::TempDir);

impl Bed {
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let tar = archive_of(&[
            ("etc/issue", "Debian\n"),
            ("etc/motd", "hello\n"),
            ("var/lib/dpkg/info/base-files.list", "/.\n/etc/issue\n"),
            ("var/lib/dpkg/status", STATUS),
        ]);
        bed.write("bazel-out/bin/rootfs.tar", &tar);
        bed.write("program", vec![b'p'; 1000]);
        // Zeros, what the layout computed, and bytes of both inputs; the data of the first two members is at 512 and 1536.
        let mut builder = Builder::new(vec![Input::of_len(tar.len() as u64), Input::of_len(1000)]);
        builder.zero(4096).unwrap();
        builder.inline(&[b'x'; 100]).unwrap();
        builder.zero_to(8192).unwrap();
        builder.source(0, 512, 7).unwrap();
        builder.zero_to(12288).unwrap();
        builder.source(0, 1536, 6).unwrap();
        builder.zero_to(16384).unwrap();
        builder.source(1, 10, 500).unwrap();
        let plan = builder.finish().unwrap().encode();
        bed.write("bazel-out/bin/disk.plan", plan);
        bed.write(
            "bazel-out/bin/disk.image",
            "bazel-out/bin/disk.plan\nbazel-out/bin/rootfs.tar\nprogram\n",
        );
        bed.write(
            "bazel-out/bin/disk.why",
            r#"{"is":"input","label":"//os:rootfs","path":"bazel-out/bin/rootfs.tar"}
{"is":"input","label":"//os:program","path":"program"}
{"is":"file","path":"bazel-out/bin/tree.why"}
{"is":"file","path":"bazel-out/bin/rootfs.why"}
"#,
        );
        bed.write(
            "bazel-out/bin/tree.why",
            r#"{"by":"programs of os","dest":"/bin/program","is":"injected","label":"//os:program","src":"program","tree":"//os:tree"}
{"by":"symlinks","dest":"/bin/link","is":"injected","tree":"//os:tree"}
"#,
        );
        bed.write(
            "bazel-out/bin/rootfs.why",
            r#"{"base":"bazel-out/bin/rootfs.tar","dockerfile":"os/Dockerfile","is":"rootfs","path":"bazel-out/bin/rootfs.tar","steps":"bazel-out/bin/steps.jsonl"}
{"is":"made","image":"bazel-out/bin/sources.image","path":"bazel-out/bin/made"}
{"is":"context","label":"//os:motd","path":"early/motd","rootfs":"bazel-out/bin/rootfs.tar"}
"#,
        );
        bed.write(
            "bazel-out/bin/steps.jsonl",
            r#"{"copied":{"etc/motd":"early/motd"},"is":"step","line":4,"paths":["etc/motd"],"text":"COPY early/motd /etc/"}
{"copied":{},"is":"step","line":7,"paths":["etc/shadow"],"text":"RUN passwd"}
"#,
        );
        bed.write("bazel-out/bin/disk.img", vec![0; 20000]);
        bed.write(
            "bazel-out/bin/disk.img.why",
            r#"{"is":"image","path":"bazel-out/bin/disk.image"}
{"is":"file","path":"bazel-out/bin/disk.why"}
"#,
        );
        bed
    }

    fn ask(&self, image: &str, place: &str) -> Answers {
        // Elsewhere than the paths in the lists count from.
        let mut image = Image::open(&self.at(image), None).unwrap();
        image.ask(place.as_bytes(), 10).unwrap()
    }

    fn text(&self, image: &str, place: &str) -> String {
        let mut out = Vec::new();
        why::write_text(&self.ask(image, place), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}

fn archive_of<N: AsRef<[u8]>>(members: &[(N, &str)]) -> Vec<u8> {
    let mut writer = archive::Writer::new(Vec::new());
    for (name, data) in members {
        let (offset, len) = (0, data.len() as u64);
        let entry = archive::Entry::new(name.as_ref(), archive::Kind::File { offset, len }, 0o644);
        writer.append(&entry, data.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn each_origin() {
    let bed = Bed::new();
    let unknown =
        |byte: u64| format!("  of no format that is read here: from byte {byte} of 16884\n");
    for (place, want) in [
        ("0x64", format!("3996 bytes from 100 on\n{}    zero: the plan says so\n", unknown(100))),
        (
            "4100",
            format!("96 bytes from 4100 on\n{}    computed when the image was laid out: the plan holds them\n", unknown(4100)),
        ),
        (
            "8193",
            format!(
                "6 bytes from 8193 on\n{}    from byte 513 of bazel-out/bin/rootfs.tar\n      which is //os:rootfs\n        \
                 in the root file system's archive /etc/issue\n          of the package base-files 13.8\n            \
                 as the base image has it\n",
                unknown(8193)
            ),
        ),
        (
            "12288",
            format!(
                "6 bytes from 12288 on\n{}    from byte 1536 of bazel-out/bin/rootfs.tar\n      which is //os:rootfs\n        \
                 in the root file system's archive /etc/motd\n          of no package\n            \
                 last changed by os/Dockerfile line 4: COPY early/motd /etc/\n              which copied //os:motd\n",
                unknown(12288)
            ),
        ),
        (
            "16384",
            format!(
                "500 bytes from 16384 on\n{}    from byte 10 of program\n      which is //os:program\n        \
                 //os:program was put at /bin/program by programs of os (//os:tree)\n",
                unknown(16384)
            ),
        ),
    ] {
        // By the list, and by the file that was written from it.
        for image in ["bazel-out/bin/disk.image", "bazel-out/bin/disk.img"] {
            assert_eq!(bed.text(image, place), want, "{image} {place}");
        }
    }
}

#[test]
fn more_than_is_shown() {
    let bed = Bed::new();
    let mut image = Image::open(&bed.at("bazel-out/bin/disk.image"), None).unwrap();
    let whole = image.ask(b"0", 0).unwrap();
    assert_eq!((whole.ranges.len(), whole.more_bytes), (0, 1));
    let totals: Vec<_> = whole
        .totals
        .iter()
        .map(|total| (total.bytes, total.from.as_str()))
        .collect();
    assert_eq!(totals, [(1, "zero")]);
}

#[test]
fn as_data() {
    let bed = Bed::new();
    let answers = bed.ask("bazel-out/bin/disk.image", "16390");
    assert!(matches!(
        &answers.ranges[0].from,
        Some(Origin::Input { offset: 16, .. })
    ));
    let json = serde_json::to_value(&answers).unwrap();
    let want = serde_json::json!({
        "ranges": [{
            "start": 16390,
            "size": 494,
            "steps": [{"is": "unknown", "byte": 16390, "size": 16884}],
            "from": {
                "is": "input",
                "path": "program",
                "offset": 16,
                "label": "//os:program",
                "injected": [
                    {"dest": "/bin/program", "tree": "//os:tree", "by": "programs of os", "label": "//os:program"}
                ],
            },
        }],
        "more_bytes": 0,
    });
    assert_eq!(json, want);
}

#[test]
fn without_notes() {
    let bed = Bed::new();
    fs::remove_file(bed.at("bazel-out/bin/tree.why")).unwrap();
    fs::remove_file(bed.at("bazel-out/bin/steps.jsonl")).unwrap();
    let text = bed.text("bazel-out/bin/disk.image", "12288");
    assert!(text.contains("of no package\n"), "{text}");
    for name in ["tree.why", "steps.jsonl"] {
        let path = bed.at("bazel-out/bin").join(name);
        let root = fs::canonicalize(bed.0.path()).unwrap();
        let named = [
            path.clone(),
            Path::new("bazel-out/bin").join(name),
            root.join("bazel-out/bin").join(name),
        ];
        let said = |path: &PathBuf| {
            text.contains(&format!("not known: {} is not there\n", path.display()))
        };
        assert!(named.iter().any(said), "{text}");
    }
    bed.write("alone.img", vec![b'y'; 5000]);
    let text = bed.text("alone.img", "0");
    assert!(
        text.starts_with(
            "5000 bytes from 0 on\n  of no format that is read here: all of it\nnot known: "
        ),
        "{text}"
    );
    assert!(
        text.contains("ask for the list that a rule made of it (NAME.image)"),
        "{text}"
    );
    bed.write("alone.img.why", "{\"is\":\"nonsense\"}\n");
    let error = Image::open(&bed.at("alone.img"), None)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.ends_with("alone.img.why line 1: not a side file of an image"),
        "{error}"
    );
}

#[test]
fn names_that_are_no_text_are_two() {
    let bed = Bed::new();
    // As long as the others, so that the plan fits.
    let members: [(&[u8], &str); 4] = [
        (b"etc/\xe9", "Debian\n"),
        (b"etc/\xea", "hello\n"),
        (b"var/lib/dpkg/info/base-files.list", "/.\n/etc/issue\n"),
        (b"var/lib/dpkg/status", STATUS),
    ];
    bed.write("bazel-out/bin/rootfs.tar", archive_of(&members));
    bed.write(
        "bazel-out/bin/steps.jsonl",
        r#"{"is":"step","line":4,"paths":["etc/\\xe9"],"text":"RUN one"}
{"is":"step","line":7,"paths":["etc/\\xea"],"text":"RUN other"}
"#,
    );
    for (place, path, step) in [
        ("8192", r"/etc/\xe9", "RUN one"),
        ("12288", r"/etc/\xea", "RUN other"),
    ] {
        let text = bed.text("bazel-out/bin/disk.image", place);
        assert!(text.contains(path) && text.contains(step), "{text}");
    }
}
