//! Bundles made from an archive on loopback, fetched by apt's own helper; from a cache of Bazel's, and a folder of cargo's.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use base::Sha256Digest;
use vendor::{gather, Archives, Came, Error, Folder, Gathered, Items, Sources};

/// A web server with these files; one whose path has `half` in it ends in the middle.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn of(files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let files: BTreeMap<String, String> = files
            .iter()
            .map(|(path, text)| (format!("/{path}"), (*text).to_owned()))
            .collect();
        let log = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (files, log) = (files.clone(), log.clone());
                thread::spawn(move || answer(stream.unwrap(), &files, &log));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, String>, log: &Mutex<Vec<String>>) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    for line in reader.lines() {
        let Ok(line) = line else { return };
        let Some(path) = line.strip_prefix("GET ").and_then(|l| l.split(' ').next()) else {
            continue;
        };
        log.lock().unwrap().push(path.to_owned());
        let path = path.replace("%2B", "+").replace("%7E", "~");
        let Some(text) = files.get(&path) else {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
            continue;
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
        let half = path.contains("half");
        let sent = if half { &text[..text.len() / 2] } else { text };
        let _ = stream.write_all(format!("{head}{sent}").as_bytes());
        if half {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

/// A lock of format 2 over these files: suite, path, content.
fn lock(packages: &[(&str, &str, &str)]) -> String {
    let lines: Vec<String> = packages
        .iter()
        .map(|(suite, path, text)| {
            format!(
                r#"{{"name": "{}", "version": "1", "architecture": "all", "suite": "{suite}", "size": {}, "sha256": "{}", "path": "{path}"}}"#,
                path.split('/').next_back().unwrap().trim_end_matches(".deb"),
                text.len(),
                Sha256Digest::of(text)
            )
        })
        .collect();
    format!(
        r#"{{"format": 2, "suites": [{{"suite": "x", "root": "main", "date": "2026-11-30T09:14:08Z"}},
        {{"suite": "x-security", "root": "security", "date": "2026-11-30T09:14:08Z"}}], "packages": [{}]}}"#,
        lines.join(",")
    )
}

fn items(packages: &[(&str, &str, &str)]) -> Items {
    let mut items = Items::default();
    items.add_packages("p.lock", &lock(packages)).unwrap();
    items
}

struct Bed {
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn sources(&self, server: &Server, snapshot: bool) -> Sources {
        let pattern = format!(
            "{}/snapshot/{{root}}/{{timestamp}}/{{path}}",
            server.address
        );
        let main = format!("{}/debian", server.address);
        Sources {
            repository_cache: Some(self.path("cache")),
            container_debs: Some(self.path("container")),
            archives: Archives::given(Some(&main), None, snapshot.then_some(&*pattern)).unwrap(),
            cargo_home: self.path("cargo"),
            manifest: None,
        }
    }

    fn gather<'a>(&self, items: &'a Items, sources: &Sources) -> (Folder, Gathered<'a>) {
        let folder = Folder::open(&self.path("bundle")).unwrap();
        let gathered = gather(&folder, items, sources, |_| {}).unwrap();
        (folder, gathered)
    }

    /// Makes the bundle, which must be whole then.
    fn make(&self, items: &Items, sources: &Sources) -> Came {
        let (folder, gathered) = self.gather(items, sources);
        assert_eq!(gathered.missing, []);
        folder.finish(&gathered.there, Some("//:vendor")).unwrap();
        assert!(!self.path("bundle/new").exists());
        gathered.came
    }

    fn index(&self) -> String {
        fs::read_to_string(self.path("bundle/index.json")).unwrap()
    }
}

const A: (&str, &str, &str) = ("x", "pool/a/a+b_1~2.deb", "the package a\n");
const B: (&str, &str, &str) = ("x-security", "pool/b/b.deb", "the package b\n");
const C: (&str, &str, &str) = ("x", "pool/c/c.deb", "the package c\n");

fn file(bed: &Bed, text: &str) -> PathBuf {
    bed.path(&format!("bundle/files/{}", Sha256Digest::of(text)))
}

#[test]
fn made_kept_and_brought_up_to_date() {
    let bed = Bed::new();
    let server = Server::of(&[
        ("debian/pool/a/a+b_1~2.deb", A.2),
        ("debian-security/pool/b/b.deb", B.2),
    ]);
    // One that Bazel fetched, one that the build container is made of.
    let digest = Sha256Digest::of(C.2);
    bed.write(
        &format!("cache/content_addressable/sha256/{digest}/file"),
        C.2,
    );
    bed.write(&format!("container/{}", Sha256Digest::of(B.2)), B.2);
    bed.write(
        "cargo/registry/cache/registry-1/d-1.0.0.crate",
        "other content",
    );
    bed.write("cargo/registry/cache/registry-2/d-1.0.0.crate", "crate d");
    let mut all = items(&[A, B, C]);
    let crates = format!(
        "version = 4\n\n[[package]]\nname = \"d\"\nversion = \"1.0.0\"\nchecksum = \"{}\"\n",
        Sha256Digest::of("crate d")
    );
    all.add_crates("Cargo.lock", &format!("#\n{crates}"))
        .unwrap();
    let sources = bed.sources(&server, false);
    let came = bed.make(&all, &sources);
    let want = Came {
        kept: 0,
        cached: 2,
        archives: 1,
        cargo: 1,
    };
    assert_eq!(came, want);
    assert_eq!(
        bed.index(),
        format!(
            r#"{{
 "vendor": 1,
 "update": "//:vendor",
 "files": [
  {{"kind": "crate", "name": "d 1.0.0", "size": 7, "sha256": "{}", "of": ["Cargo.lock"]}},
  {{"kind": "deb", "name": "a+b_1~2 1 all", "size": 14, "sha256": "{}", "of": ["p.lock"]}},
  {{"kind": "deb", "name": "b 1 all", "size": 14, "sha256": "{}", "of": ["p.lock"]}},
  {{"kind": "deb", "name": "c 1 all", "size": 14, "sha256": "{}", "of": ["p.lock"]}}
 ]
}}
"#,
            Sha256Digest::of("crate d"),
            Sha256Digest::of(A.2),
            Sha256Digest::of(B.2),
            Sha256Digest::of(C.2)
        )
    );
    for text in [A.2, B.2, C.2, "crate d"] {
        assert_eq!(fs::read_to_string(file(&bed, text)).unwrap(), text);
    }
    server.asked();
    assert_eq!(bed.make(&all, &sources).kept, 4);
    assert_eq!(server.asked(), [""; 0]);
    // A file that was spoilt comes again; what no lock names any more goes.
    fs::write(file(&bed, A.2), "the package A\n").unwrap();
    let came = bed.make(&items(&[A, C]), &sources);
    assert_eq!((came.kept, came.archives), (1, 1));
    assert_eq!(server.asked(), ["/debian/pool/a/a%2Bb_1%7E2.deb"]);
    assert!(!file(&bed, B.2).exists() && file(&bed, C.2).exists());
}

