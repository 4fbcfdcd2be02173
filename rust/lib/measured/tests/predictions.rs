//! Predictions beside what others computed and what a TPM held.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

use std::fs;

use base::{hex, Sha256Digest};
use measured::{
    authenticode, loaded, parameters, profiles, secure_boot, Enrolled, Error, Event, Pcr,
    Prediction, Register,
};
use pe::Signable;
use plan::{ImageSet, Plan, Reader};

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../pe/tests/support/program.rs"]
mod program;

/// An EFI program of these sections.
fn image(sections: &[(&str, &str)]) -> Reader<Vec<u8>> {
    let sections: Vec<(&str, &[u8])> = sections.iter().map(|(n, c)| (*n, c.as_bytes())).collect();
    reader(program::program(&sections, 16))
}

fn reader(bytes: Vec<u8>) -> Reader<Vec<u8>> {
    let set = ImageSet::of_lens(&[bytes.len() as u64]).unwrap();
    let plan = set.plans()[0].clone();
    Reader::new(plan, vec![("image".to_owned(), bytes)]).unwrap()
}

/// The bytes of an image.
fn bytes(image: &Reader<Vec<u8>>) -> Vec<u8> {
    let mut bytes = vec![0; image.len() as usize];
    image.read_at(&mut bytes, 0).unwrap();
    bytes
}

/// An image with a certificate table, whatever is in it.
fn signed(image: &Reader<Vec<u8>>) -> Reader<Vec<u8>> {
    let signable = Signable::open(image).unwrap();
    let table = signable.table(b"signature").unwrap();
    let plan: Plan = signable.attach(image.plan(), &table).unwrap();
    let signed = Reader::new(plan, vec![("image".to_owned(), bytes(image))]).unwrap();
    reader(bytes(&signed))
}

/// What the register holds after these.
fn value(events: Vec<Event>) -> String {
    Pcr::from(events).value().to_string()
}

/// PCR 11 with a profile.
fn pcr_11(image: &Reader<Vec<u8>>, profile: usize) -> String {
    value(profiles(image).unwrap()[profile].events.clone())
}

/// As the build lays a kernel image out: what all share, then the profiles.
fn uki() -> Reader<Vec<u8>> {
    image(&[
        (".text", "code"),
        (".sbat", "sbat,1\n"),
        (".osrel", "ID=test\n"),
        (".cmdline", "root=none"),
        (".uname", "6.12"),
        (".linux", "kernel"),
        (".initrd", "initrd"),
        (".profile", "ID=main"),
        (".profile", "ID=A"),
        (".cmdline", "root=/dev/A ro"),
        (".profile", "ID=B"),
        (".cmdline", "root=/dev/B ro"),
    ])
}

/// `systemd-measure calculate --phase=: --bank=sha256` of systemd 257.13, with --linux, --osrel, --cmdline, --initrd, --uname, --sbat and, for the
/// first, --profile: files of the contents above.
const MEASURE_A: &str = "c56880f799a8cebd1bcc6fd15cee26bbd2267be12bc5a097c5075288c1776771";
const MEASURE_ALONE: &str = "224166f6319e0cc359a1fc74a4e39f0948e21f03f2fb1da1a8ed232353a556ae";

#[test]
fn a_kernel_image_is_measured_as_systemd_says() {
    assert_eq!(pcr_11(&uki(), 1), MEASURE_A);
    let alone = image(&[
        (".initrd", "initrd"),
        (".linux", "kernel"),
        (".osrel", "ID=test\n"),
        (".cmdline", "root=/dev/A ro"),
        (".uname", "6.12"),
        (".sbat", "sbat,1\n"),
    ]);
    assert_eq!(pcr_11(&alone, 0), MEASURE_ALONE);
    assert_eq!(profiles(&alone).unwrap()[0].id, None);
}

#[test]
fn each_profile_has_its_own_line() {
    let all = profiles(&uki()).unwrap();
    let ids: Vec<_> = all.iter().map(|profile| profile.id.as_deref()).collect();
    assert_eq!(ids, [Some("main"), Some("A"), Some("B")]);
    let values: std::collections::BTreeSet<_> = (0..3).map(|n| pcr_11(&uki(), n)).collect();
    assert_eq!(values.len(), 3);
}

