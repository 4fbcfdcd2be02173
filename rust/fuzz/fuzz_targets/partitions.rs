//! `partitions.csv`: parsed and laid out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use partitions::Table;

fuzz_target!(|data: &str| {
    if let Ok(table) = Table::parse(data) {
        let _ = table.layout(None);
        if let Ok(layout) = table.layout(Some(1 << 31)) {
            assert!(layout
                .partitions
                .iter()
                .all(|placed| placed.end() <= 1 << 31));
        }
    }
});
