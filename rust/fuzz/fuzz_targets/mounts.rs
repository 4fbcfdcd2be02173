//! The kernel's list of mounts: no line is taken for two, and what a field stands for is no longer than it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mounts::Mount;

fuzz_target!(|data: &[u8]| {
    let lines = mounts::lines(data).inspect(|line| assert!(!line.contains(&b'\n')));
    for mount in lines.filter_map(Mount::parse) {
        assert!(mount.place.as_os_str().len() + mount.source.as_os_str().len() <= data.len());
    }
    assert!(mounts::unescaped(data).len() <= data.len());
});
