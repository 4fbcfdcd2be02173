//! Which drive is installed to. Explicit rules, and no guess:
//!
//! 1. Never the medium itself, one that is mounted or otherwise in use, one that can't be written, one that is too small, one with
//!    sectors of other than 512 bytes (the images are made for those).
//! 2. `drive=auto`: the one that is left, which must be only one; removable ones and those on USB don't count.
//! 3. `drive=NAME`: the one whose serial number, World Wide Name, or name in /dev/disk/by-id that is, to the letter.

use os_config::DriveChoice;

use crate::facts::Drive;
use crate::screen::size;

/// What the images are made for.
const SECTOR: u64 = 512;

/// The drive, or everything that is in the way.
pub(crate) fn choose<'a>(
    drives: &'a [Drive],
    wanted: &DriveChoice,
    least: u64,
) -> Result<&'a Drive, Vec<String>> {
    match wanted {
        DriveChoice::Auto => auto(drives, least),
        DriveChoice::Named(name) => named(drives, name, least).map_err(|text| vec![text]),
    }
}

/// Why `drive` is not taken.
fn refused(drive: &Drive, least: u64) -> Option<String> {
    if drive.own {
        return Some("this system runs from it".to_owned());
    }
    if !drive.used_by.is_empty() {
        return Some(format!("it is in use: {}", drive.used_by.join(", ")));
    }
    if drive.read_only {
        return Some("it can't be written".to_owned());
    }
    match drive.size {
        None => return Some("its size is unknown".to_owned()),
        Some(bytes) if bytes < least => {
            return Some(format!(
                "it has {bytes} bytes, want at least {least} ({})",
                size(least)
            ))
        }
        Some(_) => {}
    }
    match drive.sector {
        Some(SECTOR) => None,
        Some(other) => Some(format!(
            "it has sectors of {other} bytes, want {SECTOR}: format it to those by nvme format, sg_format or its maker's tool"
        )),
        None => Some("the length of its sectors is unknown".to_owned()),
    }
}

fn auto(drives: &[Drive], least: u64) -> Result<&Drive, Vec<String>> {
    let mut fit = Vec::new();
    let mut reasons = Vec::new();
    for drive in drives {
        let reason = refused(drive, least).or_else(|| {
            let portable = drive.removable || drive.bus == Some("USB");
            portable.then(|| "it can be unplugged: only its name takes it".to_owned())
        });
        match reason {
            None => fit.push(drive),
            Some(reason) => reasons.push(format!("{}: {reason}", shown(drive))),
        }
    }
    match fit.as_slice() {
        [drive] => Ok(drive),
        [] => {
            let mut problems = vec!["drive=auto: no drive fits".to_owned()];
            problems.extend(reasons);
            Err(problems)
        }
        several => {
            let mut problems = vec![format!(
                "drive=auto: {} drives fit, say which one by drive=SERIAL in config.ini",
                several.len()
            )];
            problems.extend(several.iter().map(|drive| shown(drive)));
            Err(problems)
        }
    }
}

fn named<'a>(drives: &'a [Drive], name: &str, least: u64) -> Result<&'a Drive, String> {
    let mut found = drives.iter().filter(|drive| is_called(drive, name));
    match (found.next(), found.next()) {
        (Some(drive), None) => match refused(drive, least) {
            None => Ok(drive),
            Some(reason) => Err(format!("drive={name}: {}: {reason}", shown(drive))),
        },
        (Some(one), Some(other)) => Err(format!(
            "drive={name}: {} and {} are both called so, want another name of it",
            one.name, other.name
        )),
        (None, _) => {
            let known: Vec<String> = drives.iter().filter(|d| !d.own).map(shown).collect();
            let known = match known.is_empty() {
                true => "none".to_owned(),
                false => known.join("; "),
            };
            Err(format!(
                "drive={name}: no drive has this serial number, WWN or name in /dev/disk/by-id; drives: {known}"
            ))
        }
    }
}

fn is_called(drive: &Drive, name: &str) -> bool {
    let wwn = drive.wwn.as_deref();
    // `0x5000…`, as udev and labels have it, is `naa.5000…` of the kernel.
    let bare = wwn.and_then(|wwn| wwn.split_once('.')).map(|(_, hex)| hex);
    let hex = name.strip_prefix("0x");
    drive.serial.as_deref() == Some(name)
        || wwn == Some(name)
        || (hex.is_some() && hex == bare)
        || drive.ids.iter().any(|id| id == name)
}

