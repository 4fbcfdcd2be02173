//! Signatures as firmware's and GRUB's tools see them: sbverify, gpgv; and signers that are not ours: openssl.
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
use std::process::{Command, Output};

use plan::{Plan, ReadAt as _, Reader};
use signing::{Certificate, Error, PrivateKey, Program, Request, Signatures, Signed};

/// A folder with keys, and what is made in it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A key and its certificate, by openssl.
    fn pair(&self, name: &str) -> (Certificate, PrivateKey) {
        let [key, cert] = ["key", "crt"].map(|end| self.path(&format!("{name}.{end}")));
        let done = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "400",
            ])
            .args(["-subj", &format!("/CN={name}"), "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&cert)
            .output();
        good(&done.unwrap());
        let certificate = Certificate::parse(&fs::read(cert).unwrap()).unwrap();
        let key = PrivateKey::parse(&fs::read_to_string(key).unwrap()).unwrap();
        key.check(&certificate).unwrap();
        (certificate, key)
    }

    /// openssl as the program that signs.
    fn openssl(&self, name: &str) -> Program {
        let args = [
            "pkeyutl",
            "-sign",
            "-pkeyopt",
            "digest:sha256",
            "-pkeyopt",
            "rsa_padding_mode:pkcs1",
            "-inkey",
        ];
        let mut args: Vec<_> = args.map(Into::into).into();
        args.push(self.path(&format!("{name}.key")).into());
        Program {
            path: "openssl".into(),
            args,
        }
    }
}

