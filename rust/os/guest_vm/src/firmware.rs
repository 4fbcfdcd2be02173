//! The firmware's variables: what the guest's firmware keeps, above all what it boots.
//!
//! They are the machine's, like the guest's disk, and outlive upgrades of the host. A file that no firmware would take is put
//! aside and made anew from the image's: the guest then boots what the removable path of its disk says, which is what GuestOS
//! has there. Format: UEFI PI 1.8 volume 3, 3.2.1, firmware volume header.
//!
//! | offset | size | field                                                     |
//! |-------:|-----:|-----------------------------------------------------------|
//! |     32 |    8 | length of the volume                                      |
//! |     40 |    4 | `_FVH`                                                    |
//! |     48 |    2 | length of the header                                      |
//! |     50 |    2 | so that the header's 16-bit words add up to 0, mod 2^16   |

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Larger files are no variables: OVMF's have 132 or 528 KiB.
const MOST: u64 = 16 << 20;

/// What became of the variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Vars {
    /// They are there and good.
    Kept,
    /// There were none; the image's were copied.
    New,
    /// They were no use; put aside there, for this reason, and made anew.
    Renewed { aside: PathBuf, reason: String },
}

/// Makes sure that `vars` holds variables for the firmware whose fresh ones are `template`.
pub(crate) fn prepare(template: &Path, vars: &Path) -> anyhow::Result<Vars> {
    let fresh = read(template)
        .with_context(|| format!("the firmware's fresh variables {}", template.display()))?;
    check(&fresh, fresh.len())
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("the firmware's fresh variables {}", template.display()))?;
    let found = match read(vars) {
        Ok(bytes) => check(&bytes, fresh.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write(vars, &fresh)?;
            return Ok(Vars::New);
        }
        Err(error) => Err(error.to_string()),
    };
    let Err(reason) = found else {
        return Ok(Vars::Kept);
    };
    let aside = vars.with_extension("fd.broken");
    // Of several broken ones the last is worth looking at.
    fs::rename(vars, &aside)
        .with_context(|| format!("cannot put {} aside ({reason})", vars.display()))?;
    write(vars, &fresh)?;
    Ok(Vars::Renewed { aside, reason })
}

fn write(vars: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    os_config::atomic::write(vars, bytes, 0o600)
        .with_context(|| format!("cannot write the firmware's variables {}", vars.display()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let meta = fs::metadata(path)?;
    if !meta.is_file() || meta.len() > MOST {
        let text = format!("not a file of at most {MOST} bytes");
        return Err(io::Error::other(text));
    }
    fs::read(path)
}

/// Whether `bytes` are variables for a firmware whose own have `len` bytes.
fn check(bytes: &[u8], len: usize) -> Result<(), String> {
    let no_volume = || "no firmware volume".to_owned();
    if bytes.len() != len {
        return Err(format!("{} bytes, want {len}", bytes.len()));
    }
    let header = bytes.get(..56).ok_or_else(no_volume)?;
    let field = |at: usize| header.get(at..).and_then(<[u8]>::first_chunk::<2>);
    if header.get(40..44) != Some(b"_FVH") {
        return Err(no_volume());
    }
    let header_len = field(48).copied().map(u16::from_le_bytes);
    let header = header_len.and_then(|len| bytes.get(..usize::from(len)));
    let words = header.ok_or_else(no_volume)?.chunks(2);
    let sum = words.fold(0_u16, |sum, word| match word {
        [low, high] => sum.wrapping_add(u16::from_le_bytes([*low, *high])),
        _ => sum,
    });
    match sum {
        0 => Ok(()),
        _ => Err("the checksum of its header is wrong".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A volume of 256 bytes whose header has 72.
    fn volume() -> Vec<u8> {
        let mut bytes = vec![0xff; 256];
        bytes[..72].fill(0);
        bytes[32..40].copy_from_slice(&256_u64.to_le_bytes());
        bytes[40..44].copy_from_slice(b"_FVH");
        bytes[48..50].copy_from_slice(&72_u16.to_le_bytes());
        let words = bytes[..72].chunks(2);
        let sum = words.fold(0_u16, |s, w| {
            s.wrapping_add(u16::from_le_bytes([w[0], w[1]]))
        });
        bytes[50..52].copy_from_slice(&0_u16.wrapping_sub(sum).to_le_bytes());
        bytes
    }

    #[test]
    fn copied_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (template, vars) = (dir.path().join("t.fd"), dir.path().join("v.fd"));
        fs::write(&template, volume()).unwrap();
        assert_eq!(prepare(&template, &vars).unwrap(), Vars::New);
        let mut written = volume();
        written[200] = 1;
        fs::write(&vars, &written).unwrap();
        assert_eq!(prepare(&template, &vars).unwrap(), Vars::Kept);
        assert_eq!(fs::read(&vars).unwrap(), written);
    }

    #[test]
    fn broken_ones_are_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let (template, vars) = (dir.path().join("t.fd"), dir.path().join("v.fd"));
        fs::write(&template, volume()).unwrap();
        let mut flipped = volume();
        flipped[20] = 1;
        let mut headless = volume();
        headless[48] = 0xff;
        headless[49] = 0xff;
        for (bytes, want) in [
            (Vec::new(), "0 bytes, want 256"),
            (vec![0; 256], "no firmware volume"),
            (flipped, "the checksum of its header is wrong"),
            (headless, "no firmware volume"),
        ] {
            fs::write(&vars, &bytes).unwrap();
            let aside = dir.path().join("v.fd.broken");
            let reason = want.to_owned();
            let renewed = Vars::Renewed {
                aside: aside.clone(),
                reason,
            };
            assert_eq!(prepare(&template, &vars).unwrap(), renewed);
            assert_eq!(fs::read(&vars).unwrap(), volume());
            assert_eq!(fs::read(&aside).unwrap(), bytes);
        }
    }

    #[test]
    fn an_image_without_firmware_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let template = dir.path().join("t.fd");
        let error = prepare(&template, &dir.path().join("v.fd")).unwrap_err();
        assert!(
            format!("{error:#}").contains("t.fd: No such file"),
            "{error:#}"
        );
        fs::write(&template, "x").unwrap();
        let error = prepare(&template, &dir.path().join("v.fd")).unwrap_err();
        assert!(
            format!("{error:#}").contains("no firmware volume"),
            "{error:#}"
        );
    }
}
