//! A unified kernel image, as others see it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

mod support;

use base::Sha256Digest;
use object::read::pe::PeFile64;
use object::{Object, ObjectSection};
use support::{bytes, initrd, kernel, program, reader, readers, stub, texts, uki, SBAT};

/// SHA-256 of what ukify 257.13 wrote for the parts of `support`, each in a file:
/// `ukify build --stub=stub --linux=kernel --initrd=initrd --os-release=@osrel --cmdline=root=none --sbat=@sbat --profile='ID=main'
/// --join-profile=A.efi --join-profile=B.efi --output=uki`, with `ukify build --stub=addonx64.efi.stub --profile=@A.profile --cmdline=… --output=A.efi`.
const UKIFY: &str = "ddeebd5f31fdce1d1dddd8ec9e0b2132e35e0473c3d9e0a69b30421c544fa12a";

#[test]
fn the_bytes_are_those_of_ukify() {
    let ours = uki(stub(), kernel(), &texts()).unwrap();
    assert_eq!(Sha256Digest::of(&ours).to_string(), UKIFY);
}

/// Names and contents by an independent reader.
fn sections(image: &[u8]) -> Vec<(String, Vec<u8>)> {
    let file = PeFile64::parse(image).unwrap();
    let sections = file.sections();
    let sections = sections.map(|s| (s.name().unwrap().to_owned(), s.data().unwrap().to_vec()));
    sections.collect()
}

#[test]
fn each_section_has_its_content() {
    let image = uki(stub(), kernel(), &texts()).unwrap();
    let sections = sections(&image);
    let names: Vec<_> = sections.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names.join(" "),
        ".text .sbat .reloc .osrel .cmdline .uname .linux .initrd .profile .profile .cmdline .profile .cmdline"
    );
    let text = |at: usize| String::from_utf8(sections[at].1.clone()).unwrap();
    assert_eq!(
        text(1),
        format!("{SBAT}test,3,Nobody,test,1,https://test.example\n\0")
    );
    assert_eq!(text(3), "ID=test\nVERSION_ID=1\n");
    assert_eq!(text(4), "root=none");
    assert_eq!(text(5), "6.12.0-test");
    assert_eq!(sections[6].1, kernel());
    assert_eq!(sections[7].1, initrd());
    assert_eq!(text(8), "ID=main");
    assert_eq!(text(9), "ID=A\nTITLE=Slot A");
    assert_eq!(text(10), "root=/dev/A ro");
    assert_eq!(text(12), "root=/dev/B ro");
}

#[test]
fn a_changed_line_of_the_same_length_moves_nothing() {
    let files = [stub(), kernel(), initrd()];
    let readers = readers(&files);
    let mut other = texts();
    other.cmdline = "root=nine".to_owned();
    let layout =
        |texts| pe::uki::layout(&readers[0], &readers[1], readers[2].plan(), texts).unwrap();
    let (one, two) = (layout(&texts()), layout(&other));
    let ranges = |plan: &plan::Plan| {
        let extents = plan.extents();
        let sources = extents.filter(|extent| matches!(extent.piece, plan::Piece::Source { .. }));
        sources.count()
    };
    // The stub before its SBAT and behind it, the kernel, the initrd.
    assert_eq!(ranges(&one), 4);
    let pairs = [one, two].map(|plan| bytes(&reader(plan, &files)));
    let differ = pairs[0].iter().zip(&pairs[1]).filter(|(a, b)| a != b);
    assert_eq!(differ.count(), 1);
    assert_eq!(pairs[0].len(), pairs[1].len());
}

#[test]
fn kernels_without_nx_take_it_from_the_image() {
    let nx = |image: &[u8]| {
        let file = PeFile64::parse(image).unwrap();
        let header = file.nt_headers().optional_header.dll_characteristics;
        header.get(object::LittleEndian) & 0x100 != 0
    };
    let mut old = kernel();
    let with = uki(stub(), old.clone(), &texts()).unwrap();
    old[0x80 + 24 + 70..][..2].fill(0);
    let without = uki(stub(), old, &texts()).unwrap();
    assert!(nx(&with));
    assert!(!nx(&without));
}

