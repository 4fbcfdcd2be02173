//! A layer over what lies below is the tree; an archive has in it what its documents say.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use archive::{Entry, Kind};
use container::Layer;
use oci::{ContainerConfig, Digest, ImageConfig, Manifest};
use plan::{ImageSet, Plan, Reader};
use tree::{Input, Source, Stamp, Tree};

/// Names in an archive with what counts of them, the content of files in place of where it lies.
type Members = BTreeMap<String, String>;

fn shown(bytes: &[u8]) -> Members {
    let show = |entry: Entry| {
        let what = match &entry.kind {
            Kind::File { offset, len } => {
                let (start, len) = (*offset as usize, *len as usize);
                String::from_utf8_lossy(&bytes[start..start + len]).into_owned()
            }
            other => format!("{other:?}"),
        };
        let Entry {
            mode,
            uid,
            gid,
            mtime,
            ..
        } = entry;
        let xattrs = entry
            .xattrs
            .keys()
            .map(|name| name.escape_ascii().to_string());
        let xattrs: Vec<String> = xattrs.collect();
        let text = format!("{mode:o} {uid}:{gid} {mtime} {xattrs:?} {what}");
        (String::from_utf8(entry.path).unwrap(), text)
    };
    let index = archive::index(Cursor::new(bytes)).unwrap();
    index.into_iter().map(show).collect()
}

/// What an engine makes of a layer over what is there.
fn applied(below: &Members, layer: &Members) -> Members {
    let mut made = below.clone();
    let is_of = |path: &str, gone: &str| {
        let rest = path.strip_prefix(gone);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    for path in layer.keys() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let gone = match name.strip_prefix(".wh.") {
            Some(name) => format!("{folder}/{name}")
                .trim_start_matches('/')
                .to_owned(),
            None if layer[path].ends_with("Dir") => continue,
            None => path.clone(),
        };
        made.retain(|path, _| !is_of(path, &gone));
    }
    let members = layer.iter().filter(|(path, _)| !path.contains(".wh."));
    made.extend(members.map(|(path, what)| (path.clone(), what.clone())));
    made
}

/// A file, folder or link of the archive below, and its data.
fn base() -> Vec<u8> {
    let mut writer = archive::Writer::new(Vec::new());
    let mut put = |path: &str, kind: Kind, mode: u32, data: &str| {
        let mut entry = Entry::new(path, kind, mode);
        entry.mtime = 7;
        if path == "bin/ping" {
            let value = b"\x01\0\0\x02".to_vec();
            entry.xattrs = BTreeMap::from([(b"security.capability".to_vec(), value)]);
        }
        writer.append(&entry, data.as_bytes()).unwrap();
    };
    let file = |data: &str| Kind::File {
        offset: 0,
        len: data.len() as u64,
    };
    put("", Kind::Dir, 0o755, "");
    put("bin", Kind::Dir, 0o755, "");
    put("bin/ping", file("ping"), 0o755, "ping");
    put("etc", Kind::Dir, 0o755, "");
    put("etc/gone", file("gone"), 0o644, "gone");
    put("etc/gone-too", Kind::Dir, 0o755, "");
    put("etc/gone-too/x", file("x"), 0o644, "x");
    put("etc/motd", file("old"), 0o644, "old");
    for (link, of) in [("etc/motd2", "etc/motd"), ("etc/motd3", "etc/motd")] {
        let target = of.as_bytes().to_vec();
        put(link, Kind::HardLink { target }, 0o644, "");
    }
    put("etc/stays", file("stays"), 0o600, "stays");
    writer.finish().unwrap()
}

const STAMP: Stamp = Stamp {
    mode: 0o640,
    uid: 3,
    gid: 4,
    mtime: 9,
    mtime_nanos: 0,
};

struct Bed {
    dir: tempfile::TempDir,
    base: Vec<u8>,
    tree: Tree,
    inputs: Vec<PathBuf>,
}

impl Bed {
    fn new() -> Self {
        let base = base();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("base");
        fs::write(&path, &base).unwrap();
        Self {
            tree: Self::below(&base),
            inputs: vec![path],
            dir,
            base,
        }
    }

    fn below(base: &[u8]) -> Tree {
        let index = archive::index(Cursor::new(base)).unwrap();
        Tree::from_tar(index, base.len() as u64).unwrap()
    }

