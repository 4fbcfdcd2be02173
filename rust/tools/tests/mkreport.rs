//! A page about a disk that other tools laid out: what it says, and that it says the same every time.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use archive::{Entry, Kind};

const TABLE: &str = "name,start,size,type,uuid,description\n\
    root,,4M,root-x86-64,b1a0a1c2-0000-4000-8000-000000000002,\n\
    spare,,2M,linux,b1a0a1c2-0000-4000-8000-000000000003,\n";
const STATUS: &str = "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nSection: utils\nInstalled-Size: 90\nVersion: 2.1-3\n\n\
    Package: lost\nStatus: install ok installed\nArchitecture: amd64\nSection: libs\nVersion: 1\n";
/// A name that would end an attribute and an element.
const NASTY: &str = "/etc/\"><script>alert(1)<script>";

fn program(name: &str) -> &'static str {
    match name {
        "inject" => env!("CARGO_BIN_EXE_inject"),
        "mkext4" => env!("CARGO_BIN_EXE_mkext4"),
        "mkdisk" => env!("CARGO_BIN_EXE_mkdisk"),
        "mkmanifest" => env!("CARGO_BIN_EXE_mkmanifest"),
        "mkreport" => env!("CARGO_BIN_EXE_mkreport"),
        _ => panic!("{name}"),
    }
}

fn start(dir: &Path, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let program = Path::new(program(words.next().unwrap())).canonicalize();
    let mut command = Command::new(program.unwrap());
    // Under `bazel test` nobody calls from another folder.
    command.env_remove("BUILD_WORKING_DIRECTORY");
    command.args(words).current_dir(dir).output().unwrap()
}

fn run(dir: &Path, line: &str) {
    let done = start(dir, line);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{line}: {said}");
}

fn refused(dir: &Path, line: &str) -> String {
    let done = start(dir, line);
    assert_eq!(done.status.code(), Some(1), "{line}");
    String::from_utf8(done.stderr).unwrap()
}

