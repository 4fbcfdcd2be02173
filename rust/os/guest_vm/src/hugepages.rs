//! `guest_vm reserve-hugepages`: asks the kernel for the huge pages that the configuration wants.
//!
//! As root, before the service starts: the service itself may not. The earlier after the start of the machine, the more surely the kernel
//! has memory in one piece. When the configuration wants none, the ones that were reserved are given back.

use std::fs;

use anyhow::{ensure, Context};

use crate::config::Wanted;
use crate::flags::Configuration;
use crate::host::huge_pages;

/// How many pages of the usual size there are, used or not.
const RESERVED: &str = "/proc/sys/vm/nr_hugepages";

/// Reserves them; says what was done.
pub(crate) fn reserve(configuration: &Configuration) -> anyhow::Result<String> {
    let host = configuration.host();
    let wanted = Wanted::read(&configuration.config, &host)?;
    let pages = match wanted.hugepages {
        true => huge_pages(host.memory()?.for_guest(wanted.memory_mib)?)?,
        false => 0,
    };
    let path = host.path(RESERVED);
    let read = || -> anyhow::Result<u64> {
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let number = text.trim().parse();
        number.with_context(|| format!("{}: got {text:?}, want a number", path.display()))
    };
    if read()? != pages {
        let written = fs::write(&path, pages.to_string());
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let reserved = read()?;
    ensure!(
        reserved >= pages,
        "the kernel has {reserved} huge pages to spare, want {pages}: memory is in too many pieces, restart the machine; \
         or set a smaller vm_memory_mib, or vm_hugepages=no"
    );
    Ok(match pages {
        0 => "no huge pages wanted".to_owned(),
        pages => format!("{pages} huge pages reserved"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_are_wanted_and_some_are_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proc/sys/vm/nr_hugepages");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::create_dir_all(dir.path().join("sys/class/net/eth0/device")).unwrap();
        fs::write(dir.path().join("sys/class/net/eth0/type"), "1\n").unwrap();
        fs::write(
            dir.path().join("sys/class/net/eth0/address"),
            "34:56:78:9a:bc:de\n",
        )
        .unwrap();
        let meminfo = "MemTotal: 8388608 kB\nHugePages_Free: 0\nHugepagesize: 2048 kB\n";
        fs::write(dir.path().join("proc/meminfo"), meminfo).unwrap();
        let config = dir.path().join("config");
        fs::create_dir(&config).unwrap();
        let flags = Configuration {
            config: config.clone(),
            root: Some(dir.path().to_path_buf()),
        };
        for (ini, before, after) in [
            ("", "7\n", "0"),
            ("vm_hugepages=yes\nvm_memory_mib=1024\n", "0\n", "512"),
            ("vm_hugepages=yes\n", "0\n", "3328"),
        ] {
            fs::write(config.join("config.ini"), ini).unwrap();
            fs::write(&file, before).unwrap();
            reserve(&flags).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap().trim(), after, "{ini}");
        }
        fs::write(
            config.join("config.ini"),
            "vm_hugepages=yes\nvm_memory_mib=1023\n",
        )
        .unwrap();
        let error = reserve(&flags).unwrap_err().to_string();
        assert!(error.contains("want an even number"), "{error}");
    }
}
