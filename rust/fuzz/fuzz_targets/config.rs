//! What one system hands to the next: `config.json`. What is read is written and read again as itself.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use os_config::{Config, Document};

fuzz_target!(|data: &[u8]| {
    let path = Path::new("config.json");
    if let Ok(read) = Document::parse(path, data) {
        let text = read.to_json();
        let again = Document::parse(path, text.as_bytes()).expect("it was written");
        assert_eq!(again, read);
        // The keys that say the same are keys that `config.ini` could hold.
        let handed = Config::default().hand_over(&read).expect("it was read");
        assert_eq!(
            Document::of(&handed, read.kind()).expect("it is of its own kind"),
            read
        );
    }
});