    fn inject(&mut self, path: &str, data: &[u8]) {
        let len = data.len() as u64;
        let input = self.tree.add_input(Input { len });
        let file = self.dir.path().join(input.to_string());
        fs::write(&file, data).unwrap();
        self.inputs.push(file);
        let offset = 0;
        let kind = tree::Kind::File(Source { input, offset, len });
        let entry = tree::Entry::injected(kind, STAMP);
        self.tree.insert(path.as_bytes(), entry, path).unwrap();
    }

    fn layer(&self, below: Option<&Tree>) -> Plan {
        let lens: Vec<u64> = self.tree.inputs().iter().map(|input| input.len).collect();
        container::layer(&self.tree, &ImageSet::of_lens(&lens).unwrap(), below).unwrap()
    }

    fn bytes(&self, plan: Plan) -> Vec<u8> {
        let reader = Reader::open(plan, &self.inputs).unwrap();
        let mut bytes = vec![0xaa; reader.len() as usize];
        reader.read_at(&mut bytes, 0).unwrap();
        bytes
    }
}

#[test]
fn a_layer_makes_the_tree() {
    let mut bed = Bed::new();
    let below = Bed::below(&bed.base);
    // Nothing new: an empty archive.
    assert_eq!(bed.bytes(bed.layer(Some(&below))), archive::END);

    bed.inject("etc/motd", b"new");
    bed.inject("opt/program", &[b'p'; 5000]);
    for gone in ["etc/gone", "etc/gone-too/x", "etc/gone-too"] {
        bed.tree.remove(gone.as_bytes()).unwrap();
    }
    let layer = bed.bytes(bed.layer(Some(&below)));
    let members = shown(&layer);
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    // The other names of /etc/motd have another first one now; what stays is not here.
    let want = [
        "",
        "etc",
        "etc/.wh.gone",
        "etc/.wh.gone-too",
        "etc/motd",
        "etc/motd2",
        "etc/motd3",
        "opt",
        "opt/program",
    ];
    assert_eq!(names, want);
    assert_eq!(members["etc/motd"], "640 3:4 9 [] new");
    assert_eq!(members["etc/motd2"], "644 0:0 7 [] old");
    let target = "etc/motd2".as_bytes().to_vec();
    assert!(members["etc/motd3"].ends_with(&format!("{:?}", Kind::HardLink { target })));
    assert_eq!(members["opt"], "755 0:0 9 [] Dir");
    // Data on pages.
    for entry in archive::index(Cursor::new(&layer)).unwrap() {
        if let Kind::File { offset, len: 1.. } = entry.kind {
            assert_eq!(offset % 4096, 0, "{entry:?}");
        }
    }

    // The whole tree as one layer says what both layers together say.
    let whole = shown(&bed.bytes(bed.layer(None)));
    assert_eq!(applied(&shown(&bed.base), &members), whole);
    let capable = whole["bin/ping"].contains("security.capability");
    assert!(capable, "{}", whole["bin/ping"]);
}

#[test]
fn holes_are_zeros() {
    let mut bed = Bed::new();
    let len = 3;
    let input = bed.tree.add_input(Input { len });
    fs::write(bed.dir.path().join("holes"), b"abc").unwrap();
    bed.inputs.push(bed.dir.path().join("holes"));
    let source = |offset, len| Source { input, offset, len };
    let pieces = vec![(5000, source(0, 2)), (9000, source(2, 1))];
    let kind = tree::Kind::Sparse(tree::Sparse { len: 9999, pieces });
    let entry = tree::Entry::injected(kind, STAMP);
    bed.tree.insert(b"sparse", entry, "a test").unwrap();
    let below = Bed::below(&bed.base);
    let bytes = bed.bytes(bed.layer(Some(&below)));
    let mut want = vec![0; 9999];
    want[5000..5002].copy_from_slice(b"ab");
    want[9000] = b'c';
    let want = String::from_utf8(want).unwrap();
    assert_eq!(shown(&bytes)["sparse"], format!("640 3:4 9 [] {want}"));
}

#[test]
fn names_that_mean_nothing_is_there() {
    let mut bed = Bed::new();
    bed.inject("etc/.wh.motd", b"x");
    let bodies = ImageSet::of_lens(&[bed.base.len() as u64, 1]).unwrap();
    let error = container::layer(&bed.tree, &bodies, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "etc/.wh.motd: in a layer such a name says that there is no file; want one that does not begin with .wh."
    );
}

