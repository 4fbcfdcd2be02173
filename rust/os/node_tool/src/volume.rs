//! A partition whose ext4 file system is made on the machine, made ready before it is mounted.
//!
//! What is done follows from what is found, in this order:
//!
//! | found                                                    | done                                                     |
//! |----------------------------------------------------------|----------------------------------------------------------|
//! | the mark of a making that was cut off                    | made                                                     |
//! | nothing but zeros where a file system has its structures | made                                                     |
//! | anything else                                            | `e2fsck -p`, which mends what can be mended without loss, and a mount to see whether that did it |
//! | … and it did not                                         | by `--if-broken`: left as it is, or mended by force and, if need be, made anew |
//!
//! A file system that lost its superblock therefore never passes for a new partition (to systemd-makefs it would): its other
//! structures are there. The mark lies in the partition's last block, which never belongs to a file system made here, so a power cut
//! in the middle of the first boot is known for what it is. A partition that became larger takes its file system along.
//!
//! With `--stored-key`, and a key in the configuration, the partition is encrypted ([`crate::luks`]): all of the above is then of what is inside, but the mark, which
//! lies on the partition itself until volume and file system are both made. The key may be one that the TPM keeps ([`crate::tpm`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context};
use nix::mount::{mount, umount, MsFlags};
use os_config::partition::{self, Found, MARK, SUPERBLOCK};
use os_config::{atomic, cryptsetup, DataKey};
use program::say;

use crate::luks::{self, Key, Refusal, Step};
use crate::tpm::{self, Tpm};
use crate::System;

/// What is done with a file system that can't be mended without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Broken {
    /// Nothing: what it holds is worth more than a start.
    Keep,
    /// Mend it by force, and make it anew if that does not do.
    Renew,
}

/// Which partition, and what for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The partition
    #[arg(
        long,
        value_name = "DEVICE",
        required_unless_present = "of_mount",
        conflicts_with = "of_mount"
    )]
    device: Option<PathBuf>,
    /// The partition that the kernel's command line mounts there (systemd.mount-extra=PARTUUID=…:FOLDER:…)
    #[arg(long, value_name = "FOLDER")]
    of_mount: Option<String>,
    /// Label of the file system, and its name in messages
    #[arg(long, value_name = "NAME")]
    label: String,
    /// What to do with one that e2fsck does not mend without loss
    #[arg(long, value_name = "WHAT")]
    if_broken: Broken,
    /// Folder to mount it at, to see whether that works
    #[arg(long, value_name = "FOLDER")]
    try_at: Option<PathBuf>,
    /// Encrypt it (LUKS2) with the data.key of the configuration, if that has one or has its sum; it is /dev/mapper/LABEL then
    #[arg(long)]
    stored_key: bool,
    /// With --stored-key: where a data.key is that the TPM keeps and a medium brought; removed when the partition is ready
    #[arg(long, value_name = "FILE", requires = "stored_key")]
    handed_key: Option<PathBuf>,
    /// A symbolic link to make to what is to be mounted: the partition, or what is inside
    #[arg(long, value_name = "FILE")]
    link: Option<PathBuf>,
    /// How long the partition may take to appear
    #[arg(long, value_name = "TIME", default_value = "4min", value_parser = os_config::duration::parse)]
    appears_within: Duration,
}

/// Block size of what is made here. Small partitions would get 1024, which is too small for what they may grow to.
const BLOCK: u64 = 4096;
/// What is left free for the mark, for good.
const TAIL: u64 = 64 << 10;
/// The least that a file system grows by: a block group. What is less is often not taken, and each try looks through everything.
const WORTHWHILE: u64 = 8 * BLOCK;
/// The least that is made into a file system.
const LEAST: u64 = 8 << 20;
/// Gives another UUID each time. The kernel's own, whatever root the rest is looked for in.
const UUIDS: &str = "/proc/sys/kernel/random/uuid";
/// Why one is made.
const NEW: &str = "new";
const CUT_OFF: &str = "half made before the power went";

/// Makes the file system ready for its mount.
pub(crate) fn prepare(args: &Args, config: &Path, system: &System) -> anyhow::Result<()> {
    let path = device(args, system)?;
    appear(&path, args.appears_within)?;
    let handed = args.handed_key.as_deref();
    let key = match args.stored_key {
        true => Key::stored(config, handed, system).context("the key of the data")?,
        false => Key::None,
    };
    let partition = Volume::open(path, &args.label)?;
    let within = args.appears_within.min(tpm::APPEARS);
    let device = match partition.decrypted(&key, within, system) {
        Ok(None) => partition,
        Ok(Some(inner)) => inner,
        Err(error) => {
            let (name, shown) = (&partition.label, partition.path.display());
            let what = match error.is::<Refusal>() {
                true => "STAYS AS IT IS, and nothing that needs it starts",
                false => "is not ready",
            };
            return Err(error.context(format!("PARTITION {name} ({shown}) {what}")));
        }
    };
    ready(args, &device)?;
    if let Some(link) = &args.link {
        point(&system.path(link), &device.path)?;
    }
    match handed {
        Some(file) => forget(&system.path(file)),
        None => Ok(()),
    }
}