/// `.cmdline` of a profile stands where that of all would, and `.profile` is the last.
#[test]
fn the_stub_measures_names_and_sections_in_its_own_order() {
    let all = profiles(&uki()).unwrap();
    let what: Vec<_> = all[1].events.iter().map(|event| &*event.what).collect();
    let names = [
        ".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat", ".profile",
    ];
    let want = names.map(|name| [format!("name of section {name}"), format!("section {name}")]);
    assert_eq!(what, want.as_flattened());
    assert_eq!(all[1].events[0].digest, Sha256Digest::of(".linux\0"));
    assert_eq!(all[1].events[5].digest, Sha256Digest::of("root=/dev/A ro"));
}

#[test]
fn what_can_not_be_predicted_is_refused() {
    let refused = |sections: &[(&str, &str)]| profiles(&image(sections)).unwrap_err();
    let error = refused(&[(".text", "code")]);
    assert!(matches!(error, Error::NoKernel), "{error}");
    let error = refused(&[(".linux", "kernel"), (".dtbauto", "tree")]);
    assert!(matches!(error, Error::Chosen(".dtbauto")), "{error}");
    let long = "x".repeat((64 << 10) + 1);
    let error = refused(&[(".linux", "kernel"), (".profile", &long)]).to_string();
    let want = "section .profile of profile @0: 65537 bytes, want 65536 at most";
    assert_eq!(error, want);
}

/// What a TPM (swtpm) held when QEMU, with OVMF and these certificates enrolled by virt-fw-vars, had started a signed kernel image directly.
const PCR_4: &str = "4b93885e4557f73299bb1297b4394c3cf0e10331e681d0a8d2e3db53cac3ec32";
const PCR_7: &str = "2f5406c344fa2b998664e2bb7da938e4cb3b9d9405f89d15a61323e5bf6dd2e5";
/// The Authenticode digest of that image.
const IMAGE: &str = "5573c335872c3c32d40f607cb241c46c75a4a6122b5e27282f3799ea845fd759";
/// `EFI_CERT_SHA256`, one entry of owner a0baa8a3-041d-48a8-bc87-c36d121b5e3d, the digest of nothing: what virt-fw-vars revokes by itself.
const DBX: &str =
    "2616c4c14c509240aca941f9369343284c0000000000000030000000a3a8baa01d04a848bc87c36d121b5e3d\
                   e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn firmware_measures_what_it_loads() {
    let image: Sha256Digest = IMAGE.parse().unwrap();
    assert_eq!(value(loaded(&[], &image)), PCR_4);
    assert_ne!(value(loaded(&[image], &image)), PCR_4);
}

fn certificate(name: &str) -> Vec<u8> {
    let path = format!("tests/data/{name}.der");
    // Under Bazel the working folder is the root of the sources.
    let bytes = fs::read(&path).or_else(|_| fs::read(format!("rust/lib/measured/{path}")));
    bytes.unwrap()
}

const OWNER: &str = "11111111-2222-3333-4444-555555555555";

#[test]
fn firmware_measures_its_keys() {
    let dbx = hex::decode(DBX).unwrap();
    let [pk, kek, db] = ["PK", "KEK", "db"].map(certificate);
    let keys = Enrolled {
        owner: OWNER.parse().unwrap(),
        pk: &pk,
        kek: &kek,
        db: &db,
        dbx: &dbx,
    };
    assert_eq!(value(secure_boot(&keys).unwrap()), PCR_7);
    let other = Enrolled {
        db: keys.kek,
        ..keys
    };
    assert_ne!(value(secure_boot(&other).unwrap()), PCR_7);
    // The first three groups are little-endian numbers in the variables.
    let mixed = Enrolled {
        owner: "11111111-2222-3333-4444-555555555556".parse().unwrap(),
        ..keys
    };
    assert_ne!(value(secure_boot(&mixed).unwrap()), PCR_7);
}

#[test]
fn an_owner_is_a_guid() {
    for text in [
        "",
        "1",
        "11111111222233334444555555555555",
        "11111111-2222-3333-444-4555555555555",
    ] {
        let error = text.parse::<measured::Owner>().unwrap_err().to_string();
        let want = format!("owner {text:?}, want a GUID as a1b2c3d4-5e6f-4a70-8b91-0c2d3e4f5a6b");
        assert_eq!(error, want);
    }
    let [lower, upper] = [
        "A1B2C3D4-5e6f-4a70-8b91-0c2d3e4f5a6b",
        "a1b2c3d4-5E6F-4a70-8b91-0c2d3e4f5a6b",
    ]
    .map(|text| text.parse::<measured::Owner>().unwrap());
    assert_eq!(lower, upper);
}

