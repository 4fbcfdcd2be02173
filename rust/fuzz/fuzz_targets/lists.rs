//! Package lists and locks: a lock that is taken is written as it was read.
#![no_main]

use debian::{parse_list, Lock};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    if let Ok(list) = parse_list("packages", data) {
        let lock = Lock::default();
        let _ = lock.check_lists(&[list], "//:lock");
    }
    if let Ok(lock) = Lock::read(data) {
        let text = lock.write().expect("it was read");
        let again = Lock::read(&text).expect("it was written");
        assert_eq!(again.write().expect("it was read"), text);
    }
});
