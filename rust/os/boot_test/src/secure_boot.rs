//! Secure Boot: what firmware and boot loader refuse, and that no prompt follows. Short starts: the kernel is not awaited.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use base::{as_u64, as_usize};
use vm::{Drive, Keys, Vm, VmConfig};

use crate::image::Window;
use crate::report::Report;
use crate::scenario::machine;
use crate::{Setting, BOOT};

/// What the firmware says of a program that it does not start.
const DENIED: &str = "Access Denied";
/// What the boot loader says in the end when no slot starts.
const RESTART: &str = "restarting";

/// Firmware with keys.
#[derive(Debug)]
pub(crate) struct Firmware {
    code: PathBuf,
    vars: PathBuf,
    keys: Keys,
}

impl Firmware {
    /// Enrols `keys`; the variables are kept in the file `vars`.
    pub(crate) fn new(keys: Keys, vars: PathBuf) -> Result<Self> {
        keys.enroll(&vars)?;
        let (code, _) = vm::firmware::find_secure()?;
        Ok(Self { code, vars, keys })
    }

    /// A machine with this firmware.
    pub(crate) fn of(&self, machine: VmConfig) -> VmConfig {
        machine.secure_boot(&self.code, &self.vars)
    }
}

/// Whether a boot loader is signed by the key of a certificate (PEM), as far as it has that certificate.
pub(crate) fn signed_by(loader: &Window, certificate: &Path) -> Result<()> {
    let shown = || format!("cannot read {}", certificate.display());
    let pem = std::fs::read_to_string(certificate).with_context(shown)?;
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der = base::base64::decode(&lines.collect::<String>());
    let der = der.filter(|der| !der.is_empty()).with_context(shown)?;
    let mut content = vec![0; as_usize(loader.len())];
    loader.read_at(&mut content, 0)?;
    position(&content, &der).map(drop)
}

/// A byte that is changed on the disk.
struct Change {
    what: &'static str,
    partition: &'static str,
    place: fn(&Window) -> Result<u64>,
    /// What is on the console then, in this order.
    says: &'static [&'static str],
}

const DENIED_ONLY: &[&str] = &[DENIED];
/// The boot loader takes the system, by its OpenPGP signature, and the firmware does not.
const BY_FIRMWARE: &[&str] = &["cannot load image", "slot A does not start", RESTART];
/// The boot loader, as `:to_sign` calls it.
const LOADER: &str = "loader.efi";
/// A signature that does not fit: this slot is left, the other one is empty.
const BAD: &[&str] = &["bad signature", "slot A does not start", RESTART];

const CHANGES: [Change; 4] = [
    Change {
        what: "a byte of the boot loader's configuration",
        partition: "esp",
        place: |esp| find(esp, b"boot_alternative="),
        says: DENIED_ONLY,
    },
    Change {
        what: "a byte of the command line",
        partition: "A_boot",
        place: |boot| section(boot, ".cmdline"),
        says: BAD,
    },
    Change {
        what: "a byte of the initrd",
        partition: "A_boot",
        place: |boot| section(boot, ".initrd"),
        says: BAD,
    },
    Change {
        what: "a byte of the system's OpenPGP signature",
        partition: "A_boot",
        // Of its last block the signature is all that is not zero.
        place: |boot| find(boot, &read(boot, "/uki.efi.sig")?),
        says: BAD,
    },
];

/// Each of them is refused.
pub(crate) fn refusals(setting: &Setting) -> Result<()> {
    let firmware = setting.secure_boot.as_ref();
    let firmware = firmware.context("--secure-boot names the keys to enrol")?;
    let mut report = Report::new();
    for change in &CHANGES {
        let place = (change.place)(&Window::open_partition(&setting.disk, change.partition)?)?;
        let drive = Drive::image(&setting.disk).flip(place);
        let vm = machine(drive, setting).start()?;
        let outcome = says(&vm, change.says, setting);
        report.check(&format!("{} is changed: refused", change.what), outcome);
    }
    report.check("an unsigned boot loader: refused", unsigned(setting));
    report.check("another key: refused", other_key(firmware, setting));
    for path in &setting.to_sign {
        let program = Program::read(path)?;
        let outcome = program.revoked(firmware, setting);
        report.check(&format!("{} is revoked: refused", program.name), outcome);
    }
    report.check("SMBIOS strings are heard", smbios(setting));
    report.finish()
}

fn says(vm: &Vm, texts: &[&str], setting: &Setting) -> Result<()> {
    for text in texts {
        vm.console().expect(text, setting.within(BOOT))?;
    }
    if texts.last() == Some(&RESTART) {
        let status = vm.wait_exit(setting.within(BOOT))?;
        ensure!(status.success(), "QEMU ended with {status}");
    }
    let rest = vm.console().take_unread();
    ensure!(!rest.contains("Linux version"), "the kernel started");
    Ok(())
}

/// The boot loader without its signature: all that is changed is the place in its header that says where one is.
fn unsigned(setting: &Setting) -> Result<()> {
    let esp = Window::open_partition(&setting.disk, "esp")?;
    let mut content = vec![0; as_usize(esp.len())];
    esp.read_at(&mut content, 0)?;
    let header = position(&content, b"PE\0\0")?;
    // PE32+: 24 bytes of headers, 112 of the optional one, and then places with lengths, of which the fifth is that of the certificates.
    let place = base::bounded::sum(as_u64(header), 24 + 112 + 4 * 8);
    let entry = content.get(as_usize(place)..).unwrap_or_default();
    let entry = entry.get(..8).context("a program without end")?;
    ensure!(entry != [0; 8], "the boot loader is not signed");
    let drive = Drive::image(&setting.disk).put(esp.locate(place, 8)?, vec![0; 8]);
    says(&machine(drive, setting).start()?, DENIED_ONLY, setting)
}

