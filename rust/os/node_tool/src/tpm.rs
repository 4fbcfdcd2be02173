//! The key of an encrypted partition, kept by the machine's TPM: systemd-cryptenroll seals it, and cryptsetup has the TPM open it, by the token that
//! systemd-cryptenroll leaves in the header (`systemd-tpm2`).
//!
//! What is sealed is a key slot of its own. The slot of `data.key` stays, and is what opens the volume when the TPM does not.
//!
//! The TPM gives the key to who started as this machine did when it was sealed: the value of PCR 7 is the same. It stands for the firmware's Secure Boot
//! setting, its keys and lists, and the certificates of whoever signed what was started (TCG PC Client Platform Firmware Profile, 3.3.4.8). So another
//! slot, and every later system of this signer, has it, and a program that somebody else signed has not. PCR 4, 11 and 12 would be another value after each
//! upgrade, and in each slot.
//!
//! A token says by what policy its key is sealed. TPM 2.0, part 3, `TPM2_PolicyPCR`: for one register it is
//!
//! ```text
//! SHA-256( 32 zeros | TPM_CC_PolicyPCR | TPML_PCR_SELECTION | SHA-256(register) )
//! ```
//!
//! which is computed here to tell another start ([`Why::OtherStart`]) from another TPM ([`Why::OtherTpm`]).

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context};
use base::Sha256Digest;
use os_config::{cryptsetup, DataKey};

use crate::luks;
use crate::volume::told;
use crate::System;

/// Where programs find it: through the kernel's own resource manager.
const DEVICE: &str = "/dev/tpmrm0";
/// The register that a key is sealed to.
const REGISTER: &str = "/sys/class/tpm/tpm0/pcr-sha256/7";
/// The same for systemd-cryptenroll.
const REGISTERS: &str = "7:sha256";
/// The same as `TPML_PCR_SELECTION`: one selection, of the SHA-256 bank (`TPM_ALG_SHA256`), of three bytes, bit 7 of the first.
const SELECTION: [u8; 10] = [0, 0, 0, 1, 0x00, 0x0b, 3, 0x80, 0, 0];
const POLICY_PCR: [u8; 4] = [0, 0, 0x01, 0x7f];
const TOKEN: &str = "systemd-tpm2";
/// udev is through with the machine's devices when this runs; a TPM that still starts gets a moment.
pub(crate) const APPEARS: Duration = Duration::from_secs(20);

/// Why a TPM does not open a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is not there.
    NoTpm(PathBuf),
    /// Nothing of this volume was ever sealed.
    NotSealed,
    /// The machine started otherwise than when it was sealed.
    OtherStart,
    /// It started alike: the TPM itself can't.
    OtherTpm(String),
    /// It can't, and says so itself.
    Refused(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTpm(device) => write!(f, "this machine has no TPM ({} is not there: is it switched off in the firmware's settings?)", device.display()),
            Self::NotSealed => f.write_str("its key was never sealed to a TPM"),
            Self::OtherStart => f.write_str("PCR 7 is not what it was when the key was sealed: Secure Boot was switched on or off, its keys or lists (PK, KEK, db, dbx) changed, or what started has another signer"),
            Self::OtherTpm(told) => write!(f, "the machine started as it did when the key was sealed, but this TPM can't unseal it: it is another one, or it was cleared ({told})"),
            Self::Refused(told) => f.write_str(told),
        }
    }
}

/// A key that is sealed, as the header has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// The policy; none if it is of a kind that is not ours.
    policy: Option<Sha256Digest>,
}

/// The machine's TPM, if it has one.
#[derive(Debug)]
pub(crate) struct Tpm<'a> {
    system: &'a System,
}

impl<'a> Tpm<'a> {
    /// That of `system`, which may still have to appear.
    pub(crate) fn of(system: &'a System, within: Duration) -> Self {
        let (tpm, begun) = (Self { system }, Instant::now());
        while !tpm.device().exists() && begun.elapsed() < within {
            std::thread::sleep(Duration::from_millis(100));
        }
        tpm
    }