/// Removes a key that has done what it came for.
fn forget(file: &Path) -> anyhow::Result<()> {
    atomic::remove(file).with_context(|| format!("cannot remove {}", file.display()))?;
    Ok(())
}

/// Makes the file system of a partition, or of what is inside one, ready for its mount.
fn ready(args: &Args, device: &Volume) -> anyhow::Result<()> {
    match device.look()? {
        Found::Nothing => return device.make(NEW),
        Found::HalfMade => return device.make(CUT_OFF),
        Found::Ext4 | Found::Other => {}
    }
    let Err(why) = device.mend(args.try_at.as_deref()) else {
        return device.grow();
    };
    let name = &device.label;
    let shown = device.path.display();
    match args.if_broken {
        Broken::Keep => {
            bail!(
                "FILE SYSTEM {name} ({shown}) IS BROKEN AND STAYS AS IT IS: {why:#}\n\
                 Nothing that needs it starts. By hand: `e2fsck -f {shown}` mends it, perhaps with losses; \
                 `mkfs.ext4 -L {name} {shown}` gives up all it holds; then restart"
            )
        }
        Broken::Renew => {
            say(&format!("file system {name} ({shown}) is broken: {why:#}"))?;
            if device.check(&["-fy"]).is_ok() && device.mounts(args.try_at.as_deref()).is_ok() {
                return say(&format!(
                    "FILE SYSTEM {name} ({shown}) WAS BROKEN AND IS MENDED, perhaps with losses"
                ));
            }
            device.make("anew")?;
            say(&format!(
                "FILE SYSTEM {name} ({shown}) IS BROKEN AND WAS MADE ANEW: what it held is lost"
            ))
        }
    }
}

/// Makes `link` a symbolic link to `target`, in place of one that is there.
fn point(link: &Path, target: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot make the link {}", link.display());
    atomic::remove(link).with_context(cannot)?;
    std::os::unix::fs::symlink(target, link).with_context(cannot)
}

/// The partition that the flags mean.
fn device(args: &Args, system: &System) -> anyhow::Result<PathBuf> {
    if let Some(device) = &args.device {
        return Ok(system.path(device));
    }
    let folder = args.of_mount.as_deref().unwrap_or_default();
    let cmdline = system.path("/proc/cmdline");
    let line = std::fs::read_to_string(&cmdline)
        .with_context(|| format!("cannot read {}", cmdline.display()))?;
    let uuid = mounted_at(folder, &line).with_context(|| {
        format!(
            "{}: no systemd.mount-extra=PARTUUID=…:{folder}:… in it",
            cmdline.display()
        )
    })?;
    Ok(system.path("/dev/disk/by-partuuid").join(uuid))
}

/// The PARTUUID that the kernel's command line mounts at `folder`; the last word counts, as for systemd.
fn mounted_at<'a>(folder: &str, line: &'a str) -> Option<&'a str> {
    line.split_ascii_whitespace()
        .filter_map(|word| {
            let rest = word.strip_prefix("systemd.mount-extra=PARTUUID=")?;
            let mut fields = rest.split(':');
            let uuid = fields.next()?;
            let plain = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
            // Nothing else is a name in that folder of devices.
            (fields.next() == Some(folder) && uuid.bytes().all(plain)).then_some(uuid)
        })
        .next_back()
}

