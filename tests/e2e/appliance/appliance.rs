//! The appliance's one program, which the kernel starts as init: it looks at what it runs from, says so, and switches the machine off.

use std::{fs, io};

fn main() {
    match look() {
        Ok(found) => println!("appliance: {found}"),
        Err(error) => println!("appliance: failed: {error}"),
    }
    // Linux's off switch for those who have no system call at hand.
    if let Err(error) = fs::write("/proc/sysrq-trigger", "o") {
        println!("appliance: can't switch off: {error}");
    }
    loop {
        std::thread::park();
    }
}

/// The slot, what holds the root, and whether it lets itself be changed.
fn look() -> io::Result<String> {
    let line = fs::read_to_string("/proc/cmdline")?;
    let slot = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("slot="));
    let uuid = fs::read_to_string("/sys/block/dm-0/dm/uuid")?;
    // As CRYPT-VERITY-UUID-root.
    let root: Vec<&str> = uuid.split('-').take(2).collect();
    let change = match fs::write("/etc/hostname", "changed") {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => "read-only",
        Err(error) => return Err(error),
        Ok(()) => "writable",
    };
    Ok(format!(
        "slot {}, root is {}, {change}",
        slot.unwrap_or("none"),
        root.join("-")
    ))
}
