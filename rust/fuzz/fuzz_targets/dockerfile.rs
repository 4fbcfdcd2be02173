//! Dockerfiles: parsed, and planned with an argument given.
#![no_main]

use dockerfile::Vars;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(file) = dockerfile::parse("Dockerfile", data) {
        let mut vars = Vars::new();
        let _ = dockerfile::plan(&file, &vars);
        vars.insert("A".to_owned(), "a b".to_owned());
        let _ = dockerfile::plan(&file, &vars);
    }
});