#[test]
fn an_archive_has_what_its_documents_say() {
    let mut bed = Bed::new();
    bed.inject("opt/program", b"program");
    let below = Bed::below(&bed.base);
    let layer = bed.bytes(bed.layer(Some(&below)));
    fs::write(bed.dir.path().join("layer"), &layer).unwrap();
    bed.inputs = ["base", "layer"]
        .map(|name| bed.dir.path().join(name))
        .to_vec();
    let images = ImageSet::open(&bed.inputs).unwrap();
    let digests = bed
        .inputs
        .iter()
        .map(|path| plan::Digest::open(path).unwrap());
    let layers: Vec<Layer<'_>> = images
        .plans()
        .iter()
        .zip(digests)
        .map(|(plan, digest)| Layer { plan, digest })
        .collect();
    let mut config = ImageConfig::new("amd64", 9, Vec::new());
    config.config = ContainerConfig {
        cmd: vec!["/sbin/init".to_owned()],
        labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        stop_signal: "SIGRTMIN+3".to_owned(),
        ..ContainerConfig::default()
    };
    let plan = container::archive("x/guest:1.0+a", config.clone(), &layers, 9).unwrap();
    let bytes = bed.bytes(plan);
    let index = archive::index(Cursor::new(&bytes)).unwrap();
    let content: BTreeMap<String, &[u8]> = index
        .iter()
        .filter_map(|entry| match entry.kind {
            Kind::File { offset, len } => {
                let (start, len) = (offset as usize, len as usize);
                let path = String::from_utf8(entry.path.clone()).unwrap();
                Some((path, &bytes[start..start + len]))
            }
            _ => None,
        })
        .collect();
    assert!(index.iter().all(|entry| entry.mtime == 9));
    let blob = |digest: &Digest| content[&format!("blobs/sha256/{}", digest.hex())];
    let json = |name: &str| -> serde_json::Value { serde_json::from_slice(content[name]).unwrap() };
    assert_eq!(json("oci-layout")["imageLayoutVersion"], "1.0.0");
    let at = &json("index.json")["manifests"][0];
    let name = &at["annotations"]["org.opencontainers.image.ref.name"];
    assert_eq!(name, "x/guest:1.0_a");
    let digest: Digest = at["digest"].as_str().unwrap().parse().unwrap();
    assert_eq!(Digest::of(blob(&digest)), digest);
    assert_eq!(at["size"], blob(&digest).len());
    let manifest = Manifest::from_json(blob(&digest)).unwrap();
    let made = ImageConfig::from_json(blob(&manifest.config.digest)).unwrap();
    assert_eq!(made.config, config.config);
    assert_eq!(made.created.as_deref(), Some("1970-01-01T00:00:09Z"));
    let want = [&bed.base[..], &layer];
    for ((layer, id), want) in manifest.layers.iter().zip(&made.rootfs.diff_ids).zip(want) {
        assert_eq!((&layer.digest, layer.size), (id, want.len() as u64));
        assert!(blob(id) == want);
    }
    // The same for older docker.
    let docker = &json("manifest.json")[0];
    assert_eq!(docker["RepoTags"][0], "x/guest:1.0_a");
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    assert_eq!(docker["Config"], path(&manifest.config.digest));
    assert_eq!(docker["Layers"][1], path(&manifest.layers[1].digest));
    // A layer that is there twice lies there once.
    let twice = container::archive("a:1", config, &[layers[0], layers[0]], 9).unwrap();
    assert!((bed.base.len()..2 * bed.base.len()).contains(&(twice.len() as usize)));
}

#[test]
fn refused() {
    let plan = Plan::whole(3).unwrap();
    let digest = plan::Digest {
        sha256: base::Sha256Digest::of(b"ab"),
        len: 2,
    };
    let layers = [Layer {
        plan: &plan,
        digest,
    }];
    let config = || ImageConfig::new("amd64", 9, Vec::new());
    let error = container::archive("a:1", config(), &layers, 9).unwrap_err();
    let want = "a layer of 3 bytes came with the digest of 2 bytes";
    assert_eq!(error.to_string(), want);
    for (name, reason) in [
        ("a", "no colon before a tag"),
        ("A:1", "the name has other than"),
        ("a//b:1", "the name has other than"),
        ("-a:1", "the name has other than"),
        ("a:", "the tag has other than"),
        ("a:b c", "the tag has other than"),
        (&format!("a:{}", "1".repeat(129)), "the tag has other than"),
        ("a:.1", "the tag begins with"),
    ] {
        let error = container::archive(name, config(), &[], 9).unwrap_err();
        let want = format!("image name {name:?}: {reason}");
        assert!(error.to_string().starts_with(&want), "{error}");
    }
}