/// A signed program, by what was said of it before it was signed (docs/formats/signing.md).
struct Program {
    name: String,
    /// What a firmware's dbx has of it.
    digest: String,
}

impl Program {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let document: serde_json::Value = serde_json::from_slice(&text)?;
        let text = |field: &str| {
            let value = document.pointer(&format!("/items/0/{field}"));
            let value = value.and_then(|value| value.as_str()).map(str::to_owned);
            value.with_context(|| format!("{} has no {field}", path.display()))
        };
        Ok(Self {
            name: text("name")?,
            digest: text("image")?,
        })
    }

    /// The program's signature is good, and the firmware has been told not to start it.
    fn revoked(&self, firmware: &Firmware, setting: &Setting) -> Result<()> {
        let keys = Keys {
            revoked: vec![self.digest.clone()],
            ..firmware.keys.clone()
        };
        let vars = setting.scratch.path().join(format!("{}.fd", self.name));
        let drive = Drive::image(&setting.disk);
        let machine = Firmware::new(keys, vars)?.of(machine(drive, setting));
        let texts = if self.name == LOADER {
            DENIED_ONLY
        } else {
            BY_FIRMWARE
        };
        says(&machine.start()?, texts, setting)
    }
}

/// The boot loader's signer is not, or no more, among those that the firmware knows.
fn other_key(firmware: &Firmware, setting: &Setting) -> Result<()> {
    let keys = Keys {
        signer: firmware.keys.exchange.clone(),
        ..firmware.keys.clone()
    };
    let other = Firmware::new(keys, setting.scratch.path().join("other.fd"))?;
    let vm = other
        .of(machine(Drive::image(&setting.disk), setting))
        .start()?;
    says(&vm, DENIED_ONLY, setting)
}

/// Who runs the machine can add to the kernel's line: docs/security.md says so, because it is so.
fn smbios(setting: &Setting) -> Result<()> {
    let vm = machine(Drive::image(&setting.disk), setting)
        .arg("-smbios")
        .arg("type=11,value=io.systemd.stub.kernel-cmdline-extra=said.by=smbios")
        .start()?;
    vm.console()
        .expect("Command line: ", setting.within(BOOT))?;
    vm.console()
        .expect("said.by=smbios", setting.within(BOOT))?;
    Ok(())
}

fn read(boot: &Window, path: &str) -> Result<Vec<u8>> {
    let content = boot.ext4()?.read(path);
    content.with_context(|| format!("cannot read {path}"))
}

/// Where in the image the content of a section of the system begins.
fn section(boot: &Window, name: &str) -> Result<u64> {
    let start = section_start(&read(boot, "/uki.efi")?, name)?;
    find(boot, &start)
}

/// The first bytes of a section's content: enough that they are nowhere else.
fn section_start(uki: &Vec<u8>, name: &str) -> Result<[u8; 64]> {
    let image = pe::Image::read(uki, as_u64(uki.len())).context("the system is no EFI program")?;
    let section = image.section(name);
    let section = section.with_context(|| format!("the system has no section {name}"))?;
    let content = section.content();
    let content = uki.get(as_usize(content.start)..as_usize(content.end));
    let start = content.and_then(|content| content.first_chunk());
    let start = start.with_context(|| format!("section {name} has less than 64 bytes"));
    start.copied()
}

/// Where in the image the first of such bytes is.
fn find(window: &Window, bytes: &[u8]) -> Result<u64> {
    let mut content = vec![0; as_usize(window.len())];
    window.read_at(&mut content, 0)?;
    window.locate(as_u64(position(&content, bytes)?), 1)
}

fn position(content: &[u8], bytes: &[u8]) -> Result<usize> {
    let at = content.windows(bytes.len()).position(|at| at == bytes);
    at.context("no such bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program with these sections, as systemd's stub is one.
    fn program(sections: &[(&[u8; 8], Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = 64;
        let mut head = b"PE\0\0\x64\x86".to_vec();
        head.push(u8::try_from(sections.len()).unwrap());
        head.extend([0; 13]);
        // The optional header without directories.
        head.extend([112, 0, 0, 0]);
        let mut optional = vec![0; 112];
        optional[..2].copy_from_slice(&[0x0b, 0x02]);
        optional[60..64].copy_from_slice(&1024_u32.to_le_bytes());
        head.extend(optional);
        for (name, content) in sections {
            let (at, len) = (bytes.len(), u32::try_from(content.len()).unwrap());
            head.extend(*name);
            head.extend(len.to_le_bytes());
            head.extend([0; 4]);
            head.extend(len.to_le_bytes());
            head.extend(u32::try_from(at).unwrap().to_le_bytes());
            head.extend([0; 16]);
            bytes.extend(content);
        }
        bytes[64..][..head.len()].copy_from_slice(&head);
        bytes
    }

    #[test]
    fn sections_by_name() {
        let uki = program(&[
            // What looks like the header of another one is none.
            (b".text\0\0\0", b".initrd\0".repeat(9)),
            (b".initrd\0", (0..100).collect()),
            (b".cmdline", b"short".to_vec()),
        ]);
        let start = section_start(&uki, ".initrd").unwrap();
        assert!(start.iter().copied().eq(0..64), "{start:?}");
        for (uki, name, why) in [
            (&uki, ".cmdline", "section .cmdline has less than 64 bytes"),
            (&uki, ".osrel", "the system has no section .osrel"),
            (&vec![0; 99], ".initrd", "the system is no EFI program"),
        ] {
            assert_eq!(section_start(uki, name).unwrap_err().to_string(), why);
        }
    }
}
