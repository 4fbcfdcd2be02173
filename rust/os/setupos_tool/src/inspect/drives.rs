//! The drives.

use super::Look;
use crate::block;
use crate::facts::Drive;
use crate::system::System;

pub(super) const STEP: Look = Look {
    name: "drives",
    plan: |context| format!("look at {}", context.system.path("/sys/block").display()),
    run: |context, _| {
        let system = &context.system;
        let places = [
            std::path::Path::new("/"),
            &context.places.data,
            &context.places.config,
        ];
        let own: Vec<String> = places
            .iter()
            .filter_map(|place| block::mounted(system, place))
            .flat_map(|device| block::drives_of(system, &device))
            .collect();
        let ids = ids(system);
        let names = block::drives(system).into_iter();
        context.facts.drives = names.map(|name| drive(system, name, &own, &ids)).collect();
        let other = context.facts.drives.iter().any(|drive| !drive.own);
        let note = (!other).then(|| "no drive besides the one this system runs from".to_owned());
        Ok(note.into_iter().collect())
    },
};

/// Names in /dev/disk/by-id, each with the device that it leads to.
fn ids(system: &System) -> Vec<(String, String)> {
    const BY_ID: &str = "/dev/disk/by-id";
    let names = system.names(BY_ID).into_iter();
    names
        .filter_map(|id| {
            let device = system.link_name(format!("{BY_ID}/{id}"))?;
            Some((id, device))
        })
        .collect()
}

fn drive(system: &System, name: String, own: &[String], ids: &[(String, String)]) -> Drive {
    let dir = format!("/sys/block/{name}");
    let at = |file: &str| system.text(format!("{dir}/{file}"));
    let is_set = |file: &str| at(file).as_deref() == Some("1");
    // NVMe, MMC and virtio say what they are called in sysfs; disks on SATA and SAS were asked by udev.
    let number = at("dev");
    let known = number.and_then(|number| system.text(format!("/run/udev/data/b{number}")));
    let udev = |property: &str| {
        let mut pairs = known
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.strip_prefix("E:")?.split_once('='));
        let value = pairs.find(|(name, _)| *name == property);
        value
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    };
    let link = std::fs::read_link(system.path(&dir));
    let bus = match name.as_str() {
        _ if link.is_ok_and(|link| link.to_string_lossy().contains("/usb")) => Some("USB"),
        name if name.starts_with("nvme") => Some("NVMe"),
        name if name.starts_with("vd") => Some("virtio"),
        name if name.starts_with("mmcblk") => Some("MMC"),
        name if name.starts_with("sd") => Some("SCSI/SATA"),
        _ => None,
    };
    Drive {
        bus,
        model: at("device/model"),
        serial: at("serial")
            .or_else(|| at("device/serial"))
            .or_else(|| udev("ID_SERIAL_SHORT")),
        wwn: at("wwid")
            .or_else(|| at("device/wwid"))
            .or_else(|| udev("ID_WWN_WITH_EXTENSION"))
            .or_else(|| udev("ID_WWN")),
        ids: ids
            .iter()
            .filter(|(_, device)| *device == name)
            .map(|(id, _)| id.clone())
            .collect(),
        sector: system.number(format!("{dir}/queue/logical_block_size")),
        used_by: block::users(system, &name),
        // In sectors of 512 bytes, whatever the drive's own are.
        size: system
            .number(format!("{dir}/size"))
            .and_then(|sectors| sectors.checked_mul(512)),
        rotational: is_set("queue/rotational"),
        removable: is_set("removable"),
        read_only: is_set("ro"),
        own: own.contains(&name),
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_drives_and_hidden_paths() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for name in ["nvme0c0n1", "nvme0n1", "sda", "sdb"] {
            write(&format!("sys/block/{name}/size"), "2048\n");
        }
        write("sys/block/nvme0c0n1/hidden", "1\n");
        write("sys/block/nvme0n1/hidden", "0\n");
        write("sys/block/nvme0n1/device/serial", "N1\n");
        write("sys/block/nvme0n1/dev", "259:0\n");
        write("run/udev/data/b259:0", "E:ID_SERIAL_SHORT=other\n");
        write("sys/block/sda/dev", "8:0\n");
        write("sys/block/sda/device/wwid", "naa.5000c500a1b2c3d4\n");
        write(
            "run/udev/data/b8:0",
            "S:disk/by-id/x\nE:ID_SERIAL=Disk_A1\nE:ID_SERIAL_SHORT=A1\nE:ID_WWN=0x5000\n",
        );
        write("sys/block/sdb/dev", "8:16\n");
        write(
            "run/udev/data/b8:16",
            "E:ID_SERIAL_SHORT=\nE:ID_WWN=0x5000c500\nE:ID_WWN_WITH_EXTENSION=0x5000c5000001\n",
        );
        let system = System::new(Some(dir.path().to_owned()));
        let drives = block::drives(&system).into_iter();
        let names = drives.map(|name| {
            let drive = drive(&system, name, &[], &[]);
            (drive.name, drive.serial, drive.wwn)
        });
        let word = |text: &str| Some(text.to_owned());
        let want = [
            ("nvme0n1".to_owned(), word("N1"), None),
            ("sda".to_owned(), word("A1"), word("naa.5000c500a1b2c3d4")),
            ("sdb".to_owned(), None, word("0x5000c5000001")),
        ];
        assert_eq!(names.collect::<Vec<_>>(), want);
    }
}