#[test]
fn a_stub_without_sbat_gets_one() {
    let stub = program(&[(".text", &[1; 20])], 16);
    let image = uki(stub, kernel(), &texts()).unwrap();
    let sections = sections(&image);
    let (name, content) = &sections[6];
    assert_eq!(name, ".sbat");
    assert!(content.ends_with(b"MD.md\n\0") || content.ends_with(b"test.example\n\0"));
}

/// A generation is data: raised, it changes its own digit and nothing else.
#[test]
fn generations() {
    let of = |image: &[u8]| {
        let mut sbat = pe::Sbat::default();
        let (_, content) = sections(image).swap_remove(1);
        sbat.add_section("the image", &content).unwrap();
        let all = sbat.generations();
        let all = all.map(|(component, generation)| format!("{component} {generation}"));
        all.collect::<Vec<_>>().join(", ")
    };
    let one = uki(stub(), kernel(), &texts()).unwrap();
    let mut raised = texts();
    raised.sbat = raised.sbat.replace("test,3", "test,4");
    let two = uki(stub(), kernel(), &raised).unwrap();
    assert_eq!(of(&one), "stub 1, test 3");
    assert_eq!(of(&two), "stub 1, test 4");
    assert_eq!(one.iter().zip(&two).filter(|(a, b)| a != b).count(), 1);
}

/// What is refused, and what it says.
#[test]
fn refusals() {
    let error = |stub: Vec<u8>, kernel: Vec<u8>, change: fn(&mut pe::uki::Texts)| {
        let mut texts = texts();
        change(&mut texts);
        uki(stub, kernel, &texts).unwrap_err().to_string()
    };
    let mut signed = stub();
    // Directory 4: eight bytes of certificates.
    signed[0x80 + 24 + 112 + 36] = 8;
    let mut no_setup = kernel();
    no_setup[0x202] = 0;
    let mut outside = kernel();
    outside[0x20e..0x210].fill(0xff);
    let mut loose = stub();
    loose[0x80 + 24 + 112 + 128 + 40 + 20] = 1;
    let mut longer = stub();
    longer.push(0);
    for (got, want) in [
        (error(signed, kernel(), |_| ()), "signed already (8 bytes"),
        (error(stub(), no_setup, |_| ()), "no setup header"),
        (
            error(stub(), outside, |_| ()),
            "its version lies outside it",
        ),
        (
            error(loose, kernel(), |_| ()),
            "section .sbat has its bytes at",
        ),
        (
            error(longer, kernel(), |_| ()),
            "bytes behind its sections, which end at 4096",
        ),
        (error(stub(), vec![0; 5000], |_| ()), "at byte 0: no MZ"),
        (
            error(stub(), kernel(), |t| t.cmdline = " ".into()),
            "the command line is empty",
        ),
        (
            error(stub(), kernel(), |t| t.cmdline = "a\nb".into()),
            "the command line has '\\n' at byte 1",
        ),
        (
            error(stub(), kernel(), |t| t.profiles[1].cmdline.clear()),
            "the command line of profile 2 is empty",
        ),
        (
            error(stub(), kernel(), |t| t.sbat = "test,0,a,b,c,d".into()),
            "SBAT of the lines given, line 1: generation \"0\" of test, want a number from 1",
        ),
        (
            error(stub(), kernel(), |t| t.sbat = "test,1".into()),
            "2 fields, want 6",
        ),
        (
            error(stub(), kernel(), |t| {
                t.sbat = format!("t,1,a,b,c,{}", "d".repeat(400))
            }),
            "the stub's section has room for 512",
        ),
        (
            error(stub(), kernel(), |t| {
                let one = t.profiles[0].clone();
                t.profiles = vec![one; 20];
            }),
            "49 sections need 2352 bytes of headers, the stub has room for 1536",
        ),
    ] {
        assert!(got.contains(want), "{got}");
    }
}
