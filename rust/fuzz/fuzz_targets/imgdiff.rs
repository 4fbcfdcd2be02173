//! Two contents compared, whatever they are; one alone as an initial RAM disk and as a list of packages.
#![no_main]

use dpkg::Status;
use imgdiff::{content, cpio, packages, Options};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((members, rest)) = cpio::members(data) {
        let held: usize = members.iter().map(|one| one.bytes.len()).sum();
        assert!(held + rest.len() <= data.len());
    }
    if let Ok(status) = Status::read(data) {
        assert!(packages::compare(&status, &status).is_empty());
        let removed = packages::compare(&status, &Status::default());
        assert_eq!(removed.len(), status.packages().len());
    }
    // The first bytes say where the second content begins.
    let Some((at, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let at = usize::from(u16::from_le_bytes(*at)).min(rest.len());
    let (old, new) = rest.split_at(at);
    let (options, mut notes) = (Options::default(), Vec::new());
    let differs = content::in_memory(old, new, &options, &mut notes).is_some();
    assert_eq!(differs, old != new);
    // One byte changed.
    let mut other = data.to_vec();
    if let Some(last) = other.last_mut() {
        *last ^= 1;
    }
    assert!(content::in_memory(data, &other, &options, &mut notes).is_some());
});
