//! A small image of a base image, a Dockerfile's steps, late files and a boot image, and its document.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use archive::{Entry, Kind};
use plan::{Builder, Digest};
use sbom::spdx::{Document, Package};
use sbom::{Error, Image, Parts};
use tree::Tree;

/// The kernel of the base image, long enough to be told from any other file.
const KERNEL: [u8; 100] = [b'k'; 100];

const STATUS: &str = "Package: libtool\nStatus: install ok installed\nVersion: 1:2-1+b1\nArchitecture: amd64\nSource: tool (1:2-1)\nMaintainer: Ann <ann@example.org>\n\n\
    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: amd64\n\n\
    Package: linux\nStatus: install ok installed\nVersion: 6.1-1\nArchitecture: amd64\nSource: linux-signed (6.1+1)\nBuilt-Using: linux (= 6.1-1)\n\n\
    Package: perl\nStatus: install ok installed\nVersion: 5-1\nArchitecture: all\n";

const COPYRIGHT: &str =
    "Format: https://example.org/copyright-format/1.0/\n\nFiles: *\nCopyright: x\nLicense: Expat or other\n\nLicense: other\n Its text.\n";

const LOCK: &str = r#"{"format": 2, "requested": ["linux"], "packages": [
    {"name": "libtool", "version": "1:2-1+b1", "architecture": "amd64", "suite": "trixie", "sha256": "DIGEST", "path": "pool/main/t/tool/libtool_2-1+b1_amd64.deb"},
    {"name": "linux", "version": "6.1-1", "architecture": "amd64", "sha256": "DIGEST", "path": "pool/main/l/linux/linux_6.1-1_amd64.deb"},
    {"name": "perl", "version": "5-1", "architecture": "all", "sha256": "DIGEST", "path": "pool/main/p/perl/perl_5-1_all.deb"}]}"#;

const TOOLCHAIN: &str = r#"{"packages": [
    {"name": "libc6-dev", "version": "2.43-7", "architecture": "amd64", "suite": "forky-updates", "source": "glibc", "source_version": "2.43-7", "sha256": "DIGEST", "path": "pool/main/g/glibc/libc6-dev_2.43-7_amd64.deb"},
    {"name": "bazel", "version": "7", "architecture": "amd64", "suite": "forky", "sha256": "DIGEST", "path": "pool/main/b/bazel/bazel_7_amd64.deb"}]}"#;

struct Bed(tempfile::TempDir);

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = archive::Writer::new(Vec::new());
    for (name, data) in files {
        let len = data.len().try_into().unwrap();
        let entry = Entry::new(*name, Kind::File { offset: 0, len }, 0o644);
        writer.append(&entry, *data).unwrap();
    }
    let link = Kind::Symlink {
        target: b"libtool".to_vec(),
    };
    writer
        .append(
            &Entry::new("usr/share/doc/linux", link, 0o777),
            std::io::empty(),
        )
        .unwrap();
    writer.finish().unwrap()
}

