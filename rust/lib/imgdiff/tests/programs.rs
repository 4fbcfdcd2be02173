//! What firmware starts: kernel arguments, sections of unified kernel images, and signatures, each with one thing changed.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

#[path = "../../pe/tests/support/program.rs"]
#[allow(dead_code, reason = "not all of its programs are wanted here")]
mod program;
mod support;

use program::{kernel, program, SBAT};
use support::{report, tar};

/// A unified kernel image, as data.
#[derive(Clone)]
struct Uki {
    cmdline: Vec<u8>,
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    /// Command lines of profiles.
    profiles: Vec<&'static str>,
}

impl Uki {
    fn new() -> Self {
        Self {
            cmdline: b"root=/dev/vda2 ro quiet\0".to_vec(),
            kernel: kernel(),
            initrd: initrd("one\n"),
            profiles: vec!["root=A", "root=B"],
        }
    }

    fn cmdline(text: &str) -> Vec<u8> {
        let cmdline = text.as_bytes().to_vec();
        Self {
            cmdline,
            ..Self::new()
        }
        .bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut sections = vec![
            (".text", &[0x90; 700][..]),
            (".sbat", SBAT.as_bytes()),
            (".cmdline", &self.cmdline),
            (".linux", &self.kernel),
            (".initrd", &self.initrd),
        ];
        for profile in &self.profiles {
            sections.push((".profile", b"ID=profile\n"));
            sections.push((".cmdline", profile.as_bytes()));
        }
        program(&sections, 16)
    }
}

/// An initial RAM disk with one file, as cpio(5) has it.
fn initrd(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in [("etc/motd", text), ("TRAILER!!!", "")] {
        let mut numbers = [0; 13];
        numbers[1] = 0o100644;
        (numbers[6], numbers[11]) = (content.len(), name.len() + 1);
        out.extend(b"070701");
        for number in numbers {
            out.extend(format!("{number:08X}").bytes());
        }
        for part in [format!("{name}\0"), content.to_owned()] {
            out.extend(part.bytes());
            out.resize(out.len().next_multiple_of(4), 0);
        }
    }
    out
}

/// Where the entry of certificates stands in what [`program`] makes.
const CERTIFICATES: usize = 0x80 + 24 + 112 + 4 * 8;

/// `program` with a table of these signatures behind it.
fn signed(program: &[u8], signatures: &[&[u8]]) -> Vec<u8> {
    let mut table = Vec::new();
    for signature in signatures {
        let len = (8 + signature.len()).next_multiple_of(8);
        table.extend((len as u32).to_le_bytes());
        // Revision 2, PKCS#7 signed data.
        table.extend([0, 2, 2, 0]);
        table.extend_from_slice(signature);
        table.resize(table.len().next_multiple_of(8), 0);
    }
    let mut bytes = program.to_vec();
    let place = [bytes.len() as u32, table.len() as u32].map(u32::to_le_bytes);
    bytes[CERTIFICATES..CERTIFICATES + 8].copy_from_slice(&place.concat());
    bytes.extend(table);
    bytes
}

/// What is told of two programs, without the name and the size of the file that they are.
fn told(old: &[u8], new: &[u8]) -> String {
    let (old, new) = (tar(&[("a.efi", old)]), tar(&[("a.efi", new)]));
    let report = report(&old, &new);
    assert_eq!(report.not_read, [""; 0]);
    support::told_of(&report, "/a.efi")
}

#[test]
fn kernel_arguments() {
    let old = Uki::cmdline("root=/dev/vda2 ro quiet");
    // The same length: nothing else moves.
    let new = Uki::cmdline("root=/dev/vda3 ro quiet");
    assert_eq!(
        told(&old, &new),
        "  efi-program .cmdline changed\n    -root=/dev/vda2\n    +root=/dev/vda3\n"
    );
    // What came, went, is there once more; headers have lengths.
    let new = Uki::cmdline("root=/dev/vda2 ro ro debug \u{7}");
    let text = told(&old, &new);
    let (cmdline, outside) = text.split_once("  efi-program outside").unwrap();
    assert_eq!(
        cmdline,
        "  efi-program .cmdline changed\n    size: 23 -> 28\n    -quiet\n    +ro\n    +debug\n    +\\x07\n"
    );
    assert!(
        outside.starts_with(" of sections changed\n    size: 5021 -> 5016\n    bytes: "),
        "{text}"
    );
    // Words are the same, what the kernel gets is not.
    let new = Uki::cmdline("ro root=/dev/vda2 quiet");
    let want = "the same words in another order, or other blanks\n";
    assert_eq!(
        told(&old, &new),
        format!("  efi-program .cmdline changed\n    {want}")
    );
}