#[test]
fn nothing_is_a_bundle_before_it_is_whole() {
    let bed = Bed::new();
    let half = ("x", "pool/h/half.deb", "the package of which half comes\n");
    let other = ("x", "pool/o/other.deb", "the package o\n");
    let server = Server::of(&[
        ("debian/pool/c/c.deb", C.2),
        ("debian/pool/h/half.deb", half.2),
        ("debian/pool/o/other.deb", "the package O\n"),
    ]);
    let all = items(&[A, B, C, half, other]);
    let sources = bed.sources(&server, false);
    let (folder, gathered) = bed.gather(&all, &sources);
    let mut names: Vec<_> = gathered.missing.iter().map(|m| &m.item.name[..]).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["a+b_1~2 1 all", "b 1 all", "half 1 all", "other 1 all"]
    );
    for missing in &gathered.missing {
        let main = format!("{}/debian", server.address);
        let want = if missing.item.name == "b 1 all" {
            format!("{main}-security")
        } else {
            main
        };
        assert_eq!(missing.asked, [want]);
    }
    drop(folder);
    assert!(!bed.path("bundle/index.json").exists());
    // The next run goes on; a bundle that is there stays until the new one is whole.
    assert_eq!(bed.make(&items(&[C]), &sources).kept, 1);
    let before = bed.index();
    let (_, gathered) = bed.gather(&all, &sources);
    assert_eq!((gathered.came.kept, gathered.missing.len()), (1, 4));
    assert_eq!(bed.index(), before);
}

#[test]
fn a_snapshot_has_it() {
    let bed = Bed::new();
    let server = Server::of(&[
        ("snapshot/debian/20261201T091408Z/pool/a/a+b_1~2.deb", A.2),
        (
            "snapshot/debian-security/20261130T091408Z/pool/b/b.deb",
            B.2,
        ),
    ]);
    let both = items(&[A, B]);
    assert_eq!(bed.make(&both, &bed.sources(&server, true)).archives, 2);
}

#[test]
fn many_packages_and_an_archive_that_has_none() {
    let bed = Bed::new();
    let paths: Vec<(String, String)> = (0..20)
        .map(|n| (format!("pool/n/n{n:02}.deb"), format!("package {n}\n")))
        .collect();
    let packages: Vec<_> = paths.iter().map(|(p, t)| ("x", &p[..], &t[..])).collect();
    let all = items(&packages);
    let empty = Server::of(&[]);
    let (_, gathered) = bed.gather(&all, &bed.sources(&empty, false));
    assert_eq!(gathered.missing.len(), 20);
    assert_eq!(empty.asked().len(), 8, "it is not asked for all");
    let files: Vec<_> = paths
        .iter()
        .map(|(p, t)| (format!("debian/{p}"), t))
        .collect();
    let files: Vec<_> = files.iter().map(|(p, t)| (&p[..], &t[..])).collect();
    let server = Server::of(&files);
    assert_eq!(bed.make(&all, &bed.sources(&server, false)).archives, 20);
}

#[test]
fn a_folder_of_somebody() {
    let bed = Bed::new();
    bed.write("bundle/thesis.tex", "");
    let error = Folder::open(&bed.path("bundle")).unwrap_err();
    assert!(matches!(&error, Error::NoBundle { found, .. } if found == "thesis.tex"));
    assert!(Path::new(&bed.path("bundle/thesis.tex")).exists());
    // Nor one whose folders are called as a bundle's are.
    for place in ["other/files/thesis.tex", "another/new/thesis.tex"] {
        bed.write(place, "");
        let dir = bed.path(place.split('/').next().unwrap());
        let error = Folder::open(&dir).unwrap_err();
        assert!(matches!(&error, Error::NoBundle { found, .. } if found == "thesis.tex"));
        assert!(bed.path(place).exists());
    }
}

#[test]
fn a_snapshot_service_is_told_all() {
    let error = Archives::given(None, None, Some("http://u:p@h/{root}/{path}")).unwrap_err();
    let want = "the address of a snapshot service is \"http://…@h/{root}/{path}\", want one with {root}, {timestamp} and {path} in it";
    assert_eq!(error.to_string(), want);
}
