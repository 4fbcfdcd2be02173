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
use measured::{authenticode, kernel_image, loaded, secure_boot, Enrolled, Error, Register};
use plan::{ImageSet, Reader};

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "../../pe/tests/support/program.rs"]
mod program;

/// An EFI program of these sections.
fn image(sections: &[(&str, &str)]) -> Reader<Vec<u8>> {
    let sections: Vec<(&str, &[u8])> = sections.iter().map(|(n, c)| (*n, c.as_bytes())).collect();
    let bytes = program::program(&sections, 16);
    let set = ImageSet::of_lens(&[bytes.len() as u64]).unwrap();
    let plan = set.plans()[0].clone();
    Reader::new(plan, vec![("image".to_owned(), bytes)]).unwrap()
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
    assert_eq!(kernel_image(&uki(), 1).unwrap().to_string(), MEASURE_A);
    let alone = image(&[
        (".initrd", "initrd"),
        (".linux", "kernel"),
        (".osrel", "ID=test\n"),
        (".cmdline", "root=/dev/A ro"),
        (".uname", "6.12"),
        (".sbat", "sbat,1\n"),
    ]);
    assert_eq!(kernel_image(&alone, 0).unwrap().to_string(), MEASURE_ALONE);
}

#[test]
fn each_profile_has_its_own_line() {
    let of = |profile| kernel_image(&uki(), profile).unwrap().to_string();
    assert_ne!(of(1), of(2));
    assert_ne!(of(0), of(1));
    let error = kernel_image(&uki(), 3).unwrap_err();
    assert_eq!(error.to_string(), "no profile @3, the kernel image has 3");
}

#[test]
fn what_can_not_be_predicted_is_refused() {
    let error = kernel_image(&image(&[(".text", "code")]), 0).unwrap_err();
    assert!(matches!(error, Error::NoKernel), "{error}");
    let chosen = image(&[(".linux", "kernel"), (".dtbauto", "tree")]);
    let error = kernel_image(&chosen, 0).unwrap_err();
    assert!(matches!(error, Error::Chosen(".dtbauto")), "{error}");
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
    assert_eq!(loaded(&[image]).to_string(), PCR_4);
    assert_ne!(loaded(&[image, image]).to_string(), PCR_4);
}

fn certificate(name: &str) -> Vec<u8> {
    let path = format!("tests/data/{name}.der");
    // Under Bazel the working folder is the root of the sources.
    let bytes = fs::read(&path).or_else(|_| fs::read(format!("rust/lib/measured/{path}")));
    bytes.unwrap()
}

#[test]
fn firmware_measures_its_keys() {
    let dbx = hex::decode(DBX).unwrap();
    let [pk, kek, db] = ["PK", "KEK", "db"].map(certificate);
    let keys = Enrolled {
        // 11111111-2222-3333-4444-555555555555
        owner: hex::decode_array("11111111222233334444555555555555").unwrap(),
        pk: &pk,
        kek: &kek,
        db: &db,
        dbx: &dbx,
    };
    assert_eq!(secure_boot(&keys).unwrap().to_string(), PCR_7);
    let other = Enrolled {
        db: keys.kek,
        ..keys
    };
    assert_ne!(secure_boot(&other).unwrap().to_string(), PCR_7);
}

/// Authenticode's own rule: all but the checksum and the certificate table's place, with zeros up to a multiple of 8.
#[test]
fn a_program_has_authenticodes_digest() {
    let image = image(&[(".text", "code")]);
    let mut bytes = vec![0; image.len() as usize];
    image.read_at(&mut bytes, 0).unwrap();
    let optional = 0x80 + 24;
    bytes.drain(optional + 112 + 8 * 4..optional + 112 + 8 * 5);
    bytes.drain(optional + 64..optional + 68);
    assert_eq!(authenticode(&image).unwrap(), Sha256Digest::of(&bytes));
}

#[test]
fn a_register_starts_as_zeros() {
    assert_eq!(Register::default().to_string(), "0".repeat(64));
}
