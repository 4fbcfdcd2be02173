//! The real program: images through plans and as files, and the text of every refusal.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::process::Command;

use deployment::Deployment;
use plan::{Plan, Reader};
use verity::FsverityDigest;

/// An image of 3 MiB, of which only the digest is there.
const LEN: usize = 3 << 20;

fn of(bytes: &[u8]) -> FsverityDigest {
    let len = u64::try_from(bytes.len()).unwrap();
    let inputs = vec![("bytes".to_owned(), bytes.to_vec())];
    FsverityDigest::of(&Reader::new(Plan::whole(len).unwrap(), inputs).unwrap()).unwrap()
}

struct Setup {
    dir: tempfile::TempDir,
    image: Vec<u8>,
}

impl Setup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let image: Vec<u8> = (0u32..).flat_map(u32::to_le_bytes).take(LEN).collect();
        let digest = of(&image).to_file();
        let files: [(&str, &[u8]); 5] = [
            ("a.fsverity", digest.as_bytes()),
            ("bad.fsverity", b"x"),
            ("other.digest", b"x"),
            ("raw", b"raw image"),
            ("version", b"1.2.3\n"),
        ];
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self { dir, image }
    }

    /// Runs in the folder: the document, or the message.
    fn run(&self, args: &str) -> Result<String, String> {
        let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_mkdeployment")).unwrap();
        let output = Command::new(program)
            .current_dir(self.dir.path())
            .args(args.split(' '))
            .args(["--output", "out.json"])
            .output()
            .unwrap();
        if output.status.success() {
            Ok(std::fs::read_to_string(self.dir.path().join("out.json")).unwrap())
        } else {
            assert!(!self.dir.path().join("out.json").exists(), "{args}");
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }
}

#[test]
fn an_image_by_its_digest_and_a_file() {
    let setup = Setup::new();
    let text = setup
        .run(
            "--name stick --version-file version --set flavour=plain --image disk=a.fsverity --image raw=raw \
             --image-set raw:flavour=other",
        )
        .unwrap();
    let got = Deployment::parse(text.as_bytes()).unwrap();
    assert_eq!(
        (got.name.as_str(), got.version.as_str()),
        ("stick", "1.2.3")
    );
    assert_eq!(got.properties["flavour"], "plain");
    let [disk, raw] = got.images.as_slice() else {
        panic!("{text}")
    };
    assert_eq!(
        (disk.file.as_str(), disk.version.as_str()),
        ("disk.img", "1.2.3")
    );
    assert_eq!(
        (raw.file.as_str(), raw.version.as_str()),
        ("raw.img", "1.2.3")
    );
    assert_eq!(raw.properties["flavour"], "other");
    // What the reader of the files will find.
    for (image, bytes) in [(disk, setup.image.as_slice()), (raw, b"raw image")] {
        let digest = of(bytes);
        assert_eq!(
            (&image.fsverity, image.size),
            (&digest.to_string(), digest.len)
        );
    }
}

#[test]
fn refusals_have_reasons() {
    let setup = Setup::new();
    let base = "--name stick --version-file version --image";
    let table = [
        ("a=none", "cannot read none: No such file or directory (os error 2)"),
        ("a=bad.fsverity", "bad.fsverity: fs-verity digest \"x\": want sha256: with 64 hexadecimal digits, a space and a length"),
        ("a=other.digest", "other.digest: fs-verity digest \"x\": want sha256: with 64 hexadecimal digits, a space and a length"),
        ("a=a.fsverity --image-set b:x=1", "--image-set: there is no --image \"b\""),
        ("a=a.fsverity --image-set x=1", "--image-set: \"x\" is not NAME:KEY"),
        ("a=a.fsverity --set x=1 --set x=2", "--set: \"x\" was given already"),
        (
            "../a=a.fsverity",
            "images[0].file: got \"../a.img\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255",
        ),
        ("a=a.fsverity --image a=raw", "images[1].name: \"a\" is that of images[0] already"),
    ];
    for (args, want) in table {
        assert_eq!(
            setup.run(&format!("{base} {args}")).unwrap_err(),
            format!("mkdeployment: error: {want}\n"),
            "{args}"
        );
    }
    let error = setup.run(&format!("{base} a")).unwrap_err();
    assert!(error.contains("\"a\" is not NAME=VALUE"), "{error}");
}