fn good(done: &Output) -> String {
    let said = [&done.stdout[..], &done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

/// An image of three sections, and its reader. Its length is no multiple of eight.
fn image() -> (Vec<u8>, Reader<Vec<u8>>) {
    let mut bytes = program::stub();
    bytes.extend(b"behind the sections");
    let reader = reader(&bytes);
    (bytes, reader)
}

fn reader(bytes: &[u8]) -> Reader<Vec<u8>> {
    let plan = Plan::whole(bytes.len() as u64).unwrap();
    Reader::new(plan, vec![("image".to_owned(), bytes.to_vec())]).unwrap()
}

fn bytes(plan: Plan, input: Vec<u8>) -> Vec<u8> {
    let reader = Reader::new(plan, vec![("image".to_owned(), input)]).unwrap();
    let mut bytes = vec![0xa5; reader.len() as usize];
    reader.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn signed(certificate: &Certificate, key: &PrivateKey) -> (Vec<u8>, Vec<u8>) {
    let (input, reader) = image();
    let request = Request::of(&reader, certificate, "test.efi", true).unwrap();
    let request = Request::parse(&request.to_json()).unwrap();
    let signatures = signing::sign(std::slice::from_ref(&request), certificate, |digest| {
        key.sign(digest)
    });
    let signatures = Signatures::parse(&signatures.unwrap().to_json()).unwrap();
    let signed = Signed::of(&reader, certificate, &request, &[signatures]).unwrap();
    (bytes(signed.plan, input), signed.detached.unwrap())
}

fn sbverify(certificate: &Path, image: &Path) -> Output {
    let mut command = Command::new("sbverify");
    command.arg("--cert").arg(certificate).arg(image);
    command.output().unwrap()
}

fn gpgv(keyring: &Path, signature: &Path, image: &Path) -> Output {
    let mut command = Command::new("gpgv");
    command.arg("--homedir").arg(keyring.parent().unwrap());
    command
        .arg("--keyring")
        .arg(keyring)
        .arg(signature)
        .arg(image);
    command.output().unwrap()
}

#[test]
fn sbverify_and_gpgv_accept_it_and_nothing_else() {
    let bench = Bench::new();
    let (certificate, key) = bench.pair("one");
    let (other, other_key) = bench.pair("other");
    let (image, detached) = signed(&certificate, &key);
    let [file, sig, ring, wrong] =
        ["test.efi", "test.efi.sig", "ring", "wrong"].map(|n| bench.path(n));
    fs::write(&file, &image).unwrap();
    fs::write(&sig, &detached).unwrap();
    let keyring =
        |certificate, key: &PrivateKey| signing::keyring(certificate, |d| key.sign(d)).unwrap();
    fs::write(&ring, keyring(&certificate, &key)).unwrap();
    fs::write(&wrong, keyring(&other, &other_key)).unwrap();
    assert!(good(&sbverify(&bench.path("one.crt"), &file)).contains("Signature verification OK"));
    let said = good(&gpgv(&ring, &sig, &file));
    assert!(said.contains("Good signature"), "{said}");
    assert!(!sbverify(&bench.path("other.crt"), &file).status.success());
    assert!(!gpgv(&wrong, &sig, &file).status.success());
    // A byte of each part: headers, a section, what is behind the sections.
    for at in [0x100, 0x700, image.len() - detached.len() - 1400] {
        let mut bad = image.clone();
        bad[at] ^= 1;
        fs::write(&file, bad).unwrap();
        assert!(
            !sbverify(&bench.path("one.crt"), &file).status.success(),
            "{at}"
        );
        assert!(!gpgv(&ring, &sig, &file).status.success(), "{at}");
    }
}

/// A new key beside the old one, and then without it: docs/signing.md, "Rotation".
#[test]
fn while_keys_rotate_both_are_good_and_afterwards_the_new_one() {
    let bench = Bench::new();
    let pairs = ["old", "new"].map(|name| (name, bench.pair(name)));
    let mut both = Vec::new();
    let ring = bench.path("ring");
    for (name, (certificate, key)) in &pairs {
        let (image, detached) = signed(certificate, key);
        fs::write(bench.path(name), image).unwrap();
        fs::write(bench.path(&format!("{name}.sig")), detached).unwrap();
        both.push(signing::keyring(certificate, |digest| key.sign(digest)).unwrap());
    }
    let good = |name: &str| {
        let [image, sig] = [bench.path(name), bench.path(&format!("{name}.sig"))];
        gpgv(&ring, &sig, &image).status.success()
    };
    fs::write(&ring, both.concat()).unwrap();
    assert_eq!(["old", "new"].map(good), [true, true]);
    fs::write(&ring, &both[1]).unwrap();
    assert_eq!(["old", "new"].map(good), [false, true]);
    let firmware = |name: &str| {
        let done = sbverify(&bench.path("new.crt"), &bench.path(name));
        done.status.success()
    };
    assert_eq!(["old", "new"].map(firmware), [false, true]);
}

/// What `dbx` takes to refuse one image, whoever signed it: docs/signing.md, "Revocation".
#[test]
fn the_digest_to_be_revoked_is_the_one_that_others_hash() {
    let bench = Bench::new();
    let (certificate, _) = bench.pair("one");
    let (bytes, reader) = image();
    let request = Request::of(&reader, &certificate, "test.efi", false).unwrap();
    let signing::Item::Authenticode { image, .. } = &request.items[0] else {
        unreachable!("one program, one signature")
    };
    let [file, out, message] = ["test.efi", "signed.efi", "message"].map(|n| bench.path(n));
    fs::write(&file, bytes).unwrap();
    let mut command = Command::new("sbsign");
    command
        .arg("--key")
        .arg(bench.path("one.key"))
        .arg("--cert");
    command.arg(bench.path("one.crt")).arg("--output").arg(&out);
    good(&command.arg(&file).output().unwrap());
    let mut command = Command::new("sbattach");
    good(
        &command
            .arg("--detach")
            .arg(&message)
            .arg(&out)
            .output()
            .unwrap(),
    );
    let mut command = Command::new("openssl");
    command
        .args(["asn1parse", "-inform", "DER", "-in"])
        .arg(&message);
    let said = good(&command.output().unwrap());
    let digest = image.to_string().to_uppercase();
    assert!(
        said.contains(&format!("[HEX DUMP]:{digest}")),
        "{digest}: {said}"
    );
}

#[test]
fn sbattach_takes_the_signature_off() {
    let bench = Bench::new();
    let (certificate, key) = bench.pair("one");
    let (image, _) = signed(&certificate, &key);
    let file = bench.path("test.efi");
    fs::write(&file, &image).unwrap();
    let mut command = Command::new("sbattach");
    good(&command.arg("--remove").arg(&file).output().unwrap());
    let rest = fs::read(&file).unwrap();
    let request = |bytes: &[u8]| Request::of(&reader(bytes), &certificate, "x", false).unwrap();
    assert_eq!(request(&rest), request(&self::image().0));
}

#[test]
fn any_signer_gives_the_same_bytes() {
    let bench = Bench::new();
    let (certificate, key) = bench.pair("one");
    let (_, reader) = image();
    let request = Request::of(&reader, &certificate, "test.efi", true).unwrap();
    let program = bench.openssl("one");
    let requests = [request];
    let ours = signing::sign(&requests, &certificate, |digest| key.sign(digest)).unwrap();
    let theirs = signing::sign(&requests, &certificate, |digest| program.sign(digest)).unwrap();
    assert_eq!(ours.to_json(), theirs.to_json());
    assert_eq!(ours.signatures.len(), 2);
    assert_eq!(signed(&certificate, &key), signed(&certificate, &key));
    // The same key in the older form.
    let old = bench.path("old.key");
    let mut command = Command::new("openssl");
    command
        .args(["rsa", "-traditional", "-in"])
        .arg(bench.path("one.key"));
    good(&command.arg("-out").arg(&old).output().unwrap());
    let old = PrivateKey::parse(&fs::read_to_string(old).unwrap()).unwrap();
    let again = signing::sign(&requests, &certificate, |digest| old.sign(digest)).unwrap();
    assert_eq!(again, ours);
}

#[test]
fn signatures_of_others_are_refused() {
    let bench = Bench::new();
    let (certificate, key) = bench.pair("one");
    let (other, other_key) = bench.pair("other");
    let (_, reader) = image();
    let request = Request::of(&reader, &certificate, "test.efi", true).unwrap();
    let requests = [request.clone()];
    let says = |error: Error| error.to_string();

    let error = signing::sign(&requests, &certificate, |digest| other_key.sign(digest));
    let said = says(error.unwrap_err());
    assert!(
        said.starts_with(
            "signature of test.efi: it is not by the key of the certificate (CN=one, SHA-256 "
        ),
        "{said}"
    );
    let error = signing::sign(&requests, &other, |digest| other_key.sign(digest));
    let said = says(error.unwrap_err());
    assert!(
        said.starts_with("the request is for the certificate with SHA-256 "),
        "{said}"
    );
    let said = says(key.check(&other).unwrap_err());
    assert_eq!(
        said,
        "the private key can't be used: it is not that of CN=other"
    );

    // No signature, and half of them.
    let error = Signed::of(&reader, &certificate, &request, &[]).unwrap_err();
    let said = says(error);
    assert!(
        said.starts_with("no signature of test.efi (digest "),
        "{said}"
    );
    assert!(
        said.contains("among 0 given: sign what `to_sign` says"),
        "{said}"
    );
    let mut half = signing::sign(&requests, &certificate, |digest| key.sign(digest)).unwrap();
    half.signatures.pop();
    let error = Signed::of(&reader, &certificate, &request, &[half.clone()]).unwrap_err();
    let said = says(error);
    assert!(
        said.starts_with("no signature of test.efi.sig (digest "),
        "{said}"
    );

    // A signature that somebody changed, with the right digest beside it.
    let digit = half.signatures[0].signature.remove(7);
    half.signatures[0]
        .signature
        .insert(7, if digit == '0' { '1' } else { '0' });
    let error = Signed::of(&reader, &certificate, &request, &[half]).unwrap_err();
    assert!(matches!(error, Error::WrongSignature { .. }), "{error}");

    // A request that says of the image's digest what is not true is signed by nobody.
    let text = request.to_json();
    let image = text.split("\"image\": \"").nth(1).unwrap();
    let text = text.replacen(&image[..64], &"0".repeat(64), 1);
    let forged = Request::parse(&text).unwrap();
    let put = Signed::of(&reader, &certificate, &forged, &[]).unwrap_err();
    let error = signing::sign(&[forged], &certificate, |digest| key.sign(digest)).unwrap_err();
    assert!(matches!(error, Error::OtherImage { .. }), "{error}");
    let said = says(error);
    assert!(
        said.contains(&format!("for image {}", "0".repeat(64))),
        "{said}"
    );
    // Nor put to an image.
    assert_eq!(says(put), said);
}

#[test]
fn programs_that_do_not_sign() {
    let bench = Bench::new();
    let (certificate, _) = bench.pair("one");
    let (_, reader) = image();
    let requests = [Request::of(&reader, &certificate, "test.efi", false).unwrap()];
    let says = |path: &str, args: &[&str]| {
        let program = Program {
            path: path.into(),
            args: args.iter().map(Into::into).collect(),
        };
        let done = signing::sign(&requests, &certificate, |digest| program.sign(digest));
        done.unwrap_err().to_string()
    };
    for (got, want) in [
        (says("false", &[]), "the signer false: it refused digest "),
        (
            says("true", &[]),
            "signature of test.efi: it is not by the key",
        ),
        (
            says("cat", &[]),
            "signature of test.efi: it is not by the key",
        ),
        (
            says("head", &["-c", "100000", "/dev/zero"]),
            "the signer head: it refused digest",
        ),
        (
            says("/not/there", &[]),
            "the signer /not/there can't be run",
        ),
    ] {
        assert!(got.contains(want), "{got}");
    }
}

#[test]
fn what_is_no_certificate_or_key() {
    let bench = Bench::new();
    bench.pair("one");
    let says = |bytes: &[u8]| Certificate::parse(bytes).unwrap_err().to_string();
    let pem = fs::read(bench.path("one.crt")).unwrap();
    let der = Certificate::parse(&pem).unwrap().der().to_vec();
    assert_eq!(
        Certificate::parse(&der).unwrap().digest(),
        Certificate::parse(&pem).unwrap().digest()
    );
    let mut longer = der;
    longer.push(0);
    for bytes in [
        &b""[..],
        b"-----BEGIN",
        &longer,
        &pem[..pem.len() / 2],
        &[0; 70_000],
    ] {
        assert!(
            says(bytes).starts_with("the certificate can't be used: "),
            "{}",
            says(bytes)
        );
    }
    let (key, cert) = (bench.path("ec.key"), bench.path("ec.crt"));
    let done = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=ec",
            "-keyout",
        ])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output();
    good(&done.unwrap());
    let said = says(&fs::read(cert).unwrap());
    assert!(said.contains("no RSA key"), "{said}");
    for (text, want) in [
        (
            fs::read_to_string(key).unwrap(),
            "the private key can't be used: ",
        ),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----".to_owned(),
            "want PEM, `PRIVATE KEY`",
        ),
    ] {
        let Err(error) = PrivateKey::parse(&text) else {
            unreachable!("{text}")
        };
        assert!(error.to_string().contains(want), "{error}");
    }
}
