//! What this host has: memory, processors, and the devices that make a guest fast.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::{ensure, Context};

/// Huge pages are of this size, as every x86-64 has them.
pub(crate) const HUGE_PAGE_MIB: u64 = 2;
/// The least that a guest gets.
pub(crate) const LEAST_MIB: u64 = 512;
/// What the host never gives away.
pub(crate) const LEAST_HOST_MIB: u64 = 512;
/// What the host keeps when nobody says how much the guest gets: this, and one part in so many of all memory.
const RESERVE_MIB: u64 = 1024;
const RESERVE_PART: u64 = 16;

/// The host, or a folder that stands for it in tests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    pub(crate) root: Option<PathBuf>,
}

/// What /proc/meminfo says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total_mib: u64,
    /// Huge pages that nobody uses.
    pub(crate) huge_free: u64,
    /// Size of the usual huge page.
    pub(crate) huge_page_mib: u64,
}

impl Host {
    /// `path` of this host.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        os_config::root::path(self.root.as_deref(), path)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let path = self.path("/proc/meminfo");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Memory::parse(&text).with_context(|| path.display().to_string())
    }

    /// Processors that this process may run on.
    pub(crate) fn cpus() -> anyhow::Result<u32> {
        let cpus = available_parallelism().context("cannot count the processors")?;
        u32::try_from(cpus.get()).context("too many processors")
    }

    /// Whether the device at `path` opens for reading and writing; why not.
    pub(crate) fn opens(&self, path: &str) -> Result<(), String> {
        let path = self.path(path);
        let opened = File::options().read(true).write(true).open(&path);
        opened
            .map(drop)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether there is a device at `path`. It is not opened: QEMU alone can say more.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The tap device and its place in the bridge, which are systemd-networkd's work.
    pub(crate) fn check_tap(&self, tap: &str) -> anyhow::Result<()> {
        let device = self.path("/sys/class/net").join(tap);
        ensure!(
            device.exists(),
            "the network device {tap} is not there: systemd-networkd makes it (networkctl status {tap})"
        );
        ensure!(
            device.join("master").exists(),
            "the network device {tap} is in no bridge: systemd-networkd puts it there (networkctl status {tap})"
        );
        Ok(())
    }
}

impl Memory {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let number = |name: &str, unit: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.strip_prefix(':'));
            let value = value.with_context(|| format!("no line {name}"))?.trim();
            let digits = value.strip_suffix(unit).unwrap_or(value).trim();
            digits
                .parse::<u64>()
                .with_context(|| format!("{name}: got {value:?}, want a number{unit}"))
        };
        Ok(Self {
            total_mib: number("MemTotal", " kB")? >> 10,
            huge_free: number("HugePages_Free", "")?,
            huge_page_mib: number("Hugepagesize", " kB")? >> 10,
        })
    }

    /// MiB for the guest: `wanted`, or what the host does not need.
    pub(crate) fn for_guest(&self, wanted: Option<u64>) -> anyhow::Result<u64> {
        let total = self.total_mib;
        let Some(wanted) = wanted else {
            let reserve = RESERVE_MIB.checked_add(total / RESERVE_PART);
            let left = reserve.and_then(|reserve| total.checked_sub(reserve));
            return match left.map(|left| left & !(HUGE_PAGE_MIB - 1)) {
                Some(left) if left >= LEAST_MIB => Ok(left),
                _ => anyhow::bail!(
                    "this machine has {total} MiB of memory, of which the host keeps {RESERVE_MIB} and a {RESERVE_PART}th: \
                     less than {LEAST_MIB} are left for the guest; vm_memory_mib sets how much it gets"
                ),
            };
        };
        ensure!(
            wanted >= LEAST_MIB,
            "vm_memory_mib: got {wanted}, want at least {LEAST_MIB}"
        );
        let most = total.checked_sub(LEAST_HOST_MIB);
        ensure!(
            most.is_some_and(|most| wanted <= most),
            "vm_memory_mib: got {wanted}; this machine has {total} MiB, of which the host needs {LEAST_HOST_MIB}"
        );
        Ok(wanted)
    }
}

/// Huge pages for `memory_mib`.
pub(crate) fn huge_pages(memory_mib: u64) -> anyhow::Result<u64> {
    ensure!(
        memory_mib % HUGE_PAGE_MIB == 0,
        "vm_memory_mib: got {memory_mib}, want an even number with vm_hugepages=yes: a huge page has {HUGE_PAGE_MIB} MiB"
    );
    Ok(memory_mib / HUGE_PAGE_MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(total_mib: u64) -> Memory {
        Memory {
            total_mib,
            huge_free: 0,
            huge_page_mib: 2,
        }
    }

    #[test]
    fn meminfo() {
        let text = "MemTotal:        3045678 kB\nMemFree: 1 kB\nHugePages_Total:       7\n\
                    HugePages_Free:        5\nHugepagesize:       2048 kB\n";
        let want = Memory {
            total_mib: 2974,
            huge_free: 5,
            huge_page_mib: 2,
        };
        assert_eq!(Memory::parse(text).unwrap(), want);
        for (bad, want) in [
            ("", "no line MemTotal"),
            (
                "MemTotal: x kB\n",
                "MemTotal: got \"x kB\", want a number kB",
            ),
            (
                "MemTotal: 1 kB\nHugePages_Free: 1\n",
                "no line Hugepagesize",
            ),
        ] {
            assert_eq!(Memory::parse(bad).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn the_host_keeps_its_share() {
        for (total, want) in [(2974, 1764), (8192, 6656), (65536, 60416), (1639, 512)] {
            assert_eq!(memory(total).for_guest(None).unwrap(), want, "{total}");
        }
        for total in [0, 1024, 1632] {
            let error = memory(total).for_guest(None).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("this machine has {total} MiB")),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_asked_for_must_fit() {
        let memory = memory(4096);
        assert_eq!(memory.for_guest(Some(3584)).unwrap(), 3584);
        let error = memory.for_guest(Some(3585)).unwrap_err().to_string();
        assert!(error.contains("this machine has 4096 MiB"), "{error}");
        let error = memory.for_guest(Some(511)).unwrap_err().to_string();
        assert_eq!(error, "vm_memory_mib: got 511, want at least 512");
        assert_eq!(huge_pages(512).unwrap(), 256);
        assert!(huge_pages(513).is_err());
    }
}
