//! Debian packages: their members, what is said in them, and their files as an archive that is unpacked.
#![no_main]

use std::io::{Cursor, Read};

use deb::Deb;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(mut deb) = Deb::open(Cursor::new(data)) else {
        return;
    };
    if let Ok(control) = deb.control() {
        assert!(control.get("control").is_some());
    }
    let Ok(data) = deb.data() else {
        return;
    };
    // A small archive may hold much.
    let mut members = archive::Stream::new(data.take(1 << 20));
    while let Ok(Some(_)) = members.next_entry() {}
});