/// The archive of a base image with a package, in which a folder is a link as it is in Debian.
fn base() -> Vec<u8> {
    let mut writer = archive::Writer::new(Vec::new());
    let mut dir = |path: &str| {
        let entry = Entry::new(path, Kind::Dir, 0o755);
        writer.append(&entry, std::io::empty()).unwrap();
    };
    for path in [
        "",
        "etc",
        "usr",
        "usr/bin",
        "var",
        "var/lib",
        "var/lib/dpkg",
        "var/lib/dpkg/info",
    ] {
        dir(path);
    }
    let link = Kind::Symlink {
        target: b"usr/bin".to_vec(),
    };
    let entry = Entry::new("bin", link, 0o777);
    writer.append(&entry, std::io::empty()).unwrap();
    let (tool, made) = ("t".repeat(70_000), "m".repeat(20_000));
    for (path, data) in [
        ("usr/bin/tool", tool.as_str()),
        ("usr/bin/made", made.as_str()),
        ("var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n"),
        ("var/lib/dpkg/status", STATUS),
    ] {
        let kind = Kind::File {
            offset: 0,
            len: base::as_u64(data.len()),
        };
        let entry = Entry::new(path, kind, 0o644);
        writer.append(&entry, data.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

/// Lays out a disk in `dir`, with notes on it.
fn disk(dir: &Path) {
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    fs::write(dir.join("base.tar"), base()).unwrap();
    write("program", &"p".repeat(30_000));
    write("table.csv", TABLE);
    write("version", "1.2\n");
    write(
        "root.list",
        &format!(
            "{}\n{}\n",
            serde_json::json!({"dest": NASTY, "src": "version"}),
            serde_json::json!({"dest": "/usr/bin/program", "src": "program", "mode": "0755"}),
        ),
    );
    write("root.tree", "root.jsonl\nbase.tar\nversion\nprogram\n");
    write("root.image", "root.plan\nbase.tar\nversion\nprogram\n");
    write("disk.image", "disk.plan\nbase.tar\nversion\nprogram\n");
    let note = |tree: &str, dest: &str, label: &str| serde_json::json!({"is": "injected", "tree": tree, "dest": dest, "by": "programs of node", "label": label});
    write(
        "root.why",
        &format!(
            "{}\n{}\n{}\n",
            note("//os:tree", "/usr/bin/program", "//os:program"),
            note("//os:tree", NASTY, "//os:version"),
            // Of an image within this one, whose files are not here.
            note("//inner:tree", "/inner/file", "//inner:file"),
        ),
    );
    write(
        "steps.jsonl",
        "{\"is\":\"step\",\"line\":7,\"text\":\"RUN make\",\"paths\":[\"usr/bin/made\",\"usr/bin/tool\"]}\n",
    );
    lay_out(dir);
}

/// A disk of what lies in `dir`.
fn lay_out(dir: &Path) {
    run(
        dir,
        "inject --base base.tar --files root.list --mtime 5 --output root.jsonl",
    );
    run(
        dir,
        "mkext4 --tree root.tree --size-mib 0 --uuid 00000000-0000-4000-8000-000000000001 \
         --hash-seed 00000000-0000-4000-8000-000000000002 --mtime 5 --output root.plan",
    );
    run(
        dir,
        "mkdisk --partitions table.csv --disk-guid 00000000-0000-4000-8000-000000000004 --image root=root.image --output disk.plan",
    );
    run(
        dir,
        "mkmanifest --name node --version-file version --partitions table.csv --image root=root.image --output manifest.json",
    );
}

const REPORT: &str = "mkreport --image disk.image --manifest manifest.json --notes root=root.why --notes root=steps.jsonl --packages root=base.tar";

#[test]
fn what_the_page_says() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    run(dir, &format!("{REPORT} --output page.html"));
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    for want in [
        "<title>node 1.2</title>",
        // A package's file under the link's name, though a step changed it; nothing of it for the other package.
        "<title>utils › tool: 70.0 kB</title>",
        "<th scope=\"row\" class=\"t\">lost</th><td class=\"t\" data-of=\"Version\">1</td>",
        "Packages with no file left in it: 1.",
        "<title>Dockerfile › line 7: RUN make: 20.0 kB</title>",
        "<title>injected › /usr/bin/program: 30.0 kB</title>",
        "<title>root › usr › bin › program: 30.0 kB</title>",
        "root: 2 entries, 30.0 kB",
        "data-of=\"Brought by\">//os:program</td>",
        "/etc/&quot;&gt;&lt;script&gt;alert(1)&lt;script&gt;",
        "<title>spare: 2.0 MB, 0 B of data</title>",
    ] {
        assert!(page.contains(want), "no {want:?} in {page}");
    }
    for no in [
        "<script",
        "/inner/file",
        "http:",
        "url(",
        "id=\"time\"",
        "id=\"sbom\"",
        "id=\"changes\"",
    ] {
        let page = page.replace("http://www.w3.org/1999/xhtml", "");
        assert!(!page.contains(no), "{no:?} in {page}");
    }
    // Nothing of where and when.
    run(dir, &format!("{REPORT} --output again.html"));
    assert_eq!(fs::read_to_string(dir.join("again.html")).unwrap(), page);
    assert!(!page.contains(dir.to_str().unwrap()));
}

#[test]
fn what_no_build_knows() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let old = fs::read_to_string(dir.join("manifest.json")).unwrap();
    let old = old.replace("\"1.2\"", "\"1.1\"").replace(
        "\"packages\": []",
        "\"packages\": [{\"name\": \"x<y\", \"version\": \"1\"}]",
    );
    fs::write(dir.join("old.json"), old).unwrap();
    fs::write(
        dir.join("profile"),
        "{\"traceEvents\": [{\"cat\": \"action processing\", \"name\": \"Making & more\", \"ph\": \"X\", \"ts\": 0, \"dur\": 1500000, \
         \"args\": {\"mnemonic\": \"Make\"}}]}",
    )
    .unwrap();
    fs::write(
        dir.join("sbom.json"),
        "{\"spdxVersion\": \"SPDX-2.3\", \"name\": \"node\", \"packages\": [{\"licenseDeclared\": \"MIT\"}]}",
    )
    .unwrap();
    run(
        dir,
        &format!(
            "{REPORT} --previous old.json --profile profile --sbom sbom.json --output page.html"
        ),
    );
    let page = fs::read_to_string(dir.join("page.html")).unwrap();
    for want in [
        "Since node 1.1: packages: 0 added, 1 removed, 0 of another version; 0 partitions and 0 files",
        "x&lt;y",
        "The build took 1.50 s; its actions took 1.50 s together.",
        "Making &amp; more",
        "node: packages: 1 (1 without a package URL); files: 0. Packages with a licence stated: 1; different statements: 1.",
        "<th scope=\"row\" class=\"t\">MIT</th>",
    ] {
        assert!(page.contains(want), "no {want:?} in {page}");
    }
}

/// A file of zeros takes no room on a disk, and as much memory as it says it is long.
#[test]
fn packages_beyond_memory() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let file = fs::File::create(dir.join("program")).unwrap();
    file.set_len(300 << 20).unwrap();
    let list = fs::read_to_string(dir.join("root.list")).unwrap();
    let list = list.replace("/usr/bin/program", "/var/lib/dpkg/info/program.list");
    fs::write(dir.join("root.list"), list).unwrap();
    fs::write(dir.join("table.csv"), TABLE.replace(",4M,", ",320M,")).unwrap();
    lay_out(dir);
    let said = refused(
        dir,
        "mkreport --image disk.image --manifest manifest.json --output page.html",
    );
    assert!(
        said.contains("/var/lib/dpkg/info/program.list in the image: with it dpkg's files have more than 268435456 bytes"),
        "{said}"
    );
}

#[test]
fn refusals() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    disk(dir);
    let said = refused(
        dir,
        &format!("{REPORT} --notes boot=root.why --output page.html"),
    );
    assert!(
        said.contains("no partition \"boot\", only root, spare"),
        "{said}"
    );
    let said = refused(
        dir,
        "mkreport --image root.image --manifest manifest.json --output page.html",
    );
    assert!(
        said.contains("the image has no partition table: want the image of a whole disk"),
        "{said}"
    );
    let said = refused(
        dir,
        &format!("{REPORT} --profile program --output page.html"),
    );
    assert!(
        said.contains("program: not a profile that Bazel wrote"),
        "{said}"
    );
    let said = refused(
        dir,
        &format!("{REPORT} --packages root=program --output page.html")
            .replace("--packages root=base.tar ", ""),
    );
    assert!(said.contains("cannot read program"), "{said}");
    assert!(!dir.join("page.html").exists());
}
