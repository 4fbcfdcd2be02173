//! What a client says to the NBD server: anything, after a greeting and a choice that may be right.
#![no_main]

use std::cell::RefCell;
use std::io::Write;

use libfuzzer_sys::fuzz_target;
use nbd::Overlay;
use plan::{Builder, Input, Reader};

const LEN: u64 = 3 << 20;

thread_local! {
    static DISK: RefCell<Overlay<Vec<u8>>> = RefCell::new(disk());
}

fn disk() -> Overlay<Vec<u8>> {
    let mut builder = Builder::new(vec![Input::of_len(1 << 20)]);
    builder.source(0, 0, 1 << 20).expect("all of it");
    builder.zero(LEN - (1 << 20)).expect("in front of it");
    let inputs = vec![("input".to_owned(), vec![7; 1 << 20])];
    let reader = Reader::new(builder.finish().expect("gapless"), inputs).expect("one input");
    Overlay::throw_away(reader).expect("a file for changes")
}

/// Counts what the server says.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    let mut said = Vec::new();
    if choice & 1 == 0 {
        said.extend_from_slice(&3u32.to_be_bytes());
    }
    if choice & 2 == 0 {
        // Structured replies.
        said.extend_from_slice(b"IHAVEOPT\0\0\0\x08\0\0\0\0");
        // base:allocation.
        said.extend_from_slice(
            b"IHAVEOPT\0\0\0\x0a\0\0\0\x1b\0\0\0\0\0\0\0\x01\0\0\0\x0fbase:allocation",
        );
    }
    if choice & 4 == 0 {
        said.extend_from_slice(b"IHAVEOPT\0\0\0\x07\0\0\0\x06\0\0\0\0\0\0");
    }
    for request in rest.chunks(21) {
        match request.split_first() {
            // With a right magic, and numbers near the image.
            Some((kind, fields)) if choice & 8 == 0 && fields.len() >= 12 => {
                said.extend_from_slice(&0x2560_9513u32.to_be_bytes());
                said.extend_from_slice(&[0, kind >> 4, 0, kind & 15]);
                said.extend_from_slice(b"12345678\0\0\0\0");
                said.extend_from_slice(&[0, fields[0] % 64, fields[1], fields[2]]);
                said.extend_from_slice(&[0, fields[3] % 32, fields[4], fields[5]]);
            }
            _ => said.extend_from_slice(request),
        }
    }
    let mut answers = Count(0);
    DISK.with_borrow(|disk| {
        let _ = nbd::talk(&mut said.as_slice(), &mut answers, disk, choice & 16 == 0);
    });
    // A request is answered by 32 MiB at most.
    let requests = said.len() as u64 / 28 + 1;
    assert!(answers.0 <= requests * (33 << 20) + (said.len() as u64 + 1) * 200);
});
