//! A tree like a root file system: many small files, few large ones, some links.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Error, Result};
use archive::{Entry, Kind, Writer};

/// Files in a directory, and directories in one.
const FAN: u64 = 64;

pub(crate) fn write(files: u64, bytes: u64, output: &Path) -> Result<()> {
    cli::write_output(output, |out| {
        let mut writer = Writer::new(out);
        let weights: u128 = (0..files).map(|file| u128::from(weight(file))).sum();
        for file in 0..files {
            let dir = file.checked_div(FAN).unwrap_or(0);
            let top = dir.checked_div(FAN).unwrap_or(0);
            let top = format!("d{top:04}");
            let path = format!("{top}/d{dir:06}");
            // mke2fs wants every directory to be there before what lies in it.
            if file.checked_rem(FAN.saturating_mul(FAN)) == Some(0) {
                writer.append(&Entry::new(top.as_str(), Kind::Dir, 0o755), io::empty())?;
            }
            if file.checked_rem(FAN) == Some(0) {
                writer.append(&Entry::new(path.as_str(), Kind::Dir, 0o755), io::empty())?;
            }
            let len = u128::from(bytes).saturating_mul(u128::from(weight(file)));
            let len = u64::try_from(len.checked_div(weights).unwrap_or(0)).unwrap_or(u64::MAX);
            let kind = Kind::File { offset: 0, len };
            let name = format!("{path}/file-{file:07}.data");
            let entry = Entry::new(name.as_str(), kind, 0o644);
            writer.append(&entry, Noise(mix(file)).take(len))?;
            if file.checked_rem(16) == Some(0) {
                let target = format!("file-{file:07}.data").into_bytes();
                let name = format!("{path}/link-{file:07}");
                let link = Entry::new(name.as_str(), Kind::Symlink { target }, 0o777);
                writer.append(&link, io::empty())?;
            }
        }
        writer.finish().map(drop)
    })
    .map_err(Error::from_boxed)
}

/// Sizes over eight powers of two, small ones more often.
fn weight(file: u64) -> u64 {
    let mixed = mix(file);
    let power = (mixed & 0xff).leading_zeros().saturating_sub(56);
    (1u64 << power.min(8)).saturating_mul(64 | (mixed >> 8 & 63))
}

/// A number that looks like chance (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Endless bytes that do not compress.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for chunk in buffer.chunks_mut(8) {
            self.0 = mix(self.0);
            for (to, from) in chunk.iter_mut().zip(self.0.to_le_bytes()) {
                *to = from;
            }
        }
        Ok(buffer.len())
    }
}