impl Bed {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// A bed in which the root file system has `more`.
    fn new(more: &[(&str, &[u8])]) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let base: Vec<(&str, &[u8])> = vec![
            ("boot/vmlinuz-6.1", &KERNEL),
            ("etc/machine-id", b""),
            ("etc/passwd", b"root\n"),
            ("usr/bin/tool", b"tool"),
            ("usr/lib/os-release", b"ID=debian\nVERSION_ID=\"13\"\n"),
            ("usr/share/doc/libtool/copyright", COPYRIGHT.as_bytes()),
            (
                "var/lib/dpkg/info/libtool:amd64.list",
                b"/usr/bin/tool\n/usr/share/doc/libtool/copyright\n/etc/changed\n",
            ),
            ("var/lib/dpkg/info/linux.list", b"/boot/vmlinuz-6.1\n"),
            ("var/lib/dpkg/info/perl.list", b"/usr/bin/perl\n"),
            ("var/lib/dpkg/status", STATUS.as_bytes()),
        ];
        bed.write("base.tar", tar(&base));
        let mut root: Vec<(&str, &[u8])> = vec![
            ("boot/initrd", b"an initrd"),
            ("boot/vmlinuz", &KERNEL),
            ("etc/changed", b"by a step"),
            ("etc/machine-id", b""),
            ("etc/passwd", b"root\n"),
            ("usr/bin/tool", b"tool"),
            ("usr/share/doc/libtool/copyright", COPYRIGHT.as_bytes()),
        ];
        root.extend(more);
        bed.write("rootfs.tar", tar(&root));
        bed.write("base.digest", format!("sha256:{}\n", "d".repeat(64)));
        bed.write("lock.json", LOCK.replace("DIGEST", &"a".repeat(64)));
        bed.write("program", b"\0rustc version 1.85.0 (x)\0");
        bed.write("motd", b"hello\n");
        let manifest = "[package]\nname = \"serde\"\nlicense = \"MIT/Apache-2.0\"\n";
        bed.write("Cargo.toml", manifest);
        let cargo_lock = format!(
            "[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nchecksum = \"{}\"\n",
            "c".repeat(64)
        );
        bed.write("Cargo.lock", cargo_lock);
        bed.write(
            "toolchain.json",
            TOOLCHAIN.replace("DIGEST", &"b".repeat(64)),
        );
        bed.notes();
        bed.trees();
        bed.parts();
        bed
    }

    fn notes(&self) {
        self.write(
            "steps.jsonl",
            "{\"is\":\"step\",\"line\":3,\"text\":\"RUN initrd\",\"paths\":[\"boot/initrd\",\"boot/vmlinuz\"],\"copied\":{}}\n\
             {\"is\":\"step\",\"line\":5,\"text\":\"RUN chmod\",\"paths\":[\"etc/changed\",\"usr/bin/tool\"],\"copied\":{}}\n",
        );
        let given = |tree: &str, dest: &str, by: &str, src: &str, label: &str| {
            let src = self.at(src);
            format!(
                r#"{{"is":"injected","tree":"{tree}","dest":"{dest}","by":"{by}","src":"{src}","label":"{label}"}}"#
            ) + "\n"
        };
        let made = format!(
            r#"{{"is":"made","image":"{}","path":"{}"}}"#,
            self.at("sources.image"),
            self.at("made.initrd")
        ) + "\n";
        let notes = made
            + &format!(
                r#"{{"is":"rootfs","path":"{}","dockerfile":"os/Dockerfile","base":"{}","steps":"{}"}}"#,
                self.at("rootfs.tar"),
                self.at("base.tar"),
                self.at("steps.jsonl")
            )
            + "\n{\"is\":\"context\",\"rootfs\":\"x\",\"path\":\"y\",\"label\":\"z\"}\n"
            + &given(
                "//os:tree",
                "/etc/motd",
                "components of os",
                "motd",
                "//os:motd",
            )
            + &given(
                "//os:tree",
                "/opt/program",
                "programs of os",
                "program",
                "//os:program",
            )
            + &given(
                "//os:boot",
                "/kernel.efi",
                "files",
                "kernel.image",
                "//os:kernel",
            );
        self.write("notes.why", notes);
    }

    fn trees(&self) {
        let bytes = fs::read(self.path("rootfs.tar")).unwrap();
        let len = bytes.len().try_into().unwrap();
        let index = archive::index(std::io::Cursor::new(&bytes)).unwrap();
        let offset = |name: &str| {
            let entry = index.iter().find(|entry| entry.path == name.as_bytes());
            match entry.unwrap().kind {
                Kind::File { offset, .. } => offset,
                _ => panic!("{name}"),
            }
        };
        // An initrd, packed, and what it was made from: a file and a program.
        self.write("made.initrd", b"packed");
        let parts = [len, fs::metadata(self.path("program")).unwrap().len()];
        let mut builder = Builder::new(parts.map(plan::Input::of_len));
        builder.source(0, offset("etc/passwd"), 5).unwrap();
        builder.source(1, 0, parts[1]).unwrap();
        self.write("sources.plan", builder.finish().unwrap().encode());
        let [sources, tar, program] =
            ["sources.plan", "rootfs.tar", "program"].map(|name| self.at(name));
        self.write("sources.image", format!("{sources}\n{tar}\n{program}\n"));
        // A kernel image: a header of its own, kernel, an initrd of a step and the one that was packed.
        let mut builder = Builder::new([len, 6].map(plan::Input::of_len));
        builder.inline(b"MZ").unwrap();
        builder.source(0, offset("boot/vmlinuz"), 100).unwrap();
        builder.source(0, offset("boot/initrd"), 9).unwrap();
        builder.source(1, 0, 6).unwrap();
        let plan = builder.finish().unwrap();
        let kernel_len = plan.len();
        self.write("kernel.plan", plan.encode());
        let [kernel, initrd] = ["kernel.plan", "made.initrd"].map(|name| self.at(name));
        self.write("kernel.image", format!("{kernel}\n{tar}\n{initrd}\n"));
        let mut root = Tree::from_tar(index, len).unwrap();
        let mut inject = |name: &str, file: &str| {
            let len = fs::metadata(self.path(file)).unwrap().len();
            late(&mut root, name, len);
        };
        inject("etc/motd", "motd");
        inject("opt/program", "program");
        self.tree("root", &root, &["rootfs.tar", "motd", "program"]);
        let stamp = tree::Stamp {
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            mtime_nanos: 0,
        };
        let mut boot = Tree::new(stamp);
        late(&mut boot, "kernel.efi", kernel_len);
        self.tree("boot", &boot, &["kernel.image"]);
    }

    fn tree(&self, name: &str, tree: &Tree, inputs: &[&str]) {
        let mut bytes = Vec::new();
        tree.write(&mut bytes).unwrap();
        let manifest = format!("{name}.tree.jsonl");
        self.write(&manifest, bytes);
        let lines = std::iter::once(manifest.as_str()).chain(inputs.iter().copied());
        let lines: String = lines.map(|name| self.at(name) + "\n").collect();
        self.write(&format!("{name}.tree"), lines);
    }

    fn parts(&self) {
        let at = |name: &str| self.at(name);
        let text = [
            format!(r#"{{"is":"partition","name":"A_root","label":"//os:tree","tree":"{}","subdir":"","exclude":["boot"]}}"#, at("root.tree")),
            format!(r#"{{"is":"partition","name":"A_boot","label":"//os:boot","tree":"{}","subdir":"","exclude":[]}}"#, at("boot.tree")),
            format!(r#"{{"is":"raw","name":"state","label":"//os:state","image":"{}"}}"#, at("motd")),
            format!(
                r#"{{"is":"base","label":"//os:base","tar":"{}","lock":"{}","digest":"{}"}}"#,
                at("base.tar"),
                at("lock.json"),
                at("base.digest")
            ),
            format!(r#"{{"is":"program","label":"//os:program","name":"program","path":"{}","deps":["//lib:own"]}}"#, at("program")),
            r#"{"is":"crate","label":"//lib:own","name":"own","version":"0.1.0","deps":["@serde"]}"#.to_owned(),
            format!(r#"{{"is":"crate","label":"@serde","name":"serde","version":"1.0.1","manifest":"{}","deps":[]}}"#, at("Cargo.toml")),
        ];
        self.write("parts.jsonl", text.join("\n") + "\n");
    }

    fn document(&self) -> Result<Document, Error> {
        let sha256 = base::Sha256Digest::of("disk");
        let artifacts = BTreeMap::from([("disk.img".to_owned(), Digest { sha256, len: 4 })]);
        Image {
            name: "os-dev",
            version: "1.2",
            timestamp: 1_767_225_600,
            artifacts: &artifacts,
            parts: &Parts::read(&self.path("parts.jsonl"))?,
            notes: &[self.path("notes.why")],
            cargo_lock: Some(&self.path("Cargo.lock")),
            toolchain_lock: Some(&self.path("toolchain.json")),
            licence: Some("Apache-2.0"),
            tool: "mksbom-1",
        }
        .document()
    }
}

fn late(tree: &mut Tree, name: &str, len: u64) {
    let input = tree.add_input(tree::Input { len });
    let source = tree::Source {
        input,
        offset: 0,
        len,
    };
    let stamp = tree::Stamp {
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nanos: 0,
    };
    let entry = tree::Entry::injected(tree::Kind::File(source), stamp);
    tree.insert(name.as_bytes(), entry, "a test").unwrap();
}

fn package<'a>(document: &'a Document, id: &str) -> &'a Package {
    let mut packages = document.packages.iter();
    let found = packages.find(|package| package.spdx_id == id);
    found.unwrap_or_else(|| {
        let ids: Vec<_> = document.packages.iter().map(|one| &one.spdx_id).collect();
        panic!("no {id} among {ids:?}")
    })
}

fn related(document: &Document, one: &str, kind: &str) -> Vec<String> {
    let all = document.relationships.iter();
    let all = all.filter(|of| of.spdx_element_id == one && of.relationship_type == kind);
    all.map(|of| of.related_spdx_element.clone()).collect()
}

/// Each file, whose it is, and what is said of it.
fn owners(document: &Document) -> BTreeMap<&str, (String, &str)> {
    let mut all = BTreeMap::new();
    for file in &document.files {
        let owners: Vec<&str> = document
            .relationships
            .iter()
            .filter(|of| {
                of.relationship_type == "CONTAINS" && of.related_spdx_element == file.spdx_id
            })
            .map(|of| of.spdx_element_id.as_str())
            .collect();
        let comment = file.comment.as_deref().unwrap_or_default();
        all.insert(file.file_name.as_str(), (owners.join(" "), comment));
    }
    all
}

#[test]
fn every_file_has_its_owner() {
    let document = Bed::new(&[]).document().unwrap();
    let owners = owners(&document);
    let of = |name: &str| (owners[name].0.as_str(), owners[name].1);
    let want = [
        (
            "./A_boot/kernel.efi",
            ("SPDXRef-image---os-kernel", "//os:kernel"),
        ),
        (
            "./A_root/etc/changed",
            (
                "SPDXRef-step-os-Dockerfile-line-5",
                "a file of the package libtool, changed by os/Dockerfile line 5",
            ),
        ),
        ("./A_root/etc/machine-id", ("SPDXRef-base---os-base", "")),
        (
            "./A_root/etc/motd",
            ("SPDXRef-late-components-of-os", "//os:motd"),
        ),
        ("./A_root/etc/passwd", ("SPDXRef-base---os-base", "")),
        (
            "./A_root/opt/program",
            ("SPDXRef-program-program", "//os:program"),
        ),
        // Its mode was changed, not its bytes.
        ("./A_root/usr/bin/tool", ("SPDXRef-deb-libtool-amd64", "")),
        (
            "./A_root/usr/share/doc/libtool/copyright",
            ("SPDXRef-deb-libtool-amd64", ""),
        ),
        ("./state", ("SPDXRef-content---os-state", "")),
    ];
    for (name, owner) in want {
        assert_eq!(of(name), owner, "{name}");
    }
    assert_eq!(owners.len(), want.len());
    let image = related(&document, "SPDXRef-image", "CONTAINS");
    assert!(image.contains(&"SPDXRef-deb-libtool-amd64".to_owned()));
    let comment = document.comment.unwrap();
    assert!(
        comment.starts_with("9 regular files, each with an owner: "),
        "{comment}"
    );
    // What the boot image is made of: the kernel, which a step renamed, an initrd, which one made, and what the packed one was made from.
    let from = [
        "SPDXRef-base---os-base",
        "SPDXRef-deb-linux-amd64",
        "SPDXRef-program-program",
        "SPDXRef-step-os-Dockerfile-line-3",
    ];
    let bed = Bed::new(&[]).document().unwrap();
    assert_eq!(
        related(&bed, "SPDXRef-image---os-kernel", "GENERATED_FROM"),
        from
    );
}

#[test]
fn disks_are_packages() {
    let bed = Bed::new(&[]);
    let parts = fs::read_to_string(bed.path("parts.jsonl")).unwrap();
    let [image, file] = ["kernel.image", "kernel.digest"].map(|name| bed.at(name));
    let disk = format!(r#"{{"is":"disk","image":"{image}","digest":"{file}"}}"#);
    bed.write("parts.jsonl", parts + &disk + "\n");
    let mut digest = Digest::open(&bed.path("kernel.image")).unwrap();
    bed.write("kernel.digest", digest.to_file());
    let document = bed.document().unwrap();
    assert!(!owners(&document).contains_key("./A_boot/kernel.efi"));
    let id = "SPDXRef-image---os-kernel";
    let found = package(&document, id);
    assert_eq!(found.checksums[0].value, digest.to_string());
    assert_eq!(
        found.package_file_name.as_deref(),
        Some("./A_boot/kernel.efi")
    );
    assert!(!found.files_analyzed && found.package_verification_code.is_none());
    assert!(related(&document, "SPDXRef-image", "CONTAINS").contains(&id.to_owned()));
    assert_eq!(related(&document, id, "GENERATED_FROM").len(), 4);
    let comment = document.comment.unwrap();
    assert!(
        comment.starts_with("8 regular files, ")
            && comment.ends_with("Disks as files, which are packages: 1."),
        "{comment}"
    );
    // The digest of another disk.
    digest.len = 1;
    bed.write("kernel.digest", digest.to_file());
    let error = bed.document().unwrap_err().to_string();
    assert!(error.starts_with(&file), "{error}");
    assert!(
        error.contains("got the digest of 1 bytes, want that of 117, as long as //os:kernel is"),
        "{error}"
    );
}

#[test]
fn what_is_said_of_packages() {
    let document = Bed::new(&[]).document().unwrap();
    let tool = package(&document, "SPDXRef-deb-libtool-amd64");
    assert_eq!(
        tool.purl(),
        Some("pkg:deb/debian/libtool@1:2-1%2Bb1?arch=amd64&distro=debian-13")
    );
    assert_eq!(tool.checksums[0].value, "a".repeat(64));
    assert_eq!(
        tool.package_file_name.as_deref(),
        Some("libtool_2-1+b1_amd64.deb")
    );
    assert_eq!(
        tool.supplier.as_deref(),
        Some("Person: Ann (ann@example.org)")
    );
    assert_eq!(tool.source_info.as_deref(), Some("built from: tool 1:2-1"));
    assert_eq!(tool.comment.as_deref(), Some("From the suite trixie."));
    assert!(tool.files_analyzed && tool.package_verification_code.is_some());
    let [other] = document.has_extracted_licensing_infos.as_slice() else {
        panic!("{:?}", document.has_extracted_licensing_infos);
    };
    assert_eq!(
        tool.license_declared,
        format!("MIT OR {}", other.license_id)
    );
    assert_eq!(other.extracted_text, "Its text.");
    // By the link in place of its folder.
    assert_eq!(
        package(&document, "SPDXRef-deb-linux-amd64").license_declared,
        tool.license_declared
    );
    assert_eq!(
        related(&document, "SPDXRef-deb-libtool-amd64", "GENERATED_FROM"),
        ["SPDXRef-source-tool-1-2-1"]
    );
    // Signed packages are of a source of their own; what they hold is the kernel's.
    let sources = [
        "SPDXRef-source-linux-6.1-1",
        "SPDXRef-source-linux-signed-6.1-1",
    ];
    assert_eq!(
        related(&document, "SPDXRef-deb-linux-amd64", "GENERATED_FROM"),
        sources
    );
    let perl = package(&document, "SPDXRef-deb-perl-all");
    assert_eq!(perl.license_declared, "NOASSERTION");
    assert_eq!(
        related(&document, "SPDXRef-deb-perl-all", "BUILD_DEPENDENCY_OF"),
        ["SPDXRef-image"]
    );
    assert!(!document
        .packages
        .iter()
        .any(|package| package.name == "gone"));
    let linked = related(&document, "SPDXRef-program-program", "STATIC_LINK");
    assert_eq!(
        linked,
        [
            "SPDXRef-crate-own",
            "SPDXRef-crate-serde-1.0.1",
            "SPDXRef-toolchain-libc6-dev-amd64"
        ]
    );
    let libc = package(&document, "SPDXRef-toolchain-libc6-dev-amd64");
    assert_eq!(
        libc.purl(),
        Some("pkg:deb/debian/libc6-dev@2.43-7?arch=amd64&distro=forky")
    );
    assert_eq!(
        related(
            &document,
            "SPDXRef-toolchain-libc6-dev-amd64",
            "GENERATED_FROM"
        ),
        ["SPDXRef-source-glibc-2.43-7"]
    );
    assert_eq!(
        related(&document, "SPDXRef-crate-own", "DEPENDS_ON"),
        ["SPDXRef-crate-serde-1.0.1"]
    );
    let serde = package(&document, "SPDXRef-crate-serde-1.0.1");
    assert_eq!(serde.license_declared, "MIT OR Apache-2.0");
    assert_eq!(serde.checksums[0].value, "c".repeat(64));
    assert_eq!(serde.purl(), Some("pkg:cargo/serde@1.0.1"));
    assert_eq!(
        package(&document, "SPDXRef-compiler-rustc-1.85.0")
            .version_info
            .as_deref(),
        Some("1.85.0")
    );
    let image = package(&document, "SPDXRef-image");
    assert_eq!(
        image.checksums[0].value,
        base::Sha256Digest::of("disk").to_string()
    );
    assert_eq!(document.creation_info.created, "2026-01-01T00:00:00Z");
    assert!(document.document_namespace.starts_with("urn:uuid:"));
}

#[test]
fn the_same_is_the_same() {
    let text = |bed: &Bed| serde_json::to_string(&bed.document().unwrap()).unwrap();
    // In another folder, too: no path of the machine is in it.
    let (one, other) = (Bed::new(&[]), Bed::new(&[]));
    assert_eq!(text(&one), text(&other));
    other.write("motd", b"other\n");
    let (one, other) = (one.document().unwrap(), other.document().unwrap());
    assert_ne!(one.document_namespace, other.document_namespace);
}

#[test]
fn files_of_nobody() {
    let bed = Bed::new(&[("etc/stray", b"?"), ("usr/stray", b"?")]);
    let error = bed.document().unwrap_err().to_string();
    assert_eq!(
        error,
        "2 files of the image are of no package, step or late file, the first being ./A_root/etc/stray: every file needs an owner"
    );
}

/// The document of a base image with another status of dpkg.
fn with_status(change: impl Fn(&str) -> String) -> Result<Document, Error> {
    let bed = Bed::new(&[]);
    let list: &[u8] = b"/usr/bin/tool\n/boot/vmlinuz-6.1\n/etc/passwd\n/etc/machine-id\n";
    let base: [(&str, &[u8]); 6] = [
        ("boot/vmlinuz-6.1", &KERNEL),
        ("etc/machine-id", b""),
        ("etc/passwd", b"root\n"),
        ("usr/bin/tool", b"tool"),
        ("usr/share/doc/libtool/copyright", COPYRIGHT.as_bytes()),
        ("var/lib/dpkg/info/libtool.list", list),
    ];
    let status = change(STATUS);
    let more = [("var/lib/dpkg/status", status.as_bytes())];
    bed.write("base.tar", tar(&[&base[..], &more[..]].concat()));
    bed.document()
}

#[test]
fn packages_that_are_half_there() {
    for state in [
        "unpacked",
        "half-configured",
        "half-installed",
        "triggers-pending",
    ] {
        let change = |status: &str| status.replacen("ok installed", &format!("ok {state}"), 1);
        let document = with_status(change).unwrap();
        package(&document, "SPDXRef-deb-libtool-amd64");
    }
    for (change, want) in [
        (
            ["Package: perl", "Package: linux"],
            "got the package linux of the architectures amd64 and all, want one of a name",
        ),
        (
            ["Version: 5-1\n", ""],
            "dpkg's status of the package perl has no Version",
        ),
        (
            ["Architecture: all", "Architecture: arm64"],
            "has perl 5-1 of arm64, which the lock lacks",
        ),
    ] {
        let [from, to] = change;
        let error = with_status(|status| status.replace(from, to)).unwrap_err();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            text.push_str(&format!(": {source}"));
            cause = source.source();
        }
        assert!(text.ends_with(want), "{text}");
    }
}

#[test]
fn packages_that_the_lock_lacks() {
    let bed = Bed::new(&[]);
    let lock = LOCK
        .replace("DIGEST", &"a".repeat(64))
        .replace("6.1-1\", \"arch", "6.1-2\", \"arch");
    bed.write("lock.json", lock);
    let error = bed.document().unwrap_err().to_string();
    assert!(
        error.ends_with("has linux 6.1-1 of amd64, which the lock lacks"),
        "{error}"
    );
    bed.write("lock.json", "[]");
    let error = bed.document().unwrap_err().to_string();
    assert!(
        error.contains("lock.json: got no lock of packages"),
        "{error}"
    );
}
