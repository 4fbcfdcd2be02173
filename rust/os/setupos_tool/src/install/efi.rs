//! The firmware's list of what to start: HostOS first, and no older entry of ours.
//!
//! An entry names partition and program, so it does not outlive a new table: those of older installations lead nowhere. A firmware without
//! variables, or one that takes no more, is no failure: HostOS's loader has the name that firmware starts unasked (`\EFI\BOOT\BOOTX64.EFI`).

use super::program;
use crate::system::System;

const EFIBOOTMGR: &str = "/usr/bin/efibootmgr";
/// What labels of ours begin with.
const OURS: &str = "IC-OS ";
const LABEL: &str = "IC-OS HostOS";
const LOADER: &str = r"\EFI\BOOT\BOOTX64.EFI";

/// An entry of ours.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    number: String,
    label: String,
}

/// Makes the entry for the first partition of the drive `device` and takes older ones of ours away; remarks for people.
pub(crate) fn set(system: &System, device: &str) -> Vec<String> {
    if system.names(efivars::FOLDER).is_empty() {
        return vec![
            "the firmware has no variables: it starts HostOS by its loader's name".to_owned(),
        ];
    }
    match entries(system).and_then(|old| replace(system, device, &old)) {
        Ok(note) => vec![note],
        Err(error) => vec![format!(
            "the firmware took no entry ({error}): it starts HostOS by its loader's name, if no other entry comes first"
        )],
    }
}

fn replace(system: &System, device: &str, old: &[Entry]) -> Result<String, String> {
    // First the old ones: some firmware has room for few.
    for entry in old {
        program::run(system, EFIBOOTMGR, ["-q", "-b", &entry.number, "-B"])?;
    }
    let args = [
        "-q", "-c", "-d", device, "-p", "1", "-L", LABEL, "-l", LOADER,
    ];
    program::run(system, EFIBOOTMGR, args)?;
    let now = entries(system)?;
    match now.iter().any(|entry| entry.label == LABEL) {
        true => Ok(format!(
            "the firmware starts {LABEL} first; {} older entries of ours are gone",
            old.len()
        )),
        false => Err("it is not there after it was made".to_owned()),
    }
}

/// The entries of ours.
fn entries(system: &System) -> Result<Vec<Entry>, String> {
    let text = program::run(system, EFIBOOTMGR, [""; 0])?;
    Ok(text.lines().filter_map(entry).collect())
}

/// `Boot0003* IC-OS HostOS\tHD(1,GPT,…)/…`, as efibootmgr(8) prints it; older ones print no path.
fn entry(line: &str) -> Option<Entry> {
    let rest = line.strip_prefix("Boot")?;
    let (number, rest) = rest.split_at_checked(4)?;
    let hex = number.bytes().all(|byte| byte.is_ascii_hexdigit());
    let label = rest
        .strip_prefix("* ")
        .or_else(|| rest.strip_prefix("  "))?;
    let label = label.split('\t').next()?;
    (hex && label.starts_with(OURS)).then(|| Entry {
        number: number.to_owned(),
        label: label.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_efibootmgr() {
        let ours = |number: &str, label: &str| {
            Some(Entry {
                number: number.to_owned(),
                label: label.to_owned(),
            })
        };
        for (line, want) in [
            ("BootCurrent: 0001", None),
            ("BootOrder: 0003,0001", None),
            ("Boot0001* UEFI QEMU DVD-ROM\tPciRoot(0x0)", None),
            (
                "Boot0003* IC-OS HostOS\tHD(1,GPT,30acb6d4)/File(x)",
                ours("0003", "IC-OS HostOS"),
            ),
            ("Boot000A  IC-OS HostOS", ours("000A", "IC-OS HostOS")),
            ("Boot000A* IC-OS", None),
            ("Boot00ä* IC-OS HostOS", None),
            ("Boot", None),
        ] {
            assert_eq!(entry(line), want, "{line}");
        }
    }

    /// A firmware whose entries are the lines of a file.
    fn firmware(script: &str) -> (tempfile::TempDir, System) {
        let dir = tempfile::tempdir().unwrap();
        let variables = dir.path().join(efivars::FOLDER.trim_start_matches('/'));
        std::fs::create_dir_all(&variables).unwrap();
        std::fs::write(variables.join("BootOrder-x"), "").unwrap();
        let program = dir.path().join(EFIBOOTMGR.trim_start_matches('/'));
        let list = dir.path().join("list");
        std::fs::write(
            &list,
            "BootOrder: 0001,0002\nBoot0001* Other\nBoot0002* IC-OS HostOS\tHD(old)\nBoot0004* IC-OS Old\tHD(x)\n",
        )
        .unwrap();
        let script = format!("#!/bin/sh\nlist={}\n{script}", list.display());
        stand_in::program(program, &script);
        let system = System::new(Some(dir.path().to_owned()));
        (dir, system)
    }

    #[test]
    fn older_entries_go_and_a_new_one_comes() {
        let (dir, system) = firmware(
            "case \"$*\" in\n\
             '') cat $list ;;\n\
             '-q -b '*) sed -i \"/^Boot$3/d\" $list ;;\n\
             *) echo \"$*\" >>$list.args; printf 'Boot0007* IC-OS HostOS\\tHD(new)\\n' >>$list ;;\n\
             esac\n",
        );
        let notes = set(&system, "/dev/vdb");
        assert_eq!(
            notes,
            ["the firmware starts IC-OS HostOS first; 2 older entries of ours are gone"]
        );
        let list = std::fs::read_to_string(dir.path().join("list")).unwrap();
        assert_eq!(
            list,
            "BootOrder: 0001,0002\nBoot0001* Other\nBoot0007* IC-OS HostOS\tHD(new)\n"
        );
        let args = std::fs::read_to_string(dir.path().join("list.args")).unwrap();
        assert_eq!(
            args,
            "-q -c -d /dev/vdb -p 1 -L IC-OS HostOS -l \\EFI\\BOOT\\BOOTX64.EFI\n"
        );
    }

    #[test]
    fn firmware_that_takes_nothing_is_remarked() {
        let (_dir, system) = firmware("[ $# = 0 ] && exec cat $list\necho no room >&2; exit 5\n");
        let notes = set(&system, "/dev/vdb");
        assert!(
            notes[0].contains("took no entry (efibootmgr: status 5: no room)"),
            "{notes:?}"
        );
        let (_dir, system) = firmware("exit 0\n");
        let notes = set(&system, "/dev/vdb");
        assert!(
            notes[0].contains("it is not there after it was made"),
            "{notes:?}"
        );
        let empty = tempfile::tempdir().unwrap();
        let notes = set(&System::new(Some(empty.path().to_owned())), "/dev/vdb");
        assert!(
            notes[0].starts_with("the firmware has no variables"),
            "{notes:?}"
        );
    }
}
