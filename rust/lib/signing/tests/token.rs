//! A key in a token (PKCS#11), by the script of docs/signing.md as it stands there. SoftHSM is the token.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

#[path = "../../pe/tests/support/program.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plan::{Plan, Reader};
use signing::{Certificate, Error, PrivateKey, Program, Request, Signed};

const PIN: &str = "4711";
/// Where the script has the PIN.
const PIN_FILE: &str = "/run/release.pin";

/// The script of the document.
fn script() -> String {
    // Bazel runs tests at the root of the source tree, cargo in the package's folder.
    let text = fs::read_to_string("docs/signing.md")
        .or_else(|_| fs::read_to_string("../../../docs/signing.md"));
    let text = text.unwrap();
    let mut blocks = text.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains("-provider pkcs11"));
    let script = block.unwrap().trim_start().to_owned();
    assert!(script.starts_with("#!/bin/sh\n"), "{script}");
    script
}

/// A folder with a token, whose key is also in files.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        fs::create_dir(bench.path("tokens")).unwrap();
        let settings = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            bench.path("tokens").display()
        );
        fs::write(bench.path("softhsm2.conf"), settings).unwrap();
        bench.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 400 -subj /CN=token -keyout key -out crt",
        );
        bench.run("openssl pkcs8 -topk8 -nocrypt -in key -out key.p8");
        bench.run(&format!(
            "softhsm2-util --init-token --free --label release --so-pin {PIN} --pin {PIN}"
        ));
        bench.run(&format!(
            "softhsm2-util --import key.p8 --token release --label db --id 01 --pin {PIN}"
        ));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .current_dir(self.0.path())
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        let done = command.output().unwrap();
        assert!(done.status.success(), "{line}: {done:?}");
    }

    /// The document's script with this token, this PIN, and this URI's end.
    fn signer(&self, pin: &str, object: &str) -> Program {
        let settings = self.path("softhsm2.conf");
        let file = self.path("pin");
        fs::write(&file, format!("{pin}\n")).unwrap();
        let script = script();
        assert!(
            script.contains(PIN_FILE) && script.contains("object=db"),
            "{script}"
        );
        let script = script
            .replace(PIN_FILE, file.to_str().unwrap())
            .replace("object=db", object)
            .replacen(
                "#!/bin/sh\n",
                &format!("#!/bin/sh\nexport SOFTHSM2_CONF={}\n", settings.display()),
                1,
            );
        let path = self.path("signer.sh");
        stand_in::program(&path, &script);
        Program {
            path,
            args: Vec::new(),
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_token_signs_as_the_document_says() {
    let bench = Bench::new();
    let certificate = Certificate::parse(read(&bench.path("crt")).as_bytes()).unwrap();
    let key = PrivateKey::parse(&read(&bench.path("key"))).unwrap();
    let image = program::stub();
    let plan = Plan::whole(image.len() as u64).unwrap();
    let reader = Reader::new(plan, vec![("image".to_owned(), image)]).unwrap();
    // Authenticode and OpenPGP, of which the second one is of the first one's bytes.
    let requests = [Request::of(&reader, &certificate, "test.efi", true).unwrap()];
    let by = |signer: &Program| signing::sign(&requests, &certificate, |d| signer.sign(d));

    let signatures = by(&bench.signer(PIN, "object=db")).unwrap();
    assert_eq!(signatures.signatures.len(), 2);
    // The key in a file makes the same ones: there is no chance in them.
    let same = signing::sign(&requests, &certificate, |digest| key.sign(digest)).unwrap();
    assert_eq!(signatures, same);
    Signed::of(&reader, &certificate, &requests[0], &[signatures]).unwrap();

    for signer in [("0815", "object=db"), (PIN, "object=another")] {
        let signer = bench.signer(signer.0, signer.1);
        let error = by(&signer).unwrap_err();
        assert!(matches!(error, Error::Program { .. }), "{error}");
    }
}