/// A drive by its names.
pub(crate) fn shown(drive: &Drive) -> String {
    let mut words = vec![drive.name.clone()];
    words.extend(drive.size.map(size));
    words.extend(drive.model.clone());
    words.push(match &drive.serial {
        Some(serial) => format!("serial {serial}"),
        None => "no serial number".to_owned(),
    });
    words.extend(drive.wwn.as_ref().map(|wwn| format!("WWN {wwn}")));
    words.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use os_config::DriveName;

    const GIB: u64 = 1 << 30;

    fn drive(name: &str) -> Drive {
        Drive {
            name: name.to_owned(),
            bus: Some("NVMe"),
            model: None,
            serial: Some(format!("S-{name}")),
            wwn: Some(format!("naa.50{name}")),
            ids: vec![format!("nvme-Fast_{name}")],
            size: Some(10 * GIB),
            sector: Some(512),
            rotational: false,
            removable: false,
            read_only: false,
            own: false,
            used_by: Vec::new(),
        }
    }

    fn changed(name: &str, change: fn(&mut Drive)) -> Drive {
        let mut drive = drive(name);
        change(&mut drive);
        drive
    }

    fn unfit() -> Vec<Drive> {
        vec![
            changed("a", |d| d.own = true),
            changed("b", |d| d.used_by = vec!["mounted at /x".to_owned()]),
            changed("c", |d| d.read_only = true),
            changed("d", |d| d.size = Some(GIB)),
            changed("e", |d| d.size = None),
            changed("f", |d| d.sector = Some(4096)),
            changed("g", |d| d.sector = None),
        ]
    }

    #[test]
    fn auto_takes_the_only_one() {
        let mut drives = unfit();
        drives.push(changed("h", |d| d.removable = true));
        drives.push(changed("i", |d| d.bus = Some("USB")));
        let problems = choose(&drives, &DriveChoice::Auto, 2 * GIB).unwrap_err();
        assert_eq!(problems.len(), 10);
        assert_eq!(problems[0], "drive=auto: no drive fits");
        for (number, reason) in [
            (1, "this system runs from it"),
            (2, "it is in use: mounted at /x"),
            (3, "it can't be written"),
            (
                4,
                "it has 1073741824 bytes, want at least 2147483648 (2.0 GiB)",
            ),
            (5, "its size is unknown"),
            (
                6,
                "it has sectors of 4096 bytes, want 512: format it to those by nvme format, sg_format or its maker's tool",
            ),
            (7, "the length of its sectors is unknown"),
            (8, "it can be unplugged: only its name takes it"),
            (9, "it can be unplugged: only its name takes it"),
        ] {
            assert!(problems[number].ends_with(reason), "{}", problems[number]);
        }
        drives.push(drive("x"));
        let found = choose(&drives, &DriveChoice::Auto, 2 * GIB).unwrap();
        assert_eq!(found.name, "x");
        drives.push(drive("y"));
        let problems = choose(&drives, &DriveChoice::Auto, 2 * GIB).unwrap_err();
        assert_eq!(problems.len(), 3);
        assert!(problems[0].starts_with("drive=auto: 2 drives fit, say which one"));
        assert_eq!(problems[1], "x  10.0 GiB  serial S-x  WWN naa.50x");
    }

    #[test]
    fn a_name_takes_one_to_the_letter() {
        let mut drives = unfit();
        drives.push(drive("x"));
        drives.push(changed("y", |d| d.bus = Some("USB")));
        let named = |drives: &[Drive], name: &str| {
            let wanted = DriveChoice::Named(DriveName::parse(name).unwrap());
            choose(drives, &wanted, 2 * GIB)
                .map(|drive| drive.name.clone())
                .map_err(|problems| problems.join("\n"))
        };
        for name in ["S-x", "naa.50x", "0x50x", "nvme-Fast_x"] {
            assert_eq!(named(&drives, name).unwrap(), "x", "{name}");
        }
        assert_eq!(named(&drives, "S-y").unwrap(), "y");
        for name in ["s-x", "50x", "S-", "nvme-Fast_"] {
            let error = named(&drives, name).unwrap_err();
            assert!(error.contains("no drive has this serial number"), "{error}");
        }
        let error = named(&drives, "S-a").unwrap_err();
        assert!(
            error.ends_with("serial S-a  WWN naa.50a: this system runs from it"),
            "{error}"
        );
        drives.push(changed("z", |d| d.serial = Some("S-x".to_owned())));
        let error = named(&drives, "S-x").unwrap_err();
        assert!(error.contains("x and z are both called so"), "{error}");
        assert!(named(&[], "S-x").unwrap_err().ends_with("drives: none"));
    }
}