    fn device(&self) -> PathBuf {
        self.system.path(DEVICE)
    }

    /// An error if there is none.
    pub(crate) fn is_there(&self) -> Result<(), Why> {
        let device = self.device();
        match device.exists() {
            true => Ok(()),
            false => Err(Why::NoTpm(device)),
        }
    }

    /// Opens the volume on `partition` as `name`; or says why the TPM does not.
    pub(crate) fn open(
        &self,
        partition: &Path,
        name: &str,
    ) -> anyhow::Result<Result<PathBuf, Why>> {
        if let Err(why) = self.is_there() {
            return Ok(Err(why));
        }
        let tokens = tokens(partition)?;
        if tokens.is_empty() {
            return Ok(Err(Why::NotSealed));
        }
        let by_token = ["--token-only", "--token-type", TOKEN];
        let tried = luks::run("open", |command| {
            command
                .args(by_token)
                .arg("--test-passphrase")
                .arg(partition);
        })?;
        if !tried.status.success() {
            return Ok(Err(self.why(&tokens, &tried)));
        }
        luks::map(partition, name, self.system, || {
            luks::run("open", |command| {
                command.args(by_token).arg(partition).arg(name);
            })
        })
        .map(Ok)
    }

    /// Why none of `tokens` opens, of which cryptsetup said `tried`.
    fn why(&self, tokens: &[Token], tried: &Output) -> Why {
        let said = told(tried);
        let now = self.register().map(|value| policy(&value));
        match now {
            // It can't be compared; what was said is all there is.
            Err(error) => Why::Refused(format!("{said} ({error:#})")),
            Ok(_) if said.to_ascii_lowercase().contains("lockout") => Why::Refused(format!(
                "it is locked for a while, after too many wrong tries: {said}"
            )),
            Ok(now) if tokens.iter().any(|token| token.policy == Some(now)) => Why::OtherTpm(said),
            Ok(_) if tokens.iter().any(|token| token.policy.is_none()) => Why::Refused(said),
            Ok(_) => Why::OtherStart,
        }
    }

    /// What PCR 7 holds.
    fn register(&self) -> anyhow::Result<[u8; 32]> {
        let path = self.system.path(REGISTER);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let digest: Option<Sha256Digest> = text.trim().to_ascii_lowercase().parse().ok();
        let digest =
            digest.with_context(|| format!("{}: {text:?} is no SHA-256", path.display()))?;
        Ok(*digest.as_bytes())
    }

    /// Seals a new key of the volume on `partition`, which `key` opens, in place of what was sealed before. Says what is to be known of that.
    pub(crate) fn seal(&self, partition: &Path, key: &DataKey) -> anyhow::Result<String> {
        self.is_there().map_err(|why| anyhow::anyhow!("{why}"))?;
        // It would leave alone what was sealed by the same policy, also to another TPM.
        if !tokens(partition)?.is_empty() {
            enroll(partition, None, &["--wipe-slot=tpm2"])?;
        }
        let device = format!("--tpm2-device={}", self.device().display());
        let registers = format!("--tpm2-pcrs={REGISTERS}");
        // No other policy besides, whatever files lie about.
        let policy = [
            "--tpm2-public-key=",
            "--tpm2-pcrlock=",
            "--tpm2-with-pin=no",
        ];
        let how = [&[device.as_str(), &registers], policy.as_slice()].concat();
        enroll(partition, Some(key), &how)?;
        let sealed = tokens(partition)?;
        ensure!(
            sealed.len() == 1,
            "systemd-cryptenroll left {} sealed keys, want one",
            sealed.len()
        );
        Ok(match self.secure_boot() {
            Some(true) => "its key is sealed to the TPM (PCR 7)".to_owned(),
            Some(false) => "its key is sealed to the TPM (PCR 7), and SECURE BOOT IS OFF: whoever has this machine can start what he likes and have the TPM open the data"
                .to_owned(),
            None => "its key is sealed to the TPM (PCR 7), and WHETHER SECURE BOOT IS ON IS NOT KNOWN: if it is off, whoever has this machine can start what he likes and have the TPM open the data"
                .to_owned(),
        })
    }

