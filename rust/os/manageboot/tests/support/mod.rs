//! A node of files, and bundles for it.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests, each of which uses a part"
)]

pub mod server;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use grubenv::{next_boot, Block, Disk, Env, Limit, Slot, System};
use serde_json::Value;
use tempfile::TempDir;
use update::{Identity, Manifest, Member, Signatures, SigningKey, TrustedKey, TrustedKeys};

pub const CSV: &str = "\
name,start,size,type,uuid,description
A_boot,,1M,xbootldr,b1a0a1c2-0000-4000-8000-0000000000a0,
A_root,,3M,root-x86-64,b1a0a1c2-0000-4000-8000-0000000000a1,
B_boot,,1M,xbootldr,B1A0A1C2-0000-4000-8000-0000000000B0,
B_root,,3M,root-x86-64,b1a0a1c2-0000-4000-8000-0000000000b1,
";

/// Not what anything has unless it is told.
pub const TRIES: u8 = 4;

pub struct Node {
    dir: TempDir,
}

impl Node {
    pub fn new() -> Self {
        let node = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(node.path("dev")).unwrap();
        fs::write(node.path("partitions.csv"), CSV).unwrap();
        for (uuid, mib) in [("a0", 1), ("a1", 3), ("b0", 1), ("b1", 3)] {
            fs::write(node.partition(uuid), vec![0; mib << 20]).unwrap();
        }
        node.set_env(&[("boot_alternative", "A"), ("boot_cycle", "install")]);
        fs::create_dir_all(node.path("esp/EFI/BOOT")).unwrap();
        fs::write(node.path("esp/EFI/BOOT/BOOTX64.EFI"), b"MZ old").unwrap();
        node.trust(1, false);
        node.is("node", "test", "1.0");
        node
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn partition(&self, short: &str) -> PathBuf {
        self.path(&format!("dev/b1a0a1c2-0000-4000-8000-0000000000{short}"))
    }

    /// What the node is; its boot loader tries a slot [`TRIES`] times.
    pub fn is(&self, os: &str, env: &str, version: &str) {
        let identity = Identity {
            format: Identity::FORMAT,
            os: os.to_owned(),
            env: env.to_owned(),
            version: version.parse().unwrap(),
            boot_limit: TRIES,
            data_formats: BTreeMap::new(),
        };
        fs::write(self.path("os.json"), identity.to_json().unwrap()).unwrap();
    }

    /// Whose signatures count: keys a, b, c.
    pub fn trust(&self, threshold: usize, allow_unsigned: bool) {
        let keys = ["a", "b", "c"].map(|id| TrustedKey {
            id: id.to_owned(),
            ed25519: key(id).public(),
        });
        let keys = TrustedKeys {
            format: TrustedKeys::FORMAT,
            threshold,
            allow_unsigned,
            keys: keys.into(),
        };
        fs::write(self.path("update-keys.json"), keys.to_json().unwrap()).unwrap();
    }

    /// What was counted.
    pub fn counted(&self) -> Value {
        let text = fs::read(self.path("run/manageboot.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    pub fn set_env(&self, variables: &[(&str, &str)]) {
        let mut block = Block::new();
        for (name, value) in variables {
            block.set(name, value.as_bytes()).unwrap();
        }
        fs::write(self.path("grubenv"), block.to_bytes().unwrap()).unwrap();
    }

    /// What GRUB does with grubenv; the kernel gets its command line from it.
    pub fn reboot(&self) -> Slot {
        let block = Block::parse(&fs::read(self.path("grubenv")).unwrap()).unwrap();
        let (slot, left) = next_boot(&block, Limit::new(TRIES).unwrap(), true).unwrap();
        fs::write(self.path("grubenv"), left.to_bytes().unwrap()).unwrap();
        fs::write(self.path("cmdline"), command_line(slot)).unwrap();
        slot
    }

    /// A start for which GRUB can't write grubenv, but its spare one.
    pub fn reboot_with_spare(&self) -> Slot {
        let spare = self.path("esp/EFI/BOOT/grubenv");
        let block = |path: &Path| Block::parse(&fs::read(path).ok()?).ok();
        let mut disk = Disk {
            main: Env {
                block: block(&self.path("grubenv")),
                writable: false,
            },
            spare: Env::new(block(&spare).unwrap_or_default()),
            a: System::Loads,
            b: System::Loads,
        };
        let slot = disk.start(Limit::new(TRIES).unwrap()).unwrap();
        fs::write(&spare, disk.spare.block.unwrap().to_bytes().unwrap()).unwrap();
        fs::write(self.path("cmdline"), command_line(slot)).unwrap();
        slot
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_manageboot"));
        command
            .arg("--grubenv")
            .arg(self.path("grubenv"))
            .arg("--partitions")
            .arg(self.path("partitions.csv"))
            .arg("--device-dir")
            .arg(self.path("dev"))
            .arg("--cmdline")
            .arg(self.path("cmdline"))
            .arg("--identity")
            .arg(self.path("os.json"))
            .arg("--esp")
            .arg(self.path("esp"))
            .arg("--efivars")
            .arg(self.path("efivars"))
            .args(args);
        if args.contains(&"upgrade-install") {
            command
                .arg("--update-keys")
                .arg(self.path("update-keys.json"))
                .arg("--counters")
                .arg(self.path("run/manageboot.json"));
        }
        command
    }

    /// Runs with `input` on standard input.
    pub fn fed(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever refuses does not read on.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Whether a slot's partitions begin with these images.
    pub fn holds(&self, slot: Slot, boot: &[u8], root: &[u8]) -> bool {
        let letter = slot.to_string().to_ascii_lowercase();
        let starts = |part: &str, image: &[u8]| {
            let bytes = fs::read(self.partition(&format!("{letter}{part}"))).unwrap();
            bytes.starts_with(image)
        };
        starts("0", boot) && starts("1", root)
    }

    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[&["--json"], args].concat())).unwrap()
    }

    /// The error of a run that must fail with `status` and change nothing.
    pub fn refused(&self, args: &[&str], status: i32) -> String {
        let before = self.content();
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
        assert!(self.content() == before, "{args:?} changed something");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn content(&self) -> Vec<Option<Vec<u8>>> {
        ["a0", "a1", "b0", "b1"]
            .map(|uuid| self.partition(uuid))
            .into_iter()
            .chain([self.path("grubenv"), self.path("esp/EFI/BOOT/BOOTX64.EFI")])
            .map(|path| fs::read(path).ok())
            .collect()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// What GRUB starts the kernel of `slot` with, by the template that the images are made from.
pub fn command_line(slot: Slot) -> String {
    // Bazel runs tests at the root of the source tree, cargo in the package's folder.
    let template = "ic-os/common/cmdline-slots.template";
    let mut line = fs::read_to_string(template)
        .or_else(|_| fs::read_to_string(Path::new("../../..").join(template)))
        .unwrap()
        .replace("{{SLOT}}", slot.as_str());
    for (name, short) in [("A_root", "a1"), ("B_root", "b1")] {
        let uuid = format!("b1a0a1c2-0000-4000-8000-0000000000{short}");
        line = line.replace(&format!("{{{{partuuid:{name}}}}}"), &uuid);
    }
    line
}

/// The private key of that name.
fn key(id: &str) -> SigningKey {
    SigningKey::from_bytes(&[id.as_bytes()[0]; 32])
}

/// What a bundle is made of.
#[derive(Clone)]
pub struct Recipe {
    pub manifest: Manifest,
    /// Names of keys.
    pub signers: Vec<&'static str>,
    pub members: Vec<(String, Vec<u8>)>,
}

impl Recipe {
    /// A good one.
    pub fn of(version: &str, boot: Vec<u8>, root: Vec<u8>) -> Self {
        let text = format!("{version}\n").into_bytes();
        let members = [
            (update::VERSION_TXT, text),
            (update::BOOT, boot),
            (update::ROOT, root),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes));
        let described = members.iter().map(|(name, bytes)| Member::of(name, bytes));
        Self {
            manifest: Manifest {
                format: update::FORMAT,
                os: "node".to_owned(),
                env: "test".to_owned(),
                version: version.parse().unwrap(),
                minimum_version: None,
                expires: None,
                data_formats: BTreeMap::new(),
                members: described.collect(),
            },
            signers: vec!["a"],
            members: members.into(),
        }
    }

    pub fn tar(&self) -> Vec<u8> {
        let manifest = self.manifest.to_json().unwrap();
        let ids = ["a", "b", "c", "x"];
        let all = TrustedKeys {
            format: TrustedKeys::FORMAT,
            threshold: 1,
            allow_unsigned: false,
            keys: ids
                .map(|id| TrustedKey {
                    id: id.to_owned(),
                    ed25519: key(id).public(),
                })
                .into(),
        };
        let mut signatures = Signatures(vec![]);
        for id in &self.signers {
            let signature = key(id).sign(manifest.as_bytes());
            signatures
                .add(manifest.as_bytes(), signature, &all)
                .unwrap();
        }
        let signatures = signatures.to_json().unwrap();
        let mut members = vec![
            (update::MANIFEST, manifest.as_bytes()),
            (update::SIGNATURES, signatures.as_bytes()),
        ];
        let own = self.members.iter();
        members.extend(own.map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        update::write(&members, 0, Vec::new()).unwrap()
    }
}

pub fn boot(fill: u8) -> Vec<u8> {
    let mut image = vec![fill; 700_000];
    image[1080..1082].copy_from_slice(&[0x53, 0xef]);
    image
}

/// Blocks that differ from each other.
pub fn root(fill: u8) -> Vec<u8> {
    let len = (2_u32 << 20) + 7;
    let byte = |at: u32| {
        let [.., low] = ((at >> 12) ^ (at >> 20)).to_be_bytes();
        fill ^ low
    };
    (0..len).map(byte).collect()
}

/// A bundle that the node takes.
pub fn good(version: &str, fill: u8) -> Vec<u8> {
    Recipe::of(version, boot(fill), root(fill)).tar()
}

/// Where the files of `tests/data` are: Bazel runs tests at the root of the source tree, cargo in the package's folder.
pub fn data() -> PathBuf {
    let here = PathBuf::from("tests/data");
    if here.exists() {
        return here;
    }
    Path::new("rust/os/manageboot").join(here)
}
