//! Processor, memory and firmware.

use std::collections::BTreeSet;

use super::Look;
use crate::facts::Machine;
use crate::system::System;

pub(super) const STEP: Look = Look {
    name: "machine",
    plan: |_| "look at processor, memory and firmware".to_owned(),
    run: |context, _| {
        let machine = machine(&context.system);
        let mut notes = Vec::new();
        if !machine.uefi {
            notes.push("not started by UEFI".to_owned());
        }
        if machine.virtualization.is_none() {
            notes.push("the processor offers no virtualisation".to_owned());
        }
        context.facts.machine = machine;
        Ok(notes)
    },
};

fn machine(system: &System) -> Machine {
    let cpuinfo = system.text("/proc/cpuinfo");
    let of = |key: &str| {
        let value = |line: &str| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        };
        cpuinfo.as_deref()?.lines().find_map(value)
    };
    let flags = of("flags");
    let has = |flag: &str| {
        let flags = flags.as_deref();
        flags.is_some_and(|flags| flags.split(' ').any(|word| word == flag))
    };
    let virtualization = match (has("svm"), has("vmx")) {
        (true, _) => Some("AMD-V"),
        (_, true) => Some("VT-x"),
        _ => None,
    };
    let online = system.text("/sys/devices/system/cpu/online");
    let meminfo = system.text("/proc/meminfo");
    Machine {
        vendor: system.text("/sys/class/dmi/id/sys_vendor"),
        product: system.text("/sys/class/dmi/id/product_name"),
        cpu: of("model name"),
        cpus: online.and_then(|list| count(&list)),
        sockets: sockets(system),
        memory: meminfo.and_then(|text| memory(&text)),
        virtualization,
        uefi: system.exists("/sys/firmware/efi"),
        secure_boot: efivars::secure_boot(&system.path(efivars::FOLDER))
            .ok()
            .flatten(),
    }
}

/// How many packages the processors are in.
fn sockets(system: &System) -> Option<u64> {
    const CPUS: &str = "/sys/devices/system/cpu";
    let names = system.names(CPUS).into_iter();
    let packages: BTreeSet<String> = names
        .filter(|name| name.starts_with("cpu"))
        .filter_map(|name| system.text(format!("{CPUS}/{name}/topology/physical_package_id")))
        .collect();
    (!packages.is_empty()).then_some(base::as_u64(packages.len()))
}

/// `0-3,8`: five.
fn count(list: &str) -> Option<u64> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let mut ranges = list.split(',');
    ranges.try_fold(0_u64, |sum, text| sum.checked_add(range(text)?))
}

/// Bytes of `MemTotal`, which is in KiB.
fn memory(meminfo: &str) -> Option<u64> {
    let mut lines = meminfo.lines();
    let line = lines.find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_kernel() {
        for (list, want) in [("0", 1), ("0-3", 4), ("0-3,8", 5)] {
            assert_eq!(count(list), Some(want), "{list}");
        }
        for list in ["", "3-0", "0,x", "0-18446744073709551615"] {
            assert_eq!(count(list), None, "{list}");
        }
        assert_eq!(
            memory("MemTotal:        2048 kB\nMemFree: 1 kB"),
            Some(2 * 1024 * 1024)
        );
        for text in ["x", "MemTotal: x kB", "MemTotal: 18446744073709551615 kB"] {
            assert_eq!(memory(text), None, "{text}");
        }
    }
}
