//! GPT: headers and entries with right checksums, whatever else they say.
#![no_main]

use inspect::Options;
use libfuzzer_sys::fuzz_target;

const SECTOR: usize = 512;
const SECTORS: u64 = 128;
const ENTRIES: usize = 4;

fuzz_target!(|data: &[u8]| {
    // Two headers, then the entries that both tables begin with.
    let mut disk = vec![0; SECTORS as usize * SECTOR];
    disk[446 + 4] = 0xee;
    disk[446 + 8..446 + 16].copy_from_slice(&[1, 0, 0, 0, SECTORS as u8 - 1, 0, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut data = data.iter().copied();
    let mut entries = vec![0; ENTRIES * 128];
    let mut headers = [header(1), header(SECTORS - 1)];
    for header in &mut headers {
        header[..92]
            .iter_mut()
            .zip(&mut data)
            .for_each(|(byte, change)| *byte ^= change);
    }
    entries
        .iter_mut()
        .zip(&mut data)
        .for_each(|(byte, change)| *byte = change);
    for (header, (at, table)) in headers
        .iter_mut()
        .zip([(1, 2), (SECTORS - 1, SECTORS - 33)])
    {
        let table = table as usize * SECTOR;
        disk[table..table + entries.len()].copy_from_slice(&entries);
        let number =
            |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap()) as usize;
        let (size, table_len) = (number(12), number(80).saturating_mul(number(84)));
        if let Some(entries) = disk.get(table..table.saturating_add(table_len)) {
            header[88..92].copy_from_slice(&crc32fast::hash(entries).to_le_bytes());
        }
        header[16..20].fill(0);
        if let Some(covered) = header.get(..size) {
            let sum = crc32fast::hash(covered);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
        }
        let at = at as usize * SECTOR;
        disk[at..at + SECTOR].copy_from_slice(header);
    }
    let _ = inspect::partitions(&disk);
    if let Ok(dump) = inspect::dump(&disk, Options::default(), None) {
        inspect::write_text(&dump, &mut std::io::sink()).unwrap();
    }
});

/// A good header of a table of four entries.
fn header(at: u64) -> Vec<u8> {
    let mut header = b"EFI PART\0\0\x01\0".to_vec();
    header.extend_from_slice(&92u32.to_le_bytes());
    header.extend_from_slice(&[0; 8]);
    for number in [at, SECTORS - at, 34, SECTORS - 34] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header.extend_from_slice(&[7; 16]);
    let table = if at == 1 { 2 } else { SECTORS - 33 };
    header.extend_from_slice(&table.to_le_bytes());
    header.extend_from_slice(&(ENTRIES as u32).to_le_bytes());
    header.extend_from_slice(&128u32.to_le_bytes());
    header.resize(SECTOR, 0);
    header
}
