//! An initial RAM disk from a tree to a kernel image: `inject`, `mkinitrd`, `mkuki`, `materialize`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests"
)]

#[path = "../../lib/pe/tests/support/program.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod efi;
#[path = "../../lib/initrd/tests/support/elf.rs"]
#[allow(dead_code, reason = "the file serves several tests")]
mod elf;

use std::fs;
use std::path::Path;
use std::process::Command;

use plan::Reader;

const INJECT: &str = env!("CARGO_BIN_EXE_inject");
const MATERIALIZE: &str = env!("CARGO_BIN_EXE_materialize");
const MKINITRD: &str = env!("CARGO_BIN_EXE_mkinitrd");
const MKUKI: &str = env!("CARGO_BIN_EXE_mkuki");

const R: &str = "usr/lib/modules/6.1";

/// A folder with the tree of a root file system.
struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let module = |name| elf::module(name, &["fw"]);
        let files: [(&str, Vec<u8>); 8] = [
            ("boot/linux", efi::kernel()),
            ("boot/stub", efi::stub()),
            (
                "usr/lib/firmware/amd-ucode/microcode_amd.bin",
                b"of AMD".to_vec(),
            ),
            (&format!("{R}/kernel/disk.ko"), module("disk")),
            (&format!("{R}/kernel/other.ko"), module("other")),
            (
                &format!("{R}/modules.alias"),
                b"alias pci:v1 disk\n".to_vec(),
            ),
            (
                &format!("{R}/modules.builtin"),
                b"kernel/ext4.ko\n".to_vec(),
            ),
            (
                &format!("{R}/modules.dep"),
                b"kernel/disk.ko:\nkernel/other.ko:\n".to_vec(),
            ),
        ];
        let (mut list, mut tree) = (String::new(), "root.jsonl\n".to_owned());
        for (number, (path, bytes)) in files.iter().enumerate() {
            bed.write(&format!("file{number}"), bytes);
            list += &format!("{{\"dest\":\"/{path}\",\"src\":\"file{number}\"}}\n");
            tree += &format!("file{number}\n");
        }
        bed.write("root.list", list);
        bed.write("root.tree", tree);
        bed.run(INJECT, "--files root.list --mtime 5 --output root.jsonl")
            .unwrap();
        bed.write("init", elf::elf(&[]));
        bed.write("modules", "ext4\ndisk # the root's\n");
        bed.write("line", "quiet\n");
        bed
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// Runs a tool; what it says if it refuses.
    fn run(&self, program: &str, args: &str) -> Result<(), String> {
        let done = Command::new(Path::new(program).canonicalize().unwrap())
            .args(args.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        match done.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8(done.stderr).unwrap()),
        }
    }

    fn initrd(&self, more: &str) -> Result<Vec<u8>, String> {
        let args = "--tree root.tree --init init --plan initrd.plan --sources sources.plan --output made.initrd ";
        self.run(MKINITRD, &format!("{args}{more}"))?;
        Ok(self.read("made.initrd"))
    }
}

const UKI: &str = "--stub-tree root.tree --stub boot/stub --tree root.tree --kernel boot/linux --cmdline line --output uki.plan ";

#[test]
fn from_a_tree_to_a_kernel_image() {
    let bed = Bed::new();
    let plain = bed
        .initrd("--modules modules --kernel-release 6.1")
        .unwrap();
    assert!(plain.starts_with(b"\x28\xb5\x2f\xfd"));
    let initrd = bed
        .initrd("--at-once modules --modules modules --microcode")
        .unwrap();
    assert!(initrd.starts_with(b"070701"));
    let has = |part: &[u8]| initrd.windows(part.len()).any(|found| found == part);
    assert!(has(b"kernel/x86/microcode/AuthenticAMD.bin\0") && has(b"of AMD"));
    // The image's only input is the file; what it was made from is microcode, module, lists of modules and program.
    let inputs: String = bed
        .read("root.tree")
        .iter()
        .skip(11)
        .map(|byte| char::from(*byte))
        .collect();
    bed.write("initrd.image", "initrd.plan\nmade.initrd\n");
    let at = |name: &str| bed.0.path().join(name);
    let read = |plan: &str, inputs: &[&str]| {
        let inputs: Vec<_> = inputs.iter().map(|name| at(name)).collect();
        let plan = plan::Plan::open(&at(plan)).unwrap();
        let reader = Reader::open(plan, &inputs).unwrap();
        let mut bytes = vec![0; usize::try_from(reader.len()).unwrap()];
        reader.read_at(&mut bytes, 0).unwrap();
        bytes
    };
    assert!(read("initrd.plan", &["made.initrd"]) == initrd);
    let mut all: Vec<&str> = inputs.lines().collect();
    all.push("init");
    let want = [
        &b"of AMD"[..],
        &elf::module("disk", &["fw"]),
        b"alias pci:v1 disk\n",
        b"kernel/ext4.ko\n",
        b"kernel/disk.ko:\nkernel/other.ko:\n",
        &elf::elf(&[]),
    ]
    .concat();
    assert!(read("sources.plan", &all) == want);

    bed.run(MKUKI, &format!("{UKI} --initrd-image initrd.image"))
        .unwrap();
    // Of both trees first, then of the initrd, whatever is there already.
    bed.write("uki.image", format!("uki.plan\n{inputs}made.initrd\n"));
    bed.run(MATERIALIZE, "--image uki.image --output uki.efi")
        .unwrap();
    let uki = bed.read("uki.efi");
    assert!(uki.windows(initrd.len()).any(|part| part == initrd));
}

#[test]
fn refused() {
    let bed = Bed::new();
    bed.write("wrong", "disc\n");
    let says = bed.initrd("--modules wrong").unwrap_err();
    assert!(
        says.contains("wrong line 1: the kernel 6.1 has no module disc"),
        "{says}"
    );
    assert!(!bed.0.path().join("made.initrd").exists());
    let says = bed.initrd("--at-once gone").unwrap_err();
    assert!(says.contains("cannot read gone"), "{says}");
    bed.write("initrd.image", "initrd.plan\nmade.initrd\n");
    let says = bed.run(
        MKUKI,
        &format!("{UKI} --initrd a --initrd-image initrd.image"),
    );
    let says = says.unwrap_err();
    assert!(says.contains("cannot be used with"), "{says}");
    let says = bed.run(MKUKI, UKI).unwrap_err();
    assert!(says.contains("--initrd"), "{says}");
}