/// The same in a page: a change that no word tells is one.
#[test]
fn kernel_arguments_in_another_order_on_the_page() {
    let (old, new) = (Uki::cmdline("ro quiet"), Uki::cmdline("quiet ro"));
    let report = report(&tar(&[("a.efi", &old)]), &tar(&[("a.efi", &new)]));
    let mut page = Vec::new();
    imgdiff::html::write(&report, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(
        page.contains("the same words in another order, or other blanks"),
        "{page}"
    );
}

#[test]
fn arguments_of_a_profile() {
    let uki = Uki::new();
    let other = Uki {
        profiles: vec!["root=A", "root=C"],
        ..uki.clone()
    };
    assert_eq!(
        told(&uki.bytes(), &other.bytes()),
        "  efi-program .cmdline#3 changed\n    -root=B\n    +root=C\n"
    );
    // One that is gone, with all that it had.
    let fewer = Uki {
        profiles: vec!["root=A"],
        ..uki.clone()
    };
    let text = told(&uki.bytes(), &fewer.bytes());
    assert!(
        text.starts_with(
            "  efi-program .profile#2 removed\n    size 11\n  efi-program .cmdline#3 removed\n    size 6\n"
        ),
        "{text}"
    );
}

#[test]
fn sections_by_what_they_are() {
    let uki = Uki::new();
    let mut changed = uki.clone();
    // In the kernel's own section, which is the only one.
    changed.kernel[2000] = 0xcc;
    changed.initrd = initrd("two\n");
    assert_eq!(
        told(&uki.bytes(), &changed.bytes()),
        "  efi-program .linux changed\n    efi-program .text changed\n      bytes: 1 differ, the first at 464, in 1 stretch of blocks\n\
         \x20 efi-program .initrd changed\n    cpio etc/motd changed\n      @@ -1 +1 @@\n      -one\n      +two\n"
    );
    // Packed.
    let packed = |text: &str| Uki {
        initrd: zstd::encode_all(&initrd(text)[..], 3).unwrap(),
        ..Uki::new()
    };
    let text = told(&packed("one\n").bytes(), &packed("two\n").bytes());
    let want = "    inside (zstd):\n      cpio etc/motd changed\n        @@ -1 +1 @@\n        -one\n        +two\n";
    assert!(text.contains(want), "{text}");
}

#[test]
fn sections_that_come_and_go() {
    let sections: [(&str, &[u8]); 2] = [(".text", b"code"), (".old", b"12345")];
    let (old, new) = (
        program(&sections, 16),
        program(&[sections[0], (".new", b"12")], 16),
    );
    let text = told(&old, &new);
    assert!(
        text.starts_with("  efi-program .old removed\n    size 5\n  efi-program .new added\n    size 2\n  efi-program outside of sections changed\n"),
        "{text}"
    );
}

#[test]
fn signatures() {
    let program = Uki::new().bytes();
    let one = signed(&program, &[b"\x30\x80 by one"]);
    // In place: headers are the same.
    let other = signed(&program, &[b"\x30\x80 by two"]);
    assert_eq!(
        told(&one, &other),
        "  efi-program signatures changed\n    bytes: 3 differ, the first at 14, in 1 stretch of blocks\n"
    );
    // Signed at all, or by more: where the table is stands in the headers.
    let outside = |at, count| {
        format!(
            "  efi-program outside of sections changed\n    bytes: {count} differ, the first at {at}, in 1 stretch of blocks\n"
        )
    };
    let added = "  efi-program signatures added\n    size 24\n";
    assert_eq!(one.len() - program.len(), 24);
    assert_eq!(told(&program, &one), format!("{added}{}", outside(297, 2)));
    let both = signed(&program, &[b"\x30\x80 by one", b"\x30\x80 by two"]);
    assert_eq!(
        told(&one, &both),
        format!("  efi-program signatures changed\n    size: 24 -> 48\n    bytes: one is the beginning of the other\n{}", outside(300, 1))
    );
}

/// A table of which the file has no byte, or not all of them: not the same as none, and said.
#[test]
fn signatures_that_are_not_there() {
    let whole = signed(&Uki::new().bytes(), &[b"\x30\x80 by one"]);
    let cut = &whole[..whole.len() - 8];
    let text = told(&whole, cut);
    assert!(
        text.contains("  efi-program signatures changed\n    size: 24 -> 16\n    damaged: none -> 8 bytes more are said to be behind the end of the file\n"),
        "{text}"
    );
}
