//! Others read what we write, and we what they sign: OpenSSL the signatures, Python the archive, the manifest and differences, by the
//! documentation alone.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use update::delta::{self, Image};
use update::*;

/// Reads a bundle as docs/formats/update.md has it; of differences, against old images beside it.
const PYTHON: &str = r#"
import base64, hashlib, json, struct, subprocess, sys, tarfile

folder = sys.argv[1]
tar = tarfile.open(f"{folder}/{sys.argv[2]}", "r:")
names = tar.getnames()
assert names[:2] == ["manifest.json", "manifest.json.sig"], names
for info in tar.getmembers():
    assert info.isreg() and info.offset_data % 4096 == 0, info.name
data = {name: tar.extractfile(name).read() for name in names}
manifest = json.loads(data["manifest.json"])
assert manifest["format"] == 1
text = json.dumps(manifest, indent=2).encode() + b"\n"
assert text == data["manifest.json"]

for number, signature in enumerate(json.loads(data["manifest.json.sig"])):
    raw = base64.b64decode(signature["signature"])
    paths = [f"{folder}/{number}.{kind}" for kind in ("bytes", "raw")]
    for path, content in zip(paths, (data["manifest.json"], raw)):
        open(path, "wb").write(content)
    subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", f"{folder}/{signature['key_id']}.pub",
                    "-in", paths[0], "-sigfile", paths[1]], check=True, stdout=subprocess.DEVNULL)

def apply(delta, old):
    magic, version, block, base_len, base, target_len = struct.unpack("<8sIIQ32sQ", delta[:64])
    assert (magic, version, block) == (b"IMGDELTA", 1, 4096)
    assert base_len == len(old) and base == hashlib.sha256(old).digest()
    code = subprocess.run(["zstd", "-dcq"], input=delta[64:], check=True, stdout=subprocess.PIPE).stdout
    new = b""
    while code:
        kind, code = code[0], code[1:]
        number = lambda at: struct.unpack_from("<Q", code, at)[0]
        if kind == 1:
            new += bytes(block * number(0))
            code = code[8:]
        elif kind == 2:
            new += old[number(0) * block:(number(0) + number(8)) * block]
            code = code[16:]
        else:
            assert kind == 3
            size = min(number(0) * block, target_len - len(new))
            new += code[8:8 + size]
            code = code[8 + size:]
    return new[:target_len]

for member, name in zip(manifest["members"], names[2:], strict=True):
    content = data[name]
    if name.endswith(".delta"):
        assert member["name"] == name.replace(".delta", ".img")
        content = apply(content, open(f"{folder}/{member['name']}", "rb").read())
    else:
        assert member["name"] == name
    assert member["size"] == len(content)
    assert member["sha256"] == hashlib.sha256(content).hexdigest()
    size = member["chunk_size"]
    chunks = [hashlib.sha256(content[at:at + size]).hexdigest() for at in range(0, len(content), size)]
    assert member["chunks"] == chunks, name
    print(name, len(content))
"#;

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn difference(old: &Vec<u8>, new: &Vec<u8>) -> Vec<u8> {
    let len = |bytes: &Vec<u8>| u64::try_from(bytes.len()).unwrap();
    let mut out = Vec::new();
    let (from, to) = (
        Image {
            reader: old,
            len: len(old),
        },
        Image {
            reader: new,
            len: len(new),
        },
    );
    delta::make(from, to, 5, &mut out).unwrap();
    out
}

#[test]
fn others_agree() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = |name: &str| fs::read_to_string(at(name)).unwrap();
    // Two keys that OpenSSL made; the second one signs there, the first one here.
    for name in ["ann", "bob"] {
        let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
        run(
            "openssl",
            &["genpkey", "-algorithm", "ed25519", "-out", &key],
            dir.path(),
        );
        run(
            "openssl",
            &["pkey", "-in", &key, "-pubout", "-out", &public],
            dir.path(),
        );
    }
    let ann = SigningKey::from_pem(&text("ann.key")).unwrap();
    let keys = ["ann", "bob"].map(|id| TrustedKey {
        id: id.to_owned(),
        ed25519: PublicKey::from_pem(&text(&format!("{id}.pub"))).unwrap(),
    });
    assert_eq!(ann.public(), keys[0].ed25519);
    let keys = TrustedKeys {
        format: TrustedKeys::FORMAT,
        threshold: 2,
        allow_unsigned: false,
        keys: keys.to_vec(),
    };
    let block = |byte: u8| vec![byte; 4096];
    let old_root = [block(1), block(2), block(3)].concat().repeat(200);
    let root = [old_root.split_at(8192).1, &block(0), &block(9), b"end"].concat();
    let boot: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let manifest = Manifest {
        format: FORMAT,
        os: "node".to_owned(),
        env: "prod".to_owned(),
        version: "1.2.3".parse().unwrap(),
        minimum_version: None,
        expires: Some("2030-01-01".parse().unwrap()),
        data_formats: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
        members: vec![
            Member::of(VERSION_TXT, b"1.2.3\n"),
            Member::of(BOOT, &boot),
            Member::of(ROOT, &root),
        ],
    };
    let json = manifest.to_json().unwrap();
    fs::write(at("json"), &json).unwrap();
    let sign = [
        "pkeyutl", "-sign", "-rawin", "-inkey", "bob.key", "-in", "json", "-out", "bob.sig",
    ];
    run("openssl", &sign, dir.path());
    let mut signatures = Signatures::default();
    let bob = fs::read(at("bob.sig")).unwrap();
    for signature in [bob.try_into().unwrap(), ann.sign(json.as_bytes())] {
        signatures.add(json.as_bytes(), signature, &keys).unwrap();
    }
    assert_eq!(
        signatures.signers(json.as_bytes(), &keys).unwrap(),
        ["ann", "bob"]
    );
    let signatures = signatures.to_json().unwrap();
    let delta = difference(&old_root, &root);
    fs::write(at("root.img"), &old_root).unwrap();
    for (file, name, last) in [
        ("whole.tar", ROOT, &root),
        ("delta.tar", ROOT_DELTA, &delta),
    ] {
        let members: [(&str, &[u8]); 5] = [
            (MANIFEST, json.as_bytes()),
            (SIGNATURES, signatures.as_bytes()),
            (VERSION_TXT, b"1.2.3\n"),
            (BOOT, &boot),
            (name, last),
        ];
        fs::write(at(file), write(&members, 1, Vec::new()).unwrap()).unwrap();
        let folder = dir.path().to_str().unwrap();
        let said = run("python3", &["-c", PYTHON, folder, file], dir.path());
        let want = format!("VERSION.TXT 6\nboot.img 3000000\n{name} {}\n", root.len());
        assert_eq!(said, want);
    }
}