/// Waits for udev to find the partition.
fn appear(path: &Path, within: Duration) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !path.exists() {
        ensure!(
            begun.elapsed() < within,
            "{} did not appear within {} s",
            path.display(),
            within.as_secs()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// An open partition.
struct Volume {
    file: File,
    path: PathBuf,
    label: String,
    len: u64,
}

impl Volume {
    fn open(path: PathBuf, label: &str) -> anyhow::Result<Self> {
        let shown = || format!("cannot open {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .with_context(shown)?;
        // The length of a device is where it ends, not what its metadata say.
        let len = file.seek(SeekFrom::End(0)).with_context(shown)?;
        ensure!(
            len >= LEAST,
            "{} has {len} bytes, want at least {LEAST}",
            path.display()
        );
        Ok(Self {
            file,
            path,
            label: label.to_owned(),
            len,
        })
    }

    /// What is inside of an encrypted partition; it is made if it is to be encrypted and holds nothing. None if it is not encrypted.
    fn decrypted(
        &self,
        key: &Key,
        within: Duration,
        system: &System,
    ) -> anyhow::Result<Option<Self>> {
        let found = self.look()?;
        let shown = || format!("cannot read {}", self.path.display());
        let is_luks = partition::is_luks(&self.file).with_context(shown)?;
        match luks::step(&found, is_luks, key)? {
            Step::Open(key) => {
                let path = luks::open(&self.path, &self.label, key, system)?;
                Ok(Some(Self::open(path, &self.label)?))
            }
            Step::Unseal(handed) => {
                let tpm = Tpm::of(system, within);
                let path = luks::unseal(&self.path, &self.label, handed, &tpm, system)?;
                Ok(Some(Self::open(path, &self.label)?))
            }
            Step::Plain if is_luks => {
                // mkfs leaves bytes alone that a later start would take for a header.
                self.zero(cryptsetup::HEADER)?;
                Ok(None)
            }
            Step::Plain => Ok(None),
            Step::Make { key, sealed } => {
                let tpm = sealed.then(|| Tpm::of(system, within));
                self.make_encrypted(found, key, tpm.as_ref(), system)
                    .map(Some)
            }
        }
    }

    /// Makes a volume and the file system in it; its key is sealed, if there is a TPM to keep it.
    fn make_encrypted(
        &self,
        found: Found,
        key: &DataKey,
        tpm: Option<&Tpm<'_>>,
        system: &System,
    ) -> anyhow::Result<Self> {
        if let Some(tpm) = tpm {
            tpm.is_there().map_err(Refusal::CannotSeal)?;
        }
        self.mark()?;
        luks::format(&self.path, &self.label, key)?;
        if let Some(tpm) = tpm {
            // If it can't be, nothing was kept here yet, and the mark stays.
            let done = tpm.seal(&self.path, key)?;
            say(&format!("partition {}: {done}", self.label))?;
        }
        let path = luks::open(&self.path, &self.label, key, system)?;
        let inner = Self::open(path, &self.label)?;
        inner.mkfs()?;
        self.unmark()?;
        let why = match found {
            Found::Nothing => NEW,
            _ => CUT_OFF,
        };
        say(&format!(
            "file system {} ({}): made ({why}, encrypted)",
            self.label,
            inner.path.display()
        ))?;
        Ok(inner)
    }

    /// Writes zeros from the start on.
    fn zero(&self, len: u64) -> anyhow::Result<()> {
        let zeros = vec![0; 1 << 20];
        let cannot = || format!("cannot write {}", self.path.display());
        let len = len.min(self.mark_at().with_context(cannot)?);
        let mut at = 0;
        while at < len {
            let part = zeros.len().min(usize::try_from(len.abs_diff(at))?);
            let part = zeros.get(..part).unwrap_or(&zeros);
            self.file.write_all_at(part, at).with_context(cannot)?;
            at = at
                .checked_add(u64::try_from(part.len())?)
                .with_context(cannot)?;
        }
        self.file.sync_all().with_context(cannot)
    }

    fn look(&self) -> anyhow::Result<Found> {
        partition::look(&self.file, self.len)
            .with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// Where the mark is.
    fn mark_at(&self) -> io::Result<u64> {
        partition::mark_at(self.len)
    }

    /// Makes a file system; `why` goes before the word in the message.
    fn make(&self, why: &str) -> anyhow::Result<()> {
        self.mark()?;
        self.mkfs()?;
        self.unmark()?;
        say(&format!(
            "file system {} ({}): made ({why})",
            self.label,
            self.path.display()
        ))
    }

    /// Notes that something is being made here.
    fn mark(&self) -> anyhow::Result<()> {
        self.note(MARK)
    }

    /// Notes that it is made.
    fn unmark(&self) -> anyhow::Result<()> {
        self.note(&[0; MARK.len()])
    }

    fn note(&self, bytes: &[u8]) -> anyhow::Result<()> {
        self.mark_at()
            .and_then(|at| self.file.write_all_at(bytes, at))
            .and_then(|()| self.file.sync_all())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// mkfs.ext4 would take its ids from getrandom(2), which on a machine without a source of random numbers gives none for half a minute after the
    /// start. Nobody is to be kept from guessing them, so the kernel's own, which never wait, do.
    fn mkfs(&self) -> anyhow::Result<()> {
        let blocks = self.blocks().to_string();
        let block = BLOCK.to_string();
        let uuid = new_uuid()?;
        let extended = format!("hash_seed={}", new_uuid()?);
        let output = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "1", "-b", &block, "-L", &self.label])
            .args(["-U", &uuid, "-E", &extended])
            .arg(&self.path)
            .arg(blocks)
            .output()
            .context("cannot start mkfs.ext4")?;
        ensure!(output.status.success(), "mkfs.ext4: {}", told(&output));
        self.file
            .sync_all()
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Blocks of a file system here.
    fn blocks(&self) -> u64 {
        // `open` wants more than that.
        self.len.saturating_sub(TAIL) / BLOCK
    }

    /// Makes a file system that was checked as large as its partition; one of another make, or about as large, stays.
    fn grow(&self) -> anyhow::Result<()> {
        let mut superblock = [0; 1024];
        self.file
            .read_exact_at(&mut superblock, SUPERBLOCK)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        let number = |at: usize| -> Option<u32> {
            let bytes = superblock.get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        // s_blocks_count, low and high half, and s_log_block_size: 2 is 4096.
        let (low, high, size) = (number(0x4), number(0x150), number(0x18));
        let have = low
            .zip(high)
            .map(|(low, high)| u64::from(high) << 32 | u64::from(low));
        let want = self.blocks();
        let gain = have.and_then(|have| want.checked_sub(have));
        if size != Some(2) || gain.is_none_or(|gain| gain < WORTHWHILE) {
            return Ok(());
        }
        self.check(&["-fp"])?;
        let output = Command::new("resize2fs")
            .arg(&self.path)
            .arg(want.to_string())
            .output()
            .context("cannot start resize2fs")?;
        ensure!(output.status.success(), "resize2fs: {}", told(&output));
        say(&format!(
            "file system {} ({}): grown to {want} blocks of {BLOCK} bytes",
            self.label,
            self.path.display()
        ))
    }

    /// Mends what can be mended without loss; an error if that does not do.
    fn mend(&self, try_at: Option<&Path>) -> anyhow::Result<()> {
        let shown = || format!("cannot read {}", self.path.display());
        // Without the first superblock there is a second one, which e2fsck looks for only when it may lose things.
        let copy = match partition::has_superblock(&self.file, SUPERBLOCK).with_context(shown)? {
            true => None,
            false => partition::second_superblock(&self.file).with_context(shown)?,
        };
        let copy = copy.map(|(block, size)| [block.to_string(), size.to_string()]);
        let checked = match &copy {
            Some([block, size]) => self.check(&["-p", "-b", block, "-B", size]),
            None => self.check(&["-p"]),
        };
        checked.and_then(|()| self.mounts(try_at)).or_else(|_| {
            // One that was left clean is not looked through unless forced to.
            self.check(&["-fp"]).and_then(|()| self.mounts(try_at))
        })
    }

    /// Whether it can be mounted, if there is a folder to try that at.
    fn mounts(&self, at: Option<&Path>) -> anyhow::Result<()> {
        let Some(at) = at else {
            return Ok(());
        };
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some(&self.path), at, Some("ext4"), flags, None::<&str>)
            .with_context(|| format!("cannot mount {}", self.path.display()))?;
        umount(at).with_context(|| format!("cannot unmount {}", self.path.display()))
    }

    /// Runs e2fsck with `how`; what it says if something is left to do.
    fn check(&self, how: &[&str]) -> anyhow::Result<()> {
        let output = Command::new("e2fsck")
            .args(how)
            .arg(&self.path)
            .output()
            .context("cannot start e2fsck")?;
        // e2fsck(8): 1 errors corrected, 2 also a restart wanted, which is for mounted file systems.
        match output.status.code() {
            Some(0) => Ok(()),
            Some(1..=3) => say(&format!("e2fsck: {}", told(&output))),
            _ => bail!("e2fsck {}: {}", how.join(" "), told(&output)),
        }
    }
}

/// A new UUID, as the kernel makes them (random(4)).
fn new_uuid() -> anyhow::Result<String> {
    let uuid = std::fs::read_to_string(UUIDS).with_context(|| format!("cannot read {UUIDS}"))?;
    Ok(uuid.trim_end().to_owned())
}

/// The last of what a program said, on one line.
pub(crate) fn told(output: &Output) -> String {
    program::said(output, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_names_the_partition() {
        let line = "ro systemd.mount-extra=PARTUUID=aa-1:/var:ext4:rw systemd.mount-extra=PARTUUID=bb:/x:ext4:rw quiet";
        assert_eq!(mounted_at("/var", line), Some("aa-1"));
        assert_eq!(mounted_at("/x", line), Some("bb"));
        assert_eq!(mounted_at("/y", line), None);
        // The last counts; what is no PARTUUID is none.
        let line = "systemd.mount-extra=PARTUUID=a:/var systemd.mount-extra=PARTUUID=b:/var systemd.mount-extra=PARTUUID=../c:/var";
        assert_eq!(mounted_at("/var", line), Some("b"));
    }
}