    /// Whether the firmware checks what it starts; none: it does not say.
    fn secure_boot(&self) -> Option<bool> {
        let variables = self.system.path(efivars::FOLDER);
        efivars::secure_boot(&variables).ok().flatten()
    }
}

/// The policy of a key that is sealed to PCR 7, where that holds `value`.
fn policy(value: &[u8; 32]) -> Sha256Digest {
    let value = Sha256Digest::of(value);
    let parts = [
        [0; 32].as_slice(),
        &POLICY_PCR,
        &SELECTION,
        value.as_bytes(),
    ];
    Sha256Digest::of(parts.concat())
}

/// The keys of the volume on `partition` that are sealed to a TPM.
fn tokens(partition: &Path) -> anyhow::Result<Vec<Token>> {
    let output = luks::run("luksDump", |command| {
        command.arg("--dump-json-metadata").arg(partition);
    })?;
    ensure!(
        output.status.success(),
        "cryptsetup luksDump: {}",
        told(&output)
    );
    parse(&output.stdout).context("cryptsetup luksDump")
}

/// The same of what cryptsetup dumps.
fn parse(dump: &[u8]) -> anyhow::Result<Vec<Token>> {
    let dump: serde_json::Value = serde_json::from_slice(dump)?;
    let tokens = dump.get("tokens").and_then(serde_json::Value::as_object);
    let tokens = tokens.context("no tokens, want an object")?;
    let text = |token: &serde_json::Value, name: &str| {
        let text = token.get(name).and_then(serde_json::Value::as_str);
        text.map(str::to_owned)
    };
    let sealed = tokens
        .values()
        .filter(|token| text(token, "type").as_deref() == Some(TOKEN));
    let token = |token| Token {
        policy: text(token, "tpm2-policy-hash").and_then(|hash| hash.parse().ok()),
    };
    Ok(sealed.map(token).collect())
}

/// Runs systemd-cryptenroll, with a key on its standard input if it wants one.
fn enroll(partition: &Path, key: Option<&DataKey>, how: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("systemd-cryptenroll");
    command.args(how);
    if key.is_some() {
        command.arg("--unlock-key-file=/dev/stdin");
    }
    command.arg(partition);
    let output =
        cryptsetup::with_key(&mut command, key).context("cannot run systemd-cryptenroll")?;
    ensure!(
        output.status.success(),
        "systemd-cryptenroll: {}",
        told(&output)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What systemd-cryptenroll 257 wrote for a register of zeros, shortened.
    const DUMP: &str = r#"{"keyslots": {}, "tokens": {
        "0": {"type": "systemd-tpm2", "keyslots": ["1"], "tpm2-pcrs": [7], "tpm2-pcr-bank": "sha256",
              "tpm2-policy-hash": "8b5682d81b29435d08d79278150611dc7e5923b2fefcce684a09577b40130a8b"},
        "1": {"type": "systemd-recovery", "keyslots": ["2"]}}}"#;

    #[test]
    fn a_policy_is_what_systemd_computes() {
        let sealed = parse(DUMP.as_bytes()).unwrap();
        let [token] = sealed.as_slice() else {
            panic!("{sealed:?}")
        };
        assert_eq!(token.policy, Some(policy(&[0; 32])));
        assert_ne!(token.policy, Some(policy(&[1; 32])));
    }

    #[test]
    fn what_is_no_dump_is_refused() {
        assert_eq!(parse(br#"{"tokens": {}}"#).unwrap(), []);
        // Of a policy that is not known there is a token all the same.
        let other = br#"{"tokens": {"0": {"type": "systemd-tpm2", "tpm2-policy-hash": ["x"]}}}"#;
        assert_eq!(parse(other).unwrap(), [Token { policy: None }]);
        for dump in ["", "{}", r#"{"tokens": []}"#] {
            parse(dump.as_bytes()).unwrap_err();
        }
    }
}
