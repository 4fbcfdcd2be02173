//! The real program: images through plans and as files, and the text of every refusal.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::process::Command;

use deployment::Deployment;
use plan::{Builder, Input};

/// An image of 3 MiB: a MiB of zeros, all of input 1 and then of input 0, zeros again.
const LEN: usize = 3 << 20;

struct Setup {
    dir: tempfile::TempDir,
    image: Vec<u8>,
}

impl Setup {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inputs = [vec![1; 700_000], vec![2; 300_001]];
        let mut image = vec![0; 1 << 20];
        image.extend(&inputs[1]);
        image.extend(&inputs[0]);
        image.resize(LEN, 0);
        let mut builder = Builder::new(vec![Input::of_len(700_000), Input::of_len(300_001)]);
        builder.zero(1 << 20).unwrap();
        builder.source(1, 0, 300_001).unwrap();
        builder.source(0, 0, 700_000).unwrap();
        builder.zero(3 * (1 << 20) - (1 << 20) - 1_000_001).unwrap();
        let plan = builder.finish().unwrap().encode();
        let files: [(&str, &[u8]); 6] = [
            ("a.plan", &plan),
            ("in0", &inputs[0]),
            ("in1", &inputs[1]),
            ("raw", b"raw image"),
            ("version", b"1.2.3\n"),
            ("other", b"9\n"),
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
fn images_are_hashed_through_their_plans() {
    let setup = Setup::new();
    let text = setup
        .run(
            "--name stick --version-file version --set flavour=plain --image disk=a.plan:1,2 --image raw=raw::0 \
             --image-file raw=raw.bin --image-version-file raw=other --image-set raw:flavour=other \
             --input raw --input in0 --input in1",
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
    assert_eq!((raw.file.as_str(), raw.version.as_str()), ("raw.bin", "9"));
    assert_eq!(raw.properties["flavour"], "other");
    // What the reader of the files will find.
    for (image, bytes) in [(disk, setup.image.as_slice()), (raw, b"raw image")] {
        let path = setup.dir.path().join(&image.file);
        std::fs::write(&path, bytes).unwrap();
        let digest = deployment::digest(&std::fs::File::open(path).unwrap(), |_| ()).unwrap();
        assert!(image.is(&digest), "{image:?} {digest}");
    }
}

#[test]
fn refusals_have_reasons() {
    let setup = Setup::new();
    let base = "--name stick --version-file version --input in0 --input in1 --image";
    let table = [
        ("a=a.plan:0", "a.plan has 2 inputs, but 1 positions are given"),
        ("a=a.plan:0,2", "no plan has an input at position 1"),
        ("a=a.plan:1,0", "in0 has 700000 bytes, but the plan was made over 300001"),
        ("a=a.plan:0,1 --image-set b:x=1", "--image-set: there is no --image \"b\""),
        ("a=a.plan:0,1 --image-set x=1", "--image-set: \"x\" is not NAME:KEY"),
        ("a=a.plan:0,1 --image-file b=1", "--image-file: there is no --image \"b\""),
        ("a=a.plan:0,1 --set x=1 --set x=2", "--set: \"x\" was given already"),
        (
            "a=a.plan:0,1 --image-file a=../a",
            "images[0].file: got \"../a\", want a file name of letters, digits and any of . - _, starting with a letter or digit, at most 255",
        ),
        ("a=a.plan:0,1 --image a=in0::0", "images[1].name: \"a\" is that of images[0] already"),
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
