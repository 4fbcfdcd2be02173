//! Files that are opened by name: lists of plans, changes to an image, logs of what was written to one.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nbd::{Entry, Log, Overlay};
use plan::{Builder, List, Reader};

static DIR: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    // In memory where there is such a folder: it is written for each input.
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
});

fuzz_target!(|data: &[u8]| {
    let path = DIR.path().join("file.image");
    std::fs::write(&path, data).expect("room");
    let _ = List::open(&path);
    let _ = Reader::open_list(&path);
    // Changes to an image of two blocks; with the right header, or with one of the input.
    let mut bytes = b"IMGCHNG\0\x01\0\0\0\0\x10\0\0\0\x20\0\0\0\0\0\0".to_vec();
    bytes.extend([7; 32]);
    bytes.resize(4096, 0);
    bytes.extend_from_slice(data);
    bytes.resize(4096 * 4, 0);
    for bytes in [data, &bytes] {
        std::fs::write(&path, bytes).expect("room");
        let mut builder = Builder::new(vec![]);
        builder.zero(8192).expect("short");
        let inputs: Vec<(String, Vec<u8>)> = vec![];
        let image = Reader::new(builder.finish().expect("gapless"), inputs).expect("no input");
        if let Ok(disk) = Overlay::keep(image, &path, [7; 32]) {
            let mut block = [0; 8192];
            let _ = disk.read_at(&mut block, 0);
            let _ = disk.write_at(&[1], 4095);
        }
    }
    // A log of the same image.
    let mut bytes = b"IMGWRTS\0\x01\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0".to_vec();
    bytes.extend([7; 32]);
    bytes.extend([0; 8]);
    bytes.extend_from_slice(data);
    for bytes in [data, &bytes] {
        std::fs::write(&path, bytes).expect("room");
        let Ok(log) = Log::open(&path, 8192, [7; 32]) else {
            continue;
        };
        for entry in log.entries() {
            if let Entry::Write { len, data_at, .. } = entry {
                let mut data = vec![0; usize::try_from(*len).expect("within the image")];
                log.read_at(&mut data, *data_at).expect("within the log");
            }
        }
    }
});
