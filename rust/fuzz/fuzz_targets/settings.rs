//! What a machine is configured with: `config.ini`, authorized keys, durations.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use os_config::{AuthorizedKeys, Settings};

fuzz_target!(|data: &[u8]| {
    let path = Path::new("config");
    let _ = Settings::parse(path, data);
    if let Ok(keys) = AuthorizedKeys::parse(path, data) {
        let text = keys.to_text();
        let again = AuthorizedKeys::parse(path, text.as_bytes()).expect("it was written");
        assert_eq!(again.to_text(), text);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = os_config::duration::parse(text);
    }
});
