//! Encrypted data: who keeps the key, over an upgrade and with another TPM.

use std::fmt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use grubenv::Slot;
use vm::{Drive, Shell, Tpm, Vm};

use crate::checks::{prints, run_all, Check};
use crate::node::{Node, DATA};
use crate::report::Report;
use crate::scenario::config_medium;
use crate::{Setting, BOOT};

/// Who keeps the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encryption {
    /// The configuration.
    Key,
    /// The machine's TPM.
    Tpm2,
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Tpm2 => "tpm2",
        })
    }
}

const ENCRYPTED: &[Check] = &[prints(
    "/data is encrypted on its partition",
    "lsblk -ndo TYPE \"$(findmnt -nvo SOURCE /data)\"; cryptsetup isLuks --type luks2 /dev/disk/by-partlabel/data && echo luks2",
    "crypt\nluks2",
)];

const KEPT: &[Check] = &[prints(
    "the key is nobody's but root's",
    "stat -c '%a %U' /boot/config/data.key",
    "600 root",
)];

const SEALED: &[Check] = &[
    prints(
        "one key of the data is sealed to the TPM, and one is not",
        "cryptsetup luksDump /dev/disk/by-partlabel/data | grep -Ec '^  [0-9]: (luks2|systemd-tpm2)$'",
        "3",
    ),
    prints(
        "it is sealed to PCR 7 alone",
        "cryptsetup luksDump /dev/disk/by-partlabel/data | grep -E 'tpm2-(hash-)?pcrs:|tpm2-pcr-bank:' | tr -d ' \\t'",
        "tpm2-hash-pcrs:7\ntpm2-pcr-bank:sha256",
    ),
    prints(
        "the key of the medium is stored nowhere",
        "find /boot/config /run/data-key -name 'data.key*' 2>/dev/null; grep -rlsF 0123456789abcdef0123456789abcdef /boot/config /run/data-key /run/ic /var/log 2>&1 || echo nowhere",
        "/boot/config/data.key.sha256\nnowhere",
    ),
];

/// The data are encrypted, and the key is where it should be.
pub(crate) fn run(
    encryption: Encryption,
    shell: &Shell<'_>,
    setting: &Setting,
    report: &mut Report,
) {
    run_all(ENCRYPTED, shell, setting, report);
    let who = match encryption {
        Encryption::Key => KEPT,
        Encryption::Tpm2 => SEALED,
    };
    run_all(who, shell, setting, report);
}

/// What the machine says when the TPM does not open the data, when the medium does, and when that is sealed.
const CLOSED: &str = "does not open it: the machine started as it did";
const BY_MEDIUM: &str = "the data.key of the medium does";
const ANEW: &str = "its key is sealed to the TPM";

/// How much of a medium is blanked, and brought back: all that tells what it is.
const HEAD: usize = 64 << 10;

/// A medium with the key of the data, and the TPM that is to keep it.
#[derive(Debug)]
pub(crate) struct Sealed {
    medium: PathBuf,
    head: Vec<u8>,
    tpm: Tpm,
}

impl Sealed {
    /// If the data are to be encrypted so.
    pub(crate) fn wanted(setting: &Setting) -> Result<Option<Self>> {
        if setting.data_encryption != Some(Encryption::Tpm2) {
            return Ok(None);
        }
        let medium = setting.scratch.path().join("config.img");
        config_medium(setting, None, &medium)?;
        let mut head = std::fs::read(&medium).context("cannot read the medium")?;
        head.truncate(HEAD);
        let tpm = Tpm::start()?;
        Ok(Some(Self { medium, head, tpm }))
    }

    pub(crate) fn tpm(&self) -> &Tpm {
        &self.tpm
    }

    pub(crate) fn drive(&self) -> Drive {
        Drive::raw(&self.medium)
    }

    /// The data were made, with the medium; that is gone from the next start on.
    pub(crate) fn made(
        &self,
        shell: &Shell<'_>,
        setting: &Setting,
        report: &mut Report,
    ) -> Result<()> {
        run(Encryption::Tpm2, shell, setting, report);
        self.write(&vec![0; self.head.len()])
    }

    /// The same TPM, once the machine was off.
    pub(crate) fn off(self) -> Result<Self> {
        let tpm = self.tpm.again()?;
        Ok(Self { tpm, ..self })
    }

    /// The data are open in a start that has nothing but the TPM.
    pub(crate) fn opened(&self, shell: &Shell<'_>, setting: &Setting, report: &mut Report) {
        run(Encryption::Tpm2, shell, setting, report);
    }

    /// With another TPM the data stay closed, and as they are.
    pub(crate) fn closed_elsewhere(
        &self,
        node: &Node<'_>,
        setting: &Setting,
        report: &mut Report,
    ) -> Result<Slot> {
        let (tpm, moment) = (Tpm::start()?, node.moment());
        let vm = node.start([self.drive()], Some(&tpm))?;
        let slot = arrive(node, &vm, report)?;
        let closed = vm.console().expect(CLOSED, setting.within(BOOT));
        report.check("another TPM does not open the data", closed.map(drop));
        let untouched = node.untouched_since(moment, &[DATA]);
        report.check("nothing was written to them", untouched);
        vm.kill();
        Ok(slot)
    }

    /// With the medium another TPM opens them.
    pub(crate) fn moved(
        &self,
        node: &Node<'_>,
        setting: &Setting,
        report: &mut Report,
    ) -> Result<Slot> {
        let tpm = Tpm::start()?;
        self.write(&self.head)?;
        let vm = node.start([self.drive()], Some(&tpm))?;
        let slot = arrive(node, &vm, report)?;
        for (what, text) in [
            ("the key of the medium opens the data elsewhere", BY_MEDIUM),
            ("it is sealed to the other TPM", ANEW),
        ] {
            let said = vm.console().expect(text, setting.within(BOOT));
            report.check(what, said.map(drop));
        }
        vm.kill();
        Ok(slot)
    }

    fn write(&self, head: &[u8]) -> Result<()> {
        let file = std::fs::File::options().write(true).open(&self.medium);
        file.and_then(|file| file.write_all_at(head, 0))
            .context("cannot write to the medium")
    }
}

fn arrive(node: &Node<'_>, vm: &Vm, report: &mut Report) -> Result<Slot> {
    let slot = node.slot(vm)?;
    report.stage(&format!(
        "a kernel started in slot {slot}, with another TPM"
    ));
    Ok(slot)
}
