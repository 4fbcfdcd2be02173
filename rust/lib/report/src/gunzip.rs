//! gzip, as Bazel compresses its profiles, read up to a bound: a few bytes can stand for any number of them.

use std::io::{Error, ErrorKind, Read};

use flate2::read::MultiGzDecoder;

/// The first bytes of a stream.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// More than this is no profile of a build.
const MOST: u64 = 1 << 30;

/// What is in `bytes`, one stream or several.
pub(crate) fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    bounded(bytes, MOST)
}

fn bounded(bytes: &[u8], most: u64) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut streams = MultiGzDecoder::new(bytes);
    streams.by_ref().take(most).read_to_end(&mut out)?;
    // The end, with its checksum, or one byte more.
    match streams.read(&mut [0])? {
        0 => Ok(out),
        _ => Err(Error::new(
            ErrorKind::InvalidData,
            format!("it has more than {most} bytes in it"),
        )),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// What the program gzip makes of `bytes`.
    pub(crate) fn gzip(bytes: &[u8], level: &str) -> Vec<u8> {
        let mut process = Command::new("gzip")
            .args(["-c", level])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
        let done = process.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(done.status.success());
        done.stdout
    }

    #[test]
    fn what_gzip_writes() {
        for bytes in [&b""[..], b"a", &b"some text, ".repeat(10_000)] {
            for level in ["-1", "-9"] {
                assert_eq!(gunzip(&gzip(bytes, level)).unwrap(), bytes);
            }
        }
        let both = [gzip(b"one, ", "-9"), gzip(b"two", "-9")].concat();
        assert_eq!(gunzip(&both).unwrap(), b"one, two");
    }

    #[test]
    fn what_is_cut_changed_or_too_much_is_refused() {
        let good = gzip(b"abcabcabcabc", "-9");
        for len in 0..good.len() {
            gunzip(&good[..len]).unwrap_err();
        }
        let mut changed = good.clone();
        *changed.last_mut().unwrap() ^= 1;
        gunzip(&changed).unwrap_err();
        assert_eq!(bounded(&good, 12).unwrap(), b"abcabcabcabc");
        let error = bounded(&good, 11).unwrap_err().to_string();
        assert_eq!(error, "it has more than 11 bytes in it");
    }
}
