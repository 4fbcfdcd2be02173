//! A disk in memory, of which only the sectors are kept that were written: what the writer of the table works on.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use partitions::SECTOR;

const SECTOR_LEN: usize = 512;

/// As long as the disk, and as large as what is written to it.
#[derive(Debug)]
pub(crate) struct Device {
    len: u64,
    at: u64,
    sectors: BTreeMap<u64, [u8; SECTOR_LEN]>,
}

impl Device {
    pub(crate) fn new(len: u64) -> Self {
        let (at, sectors) = (0, BTreeMap::new());
        Self { len, at, sectors }
    }

    /// What was written, by its place.
    pub(crate) fn written(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let sectors = self.sectors.iter();
        sectors.map(|(number, bytes)| (number.saturating_mul(SECTOR), bytes.as_slice()))
    }

    /// The sector at the position, the offset in it, and how many of `want` bytes lie in it and on the disk.
    fn here(&self, want: usize) -> (u64, usize, usize) {
        let inside = usize::try_from(self.at % SECTOR).unwrap_or(0);
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = SECTOR_LEN.saturating_sub(inside).min(left);
        (self.at / SECTOR, inside, most.min(want))
    }

    fn advance(&mut self, by: usize) {
        let by = u64::try_from(by).unwrap_or(u64::MAX);
        self.at = self.at.saturating_add(by);
    }
}

impl Read for Device {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (number, inside, len) = self.here(buffer.len());
        let sector = self.sectors.get(&number).unwrap_or(&[0; SECTOR_LEN]);
        let from = sector.iter().skip(inside).take(len);
        buffer.iter_mut().zip(from).for_each(|(to, b)| *to = *b);
        self.advance(len);
        Ok(len)
    }
}

impl Write for Device {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let (number, inside, len) = self.here(buffer.len());
        if len == 0 && !buffer.is_empty() {
            let reason = format!("beyond the disk's {} bytes", self.len);
            return Err(io::Error::new(io::ErrorKind::StorageFull, reason));
        }
        let sector = self.sectors.entry(number).or_insert([0; SECTOR_LEN]);
        let to = sector.iter_mut().skip(inside).take(len);
        to.zip(buffer).for_each(|(to, b)| *to = *b);
        self.advance(len);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Device {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_a_file() {
        let mut device = Device::new(3 << 40);
        device.seek(SeekFrom::Start(510)).unwrap();
        device.write_all(b"abcd").unwrap();
        device.seek(SeekFrom::End(-2)).unwrap();
        device.write_all(b"xy").unwrap();
        assert!(device.write_all(b"z").is_err());
        assert_eq!(device.read(&mut [0]).unwrap(), 0);
        device.seek(SeekFrom::Start(508)).unwrap();
        let mut got = [9; 8];
        device.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"\0\0abcd\0\0");
        assert_eq!(device.seek(SeekFrom::Current(-6)).unwrap(), 510);
        assert!(device.seek(SeekFrom::Current(-511)).is_err());
        let written: Vec<u64> = device.written().map(|(at, _)| at).collect();
        assert_eq!(written, [0, 512, (3 << 40) - 512]);
    }
}
