//! Package lists and locks: a lock that is taken is written as it was read.
#![no_main]

use debian::{parse_list, Lock};
use libfuzzer_sys::fuzz_target;

// A list and a lock with a zero between them, or either.
fuzz_target!(|data: &str| {
    let (list, lock) = data.split_once('\0').unwrap_or((data, data));
    let list = parse_list("packages", list);
    let Ok(lock) = Lock::read(lock) else {
        return;
    };
    let text = lock.write().expect("it was read");
    let again = Lock::read(&text).expect("it was written");
    assert_eq!(again.write().expect("it was read"), text);
    if let Ok(list) = list {
        let _ = lock.check_lists(&[list], "//:lock");
    }
});
