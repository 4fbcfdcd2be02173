//! Small images with the partitions of HostOS and GuestOS, and disks for them.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests' own"
)]

use std::io::Write;

use partitions::Table as Csv;
use uuid::Uuid;

use super::source::Source;

pub(crate) const HOST_CSV: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,30acb6d4-d863-49ab-8d7c-150273b4ac5e,\n\
    config,,1M,linux,a12fc610-993f-4edb-8679-3f8d644c0ded,\n\
    data,,1M,linux,f55c8611-c612-4aa3-b461-c4baa37393b5,\n\
    guestos,,1M,9738658b-93b1-489c-9e5e-390a2abc5882,08e0d98b-de03-4288-a0f7-3960dad555fa,\n";
pub(crate) const GUEST_CSV: &str = "name,start,size,type,uuid,description\n\
    esp,,1M,esp,2e01fc99-a852-4373-ae5d-842ee2be1b93,\n\
    data,,1M,ef2829af-72c6-4b57-a886-e1dd90cd653b,0bd5baa9-41de-4115-8b8a-74f5cd4ac24d,\n";

/// A disk with the partitions of `csv`; the first has some data, the others nothing.
fn image(csv: &str, guid: u128, fill: u8) -> Vec<u8> {
    let layout = Csv::parse(csv).unwrap().layout(None).unwrap();
    let mut bytes = vec![0; usize::try_from(layout.disk_size).unwrap()];
    for (at, part) in disk::table(&layout, Uuid::from_u128(guid)).unwrap() {
        let at = usize::try_from(at).unwrap();
        bytes[at..at + part.len()].copy_from_slice(&part);
    }
    let at = usize::try_from(layout.partitions[0].start).unwrap();
    for (number, byte) in bytes[at + 300_000..at + 500_000].iter_mut().enumerate() {
        *byte = fill ^ u8::try_from(number % 251).unwrap();
    }
    bytes
}

/// HostOS: 6 MiB.
pub(crate) fn host_image() -> Vec<u8> {
    image(HOST_CSV, 7, 1)
}

/// GuestOS: 4 MiB.
pub(crate) fn guest_image() -> Vec<u8> {
    image(GUEST_CSV, 8, 2)
}

/// Bytes as an image in a file with holes.
pub(crate) fn source(name: &str, bytes: &[u8]) -> Source {
    let mut file = tempfile::tempfile().unwrap();
    file.set_len(u64::try_from(bytes.len()).unwrap()).unwrap();
    for (number, block) in bytes.chunks(4096).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            use std::io::Seek as _;
            let at = u64::try_from(number * 4096).unwrap();
            file.seek(std::io::SeekFrom::Start(at)).unwrap();
            file.write_all(block).unwrap();
        }
    }
    Source::new(name, file).unwrap()
}
