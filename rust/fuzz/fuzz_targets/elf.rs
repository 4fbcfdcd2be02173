//! ELF files, and the loader's cache of libraries.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(program) = elf::Program::read(data) {
        let _ = program.is_static();
        assert!(program.wants.len() <= data.len());
    }
    if let Ok(sections) = elf::sections(data) {
        assert!(sections.iter().all(|one| one.bytes.len() <= data.len()));
    }
    let _ = elf::Cache::read(data);
    let _ = elf::Cache::read(&[b"glibc-ld.so.cache1.1", data].concat());
});
