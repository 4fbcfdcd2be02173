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
        serial: at("serial").or_else(|| at("device/serial")),
        wwn: at("wwid").or_else(|| at("device/wwid")),
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