/// Authenticode's own rule: all but the checksum and the certificate table's place, with zeros up to a multiple of 8.
#[test]
fn a_signed_program_has_the_digest_that_was_signed() {
    let unsigned = image(&[(".text", "code")]);
    let mut hashed = bytes(&unsigned);
    let optional = 0x80 + 24;
    hashed.drain(optional + 112 + 8 * 4..optional + 112 + 8 * 5);
    hashed.drain(optional + 64..optional + 68);
    let want = Sha256Digest::of(&hashed);
    assert_eq!(authenticode(&signed(&unsigned)).unwrap(), want);
    let error = authenticode(&unsigned).unwrap_err().to_string();
    assert_eq!(error, "the image is not signed: take the signed one");
}

#[test]
fn a_signature_anywhere_else_is_refused() {
    let mut longer = bytes(&signed(&image(&[(".text", "code")])));
    longer.push(0);
    let error = authenticode(&reader(longer)).unwrap_err().to_string();
    assert!(
        error.contains("the certificate table is said to be at 2048..2072, want it between the sections' end, 2048, and the file's, 2073"),
        "{error}"
    );
}

fn prediction() -> Prediction {
    let keys = Enrolled {
        owner: OWNER.parse().unwrap(),
        pk: b"pk",
        kek: b"kek",
        db: b"db",
        dbx: b"",
    };
    let loader = Sha256Digest::of("loader");
    Prediction::of(&[loader], &signed(&uki()), &keys).unwrap()
}

/// What a TPM (swtpm) held when GRUB had started a kernel image with `@1`.
const PCR_12: &str = "46e325c50cc36f5857215f0456592652748654a683f033fab8c152802f700ddd";

#[test]
fn the_stub_measures_which_profile_it_was_asked_for() {
    assert_eq!(value(parameters(1)), PCR_12);
    assert_eq!(parameters(0), []);
    assert_ne!(value(parameters(2)), PCR_12);
}

#[test]
fn a_prediction_is_a_document() {
    let all = prediction();
    let profiles = all.profiles();
    assert_eq!(profiles.len(), 3);
    let slot = &profiles[1];
    assert_eq!((slot.id.as_deref(), slot.number), (Some("A"), 1));
    let numbers: Vec<u8> = slot.pcrs.keys().copied().collect();
    assert_eq!(numbers, [4, 7, 11, 12]);
    assert_eq!(slot.pcrs[&11].value().to_string(), MEASURE_A);
    assert_eq!(slot.pcrs[&12].value().to_string(), PCR_12);
    assert_eq!(profiles[0].pcrs[&12].value(), Register::default());
    let loader = &slot.pcrs[&4].events()[2];
    assert_eq!(loader.digest, Sha256Digest::of("loader"));
    let text = all.to_json().unwrap();
    assert_eq!(Prediction::parse(&text).unwrap(), all);
    assert!(text.starts_with("{\n  \"bank\": \"sha256\",\n  \"format\": 1,\n"));
}

#[test]
fn a_changed_document_is_refused() {
    let text = prediction().to_json().unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let error = Prediction::parse(&text.replace(from, to)).unwrap_err();
        error.to_string()
    };
    assert_eq!(
        refused("\"format\": 1", "\"format\": 2"),
        "predictions of format 2 for bank sha256, want format 1 for bank sha256"
    );
    assert_eq!(
        refused("\"sha256\"", "\"sha1\""),
        "predictions of format 1 for bank sha1, want format 1 for bank sha256"
    );
    let other = "0".repeat(64);
    assert_eq!(
        refused(MEASURE_A, &other),
        format!(
            "PCR 11 is said to be {other}, its events make {MEASURE_A}: the document was changed"
        )
    );
    let no_document = "no predictions of a TPM's registers";
    assert_eq!(refused("\"format\"", "\"forms\""), no_document);
}

#[test]
fn a_register_starts_as_zeros() {
    assert_eq!(Register::default().to_string(), "0".repeat(64));
}
